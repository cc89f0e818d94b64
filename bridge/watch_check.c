/* The demo without a person: publishes on A, watches B, has Redis killed and started again in the middle. */
#include "watch.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PUBLISHES = 100,
    ARRIVAL_LIMIT_MS = 1000, /* of a single publish */
    HEAL_LIMIT_MS = 2000,    /* stated: every stream on the newest count within this of Redis being back */
    WAIT_MS = 20000          /* then it is given up */
};

struct check {
    const struct watch_arguments *arguments;
    struct watch_stream *streams[2];
    int64_t counts[2];     /* newest seen on each; -1: none */
    int64_t arrived_us[2]; /* when */
    unsigned lost_streams;
    struct watch_publishes *publishes;
    uint64_t publish_count;
    int64_t published_us;
    struct watch_request request;
    int64_t times_us[PUBLISHES];
    size_t times;
    int64_t expected; /* the newest count */
    int64_t back_us;  /* Redis listens again */
};

static void on_count(struct watch_stream *stream, const char *event, const char *data, void *user)
{
    struct check *check = user;
    int i = stream == check->streams[1];
    if (strcmp(event, "message") != 0)
        return;
    check->counts[i] = strtoll(data, NULL, 10);
    check->arrived_us[i] = watch_now_us();
}

static void on_publish(const char *topic, int64_t published_us, void *user)
{
    struct check *check = user;
    if (strcmp(topic, "counter") != 0)
        return;
    check->publish_count++;
    check->published_us = published_us;
}

/* Waits a little and reads what came. The status of the request that is out, if it ended now. */
static int step(struct check *check)
{
    struct pollfd fds[4] = {
        {.fd = check->streams[1]->fd, .events = POLLIN},
        {.fd = check->streams[0]->fd, .events = POLLIN},
        {.fd = check->publishes->fd, .events = POLLIN},
        {.fd = check->request.fd, .events = POLLIN},
    };
    if (poll(fds, 4, 50) <= 0)
        return 0;
    for (int i = 0; i < 2; i++) {
        if (fds[i].revents != 0 && !watch_stream_read(check->streams[1 - i]))
            check->lost_streams++;
    }
    if (fds[2].revents != 0)
        watch_publishes_read(check->publishes);
    return fds[3].revents != 0 ? watch_request_read(&check->request) : 0;
}

static int64_t deadline_us(int ms)
{
    return watch_now_us() + (int64_t)ms * 1000;
}

static bool fail(const char *what)
{
    printf("FAILED: %s\n", what);
    return false;
}

/* One publish on A, until it is on B. */
static bool publish_once(struct check *check)
{
    uint64_t before = check->publish_count;
    int64_t until_us = deadline_us(WAIT_MS), count = -1;
    char text[24];
    if (!watch_request_send(&check->request, &check->arguments->instances[0], "POST", "/counter/increment"))
        return fail("A takes no connection");
    while (count < 0 || check->counts[1] < count || check->publish_count == before) {
        int status = step(check);
        if (status != 0 && status != 200)
            return fail("A did not store an increment");
        if (status == 200 && watch_request_field(&check->request, "count", text, sizeof(text)))
            count = strtoll(text, NULL, 10);
        if (watch_now_us() > until_us)
            return fail("a publish did not arrive on B");
    }
    check->expected = count;
    check->times_us[check->times++] = check->arrived_us[1] - check->published_us;
    return true;
}

static bool publish_many(struct check *check, size_t until)
{
    while (check->times < until) {
        if (!publish_once(check))
            return false;
    }
    return true;
}

static bool begin(struct check *check)
{
    int64_t until_us = deadline_us(WAIT_MS);
    for (int i = 0; i < 2; i++) {
        if (!watch_stream_open(check->streams[i], &check->arguments->instances[i]))
            return fail("an instance takes no connection");
    }
    while (check->counts[0] < 0 || check->counts[1] < 0) {
        step(check);
        if (watch_now_us() > until_us)
            return fail("no first snapshot");
    }
    return true;
}

/* Subscribes to the publishes; until Redis says that it is in force. */
static bool listen_to_publishes(struct check *check)
{
    int64_t until_us = deadline_us(WAIT_MS);
    watch_publishes_close(check->publishes);
    if (!watch_publishes_open(check->publishes, &check->arguments->redis))
        return fail("Redis takes no connection");
    while (!check->publishes->subscribed) {
        step(check);
        if (watch_now_us() > until_us)
            return fail("no subscription");
    }
    return true;
}

/* Has the script do its part. */
static bool ask_script(const char *what)
{
    char line[16];
    printf("%s\n", what);
    fflush(stdout);
    return fgets(line, sizeof(line), stdin) != NULL || fail("the script has gone");
}

