/* Workers, pool, publishers and a memory bus on real threads: for TSan, which Criterion does not support.
 * Streams open and close, workers leave and come while others publish; at the end every stream must hold the
 * newest count. */
#include "core/hub/visit.h"
#include "core/load/loader.h"
#include "core/runtime/context.h"
#include "core/runtime/worker.h"
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
static atomic_uint results, published, passed, failed;

static void check(bool right, const char *what)
{
    atomic_fetch_add(right ? &passed : &failed, 1);
    if (!right)
        fprintf(stderr, "failed: %s\n", what);
}

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
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool wake;
    struct freshet *freshet;
    struct fr_worker *worker;
    unsigned number;
    bool leaves_early;
};

struct stream {
    struct fr_view view;
    long last;
    bool open;
};

static void wake(void *user)
{
    struct loop *loop = user;
    pthread_mutex_lock(&loop->lock);
    loop->wake = true;
    pthread_cond_signal(&loop->woken);
    pthread_mutex_unlock(&loop->lock);
}

static void view_ready(struct fr_view *view)
{
    struct stream *stream = FR_CONTAINER(view, struct stream, view);
    struct fr_bytes *frame;
    while (fr_view_take(view, &frame) != FR_NEWS_NONE) {
        const char *data = strstr(frame->span.data, "data: ");
        if (data != NULL)
            stream->last = strtol(data + 6, NULL, 10);
        fr_bytes_release(frame);
    }
}

static void view_lost(struct fr_view *view, enum freshet_close_reason reason)
{
    (void)reason;
    FR_CONTAINER(view, struct stream, view)->open = false;
}

static void wait_for_work(struct loop *loop, int64_t until_us)
{
    int64_t most_us = fr_worker_now_us(loop->worker) + 5000;
    if (until_us > most_us)
        until_us = most_us;
    struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};
    pthread_mutex_lock(&loop->lock);
    if (!loop->wake && until_us > 0)
        pthread_cond_timedwait(&loop->woken, &loop->lock, &until);
    loop->wake = false;
    pthread_mutex_unlock(&loop->lock);
}

static void open_stream(struct loop *loop, struct stream *stream, unsigned topic)
{
    char path[16];
    struct freshet_refusal refusal;
    struct fr_visit visit = {.worker = loop->worker};
    snprintf(path, sizeof(path), "count/%u", topic);
    *stream = (struct stream){.last = -1};
    stream->open =
        fr_route_find(loop->freshet, freshet_span_text(path), &visit.loader, &visit.params) == FRESHET_OK &&
        fr_visit_open(&visit, &stream->view, &refusal) == FR_VISIT_YES;
}

static bool all_newest(const struct stream *streams)
{
    for (unsigned i = 0; i < STREAMS; i++)
        if (!streams[i].open || streams[i].last != atomic_load(&counts[i % TOPICS]))
            return false;
    return true;
}

static void churn(struct loop *loop, struct stream *streams, unsigned *seed)
{
    unsigned which = (unsigned)rand_r(seed) % STREAMS;
    if (rand_r(seed) % 8 != 0 || atomic_load(&settled))
        return;
    fr_view_close(&streams[which].view);
    open_stream(loop, &streams[which], which % TOPICS);
}

static void run(struct loop *loop, struct stream *streams, time_t deadline)
{
    unsigned seed = loop->number, turns = 0;
    for (bool done = false; !done && time(NULL) < deadline;) {
        int64_t next = fr_worker_turn(loop->worker);
        churn(loop, streams, &seed);
        int64_t after = fr_worker_next(loop->worker);
        wait_for_work(loop, next < after ? next : after);
        done = loop->leaves_early ? ++turns > 300 : atomic_load(&settled) && all_newest(streams);
    }
}

static void *serve(void *argument)
{
    struct loop *loop = argument;
    struct stream *streams = calloc(STREAMS, sizeof(*streams));
    const struct fr_worker_host host = {
        .user = loop, .wake = wake, .view_ready = view_ready, .view_lost = view_lost};
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
    pthread_condattr_t monotonic;
    *loop =
        (struct loop){.freshet = freshets[number % 2], .number = number, .leaves_early = number >= WORKERS};
    pthread_mutex_init(&loop->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&loop->woken, &monotonic);
    pthread_condattr_destroy(&monotonic);
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
        pthread_cond_destroy(&loops[i].woken);
        pthread_mutex_destroy(&loops[i].lock);
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
    printf("%u passed, %u failed\n", atomic_load(&passed), atomic_load(&failed));
    return atomic_load(&failed) != 0;
}
