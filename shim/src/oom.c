/* Out-of-memory kills of a cgroup: v2 by inotify on memory.events, v1 by an eventfd on memory.oom_control. */
#include "shim.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

static void changed(struct source *source, uint32_t events);

static struct {
	int counters;
	struct source notifier;
	uint64_t told;
} oom = {.counters = -1, .notifier = {.fd = -1, .ready = changed}};

uint64_t oom_kills(void)
{
	char text[512];
	ssize_t got = oom.counters < 0 ? -1 : pread(oom.counters, text, sizeof text - 1, 0);
	text[got > 0 ? got : 0] = '\0';
	const char *line = strstr(text, "oom_kill ");
	uint64_t kills = line ? strtoull(line + strlen("oom_kill "), NULL, 10) : oom.told;
	if (kills > oom.told) {
		oom.told = kills;
		control_event("event oom count=%llu\n", (unsigned long long)kills);
	}
	return kills;
}

static void changed(struct source *source, uint32_t events)
{
	char ignored[4096];
	(void)events;
	if (read(source->fd, ignored, sizeof ignored) > 0)
		oom_kills();
}

/* memory.events is the newer kernels' file; memory.oom_control is version 1's and needs its own registration. */
static void watch_v1(const char *cgroup)
{
	char path[4096], line[64];
	snprintf(path, sizeof path, "%s/memory.oom_control", cgroup);
	oom.counters = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof path, "%s/cgroup.event_control", cgroup);
	CLEANUP_CLOSE int registration = open(path, O_WRONLY | O_CLOEXEC);
	oom.notifier.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int length = snprintf(line, sizeof line, "%d %d", oom.notifier.fd, oom.counters);
	if (oom.counters < 0 || registration < 0 || write(registration, line, (size_t)length) < 0)
		loop_close(&oom.notifier); /* the counter is still read at the end */
}

void oom_watch(const char *cgroup)
{
	char path[4096];
	if (!cgroup || !*cgroup)
		return;
	snprintf(path, sizeof path, "%s/memory.events", cgroup);
	oom.counters = open(path, O_RDONLY | O_CLOEXEC);
	if (oom.counters >= 0) {
		oom.notifier.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		inotify_add_watch(oom.notifier.fd, path, IN_MODIFY);
	} else {
		watch_v1(cgroup);
	}
	loop_watch(&oom.notifier, EPOLLIN);
}
