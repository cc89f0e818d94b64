/* freshet-bridge tail: subscribes to one topic of the bus, as an instance does, and writes what comes. */
#include "command/internal.h"
#include "publish/msgpack.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { STOP_DEADLINE_MS = 100, SUBSCRIPTION = 1 };

/* ---- a line ---- */

static void write_time(uint64_t time_us)
{
    struct tm utc;
    char text[32];
    time_t seconds = (time_t)(time_us / 1000000);
    if (gmtime_r(&seconds, &utc) == NULL)
        return;
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    printf("%s.%03uZ ", text, (unsigned)(time_us / 1000 % 1000));
}

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void write_payload(struct freshet_span payload)
{
    json_t *json = msgpack_read(payload);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
    puts(text == NULL ? "a message that is no JSON" : text);
    free(text);
    json_decref(json);
}

/* Bodies that are not the library's, such as the empty one of redis-cli, come at this moment. */
static void on_message(void *context, struct freshet_span topic, struct freshet_span body, bool oversized)
{
    struct freshet_message message;
    bool is_ours = freshet_message_decode(body, &message) == FRESHET_OK;
    (void)context, (void)topic;
    flockfile(stdout);
    write_time(is_ours ? message.time_us : now_us());
    if (oversized)
        puts("a message that is too long");
    else if (!is_ours || message.payload.len == 0)
        puts(is_ours || body.len == 0 ? "signal" : "signal, in another format");
    else
        write_payload(message.payload);
    fflush(stdout);
    funlockfile(stdout);
}

/* ---- what happens to the subscription ---- */

static void on_subscribed(void *context, struct freshet_span topic, uint64_t subscription)
{
    (void)context, (void)subscription;
    fprintf(stderr, "listening to %.*s\n", (int)topic.len, topic.data);
}

static void on_lost(void *context, struct freshet_span topic, uint64_t subscription)
{
    (void)context, (void)subscription;
    fprintf(stderr, "not listening to %.*s for now\n", (int)topic.len, topic.data);
}

static void on_refused(void *context, struct freshet_span topic, uint64_t subscription,
                       struct freshet_span reason)
{
    (void)context, (void)subscription;
    fprintf(stderr, "%.*s is refused: %.*s\n", (int)topic.len, topic.data, (int)reason.len, reason.data);
}

static void on_everything(void *context)
{
    (void)context;
    fputs("somebody lost the names of what it published: anything may have changed\n", stderr);
}

static void on_state(void *context, enum freshet_bus_state state, struct freshet_span reason)
{
    (void)context;
    if (state == FRESHET_BUS_DOWN)
        fprintf(stderr, "Redis is away: %.*s\n", (int)reason.len, reason.len == 0 ? "" : reason.data);
}

static void on_published(void *context, void *token, enum freshet_status status, int64_t receivers)
{
    (void)context, (void)token, (void)status, (void)receivers;
}

/* ---- until somebody ends it ---- */

static void wait_for_end(void)
{
    sigset_t set;
    int number;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigwait(&set, &number);
}

int command_tail(struct command *command)
{
    const struct freshet_bus_ops *ops = command->bus->ops;
    struct freshet_bus_sink sink = {.log = command->log,
                                    .message = on_message,
                                    .subscribed = on_subscribed,
                                    .lost = on_lost,
                                    .refused = on_refused,
                                    .everything = on_everything,
                                    .state = on_state,
                                    .published = on_published};
    struct freshet_error error = {""};
    enum freshet_status status = ops->start(command->bus, &sink, &error);
    if (status == FRESHET_OK)
        status =
            ops->subscribe(command->bus, freshet_span(command->topic.text, command->topic.len), SUBSCRIPTION);
    if (status == FRESHET_OK) {
        wait_for_end();
        ops->stop(command->bus, STOP_DEADLINE_MS);
    } else {
        fprintf(stderr, "freshet-bridge: %s\n",
                error.text[0] == '\0' ? freshet_status_text(status) : error.text);
    }
    freshet_bus_destroy(command->bus);
    return status == FRESHET_OK ? 0 : 1;
}
