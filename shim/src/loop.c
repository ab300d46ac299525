/* The event loop: epoll for descriptors, a short list for timers. */
#include "shim.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

static struct {
	int epoll;
	bool stopping;
	struct source *retired;
	struct timer *timers;
} loop = {.epoll = -1};

int fail(struct failure *failure, const char *format, ...)
{
	int error = errno;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(failure->message, sizeof failure->message, format, arguments);
	va_end(arguments);
	size_t length = strlen(failure->message);
	if (error)
		snprintf(failure->message + length, sizeof failure->message - length, ": %s", strerror(error));
	return -1;
}

void close_descriptor(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int loop_open(struct failure *failure)
{
	loop.epoll = epoll_create1(EPOLL_CLOEXEC);
	return loop.epoll < 0 ? fail(failure, "epoll_create1") : 0;
}

int loop_watch(struct source *source, uint32_t events)
{
	if (source->fd < 0 || source->events == events)
		return 0;
	struct epoll_event event = {.events = events, .data.ptr = source};
	int operation = events == 0 ? EPOLL_CTL_DEL : source->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	source->events = events;
	return epoll_ctl(loop.epoll, operation, source->fd, &event);
}

void loop_close(struct source *source)
{
	loop_watch(source, 0);
	close_descriptor(&source->fd);
}

void loop_retire(struct source *source)
{
	loop_close(source);
	source->next = loop.retired;
	loop.retired = source;
}

void loop_clear_timer(struct timer *timer)
{
	for (struct timer **link = &loop.timers; *link; link = &(*link)->next)
		if (*link == timer) {
			*link = timer->next;
			break;
		}
	timer->due_ms = 0;
}

void loop_set_timer(struct timer *timer, int64_t delay_ms)
{
	loop_clear_timer(timer);
	timer->due_ms = now_ms() + delay_ms;
	timer->next = loop.timers;
	loop.timers = timer;
}

static int wait_ms(void)
{
	if (!loop.timers)
		return -1;
	int64_t first = INT64_MAX;
	for (struct timer *timer = loop.timers; timer; timer = timer->next)
		first = timer->due_ms < first ? timer->due_ms : first;
	int64_t left = first - now_ms();
	return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

static void fire_due(void)
{
	int64_t now = loop.timers ? now_ms() : 0;
	for (struct timer *timer = loop.timers; timer; timer = timer->next) {
		if (timer->due_ms > now)
			continue;
		loop_clear_timer(timer);
		timer->fire();
		return; /* the list may have changed; another due timer fires in the next round, at once */
	}
}

static void free_retired(void)
{
	while (loop.retired) {
		struct source *source = loop.retired;
		loop.retired = source->next;
		free(source->owner);
	}
}

void loop_run(void)
{
	struct epoll_event events[32];
	while (!loop.stopping) {
		int count = epoll_wait(loop.epoll, events, 32, wait_ms());
		for (int i = 0; i < count && !loop.stopping; i++) {
			struct source *source = events[i].data.ptr;
			if (source->fd >= 0 && source->events != 0)
				source->ready(source, events[i].events);
		}
		fire_due();
		free_retired();
	}
}

void loop_stop(void)
{
	loop.stopping = true;
}
