#include "core/runtime/context.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/options.h"
#include "base/random.h"
#include "core/codec/frame.h"
#include "core/guard/guard_call.h"
#include "core/load/cache.h"
#include "core/load/load.h"
#include "core/load/loader.h"
#include "core/load/route_guards.h"
#include "core/publish.h"
#include "core/runtime/worker_internal.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_POOL_THREADS       4
#define MAX_POOL_THREADS           1024
#define DEFAULT_SNAPSHOT_BYTES     (1024 * 1024)
#define DEFAULT_SUBSCRIBE_GRACE_MS 250
#define DEFAULT_POLL_WHILE_DOWN_MS 5000
#define DEFAULT_LINGER_MS          5000
#define DEFAULT_GUARD_INTERVAL_MS  30000

static int64_t read_clock(void *user)
{
    (void)user;
    return fr_clock_monotonic_us();
}

/* Taken over whatever comes of it. */
static struct freshet_bus *bus_of(const struct freshet_options *options)
{
    bool has_one = options != NULL && options->size >= offsetof(struct freshet_options, log);
    return has_one ? options->bus : NULL;
}

static enum freshet_status read_options(struct freshet *freshet, const struct freshet_options *options,
                                        struct freshet_error *error)
{
    if (freshet->bus != NULL && freshet->bus->ops == NULL) {
        freshet->bus = NULL; /* it can't be destroyed either */
        return fr_fail(error, FRESHET_INVALID, "options: bus has no `ops`");
    }
    if (options != NULL && options->size != sizeof(*options))
        return fr_fail(error, FRESHET_INVALID, "options: size must be sizeof(struct freshet_options)");
    if (options != NULL)
        freshet->options = *options;
    freshet->log = freshet->options.log;
    if (freshet->options.pool_threads > MAX_POOL_THREADS)
        return fr_fail(error, FRESHET_INVALID, "options: pool_threads is over %d", MAX_POOL_THREADS);
    fr_option_default(&freshet->options.pool_threads, DEFAULT_POOL_THREADS);
    fr_option_default(&freshet->options.max_message_bytes, FRESHET_DEFAULT_MESSAGE_BYTES);
    fr_option_default(&freshet->options.max_snapshot_bytes, DEFAULT_SNAPSHOT_BYTES);
    fr_option_default(&freshet->options.subscribe_grace_ms, DEFAULT_SUBSCRIBE_GRACE_MS);
    fr_option_default(&freshet->options.poll_while_down_ms, DEFAULT_POLL_WHILE_DOWN_MS);
    fr_option_default(&freshet->options.guard_interval_ms, DEFAULT_GUARD_INTERVAL_MS);
    fr_option_default(&freshet->options.linger_ms, DEFAULT_LINGER_MS);
    uint32_t pause_ms = freshet->options.poll_while_down_ms;
    freshet->everything.most_us =
        (int64_t)(pause_ms == FRESHET_NEVER ? DEFAULT_POLL_WHILE_DOWN_MS : pause_ms) * FR_US_PER_MS;
    freshet->topics.limit = freshet->options.max_topics;
    freshet->topics.new_per_s = freshet->options.max_new_topics_per_s;
    return FRESHET_OK;
}

/* ---- what the bus says ---- */

static void on_message(void *context, struct freshet_span topic, struct freshet_span body, bool oversized)
{
    struct freshet *freshet = context;
    struct fr_counters *counters = &freshet->counters;
    struct freshet_message message = {.time_us = 0};
    fr_count(&counters->messages, 1);
    bool ours = !oversized && freshet_message_decode(body, &message) == FRESHET_OK;
    if (!ours)
        fr_count(&counters->messages_foreign, 1);
    fr_topics_message(&freshet->topics, topic, ours ? body : freshet_span(NULL, 0));
    /* A publish marks the feeds of its own freshet before it is handed to the bus: its echo has no news. */
    if (ours && freshet_span_equal(message.publisher, freshet_span_text(freshet->publisher))) {
        fr_count(&counters->messages_echo, 1);
        return;
    }
    int64_t published_us = message.time_us > INT64_MAX ? 0 : (int64_t)message.time_us;
    fr_topics_mark(&freshet->topics, topic, ours ? body : freshet_span(NULL, 0), published_us);
}

