/* A few threads for work that blocks, and one for callbacks of threads that have no loop. */
#ifndef FR_POOL_H
#define FR_POOL_H

#include "base/mailbox.h"
#include <freshet/status.h>
#include <stdbool.h>
#include <stdint.h>

struct fr_pool;

/* In the struct of the work; not to be moved or freed until `run` is called. */
struct fr_job {
    struct fr_job *next;
    bool urgent;  /* before all that are not */
    bool limited; /* so many of these run at once that one thread is free for others, if there are several
                     threads */
    /* On a thread of the pool; the job belongs to it. `abandoned`: the pool stopped before its turn came. */
    void (*run)(struct fr_job *job, bool abandoned);
};

enum freshet_status fr_pool_new(struct fr_pool **out, unsigned threads);
/* Any thread. */
void fr_pool_run(struct fr_pool *pool, struct fr_job *job);
/* Delivers mail on the callback thread. False: stopped, the mail stays the caller's. Any thread. */
bool fr_pool_call_back(struct fr_pool *pool, struct fr_mail *mail);
/* Jobs that have not begun are abandoned; those that run are waited for until `deadline_us` (monotonic) and
 * then left alone: their threads end by themselves. Mail posted meanwhile is delivered. */
void fr_pool_stop(struct fr_pool *pool, int64_t deadline_us);
/* Stops the pool, unless fr_pool_stop() has, and frees it. NULL is fine. */
void fr_pool_destroy(struct fr_pool *pool);

#endif
