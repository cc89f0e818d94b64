#include <freshet/stats.h>

#include "base/buffer.h"
#include "core/runtime/context.h"
#include "core/runtime/data_links.h"
#include "core/runtime/worker_internal.h"
#include <inttypes.h>

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
    freshet->bus->ops->stats(freshet->bus, &stats->bus);
}

static void print_head(struct fr_buffer *out, const char *name, const char *type, const char *help)
{
    fr_buffer_print(out, "# HELP freshet_%s %s\n# TYPE freshet_%s %s\n", name, help, name, type);
}

static void print_value(struct fr_buffer *out, const char *name, const char *type, const char *help,
                        int64_t value)
{
    print_head(out, name, type, help);
    fr_buffer_print(out, "freshet_%s %" PRId64 "\n", name, value);
}

static void print_histogram(struct fr_buffer *out, const char *name, const char *help,
                            const struct freshet_histogram *histogram)
{
    uint64_t below = 0;
    print_head(out, name, "histogram", help);
    for (int i = 0; i < FRESHET_HISTOGRAM_BUCKETS - 1; i++) {
        below += histogram->buckets[i];
        fr_buffer_print(out, "freshet_%s_bucket{le=\"%.6f\"} %" PRIu64 "\n", name,
                        (double)(UINT64_C(64) << i) / 1e6, below);
    }
    fr_buffer_print(out, "freshet_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, histogram->count);
    fr_buffer_print(out, "freshet_%s_sum %.6f\n", name, (double)histogram->sum_us / 1e6);
    fr_buffer_print(out, "freshet_%s_count %" PRIu64 "\n", name, histogram->count);
}

static void print_streams(struct fr_buffer *out, const struct freshet_stats *stats)
{
    print_value(out, "streams", "gauge", "Streams open now.", (int64_t)stats->streams);
    print_value(out, "streams_opened_total", "counter", "Streams opened.", (int64_t)stats->streams_opened);
    print_value(out, "streams_refused_total", "counter", "Streams refused by limits or while draining.",
                (int64_t)stats->streams_refused);
    print_value(out, "streams_denied_total", "counter", "Streams refused by the application.",
                (int64_t)stats->streams_denied);
    print_head(out, "streams_closed_total", "counter", "Streams closed, by reason.");
    for (int i = 0; i < FRESHET_CLOSE_REASONS; i++)
        fr_buffer_print(out, "freshet_streams_closed_total{reason=\"%s\"} %" PRIu64 "\n",
                        freshet_close_reason_text((enum freshet_close_reason)i), stats->streams_closed[i]);
    print_value(out, "streams_moved_total", "counter", "Streams whose identity changed.",
                (int64_t)stats->streams_moved);
    print_value(out, "guards_total", "counter", "Calls of guards.", (int64_t)stats->guards);
    print_value(out, "guards_failed_total", "counter", "Calls of guards that failed or timed out.",
                (int64_t)stats->guards_failed);
    print_value(out, "topics", "gauge", "Topics known now.", (int64_t)stats->topics);
    print_value(out, "feeds", "gauge", "Feeds now.", (int64_t)stats->feeds);
}

static void print_loads(struct fr_buffer *out, const struct freshet_stats *stats)
{
    print_value(out, "loads_total", "counter", "Loads begun.", (int64_t)stats->loads);
    print_value(out, "loads_running", "gauge", "Loads out now.", (int64_t)stats->loads_running);
    print_value(out, "loads_failed_total", "counter", "Loads that failed.", (int64_t)stats->loads_failed);
    print_value(out, "loads_timed_out_total", "counter", "Loads over their time.",
                (int64_t)stats->loads_timed_out);
    print_value(out, "loads_overdue_total", "counter", "Loads out for over 30 s.",
                (int64_t)stats->loads_overdue);
    print_value(out, "loads_collapsed_total", "counter", "Publishes that the load for a later one stood for.",
                (int64_t)stats->loads_collapsed);
    print_value(out, "loads_abandoned", "gauge", "Loads out that nobody waits for.",
                (int64_t)stats->loads_abandoned);
    print_value(out, "loads_late_total", "counter", "Answers that came too late.",
                (int64_t)stats->loads_late);
    print_value(out, "loop_holds_total", "counter", "Loads that held a loop over 50 ms.",
                (int64_t)stats->loop_holds);
    print_value(out, "snapshots_pushed_total", "counter", "Snapshots sent to streams.",
                (int64_t)stats->snapshots_pushed);
    print_value(out, "snapshots_skipped_total", "counter",
                "Snapshots that a stream was too slow for, or ended before.",
                (int64_t)stats->snapshots_skipped);
    print_value(out, "messages_pushed_total", "counter", "Messages sent to streams of message loaders.",
                (int64_t)stats->messages_pushed);
    print_value(out, "messages_lost_total", "counter",
                "Messages that streams of message loaders did not get.", (int64_t)stats->messages_lost);
    print_value(out, "messages_repeated_total", "counter",
                "Messages that came a second time and were not sent again.",
                (int64_t)stats->messages_repeated);
    print_value(out, "sent_bytes_total", "counter", "Bytes sent on streams.", (int64_t)stats->bytes_sent);
}

static void print_caches(struct fr_buffer *out, const struct freshet_stats *stats)
{
    print_value(out, "cache_hits_total", "counter", "Cache look-ups that found something current.",
                (int64_t)stats->cache_hits);
    print_value(out, "cache_misses_total", "counter", "Cache look-ups that did not.",
                (int64_t)stats->cache_misses);
    print_value(out, "cache_refused_total", "counter", "Answers that a cache did not take.",
                (int64_t)stats->cache_refused);
    print_value(out, "cache_evicted_total", "counter", "Cache entries given up for a bound.",
                (int64_t)stats->cache_evicted);
}

static void print_publishes(struct fr_buffer *out, const struct freshet_stats *stats)
{
    print_value(out, "publishes_total", "counter", "Publishes asked for.", (int64_t)stats->publishes);
    print_value(out, "publishes_accepted_total", "counter", "Publishes that the bus accepted.",
                (int64_t)stats->publishes_accepted);
    print_value(out, "publishes_refused_total", "counter", "Publishes refused.",
                (int64_t)stats->publishes_refused);
    print_value(out, "messages_total", "counter", "Messages from the bus.", (int64_t)stats->messages);
    print_value(out, "messages_echo_total", "counter", "Messages that were our own and loaded nothing.",
                (int64_t)stats->messages_echo);
    print_value(out, "messages_foreign_total", "counter", "Messages in another format, taken as signals.",
                (int64_t)stats->messages_foreign);
    print_value(out, "gaps_total", "counter", "Times that deliveries may have been lost.",
                (int64_t)stats->gaps);
}

static void print_bus(struct fr_buffer *out, const struct freshet_bus_stats *bus)
{
    print_value(out, "bus_state", "gauge", "0: down, 1: up, 2: deliveries proved.", (int64_t)bus->state);
    print_value(out, "bus_reconnects_total", "counter", "Links made again.", (int64_t)bus->reconnects);
    print_value(out, "bus_errors_total", "counter", "Answers the bus did not expect.", (int64_t)bus->errors);
    print_value(out, "bus_probes_lost_total", "counter", "Probes that did not come back.",
                (int64_t)bus->probes_lost);
    print_value(out, "bus_witnesses_total", "counter",
                "Times that publishes were seen to reach those who connect now.", (int64_t)bus->witnesses);
    print_value(out, "bus_elsewhere_total", "counter", "Times that the links were found on another server.",
                (int64_t)bus->elsewhere);
    print_value(out, "bus_doubts_total", "counter",
                "Links that ended with publishes in doubt, for which everybody loads again.",
                (int64_t)bus->doubts);
    print_value(out, "bus_probe_age_ms", "gauge", "Since the last proved delivery; -1: never.",
                bus->probe_age_ms);
    print_value(out, "bus_queued", "gauge", "Publishes without an answer.", (int64_t)bus->queued);
    print_value(out, "bus_collapsed_total", "counter", "Times the queue became one mark for everything.",
                (int64_t)bus->collapsed);
    print_value(out, "bus_resent_total", "counter", "Publishes sent again.", (int64_t)bus->resent);
    print_value(out, "bus_subscriptions", "gauge", "Topics wanted.", (int64_t)bus->subscriptions);
    print_value(out, "bus_confirmed", "gauge", "Topics whose subscription is in force.",
                (int64_t)bus->confirmed);
}

static void print_data(struct fr_buffer *out, const struct freshet_data_stats *data)
{
    print_value(out, "data_links", "gauge", "Links for the program's own commands.", (int64_t)data->links);
    print_value(out, "data_links_up", "gauge", "Of these, connected to a master that answers.",
                (int64_t)data->links_up);
    print_value(out, "data_good_age_ms", "gauge", "Since a link was last found to be up; -1: never.",
                data->good_age_ms);
    print_value(out, "data_reconnects_total", "counter", "Data links made again.", (int64_t)data->reconnects);
    print_value(out, "data_errors_total", "counter", "Errors that data links were answered.",
                (int64_t)data->errors);
    print_value(out, "data_unanswered_total", "counter", "Commands without an answer in time.",
                (int64_t)data->unanswered);
    print_value(out, "data_queued", "gauge", "Commands that are not over.", (int64_t)data->queued);
}

char *freshet_stats_prometheus(struct freshet *freshet)
{
    struct freshet_stats stats;
    struct fr_buffer out = {0};
    if (freshet == NULL)
        return NULL;
    freshet_stats_get(freshet, &stats);
    print_streams(&out, &stats);
    print_loads(&out, &stats);
    print_caches(&out, &stats);
    print_publishes(&out, &stats);
    print_bus(&out, &stats.bus);
    print_data(&out, &stats.data);
    print_histogram(&out, "load_seconds", "From the begin of a load to its answer.", &stats.load_time);
    print_histogram(&out, "publish_to_push_seconds", "From a publish to its encoded frame.",
                    &stats.publish_to_push);
    print_histogram(&out, "write_seconds", "Of frames that the kernel did not take at once.",
                    &stats.write_time);
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
