/* The text protocol: hello lines, commands, replies and events. See ../PROTOCOL.md. */
#include "shim.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reply(struct client *client, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void reply(struct client *client, const char *format, ...)
{
	char line[512];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	client_send(client, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}

static void broadcast(const char *line, size_t length)
{
	for (struct client *client = clients_first(), *next; client; client = next) {
		next = client->next;
		if (client->kind == CLIENT_CONTROL)
			client_send(client, line, length);
	}
}

void control_event(const char *format, ...)
{
	char line[512];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	broadcast(line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}

void control_started(void)
{
	char state[256];
	task_describe(state, sizeof state);
	control_event("event started %s\n", state);
}

/* The text may have several lines: backslash and newline are escaped by a backslash. */
void control_failed(const char *message)
{
	static char line[16384] = "event failed ";
	size_t length = strlen("event failed ");
	for (; *message && length < sizeof line - 3; message++) {
		if (*message == '\\' || *message == '\n')
			line[length++] = '\\';
		line[length++] = *message == '\n' ? 'n' : *message;
	}
	line[length++] = '\n';
	broadcast(line, length);
}

static void attach(struct client *client, const char *streams)
{
	client->takes[0] = strstr(streams, "stdin") != NULL;
	client->takes[1] = strstr(streams, "stdout") != NULL;
	client->takes[2] = strstr(streams, "stderr") != NULL;
	client->kind = CLIENT_ATTACHED;
	client_send(client, "ok\n", 3);
	if (client->source.fd >= 0 && task_state() == TASK_EXITED)
		client_drop(client);
}

static void hello(struct client *client, const char *line)
{
	char wanted[64] = "", streams[64] = "";
	int version = 0;
	int parts = sscanf(line, "gantry-shim/%d %63s %63s", &version, wanted, streams);
	if (parts < 2 || version != PROTOCOL_VERSION) {
		reply(client, "error version: this shim speaks %d\n", PROTOCOL_VERSION);
		client_drop(client);
	} else if (strcmp(wanted, "control") == 0) {
		char state[256];
		task_describe(state, sizeof state);
		client->kind = CLIENT_CONTROL;
		reply(client, "hello %d %s\n", PROTOCOL_VERSION, state);
	} else if (strcmp(wanted, "attach") == 0) {
		attach(client, streams);
	} else {
		client_drop(client);
	}
}

static void start(struct client *client, unsigned number)
{
	struct failure failure;
	if (task_start(&failure) < 0)
		reply(client, "%u error %s\n", number, failure.message);
	else
		reply(client, "%u ok\n", number);
}

static void forget(struct client *client, unsigned number)
{
	enum task_state state = task_state();
	if (state != TASK_CREATED && state != TASK_EXITED) {
		reply(client, "%u error EBUSY the process runs\n", number);
		return;
	}
	clients_end();
	task_remove_directory();
	reply(client, "%u ok\n", number);
	task_check_done();
}

static void finish(struct client *client, unsigned number, int result)
{
	int error = errno;
	if (result == 0)
		reply(client, "%u ok\n", number);
	else
		reply(client, "%u error %s %s\n", number, strerrorname_np(error), strerror(error));
}

/* `publish <protocol> <host> <port> <container> <port>`, `unpublish <protocol> <host> <port>` */
static int publish(const char *line, bool opens)
{
	char protocol[4], host[64], container[64];
	int host_port, container_port;
	int parts = sscanf(line, "%*u %*s %3s %63s %d %63s %d", protocol, host, &host_port, container, &container_port);
	if (parts < (opens ? 5 : 3) || task_state() != TASK_RUNNING) {
		errno = parts < (opens ? 5 : 3) ? EINVAL : ESRCH;
		return -1;
	}
	return opens ? relay_publish(protocol, host, host_port, container, container_port) : relay_unpublish(protocol, host, host_port);
}

static void command(struct client *client, const char *line)
{
	unsigned number = 0;
	char verb[16] = "", first[160] = "", second[64] = "";
	if (sscanf(line, "%u %15s %159s %63s", &number, verb, first, second) < 2) {
		client_drop(client);
		return;
	}
	if (strcmp(verb, "start") == 0) {
		start(client, number);
	} else if (strcmp(verb, "status") == 0) {
		char state[256];
		task_describe(state, sizeof state);
		reply(client, "%u ok %s\n", number, state);
	} else if (strcmp(verb, "kill") == 0) {
		finish(client, number, task_kill(atoi(first)));
	} else if (strcmp(verb, "resize") == 0) {
		finish(client, number, stdio_resize(atoi(first), atoi(second)));
	} else if (strcmp(verb, "compressed") == 0) {
		finish(client, number, log_compressed(strtoull(first, NULL, 10), second));
	} else if (strcmp(verb, "publish") == 0 || strcmp(verb, "unpublish") == 0) {
		finish(client, number, publish(line, verb[0] == 'p'));
	} else if (strcmp(verb, "forget") == 0) {
		forget(client, number);
	} else {
		reply(client, "%u error ENOSYS unknown command\n", number);
	}
}

void client_line(struct client *client, char *line)
{
	if (client->kind == CLIENT_HELLO)
		hello(client, line);
	else
		command(client, line);
}
