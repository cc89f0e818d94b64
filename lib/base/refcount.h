/* Counts who holds something that threads share. Whoever takes the count to zero frees it. */
#ifndef FR_REFCOUNT_H
#define FR_REFCOUNT_H

#include <stdatomic.h>
#include <stdbool.h>

struct fr_refcount {
    atomic_uint holders;
};

/* Held once, by whoever made it. */
static inline void fr_refcount_init(struct fr_refcount *count)
{
    atomic_init(&count->holders, 1);
}

/* By somebody who is sure that it is held. */
static inline void fr_refcount_acquire(struct fr_refcount *count)
{
    atomic_fetch_add_explicit(&count->holders, 1, memory_order_relaxed);
}

/* True: nobody holds it any more. All that other holders wrote is seen then. */
static inline bool fr_refcount_release(struct fr_refcount *count)
{
    return atomic_fetch_sub_explicit(&count->holders, 1, memory_order_acq_rel) == 1;
}

#endif
