/*
 * The life of the monitored process: created → starting → running → draining → exited.
 * The exit is on disk before anybody is told of it.
 */
#include "shim.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ORPHAN_MS 10000 /* a shim that was never told to start and has no daemon ends after this */
#define DRAIN_MS 1000   /* how long others may keep an ended process's streams open */

static void reap(struct source *source, uint32_t events);
static void end_orphan(void);
static void finish(void);

static struct {
	const struct spec *spec;
	enum task_state state;
	struct source signals;
	struct timer orphan_timer, drain_timer;
	pid_t runtime, main;
	int code, signal;
	bool out_of_memory, removed;
	int64_t finished_ms;
} task = {
	.signals = {.fd = -1, .ready = reap},
	.orphan_timer = {.fire = end_orphan},
	.drain_timer = {.fire = finish},
};

static const int IGNORED[] = {SIGHUP, SIGINT, SIGTERM, SIGPIPE};

int task_open(const struct spec *spec, struct failure *failure)
{
	sigset_t child;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	task.spec = spec;
	for (size_t i = 0; i < sizeof IGNORED / sizeof *IGNORED; i++)
		signal(IGNORED[i], SIG_IGN);
	sigprocmask(SIG_BLOCK, &child, NULL);
	task.signals.fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (task.signals.fd < 0 || loop_watch(&task.signals, EPOLLIN) < 0)
		return fail(failure, "signalfd");
	loop_set_timer(&task.orphan_timer, ORPHAN_MS);
	return 0;
}

enum task_state task_state(void)
{
	return task.state;
}

void task_describe(char *line, size_t size)
{
	static const char *const NAMES[] = {"created", "starting", "running", "running", "exited"};
	snprintf(line, size, "state=%s pid=%d code=%d signal=%d oom=%d finished=%lld dropped=%llu", NAMES[task.state], task.main,
		 task.code, task.signal, task.out_of_memory, (long long)task.finished_ms, (unsigned long long)log_dropped());
}

void task_remove_directory(void)
{
	static const char *const FILES[] = {"socket", "console", "spec", "process.json", "runtime.log",
					    "runtime.pid", "pid", "exit", "exit.tmp", "pid.tmp"};
	for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++)
		unlink(FILES[i]);
	rmdir(task.spec->directory);
	task.removed = true;
}

void task_check_done(void)
{
	if (task.removed && clients_attached() == 0)
		loop_stop();
}

static bool has_control(void)
{
	for (struct client *client = clients_first(); client; client = client->next)
		if (client->kind == CLIENT_CONTROL)
			return true;
	return false;
}

static void end_orphan(void)
{
	if (task.state != TASK_CREATED)
		return;
	if (has_control()) {
		loop_set_timer(&task.orphan_timer, ORPHAN_MS);
		return;
	}
	task_remove_directory();
	loop_stop();
}

/* Writes a small file so that it is there whole or not at all; `durable`: even after the machine goes down. */
static void publish(const char *name, const char *temporary, const char *text, bool durable)
{
	CLEANUP_CLOSE int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t length = strlen(text);
	if (fd < 0 || write(fd, text, length) != (ssize_t)length || (durable && fsync(fd) < 0))
		return; /* the disk is full: the shim stays, and status tells the same */
	rename(temporary, name);
}

static size_t read_text(const char *path, char *text, size_t size)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);
	text[got > 0 ? got : 0] = '\0';
	return got > 0 ? (size_t)got : 0;
}

/* Start time of a process in clock ticks since boot (proc(5), field 22): with it, a pid is never mistaken for another. */
static unsigned long long start_time(pid_t pid)
{
	char path[32], text[1024];
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	read_text(path, text, sizeof text);
	char *field = strrchr(text, ')');
	for (int number = 2; field && number < 22; number++)
		field = strchr(field + 1, ' ');
	return field ? strtoull(field + 1, NULL, 10) : 0;
}

/* The runtime's command line; the strings live as long as the shim. */
static const char **command_line(struct failure *failure)
{
	static char console[64], pid_file[4096];
	const struct spec *spec = task.spec;
	bool executes = strcmp(spec->mode, "exec") == 0;
	const char **argv = calloc(spec->argument_count + 20, sizeof *argv), **next = argv;
	if (!argv) {
		fail(failure, "command line");
		return NULL;
	}
	/* Runtimes put both into socket addresses or other directories: neither may be relative, the first not long. */
	snprintf(console, sizeof console, "/proc/%d/cwd/console", getpid());
	snprintf(pid_file, sizeof pid_file, "%s/runtime.pid", spec->directory);
	*next++ = spec->runtime;
	for (size_t i = 0; i < spec->argument_count; i++)
		*next++ = spec->arguments[i];
	*next++ = "--log", *next++ = "runtime.log", *next++ = "--log-format", *next++ = "json";
	*next++ = executes ? "exec" : "run";
	*next++ = "--detach", *next++ = "--pid-file", *next++ = pid_file;
	if (spec->terminal)
		*next++ = "--console-socket", *next++ = console;
	if (executes)
		*next++ = "--process", *next++ = "process.json";
	else
		*next++ = "--bundle", *next++ = spec->bundle;
	*next = spec->container;
	return argv;
}

