/*
 * The userland part of published ports: what the firewall's address translation can't carry (IPv6 to an IPv4-only
 * container, traffic that never passes the hooks) is copied here, in bounded memory. Sockets are inherited from the daemon;
 * those of ports that are published later are opened here.
 */
#include "shim.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define COPY_BYTES 32768
#define CONNECTIONS_MAX 1024 /* more wait in the listeners' backlogs */
#define SESSIONS_MAX 1024    /* the longest idle one makes room */
#define SESSION_IDLE_MS 90000
#define DATAGRAMS_PER_EVENT 32
#define BACKLOG 4096

static void client_waits(struct source *source, uint32_t events);
static void datagram_came(struct source *source, uint32_t events);
static void expire_sessions(void);
static void watch_relays(void);

struct address {
	struct sockaddr_storage storage;
	socklen_t size;
};
struct relay {
	struct source source; /* its owner is the relay itself */
	struct address container;
	struct relay *next;
};
/* One side of a TCP connection, with what was read from it and not yet written to the other. */
struct side {
	struct source source;
	unsigned char *data;
	size_t from, to;
	bool ended, told; /* end of input seen; passed on to the other side */
};
struct connection {
	struct side sides[2]; /* client, container */
	bool connecting;
};
struct session {
	struct source source; /* connected to the container */
	struct relay *relay;
	struct address client;
	int64_t used_ms;
	struct session *next;
};
static struct {
	struct relay *all;
	size_t connections, sessions;
	struct session *first;
	bool started;
	struct timer idle_timer, retry_timer;
} relays = {.idle_timer = {.fire = expire_sessions}, .retry_timer = {.fire = watch_relays}};

static int parse_address(struct address *address, const char *host, int port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address->storage;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address->storage;
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		address->size = sizeof *v4;
	} else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		address->size = sizeof *v6;
	} else {
		return -1;
	}
	return 0;
}

static bool is_udp(const struct relay *relay)
{
	return relay->source.ready == datagram_came;
}

static struct relay *add_relay(int fd, bool udp, const struct address *container)
{
	struct relay *relay = calloc(1, sizeof *relay);
	if (!relay)
		return NULL;
	relay->source = (struct source){.fd = fd, .ready = udp ? datagram_came : client_waits, .owner = relay};
	relay->container = *container;
	relay->next = relays.all;
	relays.all = relay;
	return relay;
}

int relays_open(const struct spec *spec, int first_fd, struct failure *failure)
{
	for (size_t i = 0; i < spec->relay_count; i++) {
		struct address container = {.size = 0};
		char protocol[4], host[64];
		int port, fd = first_fd + (int)i;
		errno = 0;
		if (sscanf(spec->relays[i], "%3s %d %63s", protocol, &port, host) != 3 || parse_address(&container, host, port) < 0)
			return fail(failure, "specification: bad relay %s", spec->relays[i]);
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
			return fail(failure, "relay socket %d", fd);
		if (!add_relay(fd, strcmp(protocol, "udp") == 0, &container))
			return fail(failure, "relays");
	}
	return 0;
}

static void watch_relays(void)
{
	for (struct relay *relay = relays.all; relay; relay = relay->next) {
		bool is_full = !is_udp(relay) && relays.connections >= CONNECTIONS_MAX;
		loop_watch(&relay->source, is_full ? 0 : EPOLLIN);
	}
}

void relays_start(void)
{
	relays.started = true;
	watch_relays();
}

/* The relay that has this port of the host. */
static struct relay *find_relay(bool udp, const struct address *host)
{
	for (struct relay *relay = relays.all; relay; relay = relay->next) {
		struct address own = {.size = sizeof own.storage};
		if (is_udp(relay) == udp && getsockname(relay->source.fd, (struct sockaddr *)&own.storage, &own.size) == 0 &&
		    own.size == host->size && memcmp(&own.storage, &host->storage, own.size) == 0)
			return relay;
	}
	return NULL;
}

