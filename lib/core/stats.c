#include <freshet/stats.h>
#include <freshet/version.h>

#include "base/buffer.h"
#include "core/runtime/context.h"
#include "core/runtime/data_links.h"
#include "core/runtime/worker_internal.h"
#include <inttypes.h>
#include <stddef.h>

void freshet_stats_get(struct freshet *freshet, struct freshet_stats *stats)
{
    if (stats == NULL)
        return;
    *stats = (struct freshet_stats){.bus.probe_age_ms = -1};
    if (fr_freshet_check(freshet) != FRESHET_OK)
        return;
    pthread_mutex_lock(&freshet->homes.lock);
    *stats = freshet->left;
    fr_counters_add(&freshet->counters, stats);
    const struct fr_list *workers = &freshet->homes.workers;
    for (struct fr_list *link = workers->next; link != workers; link = link->next)
        fr_counters_add(&FR_CONTAINER(link, struct fr_worker, link)->counters, stats);
    fr_data_links_read(freshet, &stats->data);
    pthread_mutex_unlock(&freshet->homes.lock);
    stats->topics = fr_topics_count(&freshet->topics);
    fr_gzip_coder_count(freshet->gzip, stats);
    freshet->bus->ops->stats(freshet->bus, &stats->bus);
}

enum kind { NUMBER, AGE, STATE, BY_REASON, HISTOGRAM };

/* What a scraper is told of one field, in the order in which it is told. */
struct metric {
    const char *name, *type;
    enum kind kind;
    size_t offset; /* in struct freshet_stats */
    const char *help;
};

/* The kind follows from the field's type, so that a table row cannot be wrong about it; a type that nothing
 * prints does not compile. */
/* clang-format off */
#define FIELD(field)                                  \
    _Generic(((struct freshet_stats *)0)->field,      \
        uint64_t: NUMBER,                             \
        int64_t: AGE,                                 \
        enum freshet_bus_state: STATE,                \
        uint64_t *: BY_REASON,                        \
        struct freshet_histogram: HISTOGRAM),         \
        offsetof(struct freshet_stats, field)
/* clang-format on */

