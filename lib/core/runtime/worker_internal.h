/* Inside of a worker, for the core. */
#ifndef FR_WORKER_INTERNAL_H
#define FR_WORKER_INTERNAL_H

#include "base/list.h"
#include "base/mailbox.h"
#include "base/map.h"
#include "base/refcount.h"
#include "base/timers.h"
#include "core/runtime/counters.h"
#include "core/runtime/worker.h"
#include <pthread.h>
#include <stdatomic.h>

/* Work in slices, so that others have their turn in between. Embedded in what the work is about. */
struct fr_task {
    struct fr_list link; /* in worker->tasks while it waits for its next slice */
    /* Does at most `limit` pieces and says how many. If there is more to do it queues itself again. */
    size_t (*run)(struct fr_task *task, size_t limit);
};

/* What lives on a worker until that leaves. Embedded in it. */
struct fr_resident {
    struct fr_list link; /* in worker->residents */
    /* The worker leaves: it has to end, and removes itself. */
    void (*end)(struct fr_resident *resident);
};

struct fr_worker {
    struct freshet *freshet;
    struct fr_worker_host host;
    struct fr_refcount references; /* the owner's, and one of everything elsewhere that posts here */
    struct fr_worker *here;        /* the next one of the same thread */

    struct fr_mailbox mailbox; /* any thread */
    struct fr_mail nudge;      /* says nothing, but gives it a turn */
    atomic_bool nudged;        /* its mail is on its way */
    struct fr_list link;       /* in the freshet's homes; under their lock, as the next two */
    struct fr_list homes;      /* fr_home.link: what it is home to */
    size_t home_count;

    /* The worker's thread only. */
    struct fr_timers timers;
    struct fr_map subscriptions; /* by topic */
    struct fr_map feeds;         /* shared ones that live here, by key */
    struct fr_map fanouts;       /* of shared feeds that have streams here, by key */
    struct fr_list tasks;        /* fr_task.link, in the order of their turns */
    struct fr_list residents;
    struct fr_list visitors; /* fr_resident.link, too: they end first, while its views may still be open */
    size_t views;
    bool leaving; /* written under the lock of the homes */
    struct fr_counters counters;
};

struct fr_worker *fr_worker_acquire(struct fr_worker *worker);
void fr_worker_release(struct fr_worker *worker);

/* Has it take a turn soon. Any thread. */
void fr_worker_nudge(struct fr_worker *worker);

/* Gives the task a turn behind all that wait, unless it waits already. */
void fr_worker_queue(struct fr_worker *worker, struct fr_task *task);

/* Whether it is one of the calling thread. */
bool fr_worker_is_here(const struct fr_worker *worker);

/* The calling thread's worker in `freshet`, or NULL. */
struct fr_worker *fr_worker_here(const struct freshet *freshet);

#endif