/* In the forked child: nothing here allocates. */
static void become_runtime(const char **argv, const int *streams)
{
	sigset_t none;
	sigemptyset(&none);
	for (size_t i = 0; i < sizeof IGNORED / sizeof *IGNORED; i++)
		signal(IGNORED[i], SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 0; i < 3; i++)
		if (dup2(streams[i], i) < 0)
			_exit(127);
	if (task.spec->runtime_copy)
		execv(task.spec->runtime_copy, (char *const *)argv); /* gone with the daemon: then the program itself */
	execv(argv[0], (char *const *)argv);
	static const char TEXT[] = "cannot execute the OCI runtime: ";
	const char *reason = strerrorname_np(errno);
	if (write(2, TEXT, sizeof TEXT - 1) > 0 && reason)
		_exit(write(2, reason, strlen(reason)) > 0 ? 127 : 126);
	_exit(127);
}

int task_start(struct failure *failure)
{
	errno = 0;
	if (task.state != TASK_CREATED)
		return fail(failure, "EALREADY the process was started before");
	const char **argv = command_line(failure);
	if (!argv)
		return -1;
	const int *streams = stdio_child();
	task.runtime = fork();
	if (task.runtime == 0)
		become_runtime(argv, streams);
	free(argv);
	if (task.runtime < 0)
		return fail(failure, "fork");
	loop_clear_timer(&task.orphan_timer);
	task.state = TASK_STARTING;
	return 0;
}

static void start_failed(int status)
{
	static char text[8192];
	size_t length = read_text("runtime.log", text, sizeof text);
	if (length == 0) {
		length = stdio_failed(text, sizeof text - 1);
		text[length] = '\0';
	}
	if (length == 0)
		snprintf(text, sizeof text, "the OCI runtime ended with status %d and said nothing", status);
	relays_close();
	task_remove_directory();
	control_failed(text);
	loop_stop();
}

static void started(void)
{
	char text[64];
	snprintf(text, sizeof text, "%d %llu\n", task.main, start_time(task.main));
	publish("pid", "pid.tmp", text, false);
	task.state = TASK_RUNNING;
	oom_watch(task.spec->memory_cgroup);
	relays_start();
	control_started();
	stdio_started();
	clients_input_changed();
}

static void runtime_ended(int status)
{
	char text[32];
	task.runtime = 0;
	bool has_console = stdio_accept_console() == 0;
	task.main = read_text("runtime.pid", text, sizeof text) ? (pid_t)strtol(text, NULL, 10) : 0;
	if (status != 0 || task.main <= 0 || !has_console) {
		if (task.main > 0)
			kill(task.main, SIGKILL);
		start_failed(status);
		return;
	}
	started();
}

static void write_exit(void)
{
	char text[256];
	snprintf(text, sizeof text, "version=%d\ncode=%d\nsignal=%d\noom=%d\nfinished=%lld\n", PROTOCOL_VERSION, task.code, task.signal,
		 task.out_of_memory, (long long)task.finished_ms);
	publish("exit", "exit.tmp", text, true);
}

/* The process is gone and its output is in the log: the exit may be told. */
static void finish(void)
{
	if (task.state != TASK_DRAINING)
		return;
	char state[256];
	loop_clear_timer(&task.drain_timer);
	stdio_end();
	write_exit();
	task.state = TASK_EXITED;
	task_describe(state, sizeof state);
	control_event("event exit %s\n", state);
	clients_end();
}

static void main_ended(int status)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	task.finished_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	task.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	task.code = task.signal ? 128 + task.signal : WEXITSTATUS(status);
	task.out_of_memory = oom_kills() > 0;
	task.state = TASK_DRAINING;
	relays_close();
	clients_widen();
	if (stdio_drain())
		finish();
	else
		loop_set_timer(&task.drain_timer, DRAIN_MS);
}

void task_output_ended(void)
{
	finish();
}

int task_kill(int number)
{
	errno = ESRCH;
	if (task.state != TASK_RUNNING)
		return -1;
	return kill(task.main, number); /* not reaped yet, so the pid is still this process's */
}

static void reap(struct source *source, uint32_t events)
{
	struct signalfd_siginfo information;
	(void)events;
	while (read(source->fd, &information, sizeof information) > 0)
		;
	/* Until the pid file is read nobody knows which child is the main process: the others stay zombies so long. */
	int status;
	if (task.runtime > 0) {
		if (waitpid(task.runtime, &status, WNOHANG) <= 0)
			return;
		runtime_ended(status);
	}
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
		if (pid == task.main && task.state == TASK_RUNNING)
			main_ended(status);
}
