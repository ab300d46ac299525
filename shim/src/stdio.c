/* The container's streams: pipes or a pseudo-terminal. Reads output into the log and the clients, writes stdin. */
#include "shim.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PIPE_BYTES (1 << 20)
#define DRAIN_BYTES (PIPE_BYTES + CHUNK_BYTES) /* what a dead process can have left in one stream */

static void output_ready(struct source *source, uint32_t events);
static void input_ready(struct source *source, uint32_t events);
static void console_ready(struct source *source, uint32_t events);

static struct {
	bool terminal, started, held;
	struct source output[3]; /* by stream number; [0] unused. A terminal's output is [1] */
	struct source input;     /* stdin's write end, or a duplicate of the terminal */
	struct source console;   /* where the runtime hands over the terminal */
	int child[3];
	int width, height;
	unsigned char *pending; /* stdin that did not fit into the pipe; mapped only while there is some */
	size_t pending_from, pending_to;
} io = {
	.output = {{.fd = -1}, {.fd = -1, .ready = output_ready}, {.fd = -1, .ready = output_ready}},
	.input = {.fd = -1, .ready = input_ready},
	.console = {.fd = -1, .ready = console_ready},
	.child = {-1, -1, -1},
};

/* FRAME_BYTES for the header, so that a frame goes out in one piece. */
static unsigned char chunk[FRAME_BYTES + CHUNK_BYTES] __attribute__((aligned(4096)));

static int open_pipe(int *ours, int *theirs, bool we_write, const struct spec *spec, struct failure *failure)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(failure, "pipe2");
	*ours = ends[we_write];
	*theirs = ends[!we_write];
	fcntl(*ours, F_SETFL, O_NONBLOCK | (we_write ? O_WRONLY : O_RDONLY));
	if (!we_write)
		fcntl(*ours, F_SETPIPE_SZ, PIPE_BYTES); /* refused above the user's pipe limit: the default size works, too */
	/* /dev/stdout is opened again by name, with the container user's rights. */
	if (spec->uid >= 0 && fchown(*theirs, (uid_t)spec->uid, (gid_t)spec->gid) < 0)
		return fail(failure, "cannot give a stream to uid %lld", (long long)spec->uid);
	return 0;
}

static int open_console(struct failure *failure)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "console"};
	io.console.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (io.console.fd < 0 || bind(io.console.fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(io.console.fd, 1) < 0)
		return fail(failure, "console socket");
	return 0;
}

