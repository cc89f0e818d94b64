/* Inside of a worker, for the core. */
#ifndef FR_WORKER_INTERNAL_H
#define FR_WORKER_INTERNAL_H

#include "base/list.h"
#include "base/mailbox.h"
#include "base/map.h"
#include "base/timers.h"
#include "core/counters.h"
#include "core/worker.h"
#include <pthread.h>
#include <stdatomic.h>

struct fr_worker {
    struct freshet *freshet;
    struct fr_worker_host host;
    atomic_uint references; /* the owner's, and one of everything elsewhere that posts here */
    struct fr_worker *here; /* the next one of the same thread */

    struct fr_mailbox mailbox; /* any thread */
    struct fr_list link;       /* in the freshet; under the lock of its topics */
    unsigned homes;            /* topics it is home to; the same lock */

    /* The worker's thread only. */
    struct fr_timers timers;
    struct fr_map watches;     /* by topic */
    struct fr_map feeds;       /* shared ones that live here, by address */
    struct fr_map fans;        /* of shared feeds that have streams here, by address */
    struct fr_list deliveries; /* watches whose feeds have not all heard of an event */
    struct fr_list sweeping;   /* fans with views that have not been told of the newest */
    size_t views;
    bool leaving; /* written under the lock of the topics */
    struct fr_counters counters;
};

struct fr_worker *fr_worker_acquire(struct fr_worker *worker);
void fr_worker_release(struct fr_worker *worker);

/* The calling thread's worker in `freshet`, or NULL. */
struct fr_worker *fr_worker_here(const struct freshet *freshet);

#endif