static int bind_host(bool udp, const struct address *host)
{
	int on = 1, error, family = host->storage.ss_family;
	int fd = socket(family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if ((family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0) ||
	    (!udp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) ||
	    bind(fd, (const struct sockaddr *)&host->storage, host->size) < 0 || (!udp && listen(fd, BACKLOG) < 0)) {
		error = errno;
		close_descriptor(&fd);
		errno = error;
	}
	return fd;
}

/* Published while the process runs. One that is there already only learns where it leads. */
int relay_publish(const char *protocol, const char *host, int host_port, const char *container, int container_port)
{
	struct address at = {.size = 0}, to = {.size = 0};
	bool udp = strcmp(protocol, "udp") == 0;
	errno = EINVAL;
	if (parse_address(&at, host, host_port) < 0 || parse_address(&to, container, container_port) < 0)
		return -1;
	struct relay *relay = find_relay(udp, &at);
	if (relay) {
		relay->container = to;
		return 0;
	}
	int fd = bind_host(udp, &at);
	if (fd < 0)
		return -1;
	if (!add_relay(fd, udp, &to)) {
		close_descriptor(&fd);
		errno = ENOMEM;
		return -1;
	}
	if (relays.started)
		watch_relays();
	return 0;
}

static void close_connection(struct connection *connection)
{
	free(connection->sides[0].data);
	free(connection->sides[1].data);
	loop_close(&connection->sides[0].source);
	loop_retire(&connection->sides[1].source); /* frees the connection, both sides */
	if (relays.connections-- == CONNECTIONS_MAX)
		watch_relays();
}

static bool read_side(struct side *side)
{
	if (!side->data && !(side->data = malloc(COPY_BYTES)))
		return false;
	ssize_t got = recv(side->source.fd, side->data, COPY_BYTES, MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	side->ended = got == 0;
	side->from = 0;
	side->to = (size_t)got;
	return true;
}

/* Writes what came from `from`; passes its end on when all is written. */
static bool write_on(struct side *from, struct side *to)
{
	while (from->from < from->to) {
		ssize_t put = send(to->source.fd, from->data + from->from, from->to - from->from, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (put < 0)
			return errno == EAGAIN || errno == EINTR;
		from->from += (size_t)put;
	}
	from->from = from->to = 0;
	free(from->data); /* an idle connection costs no buffers */
	from->data = NULL;
	if (from->ended && !from->told) {
		from->told = true;
		shutdown(to->source.fd, SHUT_WR);
	}
	return true;
}

static void watch_connection(struct connection *connection)
{
	for (int i = 0; i < 2; i++) {
		struct side *side = &connection->sides[i], *other = &connection->sides[!i];
		bool reads = !connection->connecting && !side->ended && side->to == 0;
		bool writes = i == 1 && connection->connecting ? true : other->to > 0;
		loop_watch(&side->source, (reads ? EPOLLIN : 0) | (writes ? EPOLLOUT : 0));
	}
}

static bool finish_connecting(struct connection *connection)
{
	int error = 0;
	socklen_t size = sizeof error;
	getsockopt(connection->sides[1].source.fd, SOL_SOCKET, SO_ERROR, &error, &size);
	connection->connecting = false;
	if (error) { /* a reset, as the container itself would have answered */
		struct linger reset = {.l_onoff = 1};
		setsockopt(connection->sides[0].source.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	}
	return error == 0;
}

static void side_ready(struct source *source, uint32_t events)
{
	struct connection *connection = source->owner;
	struct side *side = source == &connection->sides[0].source ? &connection->sides[0] : &connection->sides[1];
	struct side *other = side == &connection->sides[0] ? &connection->sides[1] : &connection->sides[0];
	bool alive = connection->connecting ? finish_connecting(connection) : true;
	if (alive && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !side->ended && side->to == 0)
		alive = read_side(side) && write_on(side, other);
	if (alive && (events & EPOLLOUT))
		alive = write_on(other, side);
	if (alive && !(connection->sides[0].told && connection->sides[1].told))
		watch_connection(connection);
	else
		close_connection(connection);
}

static int open_to(const struct relay *relay, int type)
{
	int fd = socket(relay->container.storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&relay->container.storage, relay->container.size) < 0 && errno != EINPROGRESS)
		close_descriptor(&fd);
	return fd;
}

static void client_waits(struct source *source, uint32_t events)
{
	(void)events;
	int on = 1, client = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (client < 0) {
		if (errno != EAGAIN && errno != ECONNABORTED) { /* out of descriptors: who waits, waits a little longer */
			loop_watch(source, 0);
			loop_set_timer(&relays.retry_timer, 100);
		}
		return;
	}
	int container = open_to(source->owner, SOCK_STREAM);
	struct connection *connection = container < 0 ? NULL : calloc(1, sizeof *connection);
	if (!connection) {
		close_descriptor(&client);
		close_descriptor(&container);
		return;
	}
	int fds[2] = {client, container};
	for (int i = 0; i < 2; i++) {
		setsockopt(fds[i], SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
		connection->sides[i].source = (struct source){.fd = fds[i], .ready = side_ready, .owner = connection};
	}
	connection->connecting = true;
	relays.connections++;
	watch_connection(connection);
	watch_relays();
}

static void close_session(struct session *session)
{
	for (struct session **link = &relays.first; *link; link = &(*link)->next)
		if (*link == session) {
			*link = session->next;
			break;
		}
	relays.sessions--;
	loop_retire(&session->source);
}

static void expire_sessions(void)
{
	int64_t limit = now_ms() - SESSION_IDLE_MS;
	for (struct session *session = relays.first, *next; session; session = next) {
		next = session->next;
		if (session->used_ms <= limit)
			close_session(session);
	}
	if (relays.first)
		loop_set_timer(&relays.idle_timer, SESSION_IDLE_MS / 3);
}

static void answer_came(struct source *source, uint32_t events)
{
	static unsigned char datagram[65536];
	struct session *session = source->owner;
	(void)events;
	for (int i = 0; i < DATAGRAMS_PER_EVENT; i++) {
		ssize_t got = recv(source->fd, datagram, sizeof datagram, MSG_DONTWAIT);
		if (got < 0)
			return; /* nothing more, or "refused" by a container that does not listen yet */
		session->used_ms = now_ms();
		sendto(session->relay->source.fd, datagram, (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL,
		       (struct sockaddr *)&session->client.storage, session->client.size);
	}
}

static struct session *open_session(struct relay *relay, const struct address *client)
{
	if (relays.sessions >= SESSIONS_MAX) {
		struct session *oldest = relays.first;
		for (struct session *session = relays.first; session; session = session->next)
			oldest = session->used_ms < oldest->used_ms ? session : oldest;
		close_session(oldest);
	}
	struct session *session = calloc(1, sizeof *session);
	int fd = session ? open_to(relay, SOCK_DGRAM) : -1;
	if (fd < 0) {
		free(session);
		return NULL;
	}
	*session = (struct session){.source = {.fd = fd, .ready = answer_came, .owner = session}, .relay = relay, .client = *client};
	session->next = relays.first;
	relays.first = session;
	relays.sessions++;
	loop_watch(&session->source, EPOLLIN);
	if (!relays.idle_timer.due_ms)
		loop_set_timer(&relays.idle_timer, SESSION_IDLE_MS / 3);
	return session;
}

static struct session *find_session(struct relay *relay, const struct address *client)
{
	for (struct session *session = relays.first; session; session = session->next)
		if (session->relay == relay && session->client.size == client->size &&
		    memcmp(&session->client.storage, &client->storage, client->size) == 0)
			return session;
	return open_session(relay, client);
}

static void datagram_came(struct source *source, uint32_t events)
{
	static unsigned char datagram[65536];
	struct relay *relay = source->owner;
	(void)events;
	for (int i = 0; i < DATAGRAMS_PER_EVENT; i++) {
		struct address client = {.size = sizeof client.storage};
		ssize_t got = recvfrom(source->fd, datagram, sizeof datagram, MSG_DONTWAIT, (struct sockaddr *)&client.storage, &client.size);
		if (got < 0)
			return;
		struct session *session = find_session(relay, &client);
		if (session) {
			session->used_ms = now_ms();
			send(session->source.fd, datagram, (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL);
		}
	}
}

static void remove_relay(struct relay *relay)
{
	for (struct relay **link = &relays.all; *link; link = &(*link)->next)
		if (*link == relay) {
			*link = relay->next;
			break;
		}
	for (struct session *session = relays.first, *next; session; session = next) {
		next = session->next;
		if (session->relay == relay)
			close_session(session);
	}
	loop_retire(&relay->source);
}

/* The port is free again; connections that are open go on. One that is not there is no error. */
int relay_unpublish(const char *protocol, const char *host, int host_port)
{
	struct address at = {.size = 0};
	errno = EINVAL;
	if (parse_address(&at, host, host_port) < 0)
		return -1;
	struct relay *relay = find_relay(strcmp(protocol, "udp") == 0, &at);
	if (relay)
		remove_relay(relay);
	return 0;
}

/* The process has ended: its host ports are free again before anybody hears of it. Open connections end by themselves. */
void relays_close(void)
{
	relays.started = false;
	while (relays.all)
		remove_relay(relays.all);
	loop_clear_timer(&relays.idle_timer);
	loop_clear_timer(&relays.retry_timer);
}
