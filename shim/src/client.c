/*
 * Connections on the shim's socket: control connections (lines) and attached clients (bytes).
 * Output that a client does not take at once waits in its own queue. A full queue holds the container back; a client
 * that takes nothing for `stall-ms` with a full queue is cut off, so that nobody stays stalled because of it.
 */
#include "shim.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define QUEUE_BYTES (4 << 20) /* mapped size; what the pipes of an ended process hold still fits */
#define QUEUE_LIMIT (1 << 20)
#define FRAME_MAX (FRAME_BYTES + CHUNK_BYTES)
#define ACCEPT_PAUSE_MS 100

static void accept_client(struct source *source, uint32_t events);
static void check_stalled(void);
static void listen_again(void);

static struct {
	struct source listener;
	struct client *first;
	struct timer stall_timer, accept_timer;
	int64_t stall_ms;
	size_t limit;
	bool terminal, stdin_once;
} clients = {.listener = {.fd = -1, .ready = accept_client},
	     .stall_timer = {.fire = check_stalled},
	     .accept_timer = {.fire = listen_again},
	     .limit = QUEUE_LIMIT};

int clients_open(const struct spec *spec, struct failure *failure)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
	clients.terminal = spec->terminal;
	clients.stdin_once = spec->stdin_once;
	clients.stall_ms = spec->stall_ms;
	int fd = clients.listener.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 128) < 0)
		return fail(failure, "socket");
	return loop_watch(&clients.listener, EPOLLIN) < 0 ? fail(failure, "epoll_ctl") : 0;
}

struct client *clients_first(void)
{
	return clients.first;
}

size_t clients_attached(void)
{
	size_t count = 0;
	for (struct client *client = clients.first; client; client = client->next)
		count += client->kind == CLIENT_ATTACHED;
	return count;
}

static size_t queued(const struct client *client)
{
	return client->tail - client->head;
}

static bool is_full(const struct client *client)
{
	return client->kind == CLIENT_ATTACHED && queued(client) + 2 * FRAME_MAX > clients.limit;
}

static void hold_if_full(void)
{
	bool held = false;
	for (struct client *client = clients.first; client; client = client->next)
		held |= is_full(client);
	stdio_hold(held);
}

static void watch_client(struct client *client)
{
	bool reads = !client->input_ended && (client->kind != CLIENT_ATTACHED || !client->takes[0] || stdin_is_ready());
	/* EPOLLHUP comes unasked, but only to a watched descriptor. */
	loop_watch(&client->source, (reads ? EPOLLIN : 0) | (client->queue ? EPOLLOUT : 0) | EPOLLHUP);
}

static void drop_queue(struct client *client)
{
	if (client->queue)
		munmap(client->queue, QUEUE_BYTES);
	client->queue = NULL;
	client->head = client->tail = 0;
}

/* The client will send no more: the one that feeds a stdin-once process takes its stdin along. */
static void end_input(struct client *client)
{
	if (!client->input_ended && client->takes[0] && clients.stdin_once && !clients.terminal)
		stdin_close();
	client->input_ended = true;
}

void client_drop(struct client *client)
{
	if (client->source.fd < 0)
		return;
	for (struct client **link = &clients.first; *link; link = &(*link)->next)
		if (*link == client) {
			*link = client->next;
			break;
		}
	end_input(client);
	drop_queue(client);
	loop_retire(&client->source);
	hold_if_full();
	task_check_done();
}

void clients_input_changed(void)
{
	for (struct client *client = clients.first; client; client = client->next)
		watch_client(client);
}

