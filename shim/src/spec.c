/* Reads the `spec` file: NUL-terminated `key=value` records. An unknown key is an error, never ignored. */
#include "shim.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SPEC_BYTES (4 << 20)

struct field {
	const char *key;
	enum { TEXT, NUMBER } kind;
	size_t offset;
};
#define FIELD(key, kind, member) {key, kind, offsetof(struct spec, member)}

static const struct field FIELDS[] = {
	FIELD("version", NUMBER, version),
	FIELD("id", TEXT, id),
	FIELD("mode", TEXT, mode),
	FIELD("runtime", TEXT, runtime),
	FIELD("runtime-copy", TEXT, runtime_copy),
	FIELD("container", TEXT, container),
	FIELD("bundle", TEXT, bundle),
	FIELD("terminal", NUMBER, terminal),
	FIELD("width", NUMBER, width),
	FIELD("height", NUMBER, height),
	FIELD("stdin", NUMBER, open_stdin),
	FIELD("stdin-once", NUMBER, stdin_once),
	FIELD("uid", NUMBER, uid),
	FIELD("gid", NUMBER, gid),
	FIELD("log", TEXT, log),
	FIELD("log-path", TEXT, log_path),
	FIELD("log-attributes", TEXT, log_attributes),
	FIELD("log-max-bytes", NUMBER, log_max_bytes),
	FIELD("log-max-files", NUMBER, log_max_files),
	FIELD("log-compress", NUMBER, log_compress),
	FIELD("memory-cgroup", TEXT, memory_cgroup),
	FIELD("stall-ms", NUMBER, stall_ms),
};

static char *read_whole(const char *path, size_t *size, struct failure *failure)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0) {
		fail(failure, "cannot read %s", path);
		return NULL;
	}
	errno = 0;
	char *text = status.st_size > 0 && status.st_size <= MAX_SPEC_BYTES ? malloc((size_t)status.st_size) : NULL;
	if (!text || read(fd, text, (size_t)status.st_size) != status.st_size || text[status.st_size - 1] != '\0') {
		fail(failure, "%s is not a complete specification", path);
		free(text);
		return NULL;
	}
	*size = (size_t)status.st_size;
	return text;
}

static int set_number(const char *value, int64_t *target, const char *key, struct failure *failure)
{
	char *end;
	errno = 0;
	long long number = strtoll(value, &end, 10);
	if (errno || end == value || *end)
		return fail(failure, "specification: %s is not a number", key);
	*target = number;
	return 0;
}

static int set_field(struct spec *spec, const char *key, const char *value, struct failure *failure)
{
	for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++) {
		if (strcmp(FIELDS[i].key, key) != 0)
			continue;
		void *target = (char *)spec + FIELDS[i].offset;
		if (FIELDS[i].kind == NUMBER)
			return set_number(value, target, key, failure);
		*(const char **)target = value;
		return 0;
	}
	errno = 0;
	return fail(failure, "specification: unknown key %s", key);
}

static int check(const struct spec *spec, struct failure *failure)
{
	errno = 0;
	if (spec->version != PROTOCOL_VERSION)
		return fail(failure, "specification version %lld is not %d", (long long)spec->version, PROTOCOL_VERSION);
	if (!spec->id || !spec->mode || !spec->runtime || !spec->container || !spec->log)
		return fail(failure, "specification: id, mode, runtime, container and log are required");
	if (strcmp(spec->mode, "exec") != 0 && (strcmp(spec->mode, "run") != 0 || !spec->bundle))
		return fail(failure, "specification: mode is exec, or run with a bundle");
	if (strcmp(spec->log, "none") != 0 && !spec->log_path)
		return fail(failure, "specification: a log needs log-path");
	return 0;
}

int spec_read(struct spec *spec, struct failure *failure)
{
	size_t size = 0, records = 0;
	char *text = read_whole("spec", &size, failure); /* lives as long as the shim: the fields point into it */
	if (!text)
		return -1;
	for (size_t i = 0; i < size; i++)
		records += text[i] == '\0';
	spec->arguments = calloc(2 * records, sizeof *spec->arguments);
	if (!spec->arguments)
		return fail(failure, "specification");
	spec->relays = spec->arguments + records;
	spec->uid = spec->gid = -1;
	spec->stall_ms = 5000;
	for (char *record = text; record < text + size; record += strlen(record) + 1) {
		char *value = strchr(record, '=');
		errno = 0;
		if (!value)
			return fail(failure, "specification: a record has no value");
		*value++ = '\0';
		if (strcmp(record, "argument") == 0)
			spec->arguments[spec->argument_count++] = value;
		else if (strcmp(record, "relay") == 0)
			spec->relays[spec->relay_count++] = value;
		else if (set_field(spec, record, value, failure) < 0)
			return -1;
		record = value;
	}
	return check(spec, failure);
}
