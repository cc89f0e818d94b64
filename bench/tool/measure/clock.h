/* The time, as everything here counts it: nanoseconds. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

#define MS_NS     INT64_C(1000000)
#define SECOND_NS INT64_C(1000000000)

static inline int64_t read_clock(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * SECOND_NS + time.tv_nsec;
}

static inline int64_t now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* Since 1970: only for times that are found in data or put into it. */
static inline int64_t wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

#endif
