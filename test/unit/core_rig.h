/* A freshet without sockets for tests of the core: a scripted bus, a clock that stands still, workers that
 * are run by hand on one thread, loads that stay open until the test answers them, and clients that record
 * what they take. */
#ifndef CORE_RIG_H
#define CORE_RIG_H

#include "core/guard/admission.h"
#include "core/hub/view.h"
#include "core/hub/visit.h"
#include "core/load/loader.h"
#include "core/runtime/context.h"
#include "core/runtime/worker_internal.h"
#include <criterion/criterion.h>
#include <freshet/freshet.h>
#include <stdio.h>
#include <stdlib.h>

#define RIG_MAX 64

struct rig_bus {
    struct freshet_bus base;
    struct freshet_bus_sink sink;
    bool refuse_subscribe; /* as if there were no memory */
    unsigned subscribes, unsubscribes, publishes;
    uint64_t subscription;
    char topic[64];  /* subscribed last */
    char body[1024]; /* published last */
    size_t body_len;
    bool keep_tokens; /* publishes stay unanswered */
};

struct rig_load {
    struct freshet_load handle;
    enum freshet_load_cause cause;
    uint64_t publishes;
    struct freshet_message message;
    int64_t deadline_us;
    const struct freshet_request *request; /* until it is answered */
    char topic[64], identity[64];
};

struct rig {
    struct freshet *freshet;
    struct rig_bus *bus;
    int64_t now_us;
    struct fr_worker *workers[4];
    unsigned worker_count, workers_wanted; /* the latter join when loaders and guards have been added */
    struct rig_load loads[RIG_MAX];        /* in the order they began */
    unsigned load_count;
};

struct client {
    struct fr_view view;
    bool blocked; /* does not take */
    bool lost;
    enum freshet_close_reason reason;
    char end_code[48], end_location[64]; /* what a guard or an identity function said */
    unsigned snapshots, unchanged, errors;
    char last[256];      /* the newest snapshot's frame */
    char error[256];     /* the newest load-error's */
    char order[RIG_MAX]; /* 's', 'u', 'e' for each piece of news */
    char messages[4096]; /* the data of messages and gaps, each with a space behind it */
};

static struct rig rig;

/* ---- the bus ---- */

static enum freshet_status rig_bus_start(struct freshet_bus *base, const struct freshet_bus_sink *sink,
                                         struct freshet_error *error)
{
    (void)error;
    ((struct rig_bus *)base)->sink = *sink;
    sink->state(sink->context, FRESHET_BUS_PROVED, freshet_span_text(""));
    return FRESHET_OK;
}

static enum freshet_status rig_bus_subscribe(struct freshet_bus *base, struct freshet_span topic,
                                             uint64_t number)
{
    struct rig_bus *bus = (struct rig_bus *)base;
    if (bus->refuse_subscribe)
        return FRESHET_NO_MEMORY;
    bus->subscribes++;
    bus->subscription = number;
    snprintf(bus->topic, sizeof(bus->topic), "%.*s", (int)topic.len, topic.data);
    return FRESHET_OK;
}

static void rig_bus_unsubscribe(struct freshet_bus *base, struct freshet_span topic)
{
    (void)topic;
    ((struct rig_bus *)base)->unsubscribes++;
}

static enum freshet_status rig_bus_publish(struct freshet_bus *base, struct freshet_span topic,
                                           struct freshet_span body, bool signal, void *token)
{
    struct rig_bus *bus = (struct rig_bus *)base;
    (void)topic;
    (void)signal;
    bus->publishes++;
    memcpy(bus->body, body.data, body.len);
    bus->body_len = body.len;
    if (!bus->keep_tokens)
        bus->sink.published(bus->sink.context, token, FRESHET_OK, 2);
    return FRESHET_OK;
}

static void rig_bus_stats(struct freshet_bus *base, struct freshet_bus_stats *stats)
{
    (void)base;
    *stats = (struct freshet_bus_stats){.state = FRESHET_BUS_PROVED};
}

static void rig_bus_stop(struct freshet_bus *base, uint64_t deadline_ms)
{
    (void)base;
    (void)deadline_ms;
}

static void rig_bus_destroy(struct freshet_bus *base)
{
    free(base);
}

static const struct freshet_bus_ops rig_bus_ops = {.start = rig_bus_start,
                                                   .subscribe = rig_bus_subscribe,
                                                   .unsubscribe = rig_bus_unsubscribe,
                                                   .publish = rig_bus_publish,
                                                   .stats = rig_bus_stats,
                                                   .stop = rig_bus_stop,
                                                   .destroy = rig_bus_destroy};

static inline void rig_acknowledge(void)
{
    rig.bus->sink.subscribed(rig.bus->sink.context, freshet_span_text(rig.bus->topic), rig.bus->subscription);
}

