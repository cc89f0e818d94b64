#include "core/runtime/counters.h"

#include "base/clock.h"

#define FIRST_BUCKET_US 64
#define DAY_US          (INT64_C(24) * 3600 * FR_US_PER_S)

/* The smallest i with us <= 2^i * 64, or the last. */
static unsigned bucket_of(uint64_t us)
{
    uint64_t above = us == 0 ? 0 : (us - 1) / FIRST_BUCKET_US;
    unsigned bucket = above == 0 ? 0 : 64 - (unsigned)__builtin_clzll(above);
    return bucket < FRESHET_HISTOGRAM_BUCKETS ? bucket : FRESHET_HISTOGRAM_BUCKETS - 1;
}

void fr_histogram_add(struct fr_histogram *histogram, int64_t us)
{
    /* Below zero: the clocks of two machines disagree. */
    uint64_t time_us = us < 0 ? 0 : (uint64_t)us;
    fr_count(&histogram->buckets[bucket_of(time_us)], 1);
    fr_count(&histogram->sum_us, time_us);
}

void fr_histogram_add_since(struct fr_histogram *histogram, uint64_t published_us)
{
    int64_t now_us = fr_clock_wall_us();
    if (published_us > (uint64_t)(now_us + DAY_US) || published_us < (uint64_t)(now_us - DAY_US))
        return;
    fr_histogram_add(histogram, now_us - (int64_t)published_us);
}

static uint64_t read_count(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_histogram(const struct fr_histogram *from, struct freshet_histogram *to)
{
    for (unsigned i = 0; i < FRESHET_HISTOGRAM_BUCKETS; i++) {
        uint64_t count = read_count(&from->buckets[i]);
        to->buckets[i] += count;
        to->count += count;
    }
    to->sum_us += read_count(&from->sum_us);
}

void fr_counters_add(const struct fr_counters *from, struct freshet_stats *stats)
{
#define X(name) stats->name += read_count(&from->name);
    FR_COUNTERS(X)
    X(streams)
    X(feeds)
    X(loads_running)
    X(loads_abandoned)
#undef X
    for (unsigned i = 0; i < FRESHET_CLOSE_REASONS; i++)
        stats->streams_closed[i] += read_count(&from->streams_closed[i]);
    add_histogram(&from->load_time, &stats->load_time);
    add_histogram(&from->publish_to_push, &stats->publish_to_push);
    add_histogram(&from->write_time, &stats->write_time);
}