static const struct metric metrics[] = {
    {"streams", "gauge", FIELD(streams), "Streams open now."},
    {"streams_opened_total", "counter", FIELD(streams_opened), "Streams opened."},
    {"streams_refused_total", "counter", FIELD(streams_refused),
     "Streams refused by limits or while draining."},
    {"streams_denied_total", "counter", FIELD(streams_denied), "Streams refused by the application."},
    {"streams_closed_total", "counter", FIELD(streams_closed), "Streams closed, by reason."},
    {"streams_moved_total", "counter", FIELD(streams_moved), "Streams whose identity changed."},
    {"guards_total", "counter", FIELD(guards), "Calls of guards."},
    {"guards_failed_total", "counter", FIELD(guards_failed), "Calls of guards that failed or timed out."},
    {"topics", "gauge", FIELD(topics), "Topics known now."},
    {"feeds", "gauge", FIELD(feeds), "Feeds now."},
    {"loads_total", "counter", FIELD(loads), "Loads begun."},
    {"loads_running", "gauge", FIELD(loads_running), "Loads out now."},
    {"loads_failed_total", "counter", FIELD(loads_failed), "Loads that failed."},
    {"loads_timed_out_total", "counter", FIELD(loads_timed_out), "Loads over their time."},
    {"loads_overdue_total", "counter", FIELD(loads_overdue), "Loads out for over 30 s."},
    {"loads_collapsed_total", "counter", FIELD(loads_collapsed),
     "Publishes that the load for a later one stood for."},
    {"loads_abandoned", "gauge", FIELD(loads_abandoned), "Loads out that nobody waits for."},
    {"loads_late_total", "counter", FIELD(loads_late), "Answers that came too late."},
    {"loop_holds_total", "counter", FIELD(loop_holds), "Loads that held a loop over 50 ms."},
    {"snapshots_pushed_total", "counter", FIELD(snapshots_pushed), "Snapshots sent to streams."},
    {"snapshots_skipped_total", "counter", FIELD(snapshots_skipped),
     "Snapshots that a stream was too slow for, or ended before."},
    {"once_answered_total", "counter", FIELD(once_answered), "States given for one request."},
    {"once_refused_total", "counter", FIELD(once_refused),
     "Requests for a state that were refused, or not answered in time."},
    {"differences_made_total", "counter", FIELD(differences_made),
     "Differences between two snapshots, each made once for all streams."},
    {"differences_pushed_total", "counter", FIELD(differences_pushed),
     "Differences sent to streams in place of snapshots."},
    {"differences_saved_bytes_total", "counter", FIELD(differences_saved_bytes),
     "Bytes that snapshots would have had more than the differences sent."},
    {"messages_pushed_total", "counter", FIELD(messages_pushed),
     "Messages sent to streams of message loaders."},
    {"messages_lost_total", "counter", FIELD(messages_lost),
     "Messages that streams of message loaders did not get."},
    {"messages_repeated_total", "counter", FIELD(messages_repeated),
     "Messages that came a second time and were not sent again."},
    {"sent_bytes_total", "counter", FIELD(bytes_sent), "Bytes sent on streams."},
    {"streams_gzip_total", "counter", FIELD(streams_gzip), "Streams opened with their events in gzip."},
    {"gzip_in_bytes_total", "counter", FIELD(gzip_bytes_in), "Bytes of events on these, before."},
    {"gzip_out_bytes_total", "counter", FIELD(gzip_bytes_out), "The same, after."},
    {"gzip_stored_total", "counter", FIELD(gzip_stored),
     "Encodings made for all streams that share them: not deflated, since it would not pay."},
    {"gzip_deflated_total", "counter", FIELD(gzip_deflated), "The same: deflated by themselves."},
    {"gzip_continued_total", "counter", FIELD(gzip_continued),
     "The same: deflated against what was sent before."},
    {"cache_hits_total", "counter", FIELD(cache_hits), "Cache look-ups that found something current."},
    {"cache_misses_total", "counter", FIELD(cache_misses), "Cache look-ups that did not."},
    {"cache_refused_total", "counter", FIELD(cache_refused), "Answers that a cache did not take."},
    {"cache_evicted_total", "counter", FIELD(cache_evicted), "Cache entries given up for a bound."},
    {"publishes_total", "counter", FIELD(publishes), "Publishes asked for."},
    {"publishes_accepted_total", "counter", FIELD(publishes_accepted), "Publishes that the bus accepted."},
    {"publishes_refused_total", "counter", FIELD(publishes_refused), "Publishes refused."},
    {"messages_total", "counter", FIELD(messages), "Messages from the bus."},
    {"messages_echo_total", "counter", FIELD(messages_echo),
     "Messages that were our own and loaded nothing."},
    {"messages_foreign_total", "counter", FIELD(messages_foreign),
     "Messages in another format, taken as signals."},
    {"gaps_total", "counter", FIELD(gaps), "Times that deliveries may have been lost."},
    {"bus_state", "gauge", FIELD(bus.state), "0: down, 1: up, 2: deliveries proved."},
    {"bus_reconnects_total", "counter", FIELD(bus.reconnects), "Links made again."},
    {"bus_errors_total", "counter", FIELD(bus.errors), "Answers the bus did not expect."},
    {"bus_probes_lost_total", "counter", FIELD(bus.probes_lost), "Probes that did not come back."},
    {"bus_witnesses_total", "counter", FIELD(bus.witnesses),
     "Times that publishes were seen to reach those who connect now."},
    {"bus_elsewhere_total", "counter", FIELD(bus.elsewhere),
     "Times that the links were found on another server."},
    {"bus_doubts_total", "counter", FIELD(bus.doubts),
     "Links that ended with publishes in doubt, for which everybody loads again."},
    {"bus_probe_age_seconds", "gauge", FIELD(bus.probe_age_ms), "Since the last proved delivery; -1: never."},
    {"bus_queued", "gauge", FIELD(bus.queued), "Publishes without an answer."},
    {"bus_collapsed_total", "counter", FIELD(bus.collapsed),
     "Times the queue became one mark for everything."},
    {"bus_resent_total", "counter", FIELD(bus.resent), "Publishes sent again."},
    {"bus_subscriptions", "gauge", FIELD(bus.subscriptions), "Topics wanted."},
    {"bus_confirmed", "gauge", FIELD(bus.confirmed), "Topics whose subscription is in force."},
    {"data_links", "gauge", FIELD(data.links), "Links for the program's own commands."},
    {"data_links_up", "gauge", FIELD(data.links_up), "Of these, connected to a master that answers."},
    {"data_good_age_seconds", "gauge", FIELD(data.good_age_ms),
     "Since a link was last found to be up; -1: never."},
    {"data_reconnects_total", "counter", FIELD(data.reconnects), "Data links made again."},
    {"data_errors_total", "counter", FIELD(data.errors), "Errors that data links were answered."},
    {"data_unanswered_total", "counter", FIELD(data.unanswered), "Commands without an answer in time."},
    {"data_queued", "gauge", FIELD(data.queued), "Commands that are not over."},
    {"load_seconds", "histogram", FIELD(load_time), "From the begin of a load to its answer."},
    {"publish_to_push_seconds", "histogram", FIELD(publish_to_push), "From a publish to its encoded frame."},
    {"write_seconds", "histogram", FIELD(write_time), "Of frames that the kernel did not take at once."},
};

