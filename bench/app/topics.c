/* Many topics subscribed on a Redis bus and nothing behind it: what the bus itself takes.
 *
 *   freshet-topics REDIS-URL COUNT
 *
 * says on its standard output what becomes of them, with seconds of CLOCK_MONOTONIC and resident KiB:
 *   begun 1234.567890 4321     before the first is subscribed
 *   torn 1240.123456 9876      one of them is not in force any more, for the first time since all were
 *   whole 1235.123456 9876     all are in force
 *
 * Leaves when its standard input ends. */
#include <freshet/freshet.h>
#include <freshet/redis.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STOP_DEADLINE_MS = 1000, READY_TRIES = 10000 };

static struct topics {
    pthread_mutex_t lock;
    bool *in_force; /* by the number of the subscription */
    size_t count, in_force_count;
    atomic_bool is_up;
} topics = {.lock = PTHREAD_MUTEX_INITIALIZER};

static long resident_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void tell(const char *what)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("%s %lld.%09ld %ld\n", what, (long long)now.tv_sec, now.tv_nsec, resident_kib());
}

/* ---- what the bus tells, on its thread ---- */

static void set(uint64_t subscription, bool in_force)
{
    pthread_mutex_lock(&topics.lock);
    bool was_whole = topics.in_force_count == topics.count;
    if (topics.in_force[subscription] != in_force) {
        topics.in_force[subscription] = in_force;
        topics.in_force_count += in_force ? 1 : -1;
        bool is_whole = topics.in_force_count == topics.count;
        if (is_whole != was_whole)
            tell(is_whole ? "whole" : "torn");
    }
    pthread_mutex_unlock(&topics.lock);
}

static void on_subscribed(void *context, struct freshet_span topic, uint64_t subscription)
{
    (void)context;
    (void)topic;
    set(subscription, true);
}

static void on_lost(void *context, struct freshet_span topic, uint64_t subscription)
{
    (void)context;
    (void)topic;
    set(subscription, false);
}

static void on_refused(void *context, struct freshet_span topic, uint64_t subscription,
                       struct freshet_span reason)
{
    (void)context;
    (void)subscription;
    fprintf(stderr, "freshet-topics: %.*s is refused: %.*s\n", (int)topic.len, topic.data, (int)reason.len,
            reason.data);
}

static void on_state(void *context, enum freshet_bus_state state, struct freshet_span reason)
{
    (void)context;
    (void)reason;
    atomic_store(&topics.is_up, state != FRESHET_BUS_DOWN);
    for (uint64_t i = 0; state == FRESHET_BUS_DOWN && i < topics.count; i++)
        set(i, false);
}

static void on_message(void *context, struct freshet_span topic, struct freshet_span body, bool oversized)
{
    (void)context;
    (void)topic;
    (void)body;
    (void)oversized;
}

static void on_everything(void *context)
{
    (void)context;
}

static void on_published(void *context, void *token, enum freshet_status status, int64_t receivers)
{
    (void)context;
    (void)token;
    (void)status;
    (void)receivers;
}

static void on_log(enum freshet_log_level level, const char *text, void *user)
{
    (void)level;
    (void)user;
    fprintf(stderr, "%s\n", text);
}

static const struct freshet_bus_sink sink = {
    .log = {.write = on_log},
    .message = on_message,
    .subscribed = on_subscribed,
    .lost = on_lost,
    .refused = on_refused,
    .everything = on_everything,
    .state = on_state,
    .published = on_published,
};

/* ---- */

static void insist(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "freshet-topics: %s\n", what);
    exit(2);
}

static void wait_until_up(void)
{
    static const struct timespec step = {.tv_nsec = 1000000};
    for (int i = 0; !atomic_load(&topics.is_up); i++) {
        insist(i < READY_TRIES, "no Redis");
        nanosleep(&step, NULL);
    }
}

static void subscribe_all(struct freshet_bus *bus)
{
    char name[32];
    tell("begun");
    for (uint64_t i = 0; i < topics.count; i++) {
        snprintf(name, sizeof(name), "board/%llu", (unsigned long long)i);
        insist(bus->ops->subscribe(bus, freshet_span_text(name), i) == FRESHET_OK, "not subscribed");
    }
}

int main(int argc, char **argv)
{
    struct freshet_bus *bus;
    struct freshet_error error = {"a URL and a number are needed"};
    struct freshet_redis_options options = {.size = sizeof(options), .url = argc > 1 ? argv[1] : NULL};
    setvbuf(stdout, NULL, _IOLBF, 0);
    topics.count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    insist(topics.count > 0, error.text);
    topics.in_force = calloc(topics.count, sizeof(*topics.in_force));
    insist(topics.in_force != NULL, "no memory");
    insist(freshet_redis_bus_new(&bus, &options, &error) == FRESHET_OK &&
               bus->ops->start(bus, &sink, &error) == FRESHET_OK,
           error.text);
    wait_until_up();
    subscribe_all(bus);
    while (getchar() != EOF)
        ;
    bus->ops->stop(bus, STOP_DEADLINE_MS);
    freshet_bus_destroy(bus);
    free(topics.in_force);
    return 0;
}
