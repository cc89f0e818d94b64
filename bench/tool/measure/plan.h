/* When which publish is planned. Publish i (from 0) is planned at begin + i / rate and goes to topic i modulo
 * topics, so each topic gets consecutive numbers at an even pace, and from a number follows when it was
 * planned. */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include <stdbool.h>
#include <stdint.h>

struct plan {
    int64_t begin_ns;   /* 0: not known yet, nothing is planned */
    int64_t measure_ns; /* publishes planned before this are not measured */
    double rate;        /* a second, over all topics */
    uint64_t count, topics;
    const uint64_t *first; /* the number of each topic's first publish */
};

int64_t plan_time(const struct plan *plan, uint64_t publish);

/* How many are planned up to and with this time. */
uint64_t plan_due(const struct plan *plan, int64_t at_ns);

static inline uint64_t plan_topic(const struct plan *plan, uint64_t publish)
{
    return publish % plan->topics;
}

static inline uint64_t plan_number(const struct plan *plan, uint64_t publish)
{
    return plan->first[publish % plan->topics] + publish / plan->topics;
}

/* The publish with this number in this topic; false: none is planned. */
bool plan_find(const struct plan *plan, uint64_t topic, uint64_t number, uint64_t *publish);

/* The highest number that this topic has been planned to get up to this time; one below the first if none. */
uint64_t plan_newest(const struct plan *plan, uint64_t topic, int64_t at_ns);

#endif