int stdio_open(const struct spec *spec, struct failure *failure)
{
	io.terminal = spec->terminal;
	io.width = (int)spec->width;
	io.height = (int)spec->height;
	if (open_pipe(&io.output[2].fd, &io.child[2], false, spec, failure) < 0)
		return -1;
	if (!io.terminal && open_pipe(&io.output[1].fd, &io.child[1], false, spec, failure) < 0)
		return -1;
	if (!io.terminal && spec->open_stdin && open_pipe(&io.input.fd, &io.child[0], true, spec, failure) < 0)
		return -1;
	if (io.child[0] < 0 && (io.child[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
		return fail(failure, "/dev/null");
	if (io.terminal && (io.child[1] = open("/dev/null", O_WRONLY | O_CLOEXEC)) < 0)
		return fail(failure, "/dev/null");
	return io.terminal ? open_console(failure) : 0;
}

const int *stdio_child(void)
{
	if (io.terminal)
		loop_watch(&io.console, EPOLLIN);
	return io.child;
}

static int receive_descriptor(int connection)
{
	char byte[256];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {byte, sizeof byte};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	if (recvmsg(connection, &message, MSG_CMSG_CLOEXEC) < 0)
		return -1;
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
		return -1;
	int fd;
	memcpy(&fd, CMSG_DATA(header), sizeof fd);
	return fd;
}

int stdio_accept_console(void)
{
	if (!io.terminal || io.output[1].fd >= 0)
		return 0;
	CLEANUP_CLOSE int connection = accept4(io.console.fd, NULL, NULL, SOCK_CLOEXEC);
	if (connection < 0)
		return -1;
	struct timeval patience = {.tv_sec = 5}; /* the runtime sends at once; a stuck one must not stop the loop for good */
	setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	int terminal = receive_descriptor(connection);
	if (terminal < 0)
		return -1;
	fcntl(terminal, F_SETFL, O_NONBLOCK | O_RDWR);
	io.output[1].fd = terminal;
	io.input.fd = fcntl(terminal, F_DUPFD_CLOEXEC, 0);
	loop_close(&io.console);
	if (io.width > 0 && io.height > 0)
		stdio_resize(io.width, io.height);
	clients_input_changed();
	return 0;
}

static void console_ready(struct source *source, uint32_t events)
{
	(void)source, (void)events;
	stdio_accept_console();
}

static void close_child_ends(void)
{
	for (int i = 0; i < 3; i++)
		close_descriptor(&io.child[i]);
	loop_close(&io.console);
	unlink("console");
}

static void watch_output(void)
{
	for (int stream = 1; stream <= 2; stream++)
		loop_watch(&io.output[stream], io.started && !io.held ? EPOLLIN : 0);
}

void stdio_started(void)
{
	close_child_ends();
	if (io.terminal)
		loop_close(&io.output[2]);
	io.started = true;
	watch_output();
}

size_t stdio_failed(char *text, size_t size)
{
	close_child_ends();
	ssize_t got = read(io.output[2].fd, text, size);
	loop_close(&io.output[1]);
	loop_close(&io.output[2]);
	loop_close(&io.input);
	return got > 0 ? (size_t)got : 0;
}

static void end_output(struct source *source)
{
	int stream = (int)(source - io.output);
	if (source->fd < 0)
		return;
	loop_close(source);
	log_end(stream);
}

/* Reads once. Returns how much, 0 when there is nothing now; closes the stream at its end. */
static size_t pump(struct source *source)
{
	int stream = (int)(source - io.output);
	ssize_t got = read(source->fd, chunk + FRAME_BYTES, CHUNK_BYTES);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0) { /* a terminal that nobody holds open says EIO */
		end_output(source);
		return 0;
	}
	log_write(stream, chunk + FRAME_BYTES, (size_t)got);
	clients_broadcast(stream, chunk, (size_t)got);
	return (size_t)got;
}

static bool has_ended(void)
{
	return io.output[1].fd < 0 && io.output[2].fd < 0;
}

static void output_ready(struct source *source, uint32_t events)
{
	(void)events;
	pump(source);
	if (has_ended())
		task_output_ended();
}

bool stdio_drain(void)
{
	stdin_close();
	for (int stream = 1; stream <= 2; stream++)
		for (size_t total = 0, got = 1; io.output[stream].fd >= 0 && got > 0 && total < DRAIN_BYTES; total += got)
			got = pump(&io.output[stream]);
	return has_ended();
}

void stdio_end(void)
{
	stdin_close();
	end_output(&io.output[1]);
	end_output(&io.output[2]);
	madvise(chunk, sizeof chunk, MADV_DONTNEED);
}

void stdio_hold(bool held)
{
	if (held == io.held)
		return;
	io.held = held;
	watch_output();
}

int stdio_resize(int width, int height)
{
	errno = ENOTTY;
	if (!io.terminal)
		return -1;
	io.width = width;
	io.height = height;
	if (io.output[1].fd < 0)
		return 0; /* applied when the terminal arrives */
	struct winsize size = {.ws_col = (unsigned short)width, .ws_row = (unsigned short)height};
	return ioctl(io.output[1].fd, TIOCSWINSZ, &size);
}

bool stdin_is_ready(void)
{
	bool awaited = io.terminal && io.input.fd < 0 && task_state() < TASK_RUNNING;
	return !awaited && !io.pending;
}

static void drop_pending(void)
{
	if (io.pending)
		munmap(io.pending, CHUNK_BYTES);
	io.pending = NULL;
	io.pending_from = io.pending_to = 0;
	clients_input_changed();
}

void stdin_close(void)
{
	loop_close(&io.input);
	drop_pending();
}

/* Returns how much was taken; closes stdin when its reader is gone. */
static size_t offer(const unsigned char *data, size_t size)
{
	ssize_t put = write(io.input.fd, data, size);
	if (put < 0 && errno != EAGAIN && errno != EINTR) {
		stdin_close();
		return size;
	}
	return put < 0 ? 0 : (size_t)put;
}

void stdin_write(const unsigned char *data, size_t size)
{
	size_t taken = io.input.fd < 0 ? size : offer(data, size);
	if (taken == size)
		return;
	io.pending = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (io.pending == MAP_FAILED) {
		io.pending = NULL;
		stdin_close(); /* a stream with a hole in it would be worse than one that ends */
		return;
	}
	memcpy(io.pending, data + taken, size - taken);
	io.pending_to = size - taken;
	loop_watch(&io.input, EPOLLOUT);
	clients_input_changed();
}

static void input_ready(struct source *source, uint32_t events)
{
	(void)events;
	io.pending_from += offer(io.pending + io.pending_from, io.pending_to - io.pending_from);
	if (source->fd < 0 || io.pending_from < io.pending_to)
		return;
	loop_watch(source, 0);
	drop_pending();
}
