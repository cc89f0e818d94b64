/* What the files of the h2o side share. Everything happens on the loop's thread. */
#ifndef FR_H2O_WEB_H
#define FR_H2O_WEB_H

#include "core/hub/view.h"
#include "core/hub/visit.h"
#include "core/request/target.h"
#include "core/runtime/worker.h"
#include "web/stream/stream.h"
#include <freshet/h2o.h>
#include <h2o.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The handler of one path. h2o owns it. */
struct fr_h2o_mount {
    h2o_handler_t super;
    struct freshet *freshet;
    struct freshet_h2o_mount_options options; /* defaults filled in; `headers` points into `texts` */
    char *prefix;                             /* raw path without a '/' at its end */
    char *texts;
    char **request_headers; /* names, NULL at the end; NULL: none */
    char **origins;         /* of pages that may read answers, NULL at the end; NULL: CORS is not spoken */
    char **proxies;         /* who may say for whom they ask, NULL at the end; NULL: nobody */
    struct freshet_guard *guards;
    struct fr_bytes *heartbeat;
    atomic_flag warned; /* of a context that has not joined */
};

/* A mount on a worker: what a request finds through its context. */
struct fr_h2o_mount_worker {
    struct fr_h2o_mount_worker *next; /* of the worker */
    struct freshet_h2o_worker *worker;
    struct fr_h2o_mount *mount;
    struct fr_stream_config plain, gzip;
};

enum fr_h2o_worker_state { FR_H2O_SERVING, FR_H2O_DRAINING, FR_H2O_DRAINED };

struct freshet_h2o_worker {
    /* Read by any thread. */
    pthread_t thread;
    int event_fd;
    atomic_bool woken; /* event_fd has been written to */

    /* The loop's thread only. */
    struct fr_worker *core;
    h2o_context_t *context;
    h2o_socket_t *event, *timer;
    h2o_timeout_entry_t soon; /* a turn at the end of this round of the loop */
    int64_t now_us;
    int64_t armed_us; /* what the timer is set to; INT64_MAX: not set */
    bool in_turn, again;
    struct fr_stream_group group;
    struct fr_h2o_mount_worker *mount_workers;
    size_t upgrading;      /* requests whose socket h2o still has */
    struct fr_list visits; /* requests that wait for guards */
    enum fr_h2o_worker_state state;
    int64_t deadline_us;
    freshet_h2o_drained_cb drained;
    void *user;
};

/* Around every callback of h2o that touches streams: reads the clock; has the next turn come in time. */
void fr_h2o_worker_tick(struct freshet_h2o_worker *worker);
void fr_h2o_worker_rearm(struct freshet_h2o_worker *worker);

/* What the loop and the core call; set up when a worker joins. */
void fr_h2o_worker_on_event(h2o_socket_t *sock, const char *error);
void fr_h2o_worker_on_timer(h2o_socket_t *sock, const char *error);
void fr_h2o_worker_on_soon(h2o_timeout_entry_t *entry);
extern const struct fr_worker_host fr_h2o_worker_host; /* without `user` */

/* The mount behind a handler, or NULL when it is another's. */
struct fr_h2o_mount *fr_h2o_mount_of(h2o_handler_t *handler);
/* Adds the mount's own headers, to every answer. */
void fr_h2o_mount_add_headers(const struct fr_h2o_mount *mount, h2o_req_t *req);

/* The mount's option for pages of other origins. FRESHET_INVALID. */
enum freshet_status fr_h2o_cors_check(const struct freshet_h2o_mount_options *options,
                                      struct freshet_error *error);
/* What such a page's browser wants to see on every answer; fr_h2o_mount_add_headers() calls it. */
void fr_h2o_cors_add_headers(const struct fr_h2o_mount *mount, h2o_req_t *req);
/* Whether the request asks what such a page may do, and the answer. */
bool fr_h2o_cors_is_preflight(const struct fr_h2o_mount *mount, const h2o_req_t *req);
void fr_h2o_cors_answer(const struct fr_h2o_mount *mount, h2o_req_t *req);

/* Whether the request's Accept headers leave room for an event stream. */
bool fr_h2o_accepts_events(const h2o_req_t *req);
/* Whether its client is to have it in gzip, as far as the mount is asked. */
bool fr_h2o_wants_gzip(const struct fr_h2o_mount *mount, const h2o_req_t *req);
/* Whether they say that who asks can apply differences: a header that a page may send to any origin unasked.
 */
bool fr_h2o_takes_differences(const h2o_req_t *req);

/* Has requests that two readers may end in different places refused before any handler of the path sees them;
 * once is enough. Before h2o_context_init(). */
void fr_h2o_entrance_add(h2o_pathconf_t *path);

/* A body that nobody asked for: nothing behind it is read. */
void fr_h2o_close_behind_body(h2o_req_t *req);
/* To the answer. `name` is in lower case; both texts live as long as the request. */
void fr_h2o_add_header(h2o_req_t *req, const char *name, const char *value);
/* Answers for good, with {"code":…}; `mount` NULL: without the headers of one. */
void fr_h2o_refuse(const struct fr_h2o_mount *mount, h2o_req_t *req, int status, const char *code);
/* Answers so that the client comes back. */
void fr_h2o_refuse_for_now(const struct fr_h2o_mount *mount, h2o_req_t *req, const char *code);

/* Redirects. */
void fr_h2o_redirect(const struct fr_h2o_mount *mount, h2o_req_t *req, const char *location);

/* 20 bytes, since there is one for each stream; asking the socket at the end fails after a reset. */
struct fr_h2o_peer {
    uint16_t family, port;
    unsigned char address[16];
};

/* A request that may become a stream. */
struct fr_h2o_visit {
    struct fr_h2o_mount_worker *mount_worker;
    h2o_req_t *req;
    struct fr_visit core;
    struct fr_quota quota;
    struct fr_h2o_peer peer;
    bool in_gzip;
};

/* Answers with a stream or a refusal, at once or when its guards have decided. Takes `params` over. */
void fr_h2o_visit_begin(struct fr_h2o_mount_worker *mount_worker, h2o_req_t *req,
                        struct freshet_loader *loader, struct fr_params *params,
                        const struct fr_target *target);
/* The headers that the mount or the loader names. */
void fr_h2o_borrow_headers(const struct fr_h2o_mount *mount, const struct freshet_loader *loader,
                           const h2o_req_t *req, struct fr_request_view *request_view);

/* Whether the target asks for several views on one stream, and the answer to that. */
bool fr_h2o_wants_views(const struct fr_target *target, h2o_req_t *req);
void fr_h2o_views_begin(struct fr_h2o_mount_worker *mount_worker, h2o_req_t *req,
                        const struct fr_target *target);

/* Refuses all that wait for their guards: the worker drains. */
void fr_h2o_visits_end(struct freshet_h2o_worker *worker);
/* Nothing stands in its way any more. */
void fr_h2o_visit_open(struct fr_h2o_visit *visit);
void fr_h2o_visit_refuse(struct fr_h2o_visit *visit, enum fr_visit_answer answer,
                         const struct freshet_refusal *refusal);
extern const struct fr_stream_ops fr_h2o_stream_ops;

#endif
