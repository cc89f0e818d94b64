/* Counters behind freshet/stats.h: one set for each worker, one for all other threads, added up when
 * asked for. */
#ifndef FR_COUNTERS_H
#define FR_COUNTERS_H

#include <freshet/stats.h>
#include <stdatomic.h>
#include <stdint.h>

#define FR_COUNTERS(X)                                                                                       \
    X(streams_opened)                                                                                        \
    X(streams_refused)                                                                                       \
    X(streams_denied)                                                                                        \
    X(guards)                                                                                                \
    X(guards_failed)                                                                                         \
    X(streams_moved)                                                                                         \
    X(loads)                                                                                                 \
    X(loads_failed)                                                                                          \
    X(loads_timed_out)                                                                                       \
    X(loads_overdue)                                                                                         \
    X(loads_collapsed)                                                                                       \
    X(loads_late)                                                                                            \
    X(loop_holds)                                                                                            \
    X(cache_hits)                                                                                            \
    X(cache_misses)                                                                                          \
    X(cache_refused)                                                                                         \
    X(cache_evicted)                                                                                         \
    X(snapshots_pushed)                                                                                      \
    X(snapshots_skipped)                                                                                     \
    X(once_answered)                                                                                         \
    X(once_refused)                                                                                          \
    X(differences_made)                                                                                      \
    X(differences_pushed)                                                                                    \
    X(differences_saved_bytes)                                                                               \
    X(messages_pushed)                                                                                       \
    X(messages_lost)                                                                                         \
    X(messages_repeated)                                                                                     \
    X(bytes_sent)                                                                                            \
    X(streams_gzip)                                                                                          \
    X(gzip_bytes_in)                                                                                         \
    X(gzip_bytes_out)                                                                                        \
    X(publishes)                                                                                             \
    X(publishes_accepted)                                                                                    \
    X(publishes_refused)                                                                                     \
    X(messages)                                                                                              \
    X(messages_echo)                                                                                         \
    X(messages_foreign)                                                                                      \
    X(gaps)

struct fr_histogram {
    atomic_uint_fast64_t buckets[FRESHET_HISTOGRAM_BUCKETS], sum_us;
};

struct fr_counters {
#define X(name) atomic_uint_fast64_t name;
    FR_COUNTERS(X)
#undef X
    atomic_uint_fast64_t streams_closed[FRESHET_CLOSE_REASONS];
    /* Gauges: what one thread adds another may take away, so single sets can be below zero. */
    atomic_uint_fast64_t streams, feeds, loads_running, loads_abandoned;
    struct fr_histogram load_time, publish_to_push, write_time;
};

static inline void fr_count(atomic_uint_fast64_t *counter, uint64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static inline void fr_count_down(atomic_uint_fast64_t *gauge)
{
    atomic_fetch_sub_explicit(gauge, 1, memory_order_relaxed);
}

void fr_histogram_add(struct fr_histogram *histogram, int64_t us);
/* The time from a publish, by its publisher's clock (wall, since 1970; 0: unknown), to now. Anybody can write
 * any time into a body: one that is more than a day away from now is not measured. */
void fr_histogram_add_since(struct fr_histogram *histogram, uint64_t published_us);
/* Adds `from` to `stats`. */
void fr_counters_add(const struct fr_counters *from, struct freshet_stats *stats);

#endif
