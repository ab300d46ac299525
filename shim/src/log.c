/* Turns what a stream printed into log records: Docker's json-file lines, or the compact frames of `local`. */
#include "shim.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define LINE_BYTES 16384 /* Docker cuts longer lines into pieces of this size */
#define BUFFER_BYTES 262144
#define ATTRIBUTES_MAX 65536
#define RECORD_OVERHEAD 20

static struct {
	enum { LOG_NONE, LOG_JSON, LOG_LOCAL } kind;
	const char *attributes;
	struct {
		unsigned char *text; /* the unfinished line; allocated only while there is one */
		size_t size;
		bool cut; /* pieces of this line were written before */
		struct timespec time;
		char tail[ATTRIBUTES_MAX + 128]; /* what follows the text of a record, for `tail_time` */
		size_t tail_size;
		struct timespec tail_time;
	} streams[3];
	size_t used, touched; /* bytes of the buffer; `touched` since memory was last given back */
} logging;

static unsigned char buffer[BUFFER_BYTES] __attribute__((aligned(4096)));

int log_open(const struct spec *spec, struct failure *failure)
{
	logging.kind = strcmp(spec->log, "json-file") == 0 ? LOG_JSON : strcmp(spec->log, "local") == 0 ? LOG_LOCAL : LOG_NONE;
	logging.attributes = spec->log_attributes;
	errno = 0;
	if (logging.kind == LOG_NONE)
		return strcmp(spec->log, "none") == 0 ? 0 : fail(failure, "unknown log kind %s", spec->log);
	if (logging.attributes && strlen(logging.attributes) > ATTRIBUTES_MAX)
		return fail(failure, "log attributes are longer than %d bytes", ATTRIBUTES_MAX);
	return log_file_open(spec, logging.kind == LOG_LOCAL, failure);
}

static void flush_records(void)
{
	if (logging.used > 0)
		log_file_append(buffer, logging.used);
	if (logging.used > logging.touched)
		logging.touched = logging.used;
	logging.used = 0;
}

/* Makes the rest of a record for its time; the same for every line of one read. */
static void prepare_tail(int stream, struct timespec time)
{
	if (logging.streams[stream].tail_size && memcmp(&logging.streams[stream].tail_time, &time, sizeof time) == 0)
		return;
	char *start = logging.streams[stream].tail, *out = start;
	out = stpcpy(out, stream == 1 ? "\",\"stream\":\"stdout\"," : "\",\"stream\":\"stderr\",");
	if (logging.attributes)
		out = stpcpy(stpcpy(stpcpy(out, "\"attrs\":"), logging.attributes), ",");
	out = stpcpy(out, "\"time\":\"");
	out += format_time(out, time.tv_sec, time.tv_nsec);
	out = stpcpy(out, "\"}\n");
	logging.streams[stream].tail_size = (size_t)(out - start);
	logging.streams[stream].tail_time = time;
}

/* Room for `most` bytes, if possible without leaving the current file's limit with records that could stay in it. */
static unsigned char *reserve(size_t most)
{
	if (logging.used + most > BUFFER_BYTES)
		flush_records();
	return buffer + logging.used;
}

static void commit(size_t size)
{
	size_t before = logging.used;
	if (before > 0 && before + size > log_file_room()) { /* this record belongs to the next file */
		log_file_append(buffer, before);
		memmove(buffer, buffer + before, size);
		logging.used = 0;
	}
	logging.used += size;
}

static void put_line(int stream, const unsigned char *text, size_t size, bool whole, struct timespec time)
{
	prepare_tail(stream, time);
	size_t tail = logging.streams[stream].tail_size;
	unsigned char *start = reserve(6 * size + tail + 16), *out = start;
	memcpy(out, "{\"log\":\"", 8);
	out += 8;
	out += json_escape(out, text, size);
	if (whole) {
		memcpy(out, "\\n", 2);
		out += 2;
	}
	memcpy(out, logging.streams[stream].tail, tail);
	commit((size_t)(out + tail - start));
}

/* Adds to the unfinished line. Returns false when there is no memory for it. */
static bool keep(int stream, const unsigned char *data, size_t size)
{
	if (!logging.streams[stream].text && !(logging.streams[stream].text = malloc(LINE_BYTES)))
		return false;
	memcpy(logging.streams[stream].text + logging.streams[stream].size, data, size);
	logging.streams[stream].size += size;
	return true;
}

/* Writes what is kept plus `data` as one record. Every piece of a line that is cut has the time of the first. */
static void put_kept(int stream, const unsigned char *data, size_t size, bool whole, struct timespec now)
{
	struct timespec time = logging.streams[stream].cut ? logging.streams[stream].time : now;
	if (logging.streams[stream].size == 0)
		put_line(stream, data, size, whole, time);
	else if (keep(stream, data, size))
		put_line(stream, logging.streams[stream].text, logging.streams[stream].size, whole, time);
	logging.streams[stream].size = 0;
	logging.streams[stream].cut = !whole;
	logging.streams[stream].time = time;
	if (whole) {
		free(logging.streams[stream].text);
		logging.streams[stream].text = NULL;
	}
}

static void write_lines(int stream, const unsigned char *data, size_t size, struct timespec now)
{
	while (size > 0) {
		size_t room = LINE_BYTES - logging.streams[stream].size;
		size_t reach = size < room ? size : room;
		const unsigned char *end = memchr(data, '\n', reach);
		size_t taken = end ? (size_t)(end - data) : reach;
		if (end || reach == room)
			put_kept(stream, data, taken, end != NULL, now);
		else
			keep(stream, data, taken);
		taken += end != NULL;
		data += taken;
		size -= taken;
	}
}

/* One record is one read: see "local log files" in PROTOCOL.md. Little-endian on every machine we build for. */
static void write_frame(int stream, const unsigned char *data, size_t size, struct timespec now)
{
	uint32_t length = (uint32_t)size;
	int64_t nanoseconds = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	unsigned char *out = reserve(size + RECORD_OVERHEAD);
	memcpy(out, &length, 4);
	memcpy(out + 4, (unsigned char[]){(unsigned char)stream, 0, 0x6c, 0x47}, 4);
	memcpy(out + 8, &nanoseconds, 8);
	memcpy(out + 16, data, size);
	memcpy(out + 16 + size, &length, 4);
	commit(size + RECORD_OVERHEAD);
}

void log_write(int stream, const unsigned char *data, size_t size)
{
	if (logging.kind == LOG_NONE)
		return;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (logging.kind == LOG_JSON)
		write_lines(stream, data, size, now);
	else
		write_frame(stream, data, size, now);
	flush_records();
	if (size < CHUNK_BYTES / 8 && logging.touched > CHUNK_BYTES) { /* quiet again: give the memory back */
		madvise(buffer, sizeof buffer, MADV_DONTNEED);
		logging.touched = 0;
	}
}

void log_end(int stream)
{
	if (logging.kind == LOG_JSON && logging.streams[stream].size > 0) {
		struct timespec now;
		clock_gettime(CLOCK_REALTIME, &now);
		put_kept(stream, (const unsigned char *)"", 0, false, now);
		flush_records();
	}
	free(logging.streams[stream].text);
	logging.streams[stream].text = NULL;
}