/* Somebody else publishes. */
static inline void rig_message(const char *topic)
{
    rig.bus->sink.message(rig.bus->sink.context, freshet_span_text(topic), freshet_span(NULL, 0), false);
}

static inline void rig_bus_state(enum freshet_bus_state state)
{
    rig.bus->sink.state(rig.bus->sink.context, state, freshet_span_text("scripted"));
}

/* ---- workers and clients ---- */

static void rig_wake(void *user)
{
    (void)user; /* rig_run() gives turns until all is quiet */
}

/* A frame with one data line, maybe behind other lines. */
static inline void client_note_message(struct client *client, struct freshet_span body)
{
    char text[256];
    size_t used = strlen(client->messages);
    snprintf(text, sizeof(text), "%.*s", (int)body.len, body.data);
    char *data = strstr(text, "data: ");
    cr_assert_not_null(data);
    data[strcspn(data, "\n")] = '\0';
    snprintf(client->messages + used, sizeof(client->messages) - used, "%s ", data + strlen("data: "));
}

static inline void client_take(struct client *client)
{
    struct fr_bytes *frame;
    for (enum fr_view_news news; (news = fr_view_take(&client->view, &frame)) != FR_NEWS_NONE;) {
        char *text = news == FR_NEWS_ERROR ? client->error : client->last;
        struct freshet_span body = fr_frame_body(frame->span);
        if (news == FR_NEWS_MESSAGE || news == FR_NEWS_GAP) {
            client_note_message(client, body);
            fr_bytes_release(frame);
            continue;
        }
        unsigned count = client->snapshots + client->unchanged + client->errors;
        cr_assert_lt(count, RIG_MAX - 1);
        client->order[count] = news == FR_NEWS_SNAPSHOT ? 's' : news == FR_NEWS_ERROR ? 'e' : 'u';
        client->snapshots += news == FR_NEWS_SNAPSHOT;
        client->unchanged += news == FR_NEWS_UNCHANGED;
        client->errors += news == FR_NEWS_ERROR;
        snprintf(text, sizeof(client->last), "%.*s", (int)body.len, body.data);
        fr_bytes_release(frame);
    }
}

static void rig_view_ready(struct fr_view *view)
{
    struct client *client = FR_CONTAINER(view, struct client, view);
    if (!client->blocked)
        client_take(client);
}

static void rig_view_lost(struct fr_view *view, enum freshet_close_reason reason)
{
    struct client *client = FR_CONTAINER(view, struct client, view);
    client->lost = true;
    client->reason = reason;
    if (reason != FRESHET_CLOSE_DENIED)
        return;
    snprintf(client->end_code, sizeof(client->end_code), "%s", view->admission->verdict->code);
    if (view->admission->verdict->location != NULL)
        snprintf(client->end_location, sizeof(client->end_location), "%s",
                 view->admission->verdict->location);
}

static inline struct fr_worker *rig_add_worker(void)
{
    static const struct fr_worker_host host = {
        .wake = rig_wake, .view_ready = rig_view_ready, .view_lost = rig_view_lost};
    struct fr_worker **worker = &rig.workers[rig.worker_count++];
    cr_assert_eq(fr_worker_new(worker, rig.freshet, &host), FRESHET_OK);
    return *worker;
}

static inline void rig_join(void)
{
    while (rig.worker_count < rig.workers_wanted)
        rig_add_worker();
}

/* Turns until nothing is left to do at this time. */
static inline void rig_run(void)
{
    rig_join();
    for (int quiet = 0; quiet < 3; quiet++) {
        for (unsigned i = 0; i < rig.worker_count; i++)
            if (rig.workers[i] != NULL && fr_worker_turn(rig.workers[i]) <= rig.now_us)
                quiet = 0;
    }
}

static inline void rig_pass_ms(int64_t ms)
{
    rig_join();
    for (; ms > 0; ms--) {
        rig.now_us += 1000;
        for (unsigned i = 0; i < rig.worker_count; i++)
            if (rig.workers[i] != NULL && fr_worker_next(rig.workers[i]) <= rig.now_us)
                rig_run();
    }
}

/* ---- loads ---- */

static void rig_load(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    struct rig_load *held = &rig.loads[rig.load_count++ % RIG_MAX];
    (void)user;
    *held = (struct rig_load){.handle = load, .cause = context->cause, .publishes = context->publishes};
    held->message = context->message;
    held->deadline_us = context->deadline_us;
    held->request = context->request;
    snprintf(held->identity, sizeof(held->identity), "%.*s", (int)context->identity.len,
             context->identity.data);
    snprintf(held->topic, sizeof(held->topic), "%.*s", (int)context->topic.len, context->topic.data);
}

