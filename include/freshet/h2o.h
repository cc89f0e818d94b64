/* Live loaders as SSE streams on h2o 2.2 (libh2o-evloop).
 *
 * The application keeps its own h2o set-up. It mounts a freshet on a path once, and joins each of its loops
 * as a worker:
 *
 *     h2o_pathconf_t *path = h2o_config_register_path(host, "/live", 0);
 *     freshet_h2o_mount(freshet, path, &(struct freshet_h2o_mount_options){.size = ...}, &error);
 *     ... in each loop's thread, after h2o_context_init():
 *     freshet_h2o_worker_join(freshet, &context, &worker, &error);
 *
 * A stream takes its socket out of h2o: access logs and filters of the application see the request end at
 * once. HTTP/2 is not offered (see the mount).
 *
 * NULL where something is needed is refused with FRESHET_INVALID and a text; what has no status to return
 * does nothing then. */
#ifndef FRESHET_H2O_H
#define FRESHET_H2O_H

/* Unless told otherwise h2o's headers lay out their structs for libuv. */
#ifndef H2O_USE_LIBUV
#define H2O_USE_LIBUV 0
#elif H2O_USE_LIBUV
#error "libh2o-evloop is not made for libuv: compile with -DH2O_USE_LIBUV=0"
#endif

#include <freshet/guard.h>
#include <freshet/instance.h>
#include <freshet/log.h>
#include <freshet/span.h>
#include <freshet/stats.h>
#include <freshet/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct st_h2o_pathconf_t;
struct st_h2o_context_t;
struct st_h2o_globalconf_t;
struct st_h2o_hostconf_t;
struct st_h2o_socket_t;
struct ssl_ctx_st;

/* The end of a stream. On the stream's worker; must not block; the spans live until it returns. */
struct freshet_stream_end {
    struct freshet_span topic;        /* that it showed; empty: several views, or none */
    struct freshet_span peer;         /* address and port of the client */
    uint64_t duration_ms;             /* from its first byte to its end */
    uint64_t bytes;                   /* sent on it */
    enum freshet_close_reason reason; /* why it ended */
};
/* Called once for each stream that was opened. */
typedef void (*freshet_stream_end_cb)(const struct freshet_stream_end *end, void *user);

/* One header of a response. */
struct freshet_h2o_header {
    const char *name;  /* lower case */
    const char *value; /* without line ends */
};

/* A zeroed struct with `size` set means all defaults. Read during the mount; texts are copied. */
struct freshet_h2o_mount_options {
    size_t size;                              /* sizeof(struct freshet_h2o_mount_options) */
    const struct freshet_h2o_header *headers; /* added to every stream's response */
    size_t header_count;                      /* of `headers` */
    uint32_t heartbeat_ms;     /* a comment goes out when nothing else has for this long; default 15000 */
    uint32_t retry_min_ms;     /* `retry:` of each connection is drawn from this range; default 500 ... */
    uint32_t retry_max_ms;     /* ... to 3000 */
    uint32_t write_timeout_ms; /* a frame may take 1 + its size / 64 KiB times this; default 30000 */
    uint32_t
        max_unsent_bytes; /* kept unsent in the kernel for each stream (TCP_NOTSENT_LOWAT); default 16384 */
    uint32_t max_age_ms;  /* a stream ends after this, give or take a quarter, and its client comes back;
                             default  none */
    const struct freshet_guard *use;    /* who may have a stream of any of the loaders; copied */
    size_t use_count;                   /* of `use` */
    const char *const *request_headers; /* names in lower case, the last NULL: kept of each request for
                                           guards, beside those that its loader names */
    /* Pages of these origins may read the mount's answers, with cookies: scheme://host[:port] exactly as
     * browsers send it, in lower case, without path or default port; the last NULL; copied. Every answer then
     * says `vary: Origin`, and OPTIONS for a route gets a 204. Default: no headers about origins at all. */
    const char *const *origins;
    bool refuse_with_503; /* temporary refusals: 503 with Retry-After instead of a 200 stream that ends */
    freshet_stream_end_cb stream_end; /* the end of each stream; NULL: not told */
    void *user;                       /* for stream_end */
};

