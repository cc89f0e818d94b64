/* Helpers for an application's own set-up of h2o, each of them optional: limits, listening, and a whole
 * server in one call. <freshet/h2o.h> brings this header along.
 *
 * NULL where something is needed is refused with FRESHET_INVALID and a text; what has no status to return
 * does nothing then.
 *
 * SPDX-License-Identifier: MIT */
#ifndef FRESHET_H2O_SERVER_H
#define FRESHET_H2O_SERVER_H

/* Unless told otherwise h2o's headers lay out their structs for libuv. */
#ifndef H2O_USE_LIBUV
#define H2O_USE_LIBUV 0
#elif H2O_USE_LIBUV
#error "libh2o-evloop is not made for libuv: compile with -DH2O_USE_LIBUV=0"
#endif

#include <freshet/instance.h>
#include <freshet/log.h>
#include <freshet/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct st_h2o_context_t;
struct st_h2o_globalconf_t;
struct st_h2o_hostconf_t;
struct st_h2o_req_t;
struct st_h2o_socket_t;
struct ssl_ctx_st;

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

/* A request that is answered later: its handler makes one, returns 0, and gives it to whoever will know the
 * answer. The client, and with it the request, may be gone by then; the handle stays safe. */
struct freshet_h2o_later;

/* NULL: no memory, the request is to be answered at once. In the handler's call, or later on the request's
 * loop. */
struct freshet_h2o_later *freshet_h2o_later_new(struct st_h2o_req_t *request);
/* The request, to be answered now, or NULL if it has gone. The handle is gone, too: exactly once for each, on
 * the request's loop. freshet_h2o_serve() does not end before. */
struct st_h2o_req_t *freshet_h2o_later_take(struct freshet_h2o_later *later);

/* Asked on a loop that has no stream and no connection left, until it says true, at least 10 times a second:
 * whether nothing of the application's is still to come there. Requests of freshet_h2o_later_new() are waited
 * for anyway. `context` is disposed then. Must not block. */
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