/* Without Redis: a change is refused in time, not half done, and the streams stay. */
static bool look_while_down(struct check *check)
{
    int64_t until_us = deadline_us(WAIT_MS);
    int status = 0;
    if (!watch_request_send(&check->request, &check->arguments->instances[0], "POST", "/counter/increment"))
        return fail("A takes no connection while Redis is down");
    while (status == 0 && watch_now_us() < until_us)
        status = step(check);
    if (status != 503)
        return fail("A did not answer 503 while Redis was down");
    if (watch_request_run(&check->request, &check->arguments->instances[1], "GET", "/health/live", 1000) !=
        200)
        return fail("B is not alive while Redis is down");
    return true;
}

/* Redis runs, but only on its unix socket: the count changes there without a publish, as if that had been
 * lost; then it listens on its port again. So both streams can only be right if they load again by
 * themselves. */
static bool heal(struct check *check)
{
    char command[160];
    const char *path = check->arguments->socket_path;
    int64_t until_us = deadline_us(WAIT_MS);
    snprintf(command, sizeof(command), "INCR %scounter", check->arguments->prefix);
    check->expected = watch_redis_ask(path, command);
    if (check->expected < 0)
        return fail("Redis does not answer on its socket");
    snprintf(command, sizeof(command), "CONFIG SET port %s", check->arguments->redis.port);
    check->back_us = watch_now_us();
    if (watch_redis_ask(path, command) < 0)
        return fail("Redis does not listen on its port again");
    while (check->counts[0] != check->expected || check->counts[1] != check->expected) {
        step(check);
        if (watch_now_us() > until_us)
            return fail("the streams did not heal");
    }
    printf("healed: A %.0f ms, B %.0f ms after Redis was back (limit %d ms)\n",
           (double)(check->arrived_us[0] - check->back_us) / 1000.0,
           (double)(check->arrived_us[1] - check->back_us) / 1000.0, HEAL_LIMIT_MS);
    return true;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static bool report(struct check *check)
{
    char command[160];
    bool good = true;
    snprintf(command, sizeof(command), "GET %scounter", check->arguments->prefix);
    int64_t truth = watch_redis_ask(check->arguments->socket_path, command);
    qsort(check->times_us, check->times, sizeof(check->times_us[0]), compare);
    double worst_ms = (double)check->times_us[check->times - 1] / 1000.0;
    printf("publish on A to arrival on B: %zu publishes, median %.2f ms, worst %.2f ms\n", check->times,
           (double)check->times_us[check->times / 2] / 1000.0, worst_ms);
    printf("streams lost: %u\nnewest count %lld, B shows %lld\n", check->lost_streams, (long long)truth,
           (long long)check->counts[1]);
    if (check->counts[1] != truth || check->expected != truth)
        good = fail("B is not on the newest count");
    if (check->lost_streams > 0)
        good = fail("a stream was lost");
    if (worst_ms > ARRIVAL_LIMIT_MS)
        good = fail("a publish took over a second");
    return good;
}

static bool make(struct check *check)
{
    check->publishes = calloc(1, sizeof(*check->publishes));
    for (int i = 0; i < 2; i++) {
        check->streams[i] = calloc(1, sizeof(*check->streams[i]));
        if (check->streams[i] == NULL || check->publishes == NULL)
            return false;
        *check->streams[i] =
            (struct watch_stream){.path = "/live/counter", .on_event = on_count, .user = check, .fd = -1};
    }
    *check->publishes = (struct watch_publishes){
        .prefix = check->arguments->prefix, .on_publish = on_publish, .user = check, .fd = -1};
    return true;
}

int watch_check(const struct watch_arguments *arguments)
{
    struct check check = {.arguments = arguments, .counts = {-1, -1}, .request = {.fd = -1}};
    if (!make(&check)) {
        fputs("freshet-watch: no memory\n", stderr);
        return 1;
    }
    bool good = begin(&check) && listen_to_publishes(&check) && publish_many(&check, PUBLISHES / 2) &&
                ask_script("kill") && look_while_down(&check) && ask_script("start") && heal(&check);
    bool in_time = good && check.arrived_us[0] - check.back_us <= HEAL_LIMIT_MS * 1000 &&
                   check.arrived_us[1] - check.back_us <= HEAL_LIMIT_MS * 1000;
    good = good && listen_to_publishes(&check) && publish_many(&check, PUBLISHES) && report(&check);
    if (good && !in_time)
        good = fail("healing took over 2 seconds");
    printf("%s\n", good ? "ok" : "not ok");
    return good ? 0 : 1;
}
