/* A cache used by many threads while topics are published to, and are subscribed and given back: for TSan,
 * which Criterion does not support. What a look-up finds must never be older than a publish that had returned
 * before it. */
#include "checks.h"
#include "core/runtime/context.h"
#include "stress_worker.h"
#include <freshet/freshet.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TOPICS = 4, KEYS = 8, STREAMS = 2 * TOPICS, READERS = 3, PUBLISHES = 20000, DEADLINE_S = 60 };

static struct freshet *freshet;
static struct freshet_cache *cache;
static atomic_long state[TOPICS]; /* what the application's store says */
static atomic_long told[TOPICS];  /* the newest state whose publish has returned */
static atomic_ulong hits, misses, kept, refused;
static atomic_bool published, over;

static struct freshet_topic topic_of(unsigned number)
{
    struct freshet_topic topic = {0};
    topic.len = (uint16_t)snprintf(topic.text, sizeof(topic.text), "count/%u", number);
    return topic;
}

static struct freshet_span name_of(const struct freshet_topic *topic)
{
    return freshet_span(topic->text, topic->len);
}

/* ---- threads ---- */

/* What a load of one connection does. Returns whether it saw an outdated count. */
static bool use_once(unsigned number, struct freshet_span key)
{
    char text[32] = "";
    struct freshet_cached cached;
    struct freshet_cache_token token;
    struct freshet_topic topic = topic_of(number);
    long least = atomic_load(&told[number]);
    if (freshet_cache_look_up(cache, name_of(&topic), key, &cached, &token) == FRESHET_OK) {
        memcpy(text, cached.bytes.data, cached.bytes.len);
        freshet_cached_release(&cached);
        atomic_fetch_add(&hits, 1);
        return strtol(text, NULL, 10) < least;
    }
    atomic_fetch_add(&misses, 1);
    snprintf(text, sizeof(text), "%ld", atomic_load(&state[number]));
    enum freshet_status status =
        freshet_cache_put(cache, name_of(&topic), key, token, freshet_span_text(text));
    atomic_fetch_add(status == FRESHET_OK ? &kept : &refused, 1);
    return false;
}

static void *read_counts(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument;
    uintptr_t outdated = 0;
    while (!atomic_load(&over)) {
        char key[16];
        unsigned number = (unsigned)rand_r(&seed) % TOPICS;
        struct freshet_topic topic = topic_of(number);
        snprintf(key, sizeof(key), "key %u", (unsigned)rand_r(&seed) % KEYS);
        outdated += use_once(number, freshet_span_text(key));
        if (rand_r(&seed) % 64 == 0)
            freshet_cache_invalidate(cache, name_of(&topic), freshet_span_text(key));
        if (rand_r(&seed) % 256 == 0)
            freshet_cache_invalidate_topic(cache, name_of(&topic));
    }
    return (void *)outdated;
}

/* The only one that changes anything, so that `told` never goes back. */
static void *publish(void *argument)
{
    unsigned seed = 1;
    (void)argument;
    for (unsigned i = 0; i < PUBLISHES; i++) {
        unsigned number = (unsigned)rand_r(&seed) % TOPICS;
        struct freshet_topic topic = topic_of(number);
        long now = atomic_fetch_add(&state[number], 1) + 1;
        freshet_publish(freshet, &topic, freshet_span(NULL, 0), NULL, NULL);
        atomic_store(&told[number], now);
        for (unsigned turn = 0; turn < 20; turn++)
            sched_yield();
    }
    atomic_store(&published, true);
    return NULL;
}

static void load(struct freshet_load handle, const struct freshet_load_context *context, void *user)
{
    char text[32];
    (void)user;
    snprintf(text, sizeof(text), "%ld",
             atomic_load(&state[context->topic.data[context->topic.len - 1] - '0']));
    freshet_load_answer(handle, freshet_span_text(text));
}

/* ---- a worker, run by main() ---- */

static void wake(void *user)
{
    (void)user; /* main() turns the worker all the time */
}

/* Streams 2n and 2n + 1 show one topic, by two loaders with one cache. */
static void open_stream(struct fr_worker *worker, struct shown *stream, unsigned number)
{
    char path[32];
    snprintf(path, sizeof(path), "%s/%u", number % 2 == 0 ? "even" : "odd", number / 2);
    shown_open(stream, freshet, worker, path);
}