static inline struct rig_load *rig_last_load(void)
{
    cr_assert_gt(rig.load_count, 0);
    return &rig.loads[(rig.load_count - 1) % RIG_MAX];
}

static inline void rig_answer(const char *text)
{
    cr_assert_eq(freshet_load_answer(rig_last_load()->handle, freshet_span_text(text)), FRESHET_OK);
    rig_run();
}

static inline void rig_fail(const char *code)
{
    cr_assert_eq(freshet_load_fail(rig_last_load()->handle, code, NULL), FRESHET_OK);
    rig_run();
}

/* ---- life ---- */

static int64_t rig_now_us(void *user)
{
    (void)user;
    return rig.now_us;
}

/* Before rig_join(), as guards of routes. `loader` may be NULL; its name, route, channel and load are filled
 * in where missing. */
static inline struct freshet_loader *rig_add_loader(const struct freshet_loader_options *options)
{
    struct freshet_loader_options filled = options == NULL ? (struct freshet_loader_options){0} : *options;
    struct freshet_channel *channel = NULL;
    struct freshet_loader *loader;
    filled.size = sizeof(filled);
    if (filled.name == NULL)
        filled.name = "board";
    if (filled.route == NULL)
        filled.route = "board/:id";
    if (filled.channel == NULL && filled.topic == NULL) {
        cr_assert_eq(freshet_channel_new(&channel, filled.route, NULL), FRESHET_OK);
        filled.channel = channel;
    }
    if (filled.load == NULL && !filled.messages)
        filled.load = rig_load;
    filled.on_loop = true;
    struct freshet_error error = {""};
    cr_assert_eq(freshet_loader_new(rig.freshet, &filled, &loader, &error), FRESHET_OK, "%s", error.text);
    freshet_channel_destroy(channel);
    return loader;
}

static inline void rig_begin(struct freshet_options options, unsigned workers)
{
    rig = (struct rig){.now_us = 1000000000};
    rig.bus = calloc(1, sizeof(*rig.bus));
    rig.bus->base.ops = &rig_bus_ops;
    options.size = sizeof(options);
    options.bus = &rig.bus->base;
    cr_assert_eq(freshet_new(&rig.freshet, &options, NULL), FRESHET_OK);
    fr_freshet_set_clock(rig.freshet, rig_now_us, NULL);
    rig.workers_wanted = workers;
}

static inline void rig_leave(unsigned worker)
{
    fr_worker_leave(rig.workers[worker]);
    rig.workers[worker] = NULL;
}

static inline void rig_end(void)
{
    rig_run();
    for (unsigned i = 0; i < rig.worker_count; i++)
        if (rig.workers[i] != NULL)
            rig_leave(i);
    freshet_destroy(rig.freshet, 1000);
}

static inline enum fr_visit_answer client_try(struct client *client, unsigned worker, const char *path,
                                              const struct fr_version *held, struct freshet_refusal *refusal)
{
    rig_join();
    struct fr_visit visit = {.worker = rig.workers[worker], .has_held = held != NULL};
    if (held != NULL)
        visit.held = *held;
    *client = (struct client){.blocked = false};
    enum freshet_status status =
        fr_route_find(rig.freshet, freshet_span_text(path), &visit.loader, &visit.params);
    if (status != FRESHET_OK)
        return status == FRESHET_NO_MEMORY ? FR_VISIT_LATER : FR_VISIT_NO;
    return fr_visit_open(&visit, &client->view, refusal);
}

static inline void client_open(struct client *client, unsigned worker, const char *path)
{
    struct freshet_refusal refusal = {0};
    cr_assert_eq(client_try(client, worker, path, NULL, &refusal), FR_VISIT_YES, "refused: %s", refusal.code);
    rig_run();
}

static inline void client_close(struct client *client)
{
    fr_view_close(&client->view);
    rig_run();
}

static inline bool client_has(const struct client *client, const char *text)
{
    char line[300];
    snprintf(line, sizeof(line), "data: %s\n", text);
    return strstr(client->last, line) != NULL;
}

static inline bool client_has_error(const struct client *client, const char *code)
{
    return strstr(client->error, code) != NULL;
}

static inline struct freshet_stats rig_stats(void)
{
    struct freshet_stats stats;
    freshet_stats_get(rig.freshet, &stats);
    return stats;
}

static inline struct freshet_topic rig_topic(const char *text)
{
    struct freshet_topic topic = {.len = (uint16_t)strlen(text)};
    memcpy(topic.text, text, topic.len);
    return topic;
}

static inline void rig_publish(const char *text)
{
    struct freshet_topic topic = rig_topic(text);
    cr_assert_eq(freshet_publish(rig.freshet, &topic, freshet_span(NULL, 0), NULL, NULL), FRESHET_OK);
    rig_run();
}

#endif
