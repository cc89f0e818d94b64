/* The numbers with names, from what was counted. */
#include "report/result.h"
#include "measure/clock.h"
#include <stdlib.h>

static void set_times(struct metrics *metrics, const struct histogram *histogram, enum metric p50,
                      enum metric p99, enum metric max)
{
    if (histogram->count == 0)
        return;
    metric_set(metrics, p50, (double)histogram_percentile(histogram, 50));
    metric_set(metrics, p99, (double)histogram_percentile(histogram, 99));
    metric_set(metrics, max, (double)histogram->max);
}

static void set_latency(struct metrics *metrics, const struct histogram *latency)
{
    metric_set(metrics, METRIC_answered, (double)latency->count);
    if (latency->count == 0)
        return;
    set_times(metrics, latency, METRIC_p50, METRIC_p99, METRIC_latency);
    metric_set(metrics, METRIC_p90, (double)histogram_percentile(latency, 90));
    metric_set(metrics, METRIC_p999, (double)histogram_percentile(latency, 99.9));
    metric_set(metrics, METRIC_p9999, (double)histogram_percentile(latency, 99.99));
    metric_set(metrics, METRIC_latency_mean, (double)latency->sum / (double)latency->count);
}

static void set_numbers(struct metrics *metrics, const struct stream_stats *streams)
{
    metric_set(metrics, METRIC_gaps, (double)streams->gaps);
    metric_set(metrics, METRIC_skipped, (double)streams->skipped);
    metric_set(metrics, METRIC_duplicates, (double)streams->duplicates);
    metric_set(metrics, METRIC_disorder, (double)streams->disordered);
    metric_set(metrics, METRIC_unplanned, (double)streams->unplanned);
    metric_set(metrics, METRIC_unnumbered, (double)streams->unnumbered);
}

static void set_streams(struct result *result, const struct options *options)
{
    struct metrics *metrics = &result->metrics;
    const struct stream_stats *streams = result->streams;
    metric_set(metrics, METRIC_streams, (double)result->opened);
    metric_set(metrics, METRIC_ready, (double)result->ready_ns);
    set_times(metrics, &streams->connect, METRIC_connect_p50, METRIC_connect_p99, METRIC_connect_max);
    set_times(metrics, &streams->first, METRIC_first_p50, METRIC_first_p99, METRIC_first_max);
    metric_set(metrics, METRIC_failed_connects, (double)streams->failed);
    metric_set(metrics, METRIC_refused, (double)(streams->refused + streams->bad));
    metric_set(metrics, METRIC_corrupt, (double)streams->corrupt);
    metric_set(metrics, METRIC_ended, (double)streams->ended);
    if (options->compressed)
        metric_set(metrics, METRIC_compressed, (double)streams->compressed);
    if (options->differences)
        metric_set(metrics, METRIC_differences, (double)streams->differences);
    metric_set(metrics, METRIC_other_events, (double)streams->other_events);
    metric_set(metrics, METRIC_behind, (double)streams->behind);
    if (options->churn > 0)
        metric_set(metrics, METRIC_churned, (double)streams->churned);
    if (options->storm_count > 0)
        metric_set(metrics, METRIC_stormed, (double)streams->stormed);
    metric_set(metrics, METRIC_reconnects, (double)streams->reconnect.count);
    set_times(metrics, &streams->reconnect, METRIC_reconnect_p50, METRIC_reconnect_p99, METRIC_reconnect_max);
    if (options->command_count > 0) {
        metric_set(metrics, METRIC_recovered, (double)streams->recovery.count);
        metric_set(metrics, METRIC_unrecovered, (double)streams->unrecovered);
        set_times(metrics, &streams->recovery, METRIC_recovery_p50, METRIC_recovery_p99, METRIC_recovery_max);
    }
    if (options->slow + options->stalled == 0)
        return;
    metric_set(metrics, METRIC_slow_streams, (double)streams->slow_live);
    metric_set(metrics, METRIC_slow_ended, (double)streams->slow_ended);
    metric_set(metrics, METRIC_slow_behind, (double)streams->slow_behind);
    if (streams->slow_latency.count > 0)
        metric_set(metrics, METRIC_slow_p99, (double)histogram_percentile(&streams->slow_latency, 99));
}

static void set_publishes(struct result *result, const struct options *options)
{
    struct metrics *metrics = &result->metrics;
    const struct publish_stats *publish = result->publish;
    double seconds = (double)options->duration_ns / (double)SECOND_NS;
    metric_set(metrics, METRIC_published, (double)publish->accepted);
    metric_set(metrics, METRIC_publish_rate, (double)result->accepted / seconds);
    metric_set(metrics, METRIC_publish_failed, (double)publish->failed);
    metric_set(metrics, METRIC_publish_unanswered, (double)publish->unanswered);
    metric_set(metrics, METRIC_publish_unsent, (double)publish->unsent);
    set_times(metrics, &publish->answer, METRIC_answer_p50, METRIC_answer_p99, METRIC_answer_max);
    metric_set(metrics, METRIC_late_p99, (double)histogram_percentile(&publish->late, 99));
}

