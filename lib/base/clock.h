/* Time, injected where tests need to own it. */
#ifndef FR_CLOCK_H
#define FR_CLOCK_H

#include <stdint.h>
#include <time.h>

#define FR_US_PER_MS 1000
#define FR_US_PER_S  1000000

static inline int64_t fr_clock_read(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * FR_US_PER_S + now.tv_nsec / 1000;
}

/* For deadlines and durations. */
static inline int64_t fr_clock_monotonic_us(void)
{
    return fr_clock_read(CLOCK_MONOTONIC);
}

/* For what other machines read. */
static inline int64_t fr_clock_wall_us(void)
{
    return fr_clock_read(CLOCK_REALTIME);
}

#endif
