/* Workers, pool, publishers and a memory bus on real threads: for TSan, which Criterion does not support.
 * Streams open and close, workers leave and come while others publish; at the end every stream must hold the
 * newest count. */
#include "checks.h"
#include "core/runtime/context.h"
#include "stress_worker.h"
#include <freshet/freshet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WORKERS = 4, STREAMS = 60, TOPICS = 7, PUBLISHERS = 3, PUBLISHES = 3000, DEADLINE_S = 60 };

static struct freshet *freshets[2];
static struct freshet_channel *channel;
static atomic_long counts[TOPICS];
static atomic_bool settled;
static atomic_uint results, published;

static unsigned topic_number(struct freshet_span topic)
{
    return (unsigned)(topic.data[topic.len - 1] - '0');
}

static void load(struct freshet_load handle, const struct freshet_load_context *context, void *user)
{
    char text[32];
    (void)user;
    snprintf(text, sizeof(text), "%ld", atomic_load(&counts[topic_number(context->topic)]));
    freshet_load_answer(handle, freshet_span_text(text));
}

/* ---- a loop for a worker ---- */

struct loop {
    pthread_t thread;
    struct bell bell;
    struct freshet *freshet;
    struct fr_worker *worker;
    unsigned number;
    bool leaves_early;
};

static void open_stream(const struct loop *loop, struct shown *stream, unsigned topic)
{
    char path[16];
    snprintf(path, sizeof(path), "count/%u", topic);
    shown_open(stream, loop->freshet, loop->worker, path);
}

static bool all_newest(const struct shown *streams)
{
    for (unsigned i = 0; i < STREAMS; i++)
        if (!streams[i].open || streams[i].last != atomic_load(&counts[i % TOPICS]))
            return false;
    return true;
}

static void churn(struct loop *loop, struct shown *streams, unsigned *seed)
{
    unsigned which = (unsigned)rand_r(seed) % STREAMS;
    if (rand_r(seed) % 8 != 0 || atomic_load(&settled))
        return;
    fr_view_close(&streams[which].view);
    open_stream(loop, &streams[which], which % TOPICS);
}

static void run(struct loop *loop, struct shown *streams, time_t deadline)
{
    unsigned seed = loop->number, turns = 0;
    for (bool done = false; !done && time(NULL) < deadline;) {
        int64_t next = fr_worker_turn(loop->worker);
        churn(loop, streams, &seed);
        int64_t after = fr_worker_next(loop->worker);
        bell_wait(&loop->bell, next < after ? next : after);
        done = loop->leaves_early ? ++turns > 300 : atomic_load(&settled) && all_newest(streams);
    }
}

static void *serve(void *argument)
{
    struct loop *loop = argument;
    struct shown *streams = calloc(STREAMS, sizeof(*streams));
    const struct fr_worker_host host = {
        .user = &loop->bell, .wake = bell_ring, .view_ready = shown_ready, .view_lost = shown_lost};
    check(fr_worker_new(&loop->worker, loop->freshet, &host) == FRESHET_OK, "a worker joins");
    for (unsigned i = 0; i < STREAMS; i++)
        open_stream(loop, &streams[i], i % TOPICS);
    run(loop, streams, time(NULL) + DEADLINE_S);
    if (!loop->leaves_early)
        check(all_newest(streams), "every stream holds the newest count");
    for (unsigned i = 0; i < STREAMS; i++)
        fr_view_close(&streams[i].view);
    fr_worker_leave(loop->worker);
    free(streams);
    return NULL;
}

static void count_result(enum freshet_status status, int64_t receivers, void *user)
{
    (void)receivers;
    (void)user;
    if (status == FRESHET_OK)
        atomic_fetch_add(&results, 1);
}

static void *publish(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument;
    for (unsigned i = 0; i < PUBLISHES; i++) {
        struct freshet_topic topic;
        char id[2] = {(char)('0' + rand_r(&seed) % TOPICS), '\0'};
        struct freshet_param param = {"id", freshet_span(id, 1)};
        freshet_channel_topic(channel, &param, 1, &topic, NULL);
        atomic_fetch_add(&counts[id[0] - '0'], 1);
        atomic_fetch_add(&published, 1);
        freshet_publish(freshets[i % 2], &topic, freshet_span(NULL, 0), count_result, NULL);
    }
    return NULL;
}

static void start_loop(struct loop *loop, unsigned number)
{
    *loop =
        (struct loop){.freshet = freshets[number % 2], .number = number, .leaves_early = number >= WORKERS};
    bell_init(&loop->bell);
    pthread_create(&loop->thread, NULL, serve, loop);
}

static void start_freshets(struct freshet_memory_broker *broker)
{
    for (int i = 0; i < 2; i++) {
        struct freshet_options options = {.size = sizeof(options), .linger_ms = 20};
        struct freshet_loader_options loader = {.size = sizeof(loader),
                                                .name = "count",
                                                .route = "count/:id",
                                                .channel = channel,
                                                .load = load,
                                                .shared = true,
                                                .on_loop = i == 1};
        check(freshet_memory_bus_new(&options.bus, broker) == FRESHET_OK, "a bus is made");
        check(freshet_new(&freshets[i], &options, NULL) == FRESHET_OK, "a freshet starts");
        check(freshet_loader_new(freshets[i], &loader, NULL, NULL) == FRESHET_OK, "a loader is registered");
    }
}

int main(void)
{
    struct loop loops[WORKERS + 2];
    pthread_t publishers[PUBLISHERS];
    struct freshet_memory_broker *broker = freshet_memory_broker_new();
    check(freshet_channel_new(&channel, "count/:id", NULL) == FRESHET_OK, "a channel is made");
    start_freshets(broker);
    freshet_memory_broker_release(broker);
    for (unsigned i = 0; i < WORKERS + 2; i++)
        start_loop(&loops[i], i);
    for (uintptr_t i = 0; i < PUBLISHERS; i++)
        pthread_create(&publishers[i], NULL, publish, (void *)(i + 1));
    for (unsigned i = 0; i < PUBLISHERS; i++)
        pthread_join(publishers[i], NULL);
    atomic_store(&settled, true);
    for (unsigned i = 0; i < WORKERS + 2; i++) {
        pthread_join(loops[i].thread, NULL);
        bell_deinit(&loops[i].bell);
    }
    for (int i = 0; i < 2; i++) {
        struct freshet_stats stats;
        freshet_stats_get(freshets[i], &stats);
        check(stats.topics == 0 && stats.feeds == 0, "nothing is left behind");
        check(stats.loads_running == 0 || stats.loads_abandoned == stats.loads_running, "no load is awaited");
        freshet_destroy(freshets[i], 10000);
    }
    freshet_channel_destroy(channel);
    check(atomic_load(&results) == atomic_load(&published), "each publish has one result");
    return checks_end();
}
