/* Threads that publish, subscribe and leave at once over both buses, with links that are cut meanwhile. A
 * plain program, so that it also runs under the thread sanitizer. */
#include "bus_recorder.h"
#include "checks.h"
#include "redis_server.h"
#include <freshet/redis.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS   4
#define PUBLISHES 20000
#define WAIT_MS   60000

static struct {
    struct freshet_bus *bus;
    atomic_size_t accepted;
    atomic_bool stopped;
} shared;

static atomic_size_t answered, delivered, confirmed;
static atomic_int proved;

static void on_message(void *context, struct freshet_span topic, struct freshet_span body, bool oversized)
{
    (void)context, (void)topic, (void)body, (void)oversized;
    atomic_fetch_add(&delivered, 1);
}

static void on_subscribed(void *context, struct freshet_span topic, uint64_t subscription)
{
    (void)context, (void)topic, (void)subscription;
    atomic_fetch_add(&confirmed, 1);
}

static void on_lost(void *context, struct freshet_span topic, uint64_t subscription)
{
    (void)context, (void)topic, (void)subscription;
}

static void on_refused(void *context, struct freshet_span topic, uint64_t subscription,
                       struct freshet_span reason)
{
    (void)context, (void)topic, (void)subscription, (void)reason;
}

static void on_everything(void *context)
{
    (void)context;
}

static void on_state(void *context, enum freshet_bus_state state, struct freshet_span reason)
{
    (void)context, (void)reason;
    atomic_store(&proved, state == FRESHET_BUS_PROVED);
}

static void on_published(void *context, void *token, enum freshet_status status, int64_t receivers)
{
    (void)context, (void)token, (void)status, (void)receivers;
    atomic_fetch_add(&answered, 1);
}

static const struct freshet_bus_sink sink = {
    .message = on_message,
    .subscribed = on_subscribed,
    .lost = on_lost,
    .refused = on_refused,
    .everything = on_everything,
    .state = on_state,
    .published = on_published,
};

static void nap(void)
{
    struct timespec time = {.tv_nsec = 1000 * 1000};
    nanosleep(&time, NULL);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *work(void *user)
{
    size_t me = (size_t)user;
    char topic[32];
    const char body[100] = {0};
    for (size_t i = 0; i < PUBLISHES; i++) {
        int len = snprintf(topic, sizeof(topic), "t/%zu/%zu", me, i % 100);
        struct freshet_span name = freshet_span(topic, (size_t)len);
        if (i % 1000 == 0)
            shared.bus->ops->subscribe(shared.bus, name, i);
        enum freshet_status status;
        while ((status = shared.bus->ops->publish(shared.bus, name, freshet_span(body, sizeof(body)), i % 2,
                                                  NULL)) == FRESHET_FULL)
            nap();
        if (status == FRESHET_OK)
            atomic_fetch_add(&shared.accepted, 1);
        if (i % 1000 == 999)
            shared.bus->ops->unsubscribe(shared.bus, name);
        struct freshet_bus_stats stats;
        if (i % 5000 == 0)
            shared.bus->ops->stats(shared.bus, &stats);
    }
    return NULL;
}

static void *publish_beyond_the_end(void *user)
{
    (void)user;
    while (!atomic_load(&shared.stopped))
        if (shared.bus->ops->publish(shared.bus, freshet_span_text("last"), freshet_span_text("x"), true,
                                     NULL) == FRESHET_OK)
            atomic_fetch_add(&shared.accepted, 1);
    return NULL;
}

static bool wait_until(bool (*is_true)(void))
{
    for (int i = 0; i < WAIT_MS; i++) {
        if (is_true())
            return true;
        nap();
    }
    return false;
}

static bool is_proved(void)
{
    return atomic_load(&proved) != 0;
}

static bool is_answered(void)
{
    return atomic_load(&answered) == atomic_load(&shared.accepted);
}

static void run(const char *name, struct freshet_bus *bus, const struct redis_server *server)
{
    pthread_t threads[THREADS];
    shared.bus = bus;
    atomic_store(&shared.accepted, 0);
    atomic_store(&shared.stopped, false);
    atomic_store(&answered, 0);
    atomic_store(&proved, 0);
    check(bus->ops->start(bus, &sink, NULL) == FRESHET_OK, "the bus starts");
    check(wait_until(is_proved), "the bus is proved");
    double begin = now_s();
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; server != NULL && i < 10; i++) {
        nap();
        redis_server_ask(server, NULL, 0, "CLIENT", "KILL", "TYPE", i % 2 ? "pubsub" : "normal", NULL);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    check(wait_until(is_answered), "every publish is answered once");
    double seconds = now_s() - begin;
    printf("%s: %.0f publishes/s\n", name, THREADS * PUBLISHES / seconds);
    size_t before = atomic_load(&shared.accepted);
    pthread_create(&threads[0], NULL, publish_beyond_the_end, NULL);
    while (atomic_load(&shared.accepted) == before)
        nap();
    bus->ops->stop(bus, 1000);
    atomic_store(&shared.stopped, true);
    pthread_join(threads[0], NULL);
    check(is_answered(), "no answer too many");
    freshet_bus_destroy(bus);
}

static struct freshet_bus *make_redis(const struct redis_server *server)
{
    struct freshet_bus *bus = NULL;
    struct freshet_redis_options options = {.size = sizeof(options), .url = server->url};
    if (freshet_redis_bus_new(&bus, &options, NULL) != FRESHET_OK)
        abort();
    return bus;
}

int main(void)
{
    struct freshet_bus *memory = NULL;
    struct redis_server server;
    if (freshet_memory_bus_new(&memory, NULL) != FRESHET_OK)
        abort();
    run("memory", memory, NULL);
    redis_server_start(&server, NULL);
    run("redis", make_redis(&server), NULL);
    run("redis with broken links", make_redis(&server), &server);
    redis_server_stop(&server);
    return checks_end();
}