/* Serves the freshet's loaders under the path. Call it right after h2o_config_register_path(), before
 * h2o_context_init() of any loop. `options` NULL: defaults. Sets http1.upgrade_to_http2 = 0 in the path's
 * global configuration, because HTTP/2 in Debian's h2o 2.2.5 can be made to abort the process by any client;
 * a stream asked for over HTTP/2 all the same gets a 505. The mount lives as long as the configuration; the
 * freshet must live until every context is disposed. FRESHET_INVALID: an argument or an option.
 * FRESHET_NO_MEMORY. */
enum freshet_status freshet_h2o_mount(struct freshet *freshet, struct st_h2o_pathconf_t *path,
                                      const struct freshet_h2o_mount_options *options,
                                      struct freshet_error *error);

/* A loop that serves streams. */
struct freshet_h2o_worker;

/* Makes the loop of `context` a worker of the freshet. In the loop's thread, after h2o_context_init(); blocks
 * SIGPIPE in that thread. FRESHET_CONFLICT: that context has joined this freshet before. FRESHET_INVALID,
 * FRESHET_CLOSED, FRESHET_NO_MEMORY, FRESHET_SYSTEM. */
enum freshet_status freshet_h2o_worker_join(struct freshet *freshet, struct st_h2o_context_t *context,
                                            struct freshet_h2o_worker **out, struct freshet_error *error);

/* Nothing is left: every stream is closed. In the worker's loop, exactly once for each drain.
 */
typedef void (*freshet_h2o_drained_cb)(struct freshet_h2o_worker *worker, void *user);

/* Begins to end the worker's streams: new ones are refused, each running frame is completed, then `end`
 * `going-away` is sent with a time to come back spread over `spread_ms`. What is left after `deadline_ms` is
 * cut. `drained` then runs; the worker may be left in it. The owner's loop. A second call may shorten the
 * deadline; it keeps the first `drained`. */
void freshet_h2o_worker_drain(struct freshet_h2o_worker *worker, uint32_t deadline_ms, uint32_t spread_ms,
                              freshet_h2o_drained_cb drained, void *user);

/* Leaves; asserts that it is drained. NULL is fine. The owner's loop, before h2o_context_dispose(). */
void freshet_h2o_worker_leave(struct freshet_h2o_worker *worker);

/* Streams of this worker whose connection is not closed; the owner's loop. */
size_t freshet_h2o_worker_streams(const struct freshet_h2o_worker *worker);

/* Helpers for an application's own set-up; each is optional. */

/* Serves the browser's side directly below the path, which may have other handlers after this one:
 * freshet.js, freshet-view.js and use-live.js, to be asked for again each time (ETag), and under names with
 * the version (freshet-0.1.0.js, see version.h), to be kept for a year. Right after
 * h2o_config_register_path(), before h2o_context_init(). */
void freshet_h2o_serve_script(struct st_h2o_pathconf_t *path);

/* Limits that protect a server of streams: small request bodies, 5 s for a request head, no server header,
 * HTTP/2 off; and freshet_h2o_harden_paths() for the paths that there are. Before h2o_context_init(). */
void freshet_h2o_harden(struct st_h2o_globalconf_t *config);
/* Refuses, before any handler of a path, HTTP/1 requests that two readers may end in different places
 * (several lengths, a length and chunks, folded lines): behind a proxy that reads them otherwise than h2o
 * does, a part of a body would be taken for a request. They get 400 and their connection ends. It also ends
 * behind chunks and behind lines without a carriage return; behind a body of one plain length it goes on.
 * Mounts and scripts do this on their own path; this, on every path of every host, registered by now: again
 * when there are more. freshet_h2o_serve() calls it. Before h2o_context_init(). */
void freshet_h2o_harden_paths(struct st_h2o_globalconf_t *config);
/* h2o_config_init(), freshet_h2o_harden(), and one host that answers to every name, which is returned: paths
 * are registered there. It belongs to `config`. */
struct st_h2o_hostconf_t *freshet_h2o_config_init(struct st_h2o_globalconf_t *config);
/* Offers only http/1.1 in ALPN, releases idle TLS buffers, refuses renegotiation. */
void freshet_h2o_harden_tls(struct ssl_ctx_st *context);
/* Keep-alive and TCP_USER_TIMEOUT, so that a connection whose peer vanished ends. */
void freshet_h2o_harden_socket(struct st_h2o_socket_t *socket);

/* Opens a TCP socket that listens on `host` (a name or address; NULL: all) and `port` (a number; "0": a free
 * one). The descriptor is the caller's. FRESHET_INVALID: no such address; FRESHET_SYSTEM. Any thread; may ask
 * a name server. */
