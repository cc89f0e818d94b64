/* Shows in the terminal what happens on two instances: each change with the time from its publish to its
 * arrival, streams that open and close, instances and Redis that go and come back. */
#include "watch.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { INSTANCES = 2, TOPICS = 2, REOPEN_MS = 300, STATUS_MS = 500, EARLY_MS = 100 };

static const char *const names[INSTANCES] = {"A", "B"};
static const char *const topics[TOPICS] = {"counter", "board/demo"};
static const char *const paths[TOPICS] = {"/live/counter", "/live/board/demo"};

/* What is known of a topic's newest publish. */
struct change {
    int64_t published_us; /* 0: all of it has been shown */
    int64_t arrived_us[INSTANCES];
    int64_t early_us[INSTANCES]; /* a snapshot whose publish is not known yet; 0: none */
};

struct live {
    const struct watch_arguments *arguments;
    struct watch_stream *streams[INSTANCES][TOPICS];
    bool seen[INSTANCES][TOPICS]; /* the first snapshot of a connection is no change */
    struct change changes[TOPICS];
    char values[TOPICS][64];
    struct watch_publishes *publishes;
};

static void show(const char *text)
{
    char time_text[16];
    int64_t now_us = watch_now_us();
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm local;
    localtime_r(&seconds, &local);
    strftime(time_text, sizeof(time_text), "%H:%M:%S", &local);
    printf("%s.%03d  %s\n", time_text, (int)(now_us / 1000 % 1000), text);
}

static void show_change(struct live *live, int topic)
{
    struct change *change = &live->changes[topic];
    char text[256];
    int len = snprintf(text, sizeof(text), "%-11s %-10s published", topics[topic], live->values[topic]);
    for (int i = 0; i < INSTANCES; i++) {
        double ms = (double)(change->arrived_us[i] - change->published_us) / 1000.0;
        if (change->arrived_us[i] == 0)
            len += snprintf(text + len, sizeof(text) - (size_t)len, "   on %s: -", names[i]);
        else
            len += snprintf(text + len, sizeof(text) - (size_t)len, "   on %s after %.2f ms", names[i], ms);
    }
    change->published_us = 0;
    memset(change->arrived_us, 0, sizeof(change->arrived_us));
    show(text);
}

static void show_if_arrived(struct live *live, int topic)
{
    const struct change *change = &live->changes[topic];
    if (change->published_us != 0 && change->arrived_us[0] != 0 && change->arrived_us[1] != 0)
        show_change(live, topic);
}

/* The publisher's own instance loads at once: its snapshot may be here before the publish has come by Redis.
 */
static void match_early(struct live *live, int topic)
{
    struct change *change = &live->changes[topic];
    for (int i = 0; i < INSTANCES; i++) {
        if (change->early_us[i] >= change->published_us)
            change->arrived_us[i] = change->early_us[i];
        change->early_us[i] = 0;
    }
    show_if_arrived(live, topic);
}

/* Snapshots that no publish led to. */
static void show_loads(struct live *live)
{
    char text[160];
    for (int i = 0; i < INSTANCES * TOPICS; i++) {
        int instance = i / TOPICS, topic = i % TOPICS;
        int64_t *early_us = &live->changes[topic].early_us[instance];
        if (*early_us == 0 || watch_now_us() - *early_us < EARLY_MS * 1000)
            continue;
        *early_us = 0;
        snprintf(text, sizeof(text), "%-11s %-10s loaded by %s", topics[topic], live->values[topic],
                 names[instance]);
        show(text);
    }
}

static void on_publish(const char *topic, int64_t published_us, void *user)
{
    struct live *live = user;
    for (int i = 0; i < TOPICS; i++) {
        if (strcmp(topics[i], topic) != 0)
            continue;
        if (live->changes[i].published_us != 0)
            show_change(live, i);
        live->changes[i].published_us = published_us;
        match_early(live, i);
    }
}

static void describe(int topic, const char *data, char *value, size_t size)
{
    if (topic == 0) {
        snprintf(value, size, "= %.40s", data);
        return;
    }
    int tasks = 0;
    for (const char *at = data; (at = strstr(at, "\"column\":")) != NULL; at++)
        tasks++;
    snprintf(value, size, "%d task%s", tasks, tasks == 1 ? "" : "s");
}

static void on_snapshot(struct live *live, int instance, int topic, const char *data)
{
    struct change *change = &live->changes[topic];
    describe(topic, data, live->values[topic], sizeof(live->values[topic]));
    if (change->published_us != 0 && live->seen[instance][topic])
        change->arrived_us[instance] = watch_now_us();
    else
        change->early_us[instance] = watch_now_us();
    live->seen[instance][topic] = true;
    show_if_arrived(live, topic);
}

