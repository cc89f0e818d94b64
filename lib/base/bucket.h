/* Lets so many things happen in a second, in bursts of as many. A zeroed one is full. Pure; its owner locks.
 */
#ifndef FR_BUCKET_H
#define FR_BUCKET_H

#include "base/clock.h"
#include <stdbool.h>
#include <stdint.h>

struct fr_bucket {
    int64_t budget;   /* a millionth of a thing each */
    int64_t since_us; /* when it was right; after a second without a taker it is full */
};

/* Takes one out. False: there is none. */
static inline bool fr_bucket_take(struct fr_bucket *bucket, uint32_t per_s, int64_t now_us)
{
    int64_t most = (int64_t)per_s * FR_US_PER_S;
    int64_t idle_us = now_us - bucket->since_us;
    bucket->budget = idle_us >= FR_US_PER_S ? most : bucket->budget + idle_us * per_s;
    bucket->since_us = now_us;
    if (bucket->budget > most)
        bucket->budget = most;
    if (bucket->budget < FR_US_PER_S)
        return false;
    bucket->budget -= FR_US_PER_S;
    return true;
}

#endif
