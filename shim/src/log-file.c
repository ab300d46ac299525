/* Append-only files with rotation: path, path.1 … A full disk never stops the container: records are dropped and counted. */
#include "shim.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	int fd;
	bool is_local;
	const char *path;
	int64_t size, max_bytes, max_files;
	uint64_t dropped;
} file = {.fd = -1};

/* The last complete record of a json-file ends where its last newline is. */
static int64_t intact_lines(int64_t size)
{
	char block[4096];
	while (size > 0) {
		size_t length = size < (int64_t)sizeof block ? (size_t)size : sizeof block;
		if (pread(file.fd, block, length, size - (int64_t)length) != (ssize_t)length)
			return size;
		const char *newline = memrchr(block, '\n', length);
		if (newline)
			return size - (int64_t)length + (newline - block) + 1;
		size -= (int64_t)length;
	}
	return 0;
}

static int64_t intact_frames(int64_t size)
{
	int64_t offset = 0;
	for (;;) {
		unsigned char header[16];
		uint32_t length, again;
		if (pread(file.fd, header, sizeof header, offset) != sizeof header || header[6] != 0x6c || header[7] != 0x47)
			return offset;
		memcpy(&length, header, 4);
		if (offset + 20 + length > size || pread(file.fd, &again, 4, offset + 16 + length) != 4 || again != length)
			return offset;
		offset += 20 + (int64_t)length;
	}
}

/* True when a whole frame ends at `size`; spares reading the file from its start. */
static bool ends_with_frame(int64_t size)
{
	uint32_t length, again;
	unsigned char header[16];
	if (size < 20 || pread(file.fd, &length, 4, size - 4) != 4 || length > CHUNK_BYTES || size < 20 + (int64_t)length)
		return size == 0;
	if (pread(file.fd, header, sizeof header, size - 20 - (int64_t)length) != sizeof header)
		return false;
	memcpy(&again, header, 4);
	return again == length && header[6] == 0x6c && header[7] == 0x47;
}

static int open_current(void)
{
	file.fd = open(file.path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	struct stat status;
	if (file.fd < 0 || fstat(file.fd, &status) < 0)
		return -1;
	file.size = status.st_size;
	return 0;
}

int log_file_open(const struct spec *spec, bool is_local, struct failure *failure)
{
	file.path = spec->log_path;
	file.is_local = is_local;
	file.max_bytes = spec->log_max_bytes;
	file.max_files = spec->log_max_files < 1 ? 1 : spec->log_max_files;
	if (open_current() < 0)
		return fail(failure, "cannot open the log %s", file.path);
	/* A monitor that was killed, or a crash, may have left half a record behind. */
	int64_t intact = !is_local ? intact_lines(file.size) : ends_with_frame(file.size) ? file.size : intact_frames(file.size);
	if (intact < file.size && ftruncate(file.fd, intact) == 0)
		file.size = intact;
	return 0;
}

static void numbered(char *name, int64_t number, const char *suffix)
{
	if (number == 0)
		snprintf(name, PATH_MAX, "%s", file.path);
	else
		snprintf(name, PATH_MAX, "%s.%lld%s", file.path, (long long)number, suffix);
}

static void rotate(void)
{
	char from[PATH_MAX], to[PATH_MAX];
	for (int64_t number = file.max_files - 1; number > 0; number--) {
		numbered(to, number, ".gz");
		unlink(to); /* the plain and the gzipped form of a number never exist at once */
		numbered(from, number - 1, ".gz");
		if (number > 1)
			rename(from, to);
		numbered(from, number - 1, "");
		numbered(to, number, "");
		if (rename(from, to) < 0)
			unlink(to);
	}
	if (file.max_files == 1)
		unlink(file.path);
	close_descriptor(&file.fd);
	open_current();
	control_event("event rotated\n");
}

size_t log_file_room(void)
{
	if (file.max_bytes <= 0)
		return SIZE_MAX;
	return file.size < file.max_bytes ? (size_t)(file.max_bytes - file.size) : 0;
}

void log_file_append(const void *records, size_t size)
{
	if (file.fd >= 0 && file.size > 0 && size > log_file_room())
		rotate();
	if (file.fd < 0 && open_current() < 0) {
		file.dropped += size;
		return;
	}
	ssize_t put = write(file.fd, records, size);
	if (put == (ssize_t)size) {
		file.size += put;
		return;
	}
	file.dropped += size;
	if (put > 0 && ftruncate(file.fd, file.size) < 0) /* half a record would spoil what follows */
		close_descriptor(&file.fd);
}

uint64_t log_dropped(void)
{
	return file.dropped;
}

int log_compressed(uint64_t inode, const char *name)
{
	char from[PATH_MAX], rotated[PATH_MAX], to[PATH_MAX];
	const char *slash = file.path ? strrchr(file.path, '/') : NULL;
	errno = EINVAL;
	if (!slash || strchr(name, '/'))
		return -1;
	snprintf(from, sizeof from, "%.*s/%s", (int)(slash - file.path), file.path, name);
	for (int64_t number = 1; number < file.max_files; number++) {
		struct stat status;
		numbered(rotated, number, "");
		numbered(to, number, ".gz");
		if (lstat(rotated, &status) == 0 && (uint64_t)status.st_ino == inode)
			return rename(from, to) < 0 ? -1 : unlink(rotated);
	}
	unlink(from); /* rotated away meanwhile */
	return 0;
}
