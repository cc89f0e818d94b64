#include "bus/redis/bus.h"

#include "base/clock.h"
#include "base/forks.h"
#include "base/log.h"
#include "base/random.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Mail that is not a publish. */
struct request {
    struct fr_mail mail;
    struct fr_redis_bus *bus;
    struct fr_redis_lane *lane;
    struct fr_redis_channel *channel;
    uint64_t deadline_ms;
};

static struct fr_redis_bus *redis_of(struct freshet_bus *bus)
{
    return FR_CONTAINER(bus, struct fr_redis_bus, bus);
}

static void deliver_begin(struct fr_mail *mail)
{
    struct request *request = FR_CONTAINER(mail, struct request, mail);
    fr_redis_bus_begin(request->bus);
    free(request);
}

static enum freshet_status run(struct fr_redis_bus *redis, struct freshet_error *error)
{
    struct request *request = malloc(sizeof(*request));
    if (request == NULL)
        return fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    *request = (struct request){.mail.deliver = deliver_begin, .bus = redis};
    fr_redis_loop_post(&redis->loop, &request->mail);
    if (fr_redis_loop_start(&redis->loop, "freshet-bus") == FRESHET_OK)
        return FRESHET_OK;
    free(request);
    return fr_fail(error, FRESHET_SYSTEM, "redis: cannot start a thread");
}

static enum freshet_status start(struct freshet_bus *bus, const struct freshet_bus_sink *sink,
                                 struct freshet_error *error)
{
    struct fr_redis_bus *redis = redis_of(bus);
    redis->sink = *sink;
    redis->forks = fr_forks();
    enum freshet_status status = fr_redis_loop_init(&redis->loop, fr_redis_bus_settle, redis);
    if (status == FRESHET_OK)
        status = fr_redis_bus_turns_init(redis);
    if (status != FRESHET_OK)
        fr_fail(error, status, "redis: %s", freshet_status_text(status));
    else
        status = run(redis, error);
    redis->started = status == FRESHET_OK;
    if (!redis->started) {
        fr_redis_bus_turns_deinit(redis);
        fr_redis_loop_deinit(&redis->loop);
    }
    return status;
}

static struct fr_redis_lane *lane_of(const struct fr_redis_bus *redis, struct freshet_span topic)
{
    return fr_redis_bus_has_fleet(redis) ? &redis->lanes[fr_redis_partition_of(topic)] : &redis->lanes[0];
}

static void deliver_subscribe(struct fr_mail *mail)
{
    struct request *request = FR_CONTAINER(mail, struct request, mail);
    fr_redis_bus_want(request->bus, request->lane, request->channel);
    free(request);
}

static void deliver_unsubscribe(struct fr_mail *mail)
{
    struct request *request = FR_CONTAINER(mail, struct request, mail);
    fr_redis_subscriptions_remove(&request->lane->subscriptions, fr_redis_channel_name(request->channel));
    free(request->channel);
    free(request);
}

static enum freshet_status post_channel(struct fr_redis_bus *redis, struct freshet_span topic,
                                        uint64_t subscription, void (*deliver)(struct fr_mail *mail))
{
    enum freshet_status status = FRESHET_NO_MEMORY;
    struct request *request = malloc(sizeof(*request));
    struct fr_redis_lane *lane = lane_of(redis, topic);
    struct fr_redis_channel *channel = fr_redis_channel_new(lane->prefix, topic, subscription);
    if (request == NULL || channel == NULL)
        goto fail;
    *request = (struct request){.mail.deliver = deliver, .bus = redis, .lane = lane, .channel = channel};
    status = FRESHET_CLOSED;
    if (fr_redis_loop_post(&redis->loop, &request->mail))
        return FRESHET_OK;
fail:
    free(request);
    free(channel);
    return status;
}

static enum freshet_status subscribe(struct freshet_bus *bus, struct freshet_span topic,
                                     uint64_t subscription)
{
    struct fr_redis_bus *redis = redis_of(bus);
    return redis->started ? post_channel(redis, topic, subscription, deliver_subscribe) : FRESHET_CLOSED;
}

