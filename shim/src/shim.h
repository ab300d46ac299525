/*
 * gantry-shim: the monitor of one container or one exec. See ../PROTOCOL.md for what it promises.
 * One thread, one epoll loop; every module keeps its state in one static structure of its own file.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROTOCOL_VERSION 1
#define CHUNK_BYTES 65536 /* at most this much is read from a stream at a time */
#define FRAME_BYTES 8     /* header of the Engine API's multiplexed framing */

/* Out-parameter of everything that can fail in a way that somebody is told about. */
struct failure {
	char message[512];
};
/* Fills `failure` with "<what>: <strerror(errno)>", or `what` alone when errno is 0. Returns -1. */
int fail(struct failure *failure, const char *format, ...) __attribute__((format(printf, 2, 3)));

void close_descriptor(int *fd);
#define CLEANUP_CLOSE __attribute__((cleanup(close_descriptor)))

/* init.c: `docker-init -- COMMAND`, process 1 of a container with `--init`. Returns the exit code. */
int init_main(int argc, char **argv);

/* loop.c: descriptors, timers and the order of their events */
struct source {
	int fd; /* -1: not open; its events are ignored */
	uint32_t events;
	void (*ready)(struct source *source, uint32_t events);
	void *owner; /* freed with the source by loop_retire */
	struct source *next;
};
struct timer {
	int64_t due_ms; /* 0: not set */
	void (*fire)(void);
	struct timer *next;
};
int64_t now_ms(void); /* monotonic */
int loop_open(struct failure *failure);
/* Watches `source` for `events`; 0 stops watching it entirely, hang-ups included. */
int loop_watch(struct source *source, uint32_t events);
void loop_close(struct source *source);
/* Closes the source; frees its owner when the current round of events is over. */
void loop_retire(struct source *source);
void loop_set_timer(struct timer *timer, int64_t delay_ms);
void loop_clear_timer(struct timer *timer);
void loop_run(void);
void loop_stop(void);

/* spec.c: what the daemon asked for */
struct spec {
	const char *id, *mode, *runtime, *runtime_copy, *container, *bundle, *log, *log_path, *log_attributes, *memory_cgroup;
	int64_t version, terminal, width, height, open_stdin, stdin_once, uid, gid, log_max_bytes, log_max_files, stall_ms;
	int64_t log_compress; /* for the daemon, which reads it here when it adopts the shim */
	const char **arguments, **relays;
	size_t argument_count, relay_count;
	const char *directory;
};
int spec_read(struct spec *spec, struct failure *failure);

/* task.c: the runtime, the process, its end */
enum task_state { TASK_CREATED, TASK_STARTING, TASK_RUNNING, TASK_DRAINING, TASK_EXITED };
int task_open(const struct spec *spec, struct failure *failure);
enum task_state task_state(void);
int task_start(struct failure *failure);
int task_kill(int signal);
/* Ends the shim when its directory is gone and every attached client has had its output. */
void task_check_done(void);
/* Removes every file of the shim and its directory. */
void task_remove_directory(void);
/* `state=… pid=… code=… signal=… oom=… finished=… dropped=…` */
void task_describe(char *line, size_t size);
/* Both output streams have ended. */
void task_output_ended(void);

/* stdio.c: the container's streams */
int stdio_open(const struct spec *spec, struct failure *failure);
/* The three descriptors for the runtime; closed in the shim by stdio_started and stdio_failed. */
const int *stdio_child(void);
int stdio_accept_console(void);
void stdio_started(void);
/* The start failed: gives what was printed on stderr meanwhile. */
size_t stdio_failed(char *text, size_t size);
/* The main process is gone: reads what is left. True when both streams have ended. */
bool stdio_drain(void);
void stdio_end(void);
void stdio_hold(bool held);
int stdio_resize(int width, int height);
/* True when clients may be read from: nothing waits to be written. */
bool stdin_is_ready(void);
void stdin_write(const unsigned char *data, size_t size);
void stdin_close(void);

/* client.c and control.c: who is connected */
enum client_kind { CLIENT_HELLO, CLIENT_CONTROL, CLIENT_ATTACHED };
struct client {
	struct source source;
	struct client *next;
	enum client_kind kind;
	bool takes[3]; /* by stream number; [0]: feeds stdin */
	bool input_ended, ending;
	unsigned char *queue; /* mapped only while something waits */
	size_t head, tail;
	int64_t progress_ms, full_since_ms;
	size_t line_size;
	char line[256];
};
int clients_open(const struct spec *spec, struct failure *failure);
void clients_broadcast(int stream, unsigned char *frame, size_t payload);
void clients_input_changed(void);
/* The main process is gone: queues may grow to take what the pipes still hold. */
void clients_widen(void);
/* No more output will come: each client is closed once it has taken what waits for it. */
void clients_end(void);
size_t clients_attached(void);
void client_send(struct client *client, const void *data, size_t size);
void client_drop(struct client *client);
void client_line(struct client *client, char *line);
void control_event(const char *format, ...) __attribute__((format(printf, 1, 2)));
void control_started(void);
void control_failed(const char *message);
struct client *clients_first(void);

/* log.c and log-file.c: the container's log */
int log_open(const struct spec *spec, struct failure *failure);
void log_write(int stream, const unsigned char *data, size_t size);
/* The stream has ended: writes its unfinished line. */
void log_end(int stream);
uint64_t log_dropped(void);
/* Replaces the rotated file with this inode by its gzipped form `name` (beside the log). */
int log_compressed(uint64_t inode, const char *name);
int log_file_open(const struct spec *spec, bool is_local, struct failure *failure);
/* Appends whole records; rotates first when the file would pass its limit. */
void log_file_append(const void *records, size_t size);
/* How much can still be appended without rotating; SIZE_MAX without a limit. */
size_t log_file_room(void);

/* json.c */
/* Go's JSON string escaping as Docker's json-file writes it; `out` must hold 6 bytes for each of `size`. */
size_t json_escape(unsigned char *out, const unsigned char *data, size_t size);
/* RFC 3339 with nanoseconds, trailing zeros trimmed, UTC. At most 31 bytes. */
size_t format_time(char *out, int64_t seconds, long nanoseconds);

/* oom.c */
void oom_watch(const char *cgroup);
/* Number of processes of the cgroup that were killed for memory; tells the control connections when it has grown. */
uint64_t oom_kills(void);

/* relay.c: the userland part of published ports */
int relays_open(const struct spec *spec, int first_fd, struct failure *failure);
void relays_start(void);
void relays_close(void);
int relay_publish(const char *protocol, const char *host, int host_port, const char *container, int container_port);
int relay_unpublish(const char *protocol, const char *host, int host_port);
