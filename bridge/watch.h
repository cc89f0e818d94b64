/* freshet-watch: looks at two instances from outside, for the demo. Streams, requests, and the publishes that
 * go through Redis; everything in one thread around poll(), so that times are those of arrival. */
#ifndef BRIDGE_WATCH_H
#define BRIDGE_WATCH_H

#include <freshet/span.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Microseconds since 1970, as in messages: all clocks here are one machine's. */
int64_t watch_now_us(void);

struct watch_address {
    char host[64];
    char port[8];
};

/* HOST:PORT or http://HOST:PORT. */
bool watch_address_read(struct watch_address *address, const char *text);

/* A connected socket, or -1. */
int watch_connect(const struct watch_address *address);

/* ---- one request at a time ---- */

struct watch_request {
    int fd; /* -1: none is out */
    size_t len;
    char answer[2048];
};

/* Sends a request without a body. False: no connection. */
bool watch_request_send(struct watch_request *request, const struct watch_address *address,
                        const char *method, const char *path);
/* Reads what has come. The status once the answer is complete, 0 before, -1 if it broke off. */
int watch_request_read(struct watch_request *request);
/* What stands behind `"name":` in the answer, a number or a plain text; false: not there. */
bool watch_request_field(const struct watch_request *request, const char *name, char *value, size_t size);
/* Sends and waits; the status or -1. */
int watch_request_run(struct watch_request *request, const struct watch_address *address, const char *method,
                      const char *path, int timeout_ms);

/* ---- a stream ---- */

struct watch_stream;
typedef void (*watch_event_cb)(struct watch_stream *stream, const char *event, const char *data, void *user);

struct watch_stream {
    const char *path;
    watch_event_cb on_event; /* data is NUL-terminated; lines joined by \n */
    void *user;
    int fd; /* -1: closed */

    /* Where the answer's parser stands. */
    enum { WATCH_HEAD, WATCH_SIZE, WATCH_BODY, WATCH_AFTER } part;
    size_t chunk_left, line_len, data_len;
    char event[32];
    char line[65536];
    char data[65536];
};

bool watch_stream_open(struct watch_stream *stream, const struct watch_address *address);
/* Reads what has come and tells its events. False: the stream has ended and is closed. */
bool watch_stream_read(struct watch_stream *stream);
void watch_stream_close(struct watch_stream *stream);

/* ---- publishes ---- */

struct watch_publishes;
typedef void (*watch_publish_cb)(const char *topic, int64_t published_us, void *user);

/* Subscribed to all channels of a prefix. */
struct watch_publishes {
    const char *prefix;
    watch_publish_cb on_publish; /* published_us: the publisher's clock; now for a foreign message */
    void *user;
    int fd;
    bool subscribed;
    size_t len;
    char buffer[131072];
};

bool watch_publishes_open(struct watch_publishes *publishes, const struct watch_address *redis);
bool watch_publishes_read(struct watch_publishes *publishes);
void watch_publishes_close(struct watch_publishes *publishes);

/* A command over Redis's unix socket, words parted by single spaces. The number it answers; -1: an error.
 * "+OK" counts as 0. */
int64_t watch_redis_ask(const char *socket_path, const char *command);

/* ---- what the program does ---- */

struct watch_arguments {
    struct watch_address instances[2], redis;
    const char *prefix;
    const char *socket_path; /* Redis's unix socket; only for the check */
    /* The buttons of the page: where to listen for them, the FIFO that takes orders to the demo's script, and
     * what a page has to know. Only for `live`; orders_path NULL: no buttons. */
    struct watch_address control;
    const char *orders_path, *token;
};

/* Takes orders from the page, on a thread of its own, as long as the process lives. False: it could not
 * begin, and has said why. Once for each process. */
bool watch_control_start(const struct watch_arguments *arguments);

/* Shows what happens until it is told to end. */
int watch_live(const struct watch_arguments *arguments);
/* 0: all held. Talks to the demo's script: prints `kill` and `start` alone on a line and waits for a line
 * each. */
int watch_check(const struct watch_arguments *arguments);

#endif