static void unsubscribe(struct freshet_bus *bus, struct freshet_span topic)
{
    struct fr_redis_bus *redis = redis_of(bus);
    /* Without memory the channel stays subscribed: harmless, and counted. */
    if (redis->started && post_channel(redis, topic, 0, deliver_unsubscribe) == FRESHET_NO_MEMORY)
        atomic_fetch_add_explicit(&redis->errors, 1, memory_order_relaxed);
}

static void deliver_publish(struct fr_mail *mail)
{
    struct fr_redis_publish *publish = FR_CONTAINER(mail, struct fr_redis_publish, mail);
    struct fr_redis_lane *lane = publish->owner;
    fr_redis_bus_add(lane->options.user, lane, publish);
}

struct spill {
    struct fr_redis_bus *bus;
    struct fr_redis_lane *lane;
    void *token;
};

static void spill(void *user)
{
    const struct spill *spilt = user;
    struct freshet_bus_sink *sink = &spilt->bus->sink;
    atomic_store(&spilt->lane->overflowed, true);
    atomic_store(&spilt->bus->overflowed, true);
    sink->published(sink->context, spilt->token, FRESHET_OK, -1);
}

/* No room: a signal is kept as the mark "everything", which needs none. */
static enum freshet_status overflow(struct fr_redis_bus *redis, struct fr_redis_lane *lane, bool signal,
                                    void *token)
{
    if (!signal)
        return FRESHET_FULL;
    struct spill spilt = {.bus = redis, .lane = lane, .token = token};
    if (!fr_redis_loop_while_open(&redis->loop, spill, &spilt))
        return FRESHET_CLOSED;
    fr_redis_loop_wake(&redis->loop);
    return FRESHET_OK;
}

static void give_back(struct fr_redis_bus *redis, struct fr_redis_publish *publish)
{
    fr_redis_outbox_dismiss(&redis->room, publish);
    free(publish);
}

static enum freshet_status publish(struct freshet_bus *bus, struct freshet_span topic,
                                   struct freshet_span body, bool signal, void *token)
{
    struct fr_redis_bus *redis = redis_of(bus);
    if (!redis->started)
        return FRESHET_CLOSED;
    if (body.len > redis->config.options.max_message_bytes)
        return FRESHET_TOO_LARGE;
    struct fr_redis_lane *lane = lane_of(redis, topic);
    struct fr_redis_publish *made =
        fr_redis_publish_new(lane->outbox.options.verb, lane->prefix, topic, body, signal, token);
    if (made == NULL)
        return FRESHET_NO_MEMORY;
    if (!fr_redis_outbox_admit(&redis->room, made)) {
        free(made);
        return overflow(redis, lane, signal, token);
    }
    made->mail.deliver = deliver_publish;
    made->owner = lane;
    made->since_us = fr_clock_monotonic_us();
    if (fr_redis_loop_send(&redis->loop, &made->mail, freshet_span(made->wire, made->wire_len), INT64_MAX,
                           &made->written))
        return FRESHET_OK;
    give_back(redis, made);
    return FRESHET_CLOSED;
}

