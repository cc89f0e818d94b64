/* A freshet: what its parts share. Made and destroyed in instance.c. */
#ifndef FR_CONTEXT_H
#define FR_CONTEXT_H

#include "base/bytes.h"
#include "base/forks.h"
#include "base/list.h"
#include "core/codec/gzip_coder.h"
#include "core/runtime/counters.h"
#include "core/runtime/everything.h"
#include "core/runtime/homes.h"
#include "core/runtime/peers.h"
#include "core/runtime/pool.h"
#include "core/runtime/topics.h"
#include <freshet/instance.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct freshet {
    unsigned forks;                 /* fr_forks() of the process that made it */
    struct freshet_options options; /* defaults filled in */
    struct freshet_log log;
    struct freshet_bus *bus;
    struct fr_pool *pool;
    struct fr_topics topics;
    struct fr_homes homes;
    struct fr_everything everything;
    pthread_mutex_t lock;   /* `caches`; `loaders` and `route_guards` as long as they may change */
    struct fr_list loaders; /* not to change any more once `serving`, as the next: read without the lock */
    struct fr_list route_guards; /* guards of routes, in the order they were added */
    atomic_bool serving;         /* a worker has joined; written under the lock */
    struct fr_list caches;
    struct fr_list data_links; /* under the lock of the homes */
    char publisher[17];        /* 16 hex digits, new for each instance */
    atomic_uint_fast64_t sequence;
    atomic_size_t views; /* of open streams: of each as many as it asked for */
    struct fr_peers peers;
    struct fr_gzip_coder *gzip;
    struct fr_bytes *unchanged; /* the comment for a client that holds what is current */
    atomic_int bus_state;
    atomic_bool closing;
    struct fr_counters counters; /* of all threads without a worker */
    struct freshet_stats left;   /* of workers and data links that have left; under the lock of the homes */

    int64_t (*now_us)(void *user); /* injected by tests */
    void *now_user;
};

/* For every call from outside: FRESHET_INVALID for NULL, FRESHET_CLOSED in a child of fork(), which must not
 * even take a lock: the thread that held it at the fork is not there to let go of it. */
static inline enum freshet_status fr_freshet_check(const struct freshet *freshet)
{
    if (freshet == NULL)
        return FRESHET_INVALID;
    return freshet->forks == fr_forks() ? FRESHET_OK : FRESHET_CLOSED;
}
/* As fr_freshet_check(), with a sentence that begins with `what`. */
enum freshet_status fr_freshet_check_for(const struct freshet *freshet, const char *what,
                                         struct freshet_error *error);

/* Whether `loaders` and `route_guards` may change, under the lock. FRESHET_CONFLICT: a worker has joined. */
enum freshet_status fr_freshet_may_add(const struct freshet *freshet, const char *what,
                                       struct freshet_error *error);
/* A worker joins. */
void fr_freshet_set_serving(struct freshet *freshet);

/* For tests: before the first worker. */
void fr_freshet_set_clock(struct freshet *freshet, int64_t (*now_us)(void *user), void *user);
int64_t fr_freshet_now_us(const struct freshet *freshet);
/* The counters of the calling thread's worker; of the freshet, if the thread has none. */
struct fr_counters *fr_freshet_counters(struct freshet *freshet);

#endif