static void on_event(struct watch_stream *stream, const char *event, const char *data, void *user)
{
    struct live *live = user;
    char text[256];
    for (int i = 0; i < INSTANCES * TOPICS; i++) {
        int instance = i / TOPICS, topic = i % TOPICS;
        if (live->streams[instance][topic] != stream)
            continue;
        if (strcmp(event, "message") == 0) {
            on_snapshot(live, instance, topic, data);
            continue;
        }
        snprintf(text, sizeof(text), "%-11s %s from %s: %.150s", topics[topic], event, names[instance], data);
        show(text);
    }
}

/* ---- how the instances say they are, asked on a thread of its own so that it holds up no measurement ----
 */

struct status {
    char ready[8], bus[24], streams[24];
};

static void show_status(int instance, const struct status *old, const struct status *now)
{
    char text[128];
    if (strcmp(old->ready, now->ready) != 0 || strcmp(old->bus, now->bus) != 0) {
        snprintf(text, sizeof(text), "%s           %s, bus %s", names[instance],
                 strcmp(now->ready, "true") == 0 ? "ready" : "not ready", now->bus);
        show(text);
    }
    if (strcmp(old->streams, now->streams) != 0) {
        snprintf(text, sizeof(text), "%s           %s streams open", names[instance], now->streams);
        show(text);
    }
}

static void *watch_status(void *argument)
{
    const struct watch_arguments *arguments = argument;
    static struct watch_request request;
    struct status known[INSTANCES] = {{"", "", ""}, {"", "", ""}};
    for (;;) {
        for (int i = 0; i < INSTANCES; i++) {
            struct status now = {"false", "no answer", "?"};
            if (watch_request_run(&request, &arguments->instances[i], "GET", "/health/ready", 1000) > 0) {
                watch_request_field(&request, "ready", now.ready, sizeof(now.ready));
                watch_request_field(&request, "bus", now.bus, sizeof(now.bus));
                watch_request_field(&request, "streams", now.streams, sizeof(now.streams));
            }
            show_status(i, &known[i], &now);
            known[i] = now;
        }
        usleep(STATUS_MS * 1000);
    }
    return NULL;
}

/* ---- the loop ---- */

static bool make(struct live *live)
{
    live->publishes = calloc(1, sizeof(*live->publishes));
    if (live->publishes == NULL)
        return false;
    *live->publishes = (struct watch_publishes){
        .prefix = live->arguments->prefix, .on_publish = on_publish, .user = live, .fd = -1};
    for (int i = 0; i < INSTANCES * TOPICS; i++) {
        struct watch_stream *stream = calloc(1, sizeof(*stream));
        if (stream == NULL)
            return false;
        *stream =
            (struct watch_stream){.path = paths[i % TOPICS], .on_event = on_event, .user = live, .fd = -1};
        live->streams[i / TOPICS][i % TOPICS] = stream;
    }
    return true;
}

static void open_missing(struct live *live)
{
    for (int i = 0; i < INSTANCES * TOPICS; i++) {
        int instance = i / TOPICS, topic = i % TOPICS;
        if (live->streams[instance][topic]->fd >= 0)
            continue;
        live->seen[instance][topic] = false;
        watch_stream_open(live->streams[instance][topic], &live->arguments->instances[instance]);
    }
    if (live->publishes->fd < 0)
        watch_publishes_open(live->publishes, &live->arguments->redis);
}

/* Publishes come first: each is known before what it leads to. */
static void wait_and_read(struct live *live)
{
    struct pollfd fds[1 + INSTANCES * TOPICS];
    fds[0] = (struct pollfd){.fd = live->publishes->fd, .events = POLLIN};
    for (int i = 0; i < INSTANCES * TOPICS; i++)
        fds[1 + i] = (struct pollfd){.fd = live->streams[i / TOPICS][i % TOPICS]->fd, .events = POLLIN};
    if (poll(fds, 1 + INSTANCES * TOPICS, EARLY_MS) <= 0)
        return;
    bool subscribed = live->publishes->subscribed;
    if (fds[0].revents != 0 && !watch_publishes_read(live->publishes) && subscribed)
        show("Redis       the connection is gone");
    for (int i = 0; i < INSTANCES * TOPICS; i++) {
        if (fds[1 + i].revents != 0)
            watch_stream_read(live->streams[i / TOPICS][i % TOPICS]);
    }
}

int watch_live(const struct watch_arguments *arguments)
{
    struct live live = {.arguments = arguments};
    pthread_t thread;
    if (!make(&live) || pthread_create(&thread, NULL, watch_status, (void *)arguments) != 0) {
        fputs("freshet-watch: no memory\n", stderr);
        return 1;
    }
    for (int64_t opened_us = 0;;) {
        if (watch_now_us() - opened_us > REOPEN_MS * 1000) {
            opened_us = watch_now_us();
            open_missing(&live);
        }
        wait_and_read(&live);
        show_loads(&live);
    }
}
