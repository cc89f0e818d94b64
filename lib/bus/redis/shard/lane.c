#include "bus/redis/shard/lane.h"

#include "base/clock.h"
#include "base/log.h"
#include "bus/redis/cluster/slot.h"
#include "bus/redis/shard/shard.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool fr_redis_lane_topic(const struct fr_redis_lane *lane, struct freshet_span channel,
                         struct freshet_span *topic)
{
    if (channel.len < lane->prefix.len || memcmp(channel.data, lane->prefix.data, lane->prefix.len) != 0)
        return false;
    *topic = freshet_span(channel.data + lane->prefix.len, channel.len - lane->prefix.len);
    return true;
}

bool fr_redis_lane_is_control(struct freshet_span topic)
{
    return topic.len > 0 && topic.data[0] == '/';
}

static bool send_subscription(void *user, enum fr_redis_verb verb, const struct freshet_span *channels,
                              size_t count)
{
    struct fr_redis_lane *lane = user;
    return fr_redis_shard_send_subscription(lane->shard, lane, verb, channels, count);
}

static void on_subscribed(void *user, struct freshet_span channel, uint64_t subscription)
{
    struct fr_redis_lane *lane = user;
    struct freshet_span topic;
    if (!fr_redis_lane_topic(lane, channel, &topic))
        return;
    if (!fr_redis_lane_is_control(topic))
        lane->options.sink->subscribed(lane->options.sink->context, topic, subscription);
    else if (freshet_span_equal(channel, fr_redis_shard_probe_channel(lane->shard)))
        fr_redis_shard_probe(lane->shard);
}

/* Of a Redis that stands alone the state says that, for all topics at once. */
static void on_lost(void *user, struct freshet_span channel, uint64_t subscription)
{
    struct fr_redis_lane *lane = user;
    struct freshet_span topic;
    if (fr_redis_lane_topic(lane, channel, &topic) && !fr_redis_lane_is_control(topic))
        lane->options.sink->lost(lane->options.sink->context, topic, subscription);
}

static void on_refused(void *user, struct freshet_span channel, uint64_t subscription,
                       struct freshet_span reason)
{
    struct fr_redis_lane *lane = user;
    struct freshet_span topic;
    struct fr_escaped name = fr_escape(channel), words = fr_escape(reason);
    fr_redis_shard_count_error(lane->shard);
    fr_log(&lane->options.sink->log, FRESHET_LOG_ERROR, "redis refuses channel \"%s\": %s", name.text,
           words.text);
    if (fr_redis_lane_topic(lane, channel, &topic) && !fr_redis_lane_is_control(topic))
        lane->options.sink->refused(lane->options.sink->context, topic, subscription,
                                    freshet_span_text(words.text));
}

static void on_put_off(void *user, enum fr_redis_verb verb, struct freshet_span reason)
{
    const struct fr_redis_lane *lane = user;
    fr_redis_shard_note_put_off(lane->shard, verb, reason);
}

static void on_pinged(void *user, uint64_t number)
{
    const struct fr_redis_lane *lane = user;
    fr_redis_shard_take_ping(lane->shard, number);
}

static void on_answer(void *user, void *token, enum freshet_status status, int64_t receivers)
{
    const struct fr_redis_lane *lane = user;
    lane->options.sink->published(lane->options.sink->context, token, status, receivers);
}

static void name_channels(struct fr_redis_lane *lane)
{
    const struct fr_redis_lane_options *options = &lane->options;
    int len = options->is_sharded
                  ? snprintf(lane->prefix_text, sizeof(lane->prefix_text), "%s{%u}", options->config->prefix,
                             options->tag)
                  : snprintf(lane->prefix_text, sizeof(lane->prefix_text), "%s", options->config->prefix);
    lane->prefix = freshet_span(lane->prefix_text, (size_t)len);
    lane->slot = fr_redis_slot_of(lane->prefix);
}

static bool init_outbox(struct fr_redis_lane *lane)
{
    const struct freshet_redis_options *options = &lane->options.config->options;
    char everything[sizeof(lane->prefix_text) + 32];
    int len = snprintf(everything, sizeof(everything), "%s%s", lane->prefix_text, lane->options.everything);
    struct fr_redis_outbox_options outbox = {
        .room = lane->options.room,
        .max_age_us = options->max_queued_ms == FRESHET_NEVER
                          ? INT64_MAX
                          : (int64_t)options->max_queued_ms * FR_US_PER_MS,
        .verb = lane->options.is_sharded ? "SPUBLISH" : "PUBLISH",
        .everything_channel = freshet_span(everything, (size_t)len),
        .user = lane,
        .answer = on_answer,
    };
    return fr_redis_outbox_init(&lane->outbox, &outbox);
}

bool fr_redis_lane_init(struct fr_redis_lane *lane, const struct fr_redis_lane_options *options)
{
    *lane = (struct fr_redis_lane){.options = *options, .accepted_us = FR_REDIS_NEVER_ACCEPTED};
    fr_list_init(&lane->link);
    name_channels(lane);
    /* Of many lanes, each has few channels at a time: one command out lets them gather. */
    struct fr_redis_subscriptions_owner owner = {.user = lane,
                                                 .max_unanswered = options->is_sharded ? 1 : 0,
                                                 .send = send_subscription,
                                                 .subscribed = on_subscribed,
                                                 .lost = options->is_sharded ? on_lost : NULL,
                                                 .refused = on_refused,
                                                 .put_off = on_put_off,
                                                 .pinged = on_pinged};
    lane->mark = fr_redis_channel_new(lane->prefix, freshet_span_text(options->everything), 0);
    return lane->mark != NULL && fr_redis_subscriptions_init(&lane->subscriptions, &owner) &&
           init_outbox(lane);
}

void fr_redis_lane_deinit(struct fr_redis_lane *lane)
{
    free(lane->mark);
    lane->mark = NULL;
    fr_redis_subscriptions_deinit(&lane->subscriptions);
    fr_redis_outbox_deinit(&lane->outbox);
}

void fr_redis_lane_want(struct fr_redis_lane *lane, struct fr_redis_channel *channel)
{
    if (lane->mark != NULL)
        fr_redis_subscriptions_add(&lane->subscriptions, lane->mark);
    lane->mark = NULL;
    fr_redis_subscriptions_add(&lane->subscriptions, channel);
}

void fr_redis_lane_join(struct fr_redis_lane *lane, struct fr_redis_shard *shard)
{
    lane->shard = shard;
    fr_list_append(&shard->lanes, &lane->link);
    if (fr_redis_link_is_up(&shard->subscribing))
        fr_redis_subscriptions_linked(&lane->subscriptions);
    fr_redis_shard_seat(shard);
}

void fr_redis_lane_leave(struct fr_redis_lane *lane)
{
    lane->epoch++;
    fr_redis_subscriptions_lost(&lane->subscriptions);
    fr_redis_outbox_lost(&lane->outbox);
    if (lane->accepted_us != FR_REDIS_NEVER_ACCEPTED)
        fr_redis_outbox_owe_mark(&lane->outbox);
    lane->accepted_us = FR_REDIS_NEVER_ACCEPTED;
    struct fr_redis_shard *shard = lane->shard;
    fr_list_remove(&lane->link);
    lane->shard = NULL;
    fr_redis_shard_unseat(shard, lane);
}

void fr_redis_lane_vouch(struct fr_redis_lane *lane, int64_t asked_us)
{
    if (lane->accepted_us < asked_us)
        lane->accepted_us = FR_REDIS_NEVER_ACCEPTED;
}
