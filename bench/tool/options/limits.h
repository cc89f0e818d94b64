/* The result of a run as a list of named numbers, and limits on them. */
#ifndef BENCH_LIMITS_H
#define BENCH_LIMITS_H

#include "options/quantity.h"
#include <stdio.h>

/* Every number a run can have; --max-NAME and --min-NAME take these names. */
#define METRICS(X)                                                                                           \
    X(p50, "p50", UNIT_TIME, "latency, planned publish to arrival: median")                                  \
    X(p90, "p90", UNIT_TIME, "90 %")                                                                         \
    X(p99, "p99", UNIT_TIME, "99 %")                                                                         \
    X(p999, "p99.9", UNIT_TIME, "99.9 %")                                                                    \
    X(p9999, "p99.99", UNIT_TIME, "99.99 %")                                                                 \
    X(latency, "latency", UNIT_TIME, "greatest")                                                             \
    X(latency_mean, "latency-mean", UNIT_TIME, "mean")                                                       \
    X(answered, "answered", UNIT_COUNT, "publishes answered, over all streams")                              \
    X(deliveries, "deliveries", UNIT_COUNT, "events delivered")                                              \
    X(delivery_rate, "delivery-rate", UNIT_RATE, "events a second while publishing")                         \
    X(bytes_per_delivery, "bytes-per-delivery", UNIT_BYTES, "bytes for each, with framing")                  \
    X(content_per_delivery, "content-per-delivery", UNIT_BYTES, "bytes of data each stands for")             \
    X(differences, "differences", UNIT_COUNT, "events that came as differences")                             \
    X(gaps, "gaps", UNIT_COUNT, "jumps over numbers")                                                        \
    X(skipped, "skipped", UNIT_COUNT, "numbers jumped over")                                                 \
    X(duplicates, "duplicates", UNIT_COUNT, "numbers that came again")                                       \
    X(disorder, "disorder", UNIT_COUNT, "numbers below one that came before")                                \
    X(unplanned, "unplanned", UNIT_COUNT, "numbers nobody here has published")                               \
    X(unnumbered, "unnumbered", UNIT_COUNT, "events without a number")                                       \
    X(other_events, "other-events", UNIT_COUNT, "events of other names")                                     \
    X(behind, "behind", UNIT_COUNT, "clients left behind at the end")                                        \
    X(streams, "streams", UNIT_COUNT, "streams open when publishing began")                                  \
    X(ready, "ready", UNIT_TIME, "until all of them were open")                                              \
    X(connect_p50, "connect-p50", UNIT_TIME, "connecting: median")                                           \
    X(connect_p99, "connect-p99", UNIT_TIME, "99 %")                                                         \
    X(connect_max, "connect", UNIT_TIME, "greatest")                                                         \
    X(first_p50, "first-p50", UNIT_TIME, "connect to first snapshot: median")                                \
    X(first_p99, "first-p99", UNIT_TIME, "99 %")                                                             \
    X(first_max, "first", UNIT_TIME, "greatest")                                                             \
    X(failed_connects, "failed-connects", UNIT_COUNT, "connections that failed")                             \
    X(refused, "refused", UNIT_COUNT, "answers that are no event stream")                                    \
    X(compressed, "compressed", UNIT_COUNT, "answers that came in gzip")                                     \
    X(corrupt, "corrupt", UNIT_COUNT, "streams cut or wrong in gzip or a difference")                        \
    X(ended, "ended", UNIT_COUNT, "streams the server ended")                                                \
    X(churned, "churned", UNIT_COUNT, "streams that left for new ones")                                      \
    X(stormed, "stormed", UNIT_COUNT, "streams closed by storms")                                            \
    X(reconnects, "reconnects", UNIT_COUNT, "reconnected")                                                   \
    X(reconnect_p50, "reconnect-p50", UNIT_TIME, "loss to next event: median")                               \
    X(reconnect_p99, "reconnect-p99", UNIT_TIME, "99 %")                                                     \
    X(reconnect_max, "reconnect", UNIT_TIME, "greatest")                                                     \
    X(recovered, "recovered", UNIT_COUNT, "streams fresh again after a command")                             \
    X(recovery_p50, "recovery-p50", UNIT_TIME, "end of the command to fresh: median")                        \
    X(recovery_p99, "recovery-p99", UNIT_TIME, "99 %")                                                       \
    X(recovery_max, "recovery", UNIT_TIME, "greatest")                                                       \
    X(unrecovered, "unrecovered", UNIT_COUNT, "streams still not fresh")                                     \
    X(slow_streams, "slow-streams", UNIT_COUNT, "slow and stalled streams still open")                       \
    X(slow_ended, "slow-ended", UNIT_COUNT, "of them ended by the server")                                   \
    X(slow_p99, "slow-p99", UNIT_TIME, "their latency: 99 %")                                                \
    X(slow_behind, "slow-behind", UNIT_COUNT, "of them behind at the end")                                   \
    X(published, "published", UNIT_COUNT, "publishes accepted")                                              \
    X(publish_rate, "publish-rate", UNIT_RATE, "accepted a second")                                          \
    X(publish_failed, "publish-failed", UNIT_COUNT, "publishes that failed")                                 \
    X(publish_unanswered, "publish-unanswered", UNIT_COUNT, "publishes without an answer at the end")        \
    X(publish_unsent, "publish-unsent", UNIT_COUNT, "publishes that could not be sent")                      \
    X(answer_p50, "answer-p50", UNIT_TIME, "planned publish to its answer: median")                          \
    X(answer_p99, "answer-p99", UNIT_TIME, "99 %")                                                           \
    X(answer_max, "answer", UNIT_TIME, "greatest")                                                           \
    X(late_p99, "late-p99", UNIT_TIME, "planned publish to sending it: 99 %")                                \
    X(cpu, "cpu", UNIT_PERCENT, "CPU while publishing, 100 % is one core")                                   \
    X(cpu_system, "cpu-system", UNIT_PERCENT, "of that in the kernel")                                       \
    X(cpu_per_delivery, "cpu-per-delivery", UNIT_TIME, "CPU for each delivery")                              \
    X(cpu_idle, "cpu-idle", UNIT_PERCENT, "CPU while idle")                                                  \
    X(rss, "rss", UNIT_BYTES, "resident memory with all streams open")                                       \
    X(rss_peak, "rss-peak", UNIT_BYTES, "highest while publishing")                                          \
    X(rss_per_stream, "rss-per-stream", UNIT_BYTES, "growth for each stream")                                \
    X(pss_per_stream, "pss-per-stream", UNIT_BYTES, "the same, proportional set size")                       \
    X(private_per_stream, "private-per-stream", UNIT_BYTES, "the same, private pages")                       \
    X(rss_growth, "rss-growth", UNIT_BYTES, "growth while publishing")                                       \
    X(client_cpu, "client-cpu", UNIT_PERCENT, "CPU of the busiest process of this tool")

enum metric {
#define X(name, text, unit, label) METRIC_##name,
    METRICS(X)
#undef X
        METRIC_COUNT
};

struct metric_info {
    const char *name, *label;
    enum unit unit;
};

extern const struct metric_info metric_infos[METRIC_COUNT];

struct metrics {
    double value[METRIC_COUNT];
    bool is_known[METRIC_COUNT];
};

static inline void metric_set(struct metrics *metrics, enum metric metric, double value)
{
    metrics->value[metric] = value;
    metrics->is_known[metric] = true;
}

enum { MAX_LIMITS = 64 };

struct limit {
    enum metric metric;
    bool is_min;
    double value;
};

struct limits {
    struct limit items[MAX_LIMITS];
    unsigned count;
};

/* Reads an option --max-NAME or --min-NAME; false, with a message on `err`, if there is no such number or the
 * value is none of its unit. */
bool limits_read(struct limits *limits, const char *option, const char *value, FILE *err);

/* What was not measured does not hold. */
bool limit_holds(const struct limit *limit, const struct metrics *metrics);

#endif