static void print_number(struct fr_buffer *out, const char *name, uint64_t value)
{
    fr_buffer_print(out, "freshet_%s %" PRIu64 "\n", name, value);
}

/* Prometheus counts in seconds. */
static void print_age(struct fr_buffer *out, const char *name, int64_t age_ms)
{
    fr_buffer_print(out, "freshet_%s %.3f\n", name, age_ms < 0 ? -1.0 : (double)age_ms / 1e3);
}

static void print_by_reason(struct fr_buffer *out, const char *name, const uint64_t *counts)
{
    for (int i = 0; i < FRESHET_CLOSE_REASONS; i++)
        fr_buffer_print(out, "freshet_%s{reason=\"%s\"} %" PRIu64 "\n", name,
                        freshet_close_reason_text((enum freshet_close_reason)i), counts[i]);
}

static void print_histogram(struct fr_buffer *out, const char *name,
                            const struct freshet_histogram *histogram)
{
    uint64_t below = 0;
    for (int i = 0; i < FRESHET_HISTOGRAM_BUCKETS - 1; i++) {
        below += histogram->buckets[i];
        fr_buffer_print(out, "freshet_%s_bucket{le=\"%.6f\"} %" PRIu64 "\n", name,
                        (double)(UINT64_C(64) << i) / 1e6, below);
    }
    fr_buffer_print(out, "freshet_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, histogram->count);
    fr_buffer_print(out, "freshet_%s_sum %.6f\n", name, (double)histogram->sum_us / 1e6);
    fr_buffer_print(out, "freshet_%s_count %" PRIu64 "\n", name, histogram->count);
}

static void print(struct fr_buffer *out, const struct metric *metric, const struct freshet_stats *stats)
{
    const void *field = (const char *)stats + metric->offset;
    fr_buffer_print(out, "# HELP freshet_%s %s\n# TYPE freshet_%s %s\n", metric->name, metric->help,
                    metric->name, metric->type);
    switch (metric->kind) {
    case NUMBER:
        print_number(out, metric->name, *(const uint64_t *)field);
        break;
    case AGE:
        print_age(out, metric->name, *(const int64_t *)field);
        break;
    case STATE:
        print_number(out, metric->name, *(const enum freshet_bus_state *)field);
        break;
    case BY_REASON:
        print_by_reason(out, metric->name, field);
        break;
    case HISTOGRAM:
        print_histogram(out, metric->name, field);
        break;
    }
}

char *freshet_stats_prometheus(struct freshet *freshet)
{
    struct freshet_stats stats;
    struct fr_buffer out = {0};
    if (freshet == NULL)
        return NULL;
    freshet_stats_get(freshet, &stats);
    fr_buffer_print(&out,
                    "# HELP freshet_build_info Which freshet this is.\n# TYPE freshet_build_info gauge\n"
                    "freshet_build_info{version=\"%s\"} 1\n",
                    freshet_version());
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
        print(&out, &metrics[i], &stats);
    fr_buffer_append(&out, freshet_span("", 1));
    if (out.failed) {
        fr_buffer_deinit(&out);
        return NULL;
    }
    return out.data;
}

const char *freshet_close_reason_text(enum freshet_close_reason reason)
{
    static const char *const texts[FRESHET_CLOSE_REASONS] = {
        [FRESHET_CLOSE_CLIENT] = "client",
        [FRESHET_CLOSE_WRITE_ERROR] = "write-error",
        [FRESHET_CLOSE_WRITE_TIMEOUT] = "write-timeout",
        [FRESHET_CLOSE_FLOOD] = "flood",
        [FRESHET_CLOSE_DRAIN] = "drain",
        [FRESHET_CLOSE_DRAIN_CUT] = "drain-cut",
        [FRESHET_CLOSE_TOPIC] = "topic",
        [FRESHET_CLOSE_NO_MEMORY] = "no-memory",
        [FRESHET_CLOSE_DENIED] = "denied",
        [FRESHET_CLOSE_MAX_AGE] = "max-age",
    };
    return (unsigned)reason < FRESHET_CLOSE_REASONS ? texts[reason] : "unknown";
}