static void on_subscribed(void *context, struct freshet_span topic, uint64_t subscription)
{
    struct freshet *freshet = context;
    fr_topics_confirm(&freshet->topics, topic, subscription);
}

static void on_lost(void *context, struct freshet_span topic, uint64_t subscription)
{
    struct freshet *freshet = context;
    fr_topics_lose(&freshet->topics, topic, subscription);
}

static void on_refused(void *context, struct freshet_span topic, uint64_t subscription,
                       struct freshet_span reason)
{
    struct freshet *freshet = context;
    fr_log(&freshet->log, FRESHET_LOG_ERROR, "topic %s may not be subscribed: %s", fr_escape(topic).text,
           fr_escape(reason).text);
    fr_topics_refuse(&freshet->topics, topic, subscription);
}

static void on_everything(void *context)
{
    struct freshet *freshet = context;
    fr_count(&freshet->counters.gaps, 1);
    fr_topics_doubt(&freshet->topics); /* before it is asked who tells: whoever does, does it after this */
    enum fr_everything_answer answer = fr_everything_raise(&freshet->everything, fr_freshet_now_us(freshet));
    if (answer == FR_EVERYTHING_TELL)
        fr_topics_tell_doubt(&freshet->topics);
    else if (answer == FR_EVERYTHING_LATER)
        fr_homes_nudge(&freshet->homes);
}

static void on_state(void *context, enum freshet_bus_state state, struct freshet_span reason)
{
    struct freshet *freshet = context;
    int before = atomic_exchange(&freshet->bus_state, (int)state);
    (void)reason; /* the bus logs its own links */
    if (state != FRESHET_BUS_DOWN || before == FRESHET_BUS_DOWN)
        return;
    fr_count(&freshet->counters.gaps, 1);
    fr_topics_all_lost(&freshet->topics);
}

static enum freshet_status start_bus(struct freshet *freshet, struct freshet_error *error)
{
    struct freshet_bus_sink sink = {.context = freshet,
                                    .log = freshet->log,
                                    .message = on_message,
                                    .subscribed = on_subscribed,
                                    .lost = on_lost,
                                    .refused = on_refused,
                                    .everything = on_everything,
                                    .state = on_state,
                                    .published = fr_publish_ended};
    freshet->topics.bus = freshet->bus;
    return freshet->bus->ops->start(freshet->bus, &sink, error);
}

/* ---- life ---- */

static void free_freshet(struct freshet *freshet)
{
    while (!fr_list_is_empty(&freshet->loaders)) {
        struct freshet_loader *loader =
            FR_CONTAINER(fr_list_shift(&freshet->loaders), struct freshet_loader, link);
        atomic_store(&loader->complained, true); /* loads that are still out may hold it */
        fr_loader_release(loader);
    }
    while (!fr_list_is_empty(&freshet->route_guards))
        fr_route_guards_destroy(
            FR_CONTAINER(fr_list_shift(&freshet->route_guards), struct fr_route_guards, link));
    fr_pool_destroy(freshet->pool);
    freshet_bus_destroy(freshet->bus);
    fr_topics_deinit(&freshet->topics);
    fr_homes_deinit(&freshet->homes);
    fr_everything_deinit(&freshet->everything);
    fr_peers_deinit(&freshet->peers);
    fr_bytes_release(freshet->unchanged);
    fr_gzip_coder_release(freshet->gzip);
    pthread_mutex_destroy(&freshet->lock);
    free(freshet);
}

