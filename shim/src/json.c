/* JSON strings as Docker's json-file driver writes them, and its time stamps. */
#include "shim.h"
#include <string.h>

typedef unsigned char block __attribute__((vector_size(16)));

/* Length of the valid UTF-8 sequence at `data` (2-4), 0 when there is none: Go's rules, so no surrogates, nothing overlong. */
static size_t sequence_length(const unsigned char *data, size_t size)
{
	unsigned char first = data[0], low = 0x80, high = 0xbf;
	size_t length = first >= 0xc2 && first <= 0xdf ? 2 : (first & 0xf0) == 0xe0 ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
	if (length == 0 || length > size)
		return 0;
	if (first == 0xe0)
		low = 0xa0;
	else if (first == 0xed)
		high = 0x9f;
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xf4)
		high = 0x8f;
	if (data[1] < low || data[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((data[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

/* Copies bytes that need no escape, 16 at a time; may write up to 16 bytes past the returned count, never past `size`. */
static size_t copy_plain(unsigned char *out, const unsigned char *data, size_t size)
{
	size_t done = 0;
	while (done + sizeof(block) <= size) {
		block bytes;
		memcpy(&bytes, data + done, sizeof bytes);
		memcpy(out + done, &bytes, sizeof bytes);
		block special = (block)((bytes < 0x20) | (bytes >= 0x80) | (bytes == '"') | (bytes == '\\') | (bytes == '<') |
					(bytes == '>') | (bytes == '&'));
		uint64_t halves[2];
		memcpy(halves, &special, sizeof halves);
		if (halves[0] | halves[1])
			return done + (size_t)(halves[0] ? __builtin_ctzll(halves[0]) : 64 + __builtin_ctzll(halves[1])) / 8;
		done += sizeof bytes;
	}
	for (; done < size; done++) {
		unsigned char byte = data[done];
		if (byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\' || byte == '<' || byte == '>' || byte == '&')
			break;
		out[done] = byte;
	}
	return done;
}

static size_t escape_ascii(unsigned char *out, unsigned char byte)
{
	static const char HEX[] = "0123456789abcdef";
	out[0] = '\\';
	if (byte == '"' || byte == '\\' || byte == '\n' || byte == '\r') {
		out[1] = byte == '\n' ? 'n' : byte == '\r' ? 'r' : byte;
		return 2;
	}
	memcpy(out + 1, "u00", 3);
	out[4] = (unsigned char)HEX[byte >> 4];
	out[5] = (unsigned char)HEX[byte & 15];
	return 6;
}

size_t json_escape(unsigned char *out, const unsigned char *data, size_t size)
{
	unsigned char *start = out;
	while (size > 0) {
		size_t taken = copy_plain(out, data, size);
		out += taken;
		if (taken == size)
			break;
		data += taken;
		size -= taken;
		taken = 1;
		if (*data < 0x80) {
			out += escape_ascii(out, *data);
		} else if ((taken = sequence_length(data, size)) == 0) {
			memcpy(out, "\\ufffd", 6);
			out += 6;
			taken = 1;
		} else if (taken == 3 && data[0] == 0xe2 && data[1] == 0x80 && (data[2] | 1) == 0xa9) {
			memcpy(out, data[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
			out += 6;
		} else {
			memcpy(out, data, taken);
			out += taken;
		}
		data += taken;
		size -= taken;
	}
	return (size_t)(out - start);
}

static void put_digits(char *out, unsigned value, int digits)
{
	while (digits-- > 0) {
		out[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

/* Days since 1970 to a civil date. libc's gmtime would load the time zone files, which costs memory. */
static void put_date(char *out, int64_t days)
{
	int64_t shifted = days + 719468, era = shifted / 146097;
	unsigned of_era = (unsigned)(shifted - era * 146097);
	unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
	unsigned month = (5 * of_year + 2) / 153;
	unsigned day = of_year - (153 * month + 2) / 5 + 1;
	month = month < 10 ? month + 3 : month - 9;
	put_digits(out, (unsigned)(year + era * 400 + (month <= 2)), 4);
	out[4] = out[7] = '-';
	put_digits(out + 5, month, 2);
	put_digits(out + 8, day, 2);
}

size_t format_time(char *out, int64_t seconds, long nanoseconds)
{
	static int64_t cached = -1;
	static char text[20];
	if (seconds != cached) {
		unsigned of_day = (unsigned)(seconds % 86400);
		put_date(text, seconds / 86400);
		memcpy(text + 10, "T00:00:00", 9);
		put_digits(text + 11, of_day / 3600, 2);
		put_digits(text + 14, of_day / 60 % 60, 2);
		put_digits(text + 17, of_day % 60, 2);
		cached = seconds;
	}
	memcpy(out, text, 19);
	size_t length = 19;
	if (nanoseconds > 0) {
		out[19] = '.';
		put_digits(out + 20, (unsigned)nanoseconds, 9);
		length = 29;
		while (out[length - 1] == '0')
			length--;
	}
	out[length++] = 'Z';
	return length;
}
