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
 * does nothing then.
 *
 * SPDX-License-Identifier: MIT */
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
#include <freshet/once.h>
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
struct st_h2o_req_t;
struct st_h2o_context_t;
struct st_h2o_globalconf_t;
struct st_h2o_hostconf_t;
struct st_h2o_socket_t;
struct ssl_ctx_st;

/* The end of a stream. On the stream's worker; must not block; the spans live until it returns. */
struct freshet_stream_end {
    struct freshet_span topic;        /* the topic it showed; empty: several views, or none */
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

/* Which streams are sent in gzip, to clients whose Accept-Encoding has it at least as gladly as none.
 *
 * It costs no compressor for each stream: what is sent is deflated once for all streams that have the same
 * before them, against what they have, so that a state of 8 KB of which one place has changed takes about 150
 * bytes. What doesn't pay is not deflated, but sent as it is in the gzip stream: less than 4,096 bytes,
 * counted over all streams that are sent the same at the time. What is over 64 KiB is deflated by the pool,
 * not by the loop; if the pool takes more than 250 ms, it is sent as it is, too. */
enum freshet_h2o_gzip {
    /* All but agents known not to show events in gzip when they come: WebKitGTK, that is `AppleWebKit` with
     * `Linux` or `X11` and without `Chrome` or `Chromium` in User-Agent. */
    FRESHET_H2O_GZIP_DEFAULT = 0,
    FRESHET_H2O_GZIP_ALWAYS, /* whatever the agent */
    FRESHET_H2O_GZIP_NEVER   /* none */
};

/* A zeroed struct with `size` set means all defaults. Read during the mount; texts are copied. */
struct freshet_h2o_mount_options {
    size_t size;                              /* sizeof(struct freshet_h2o_mount_options) */
    const struct freshet_h2o_header *headers; /* added to every stream's response */
    size_t header_count;                      /* of `headers` */
    uint32_t heartbeat_ms;     /* a comment goes out when nothing else has for this long; default 15000 */
    uint32_t retry_min_ms;     /* `retry:` of each connection is drawn between these two; default 500 */
    uint32_t retry_max_ms;     /* default 3000 */
    uint32_t write_timeout_ms; /* a frame may take 1 + its size / 64 KiB times this; default 30000 */
    uint32_t
        max_unsent_bytes; /* kept unsent in the kernel for each stream (TCP_NOTSENT_LOWAT); default 16384 */
    uint32_t max_age_ms;  /* a stream ends after this, give or take a quarter, and its client comes back;
                             default none */
    const struct freshet_guard *use;    /* who may have a stream of any of the loaders; copied */
    size_t use_count;                   /* of `use` */
    const char *const *request_headers; /* names in lower case, the last NULL: kept of each request for
                                           guards, beside those that its loader names */
    /* Pages of these origins may read the mount's answers, with cookies: scheme://host[:port] exactly as
     * browsers send it, in lower case, without path or default port; the last NULL; copied. Every answer then
     * says `vary: Origin`, and OPTIONS for a route gets a 204. Default: no headers about origins at all. */
    const char *const *origins;
    enum freshet_h2o_gzip gzip; /* see there; a loader may say no for its own streams (loader.h) */
    /* Addresses, or networks such as 10.0.0.0/8, of proxies that stand before the program and write
     * X-Forwarded-For; the last NULL; copied. The client is whom they ask for: the address nearest to the end
     * of that header that is no proxy's. For limits of one address, freshet_request_peer() and the end of
     * streams. Nobody else is believed. Default: nobody; the client is the other end of the connection. */
    const char *const *proxies;
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

/* `request` NULL: it has gone, its client has. Else it has to be answered now, or later again. On the
 * request's loop; `answer` is valid until it returns. */
typedef void (*freshet_h2o_once_cb)(struct st_h2o_req_t *request, const struct freshet_once_answer *answer,
                                    void *user);

/* freshet_load_once() for a request that a handler of the application has, which then returns 0: with its
 * client's address (whom the mount's `proxies` name) and headers, and the guards of the mount. `url` is that
 * of the view's stream as the page has it, `/live/board/b1`; the mount is looked for among the paths of the
 * request's host. FRESHET_OK: `answered` is called exactly once. Else it is not, and the request is to be
 * answered: as freshet_load_once() says; FRESHET_INVALID also: no mount has that URL, or the request's
 * context has not joined; FRESHET_TOO_LARGE: over 32 of its headers are looked at. The request's loop. */
enum freshet_status freshet_h2o_load_once(struct st_h2o_req_t *request, const char *url,
                                          freshet_h2o_once_cb answered, void *user,
                                          struct freshet_error *error);

/* Serves the browser's side directly below the path, which may have other handlers after this one:
 * freshet.js, freshet-view.js and use-live.js, to be asked for again each time (ETag), and under names with
 * the version (freshet-0.1.0.js, see version.h), to be kept for a year. Right after
 * h2o_config_register_path(), before h2o_context_init(). */
void freshet_h2o_serve_script(struct st_h2o_pathconf_t *path);

#ifdef __cplusplus
}
#endif

/* What an application may use to set h2o up and to serve. */
#include <freshet/h2o_server.h>

#endif