enum freshet_status freshet_h2o_bind(int *fd, const char *host, const char *port,
                                     struct freshet_error *error);

/* Serves the connections of a listening socket on a loop. */
struct freshet_h2o_listener;

/* A connection, hardened, before h2o gets it: the place to set its on_close. False: it is closed. On the
 * loop. */
typedef bool (*freshet_h2o_accepted_cb)(struct st_h2o_socket_t *socket, void *user);

/* A zeroed struct with `size` set means all defaults. */
struct freshet_h2o_listen_options {
    size_t size;                      /* sizeof(struct freshet_h2o_listen_options) */
    struct ssl_ctx_st *tls;           /* must outlive the connections; NULL: plain */
    freshet_h2o_accepted_cb accepted; /* NULL: every connection is served */
    void *user;                       /* for accepted */
    struct freshet_log log;           /* must outlive the listener */
};

/* In the loop's thread, after h2o_context_init(). Takes `fd` over, also on failure; for several loops on one
 * socket give each a duplicate. Accepts in bounded rounds; when descriptors or memory run out it rests for
 * 100 ms instead of spinning. `options` NULL: defaults; `out` NULL: it lasts as long as the process.
 * FRESHET_INVALID, FRESHET_NO_MEMORY. */
enum freshet_status freshet_h2o_listen(struct freshet_h2o_listener **out, struct st_h2o_context_t *context,
                                       int fd, const struct freshet_h2o_listen_options *options,
                                       struct freshet_error *error);

/* Accepts no more; connections go on. The loop's thread, before h2o_context_dispose(). NULL is fine. */
void freshet_h2o_listener_close(struct freshet_h2o_listener *listener);

/* Asked on a loop that has no stream and no connection left, until it says true, at least 10 times a second:
 * whether nothing of the application's is still to come there, such as the answer to a request whose client
 * has left. `context` is disposed then. Must not block. */
typedef bool (*freshet_h2o_ended_cb)(struct st_h2o_context_t *context, void *user);

/* A zeroed struct with `size` set means all defaults. */
struct freshet_h2o_serve_options {
    size_t size; /* sizeof(struct freshet_h2o_serve_options) */
    int stop_fd; /* the end begins when it is readable: a signalfd, an eventfd, a pipe. Made non-blocking, not
                    read, not closed; must outlive the call. 0: serves as long as the process lives */
    int listen_fd;              /* a socket that listens already (freshet_h2o_bind()): taken over, also on
                                   failure; `host` and `port` are not looked at. 0: none */
    uint32_t threads;           /* loops, each with a thread: the calling one and others; default 1 */
    uint32_t drain_deadline_ms; /* for streams and connections to end; default 5000 */
    uint32_t drain_spread_ms;   /* clients come back spread over this; default 2000 */
    struct ssl_ctx_st *tls;     /* must outlive the call; NULL: plain */
    freshet_h2o_ended_cb ended; /* on each loop, before it ends; NULL: nothing is to come */
    void *user;                 /* for ended */
    struct freshet_log log;     /* must outlive the call */
};

/* A whole server: listens on `host` and `port` (as freshet_h2o_bind() has them), makes loops and h2o
 * contexts, joins them to the freshet as workers, serves, and takes all of it down again in the order that
 * h2o needs, whatever handlers the configuration has. Returns when `stop_fd` was readable and no connection
 * is left: at the deadline those that are not done are cut, but a request that a handler keeps unanswered is
 * waited for. One loop runs in the calling thread, which has SIGPIPE blocked from then on; a thread that
 * can't be started ends all. The others have the process's usual stack, on which h2o puts whole request
 * heads: 8 MiB are plenty. `config` must be complete, and in use by one call at a time; it may be served
 * again afterwards. The caller disposes it, before or after the freshet. `options` NULL: defaults.
 * FRESHET_OK: stopped. FRESHET_INVALID: an argument, the address or an option. FRESHET_CLOSED,
 * FRESHET_NO_MEMORY, FRESHET_SYSTEM.
 */
enum freshet_status freshet_h2o_serve(struct freshet *freshet, struct st_h2o_globalconf_t *config,
                                      const char *host, const char *port,
                                      const struct freshet_h2o_serve_options *options,
                                      struct freshet_error *error);

#ifdef __cplusplus
}
#endif
#endif