static struct freshet *new_freshet(void)
{
    struct freshet *freshet = calloc(1, sizeof(*freshet));
    if (freshet == NULL)
        return NULL;
    fr_homes_init(&freshet->homes);
    fr_list_init(&freshet->data_links);
    fr_list_init(&freshet->loaders);
    fr_list_init(&freshet->caches);
    fr_list_init(&freshet->route_guards);
    pthread_mutex_init(&freshet->lock, NULL);
    atomic_init(&freshet->bus_state, FRESHET_BUS_DOWN);
    atomic_init(&freshet->serving, false);
    freshet->now_us = read_clock;
    freshet->forks = fr_forks();
    snprintf(freshet->publisher, sizeof(freshet->publisher), "%016" PRIx64, fr_random());
    return freshet;
}

/* The application's bus may have said why, or not. */
static enum freshet_status start(struct freshet *freshet, struct freshet_error *error)
{
    struct freshet_error detail = {""};
    enum freshet_status status = FRESHET_OK;
    if (freshet->bus == NULL)
        status = freshet_memory_bus_new(&freshet->bus, NULL);
    if (status == FRESHET_OK)
        status = fr_pool_new(&freshet->pool, freshet->options.pool_threads);
    if (status == FRESHET_OK)
        status = start_bus(freshet, &detail);
    if (status == FRESHET_OK)
        return FRESHET_OK;
    return fr_fail(error, status, "%s", detail.text[0] != '\0' ? detail.text : freshet_status_text(status));
}

static bool init_parts(struct freshet *freshet)
{
    bool topics = fr_topics_init(&freshet->topics, &freshet->homes) == FRESHET_OK;
    fr_everything_init(&freshet->everything);
    bool peers = fr_peers_init(&freshet->peers);
    freshet->gzip = fr_gzip_coder_new();
    freshet->unchanged = fr_frame_comment(freshet_span_text("unchanged"));
    fr_load_keep_table();
    fr_guard_call_keep_table();
    bool codec = freshet->gzip != NULL && freshet->unchanged != NULL;
    return topics && peers && codec && fr_forks_watch();
}

enum freshet_status freshet_new(struct freshet **out, const struct freshet_options *options,
                                struct freshet_error *error)
{
    struct freshet *freshet = out == NULL ? NULL : new_freshet();
    if (out != NULL)
        *out = NULL;
    if (freshet == NULL) {
        freshet_bus_destroy(bus_of(options));
        return out == NULL ? fr_fail(error, FRESHET_INVALID, "out is NULL")
                           : fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    }
    freshet->bus = bus_of(options);
    enum freshet_status status =
        init_parts(freshet) ? FRESHET_OK : fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    if (status == FRESHET_OK)
        status = read_options(freshet, options, error);
    if (status == FRESHET_OK)
        status = start(freshet, error);
    if (status != FRESHET_OK) {
        free_freshet(freshet);
        return status;
    }
    *out = freshet;
    return FRESHET_OK;
}

void freshet_destroy(struct freshet *freshet, uint32_t deadline_ms)
{
    if (fr_freshet_check(freshet) != FRESHET_OK)
        return;
    assert(fr_list_is_empty(&freshet->homes.workers) && "every worker has left");
    int64_t deadline_us = fr_clock_monotonic_us() + (int64_t)deadline_ms * FR_US_PER_MS;
    atomic_store(&freshet->closing, true);
    freshet->bus->ops->stop(freshet->bus, deadline_ms);
    fr_pool_stop(freshet->pool, deadline_us);
    fr_load_revoke_all(freshet);
    fr_guard_call_revoke_all(freshet);
    fr_cache_detach_all(freshet);
    free_freshet(freshet);
}

bool freshet_ready(struct freshet *freshet)
{
    return fr_freshet_check(freshet) == FRESHET_OK && atomic_load(&freshet->bus_state) == FRESHET_BUS_PROVED;
}

size_t freshet_topic_streams(struct freshet *freshet, const struct freshet_topic *topic)
{
    if (fr_freshet_check(freshet) != FRESHET_OK || topic == NULL)
        return 0;
    return fr_topics_streams(&freshet->topics, freshet_span(topic->text, topic->len));
}