/* What all servers together have grown by, from one sample to another. */
static void sum_growth(const struct result *result, const struct options *options, enum sample from,
                       enum sample to, double *cpu_ns, double *system_ns, double *rss, double *pss,
                       double *private)
{
    *cpu_ns = *system_ns = *rss = *pss = *private = 0;
    for (unsigned i = 0; i < options->watched_count; i++) {
        const struct usage *a = &result->servers[i].samples[from], *b = &result->servers[i].samples[to];
        if (!result->servers[i].is_known[from] || !result->servers[i].is_known[to])
            continue;
        *cpu_ns += (double)(b->cpu_ns - a->cpu_ns);
        *system_ns += (double)(b->system_ns - a->system_ns);
        *rss += (double)b->rss - (double)a->rss;
        *pss += (double)b->pss - (double)a->pss;
        *private += (double)b->private - (double)a->private;
    }
}

static void set_memory(struct result *result, const struct options *options)
{
    struct metrics *metrics = &result->metrics;
    double rss = 0, peak = 0, cpu, system, grown, pss, private, streams;
    bool has_maps = true;
    for (unsigned i = 0; i < options->watched_count; i++) {
        rss += (double)result->servers[i].samples[SAMPLE_OPEN].rss;
        peak += (double)result->servers[i].peak;
        has_maps = has_maps && result->servers[i].samples[SAMPLE_OPEN].pss > 0;
    }
    metric_set(metrics, METRIC_rss, rss);
    metric_set(metrics, METRIC_rss_peak, peak);
    metric_set(metrics, METRIC_rss_growth, peak > rss ? peak - rss : 0);
    streams = (double)result->opened - (double)options->warm_up;
    if (streams <= 0)
        return;
    sum_growth(result, options, SAMPLE_EMPTY, SAMPLE_OPEN, &cpu, &system, &grown, &pss, &private);
    metric_set(metrics, METRIC_rss_per_stream, grown / streams);
    if (!has_maps)
        return;
    metric_set(metrics, METRIC_pss_per_stream, pss / streams);
    metric_set(metrics, METRIC_private_per_stream, private / streams);
}

static void set_cpu(struct result *result, const struct options *options)
{
    struct metrics *metrics = &result->metrics;
    double cpu, system, rss, pss, private;
    for (unsigned i = 0; i < options->watched_count; i++) {
        if (!result->servers[i].is_known[SAMPLE_BEGIN] || !result->servers[i].is_known[SAMPLE_END])
            return; /* one has ended: what the others used is not what the service used */
    }
    sum_growth(result, options, SAMPLE_BEGIN, SAMPLE_END, &cpu, &system, &rss, &pss, &private);
    metric_set(metrics, METRIC_cpu, cpu / result->seconds / 1e7);
    metric_set(metrics, METRIC_cpu_system, system / result->seconds / 1e7);
    if (result->deliveries > 0)
        metric_set(metrics, METRIC_cpu_per_delivery, cpu / (double)result->deliveries);
    if (options->idle_ns == 0)
        return;
    sum_growth(result, options, SAMPLE_OPEN, SAMPLE_IDLE, &cpu, &system, &rss, &pss, &private);
    metric_set(metrics, METRIC_cpu_idle, cpu / (double)options->idle_ns * 100);
}

void result_finish(struct result *result, const struct options *options)
{
    struct metrics *metrics = &result->metrics;
    set_streams(result, options);
    if (result->seconds <= 0)
        return;
    uint64_t deliveries = result->streams->deliveries + result->streams->slow_deliveries;
    metric_set(metrics, METRIC_deliveries, (double)(deliveries - result->delivered_at_begin));
    metric_set(metrics, METRIC_delivery_rate, (double)result->deliveries / result->seconds);
    metric_set(metrics, METRIC_client_cpu, result->client_percent);
    if (result->deliveries > 0) {
        metric_set(metrics, METRIC_bytes_per_delivery, (double)result->bytes / (double)result->deliveries);
        metric_set(metrics, METRIC_content_per_delivery,
                   (double)result->content / (double)result->deliveries);
    }
    if (options->rule.where != RULE_NONE) {
        set_latency(metrics, &result->streams->latency);
        set_numbers(metrics, result->streams);
    }
    if (options->publish.count > 0)
        set_publishes(result, options);
    if (options->watched_count == 0)
        return;
    set_memory(result, options);
    set_cpu(result, options);
}

bool result_holds(const struct result *result, const struct options *options)
{
    for (unsigned i = 0; i < options->limits.count; i++) {
        if (!limit_holds(&options->limits.items[i], &result->metrics))
            return false;
    }
    return result->problem[0] == '\0';
}

void result_release(struct result *result)
{
    free(result->streams);
    free(result->history);
}
