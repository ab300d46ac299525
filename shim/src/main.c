/* Start-up: `gantry-shim <directory>`; the directory holds `spec`. Prints `ready` when its socket accepts connections. */
#include "shim.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_RELAY 3 /* relay sockets are inherited in the order of the specification's records */

static int prepare_process(struct spec *spec, const char *directory, struct failure *failure)
{
	spec->directory = directory;
	setsid(); /* fails when the daemon did it for us */
	umask(022);
	if (directory[0] != '/' || chdir(directory) < 0)
		return fail(failure, "cannot enter %s", directory);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return fail(failure, "cannot become a subreaper");
	if (spec_read(spec, failure) < 0)
		return -1;
	close_range((unsigned)(FIRST_RELAY + spec->relay_count), ~0U, 0);
	return 0;
}

static int open_modules(const struct spec *spec, struct failure *failure)
{
	if (loop_open(failure) < 0 || relays_open(spec, FIRST_RELAY, failure) < 0 || task_open(spec, failure) < 0)
		return -1;
	if (stdio_open(spec, failure) < 0 || log_open(spec, failure) < 0)
		return -1;
	return clients_open(spec, failure);
}

/* Tells the daemon and lets go of what it gave us. */
static int announce(struct failure *failure)
{
	CLEANUP_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return fail(failure, "nobody waits for this shim");
	for (int fd = 0; fd < 3; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			return fail(failure, "/dev/null");
	return 0;
}

/* Mounted into a container, this program goes by the name of the init it is there. */
static bool called_as_init(const char *name)
{
	const char *slash = strrchr(name, '/');
	return strcmp(slash == NULL ? name : slash + 1, "docker-init") == 0;
}

int main(int argc, char **argv)
{
	if (argc > 0 && called_as_init(argv[0]))
		return init_main(argc, argv);
	static struct spec spec;
	struct failure failure;
	if (argc != 2) {
		dprintf(STDERR_FILENO, "usage: gantry-shim DIRECTORY\n");
		return 2;
	}
	if (prepare_process(&spec, argv[1], &failure) < 0 || open_modules(&spec, &failure) < 0 || announce(&failure) < 0) {
		dprintf(STDERR_FILENO, "gantry-shim: %s\n", failure.message);
		return 1;
	}
	loop_run();
	return 0;
}