static bool enqueue(struct client *client, const unsigned char *data, size_t size)
{
	if (!client->queue) {
		client->queue = mmap(NULL, QUEUE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (client->queue == MAP_FAILED) {
			client->queue = NULL;
			return false;
		}
		client->progress_ms = now_ms();
	}
	if (client->tail + size > QUEUE_BYTES) {
		memmove(client->queue, client->queue + client->head, queued(client));
		client->tail -= client->head;
		client->head = 0;
	}
	if (client->tail + size > QUEUE_BYTES)
		return false;
	memcpy(client->queue + client->tail, data, size);
	client->tail += size;
	if (is_full(client) && !client->full_since_ms)
		client->full_since_ms = now_ms();
	if (!clients.stall_timer.due_ms)
		loop_set_timer(&clients.stall_timer, clients.stall_ms);
	return true;
}

static ssize_t send_some(struct client *client, const void *data, size_t size)
{
	ssize_t sent = send(client->source.fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	return sent < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : sent;
}

void client_send(struct client *client, const void *data, size_t size)
{
	ssize_t sent = client->queue ? 0 : send_some(client, data, size);
	if (sent < 0 || ((size_t)sent < size && !enqueue(client, (const unsigned char *)data + sent, size - (size_t)sent))) {
		client_drop(client);
		return;
	}
	watch_client(client);
}

void clients_broadcast(int stream, unsigned char *frame, size_t payload)
{
	unsigned char header[FRAME_BYTES] = {(unsigned char)stream, 0, 0, 0, (unsigned char)(payload >> 24),
					     (unsigned char)(payload >> 16), (unsigned char)(payload >> 8), (unsigned char)payload};
	memcpy(frame, header, sizeof header);
	size_t skipped = clients.terminal ? FRAME_BYTES : 0;
	for (struct client *client = clients.first, *next; client; client = next) {
		next = client->next;
		if (client->kind == CLIENT_ATTACHED && client->takes[stream] && !client->ending)
			client_send(client, frame + skipped, payload + FRAME_BYTES - skipped);
	}
	hold_if_full();
}

static void flush(struct client *client)
{
	ssize_t sent = send_some(client, client->queue + client->head, queued(client));
	if (sent < 0) {
		client_drop(client);
		return;
	}
	if (sent > 0)
		client->progress_ms = now_ms();
	client->head += (size_t)sent;
	if (!is_full(client))
		client->full_since_ms = 0;
	if (client->head == client->tail)
		drop_queue(client);
	if (!client->queue && client->ending)
		client_drop(client);
	else
		watch_client(client);
	hold_if_full();
}

/* Cuts off who took nothing for too long although the container, or the end of the shim, waits for it. */
static void check_stalled(void)
{
	int64_t limit = now_ms() - clients.stall_ms;
	bool waiting = false;
	for (struct client *client = clients.first, *next; client; client = next) {
		next = client->next;
		if (!client->queue)
			continue;
		bool awaited = client->ending || (client->full_since_ms && client->full_since_ms <= limit);
		if (awaited && client->progress_ms <= limit) {
			client_drop(client);
			control_event("event cut\n");
			next = clients.first; /* the event may have dropped others */
			continue;
		}
		waiting = true;
	}
	if (waiting)
		loop_set_timer(&clients.stall_timer, clients.stall_ms < 4000 ? clients.stall_ms / 4 + 1 : 1000);
}

static void read_stdin(struct client *client)
{
	static unsigned char input[CHUNK_BYTES] __attribute__((aligned(4096)));
	ssize_t got = recv(client->source.fd, input, sizeof input, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0)
		end_input(client);
	else if (client->takes[0])
		stdin_write(input, (size_t)got);
	if (got < (ssize_t)sizeof input / 4)
		madvise(input, sizeof input, MADV_DONTNEED);
}

/* Lines end with \n; a longer one than fits is not from anybody who knows the protocol. */
static void read_lines(struct client *client)
{
	ssize_t got = recv(client->source.fd, client->line + client->line_size, sizeof client->line - client->line_size,
			   MSG_DONTWAIT | (client->kind == CLIENT_HELLO ? MSG_PEEK : 0));
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	char *end = got > 0 ? memchr(client->line, '\n', client->line_size + (size_t)got) : NULL;
	if (got <= 0 || (!end && client->line_size + (size_t)got == sizeof client->line)) {
		client_drop(client);
		return;
	}
	if (client->kind == CLIENT_HELLO) { /* what follows the first line may be stdin already: leave it in the socket */
		size_t take = end ? (size_t)(end + 1 - client->line) - client->line_size : (size_t)got;
		recv(client->source.fd, client->line + client->line_size, take, MSG_DONTWAIT);
		got = (ssize_t)take;
	}
	client->line_size += (size_t)got;
	while (client->source.fd >= 0 && (end = memchr(client->line, '\n', client->line_size))) {
		char line[sizeof client->line];
		size_t length = (size_t)(end - client->line);
		memcpy(line, client->line, length);
		line[length] = '\0';
		client->line_size -= length + 1;
		memmove(client->line, end + 1, client->line_size);
		client_line(client, line);
	}
}

static void client_ready(struct source *source, uint32_t events)
{
	struct client *client = source->owner;
	if (events & EPOLLIN) {
		if (client->kind != CLIENT_ATTACHED)
			read_lines(client);
		else if (!client->takes[0] || stdin_is_ready()) /* another's input may have filled stdin in this very round */
			read_stdin(client);
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		/* Gone in both directions; what it sent for stdin before is still in the socket while stdin is not ready. */
		if (client->takes[0] && !client->input_ended && !stdin_is_ready())
			loop_watch(source, 0);
		else
			client_drop(client);
		return;
	}
	if (source->fd >= 0 && (events & EPOLLOUT) && client->queue)
		flush(client);
	else if (source->fd >= 0)
		watch_client(client);
}

static void listen_again(void)
{
	loop_watch(&clients.listener, EPOLLIN);
}

static void accept_client(struct source *source, uint32_t events)
{
	(void)events;
	int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED) { /* out of descriptors: who waits, waits a little longer */
		loop_watch(source, 0);
		loop_set_timer(&clients.accept_timer, ACCEPT_PAUSE_MS);
	}
	struct client *client = fd < 0 ? NULL : calloc(1, sizeof *client);
	if (!client) {
		close_descriptor(&fd);
		return;
	}
	client->source = (struct source){.fd = fd, .ready = client_ready, .owner = client};
	client->next = clients.first;
	clients.first = client;
	watch_client(client);
}

void clients_widen(void)
{
	clients.limit = QUEUE_BYTES;
	hold_if_full();
}

void clients_end(void)
{
	for (struct client *client = clients.first, *next; client; client = next) {
		next = client->next;
		if (client->kind != CLIENT_ATTACHED)
			continue;
		client->ending = true;
		if (!client->queue)
			client_drop(client);
	}
}