static bool all_newest(const struct shown *streams)
{
    for (unsigned i = 0; i < STREAMS; i++)
        if (!streams[i].open || streams[i].last != atomic_load(&state[i / 2]))
            return false;
    return true;
}

/* Streams come and go while there is something to publish, so that topics are given back. */
static void churn(struct fr_worker *worker, struct shown *streams)
{
    unsigned seed = 2;
    while (!atomic_load(&published)) {
        unsigned which = (unsigned)rand_r(&seed) % STREAMS;
        fr_worker_turn(worker);
        if (rand_r(&seed) % 16 == 0 && streams[which].open)
            shown_close(&streams[which]);
        else if (!streams[which].open)
            open_stream(worker, &streams[which], which);
        sched_yield();
    }
}

static bool settle(struct fr_worker *worker, struct shown *streams)
{
    for (unsigned i = 0; i < STREAMS; i++)
        if (!streams[i].open)
            open_stream(worker, &streams[i], i);
    for (time_t deadline = time(NULL) + DEADLINE_S; time(NULL) < deadline; sched_yield()) {
        fr_worker_turn(worker);
        if (all_newest(streams))
            return true;
    }
    return false;
}

static void serve(void)
{
    static struct shown streams[STREAMS];
    const struct fr_worker_host host = {.wake = wake, .view_ready = shown_ready, .view_lost = shown_lost};
    struct fr_worker *worker;
    check(fr_worker_new(&worker, freshet, &host) == FRESHET_OK, "a worker joins");
    for (unsigned i = 0; i < STREAMS; i++)
        open_stream(worker, &streams[i], i);
    churn(worker, streams);
    check(settle(worker, streams), "every stream comes to show the newest count");
    atomic_store(&over, true);
    for (unsigned i = 0; i < STREAMS; i++)
        shown_close(&streams[i]);
    fr_worker_leave(worker);
}

static void add_loader(const char *name, const char *route, const struct freshet_channel *channel)
{
    struct freshet_loader_options options = {.size = sizeof(options),
                                             .name = name,
                                             .route = route,
                                             .channel = channel,
                                             .load = load,
                                             .shared = true,
                                             .cache = cache};
    check(freshet_loader_new(freshet, &options, NULL, NULL) == FRESHET_OK, "a loader is registered");
}

static void start(void)
{
    struct freshet_options options = {.size = sizeof(options), .linger_ms = 1};
    struct freshet_cache_options bounds = {.size = sizeof(bounds), .max_entries = TOPICS * KEYS / 2};
    struct freshet_channel *channel;
    check(freshet_new(&freshet, &options, NULL) == FRESHET_OK, "a freshet starts");
    check(freshet_cache_new(&cache, freshet, &bounds, NULL) == FRESHET_OK, "a cache is made");
    check(freshet_channel_new(&channel, "count/:id", NULL) == FRESHET_OK, "a channel is made");
    add_loader("even", "even/:id", channel);
    add_loader("odd", "odd/:id", channel);
    freshet_channel_destroy(channel);
}

int main(void)
{
    pthread_t readers[READERS], publisher;
    struct freshet_stats stats;
    void *outdated;
    start();
    pthread_create(&publisher, NULL, publish, NULL);
    for (uintptr_t i = 0; i < READERS; i++)
        pthread_create(&readers[i], NULL, read_counts, (void *)(i + 1));
    serve();
    pthread_join(publisher, NULL);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(readers[i], &outdated);
        check((uintptr_t)outdated == 0, "nothing that is found is older than a publish before");
    }
    freshet_stats_get(freshet, &stats);
    check(atomic_load(&hits) > 0 && atomic_load(&kept) > 0, "something was found, and put");
    check(atomic_load(&refused) > 0, "something was refused");
    check(stats.cache_hits >= atomic_load(&hits), "each find was counted");
    check(stats.cache_misses >= atomic_load(&misses), "each other look-up was counted");
    check(stats.cache_refused >= atomic_load(&refused), "each refusal was counted");
    check(stats.loads_running == 0 || stats.loads_abandoned == stats.loads_running, "no load is awaited");
    freshet_destroy(freshet, 10000);
    freshet_cache_release(cache);
    return checks_end();
}