static uint64_t read_counter(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void read_stats(struct freshet_bus *bus, struct freshet_bus_stats *stats)
{
    struct fr_redis_bus *redis = redis_of(bus);
    *stats = (struct freshet_bus_stats){
        .state = (enum freshet_bus_state)atomic_load(&redis->state),
        .errors = read_counter(&redis->errors),
        .probe_age_ms = -1,
        .queued = read_counter(&redis->room.count),
        .collapsed = read_counter(&redis->room.collapsed),
        .resent = read_counter(&redis->room.resent),
    };
    if (redis->lanes == NULL)
        return;
    for (size_t i = 0; i < redis->lane_count; i++) {
        stats->subscriptions += read_counter(&redis->lanes[i].subscriptions.wanted);
        stats->confirmed += read_counter(&redis->lanes[i].subscriptions.confirmed);
    }
    if (fr_redis_bus_has_fleet(redis))
        fr_redis_fleet_add_stats(&redis->fleet, stats);
    else
        fr_redis_shard_add_stats(&redis->only, stats);
}

static void deliver_login(struct fr_mail *mail)
{
    struct request *request = FR_CONTAINER(mail, struct request, mail);
    if (fr_redis_bus_has_fleet(request->bus))
        fr_redis_fleet_log_in(&request->bus->fleet);
    else
        fr_redis_shard_log_in(&request->bus->only);
    free(request);
}

static void deliver_stop(struct fr_mail *mail)
{
    struct request *request = FR_CONTAINER(mail, struct request, mail);
    fr_redis_bus_end(request->bus, request->deadline_ms);
}

static void stop(struct freshet_bus *bus, uint64_t deadline_ms)
{
    struct fr_redis_bus *redis = redis_of(bus);
    if (!redis->started)
        return;
    struct request last = {.mail.deliver = deliver_stop, .bus = redis, .deadline_ms = deadline_ms};
    fr_redis_loop_close(&redis->loop, &last.mail);
    fr_redis_loop_join(&redis->loop);
    if (fr_redis_bus_has_fleet(redis))
        fr_redis_fleet_disband(&redis->fleet);
    bool owes_mark = atomic_load(&redis->overflowed);
    for (size_t i = 0; i < redis->lane_count; i++)
        owes_mark = owes_mark || fr_redis_outbox_owes_mark(&redis->lanes[i].outbox);
    if (owes_mark)
        fr_log(&redis->sink.log, FRESHET_LOG_ERROR,
               "redis bus: stopped before the others could be told to load again");
    for (size_t i = 0; i < redis->lane_count; i++)
        fr_redis_outbox_close(&redis->lanes[i].outbox);
    atomic_store(&redis->state, FRESHET_BUS_DOWN);
    redis->started = false;
}

static void destroy(struct freshet_bus *bus)
{
    struct fr_redis_bus *redis = redis_of(bus);
    stop(bus, 0);
    fr_redis_bus_turns_deinit(redis);
    fr_redis_loop_deinit(&redis->loop);
    fr_redis_config_deinit(&redis->config);
    free(redis);
}

static const struct freshet_bus_ops redis_ops = {
    .start = start,
    .subscribe = subscribe,
    .unsubscribe = unsubscribe,
    .publish = publish,
    .stats = read_stats,
    .stop = stop,
    .destroy = destroy,
};

enum freshet_status freshet_redis_bus_login(struct freshet_bus *bus)
{
    if (bus == NULL || bus->ops != &redis_ops || redis_of(bus)->config.login.ask == NULL)
        return FRESHET_INVALID;
    struct fr_redis_bus *redis = redis_of(bus);
    if (!redis->started || redis->forks != fr_forks())
        return FRESHET_CLOSED;
    struct request *request = malloc(sizeof(*request));
    if (request == NULL)
        return FRESHET_NO_MEMORY;
    *request = (struct request){.mail.deliver = deliver_login, .bus = redis};
    if (fr_redis_loop_post(&redis->loop, &request->mail))
        return FRESHET_OK;
    free(request);
    return FRESHET_CLOSED;
}

enum freshet_status freshet_redis_bus_new(struct freshet_bus **out,
                                          const struct freshet_redis_options *options,
                                          struct freshet_error *error)
{
    if (out == NULL)
        return fr_fail(error, FRESHET_INVALID, "redis: `out` is NULL");
    *out = NULL;
    struct fr_redis_bus *redis = calloc(1, sizeof(*redis));
    if (redis == NULL)
        return fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    enum freshet_status status = fr_redis_config_init(&redis->config, options, error);
    if (status != FRESHET_OK) {
        free(redis);
        return status;
    }
    redis->bus.ops = &redis_ops;
    snprintf(redis->everything, sizeof(redis->everything), "/everything");
    snprintf(redis->probes, sizeof(redis->probes), "/probe/%016" PRIx64 "%016" PRIx64, fr_random(),
             fr_random());
    *out = &redis->bus;
    return FRESHET_OK;
}
