/* The subscribe link of a shard: messages, acknowledgements, control channels. On the bus thread. */
#include "base/clock.h"
#include "base/log.h"
#include "bus/redis/proto/wire.h"
#include "bus/redis/shard/hearing.h"
#include "bus/redis/shard/shard.h"
#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

void fr_redis_shard_pump(struct fr_redis_shard *shard)
{
    int64_t now_us = fr_clock_monotonic_us();
    for (struct fr_list *at = shard->lanes.next; at != &shard->lanes; at = at->next)
        fr_redis_subscriptions_pump(&FR_CONTAINER(at, struct fr_redis_lane, link)->subscriptions, now_us);
}

static void on_subscribe_up(void *user)
{
    struct fr_redis_shard *shard = user;
    fr_redis_shard_update_state(shard, "subscribing");
    for (struct fr_list *at = shard->lanes.next; at != &shard->lanes; at = at->next)
        fr_redis_subscriptions_linked(&FR_CONTAINER(at, struct fr_redis_lane, link)->subscriptions);
    fr_redis_shard_pump(shard);
}

static void on_subscribe_down(void *user, const struct fr_redis_reason *reason)
{
    struct fr_redis_shard *shard = user;
    fr_redis_answers_clear(&shard->subscribe_answers);
    for (struct fr_list *at = shard->lanes.next; at != &shard->lanes; at = at->next)
        fr_redis_subscriptions_lost(&FR_CONTAINER(at, struct fr_redis_lane, link)->subscriptions);
    fr_redis_shard_lose_proof(shard);
    fr_redis_shard_update_state(shard, reason->text);
}

static struct fr_redis_lane *lane_of(struct fr_redis_shard *shard, struct freshet_span channel)
{
    return shard->options.lane_of(shard->options.user, channel);
}

static void take_control(struct fr_redis_shard *shard, struct freshet_span topic, struct freshet_span body)
{
    const struct freshet_bus_sink *sink = shard->options.sink;
    if (freshet_span_equal(topic, freshet_span_text(shard->options.everything)))
        sink->everything(sink->context);
    else if (freshet_span_equal(topic, freshet_span_text(shard->options.probes)))
        fr_redis_shard_take_probe(shard, body);
}

/* Also of a lane that has left: Redis sends what it has until it has heard of it, and once too often is fine.
 */
static void take_message(struct fr_redis_shard *shard, const struct fr_redis_push *push)
{
    const struct freshet_bus_sink *sink = shard->options.sink;
    const struct fr_redis_lane *lane = lane_of(shard, push->channel);
    struct freshet_span topic;
    if (lane == NULL || !fr_redis_lane_topic(lane, push->channel, &topic))
        fr_redis_shard_count_error(shard);
    else if (fr_redis_lane_is_control(topic))
        take_control(shard, topic, push->body);
    else
        sink->message(sink->context, topic, push->body, push->oversized);
}

static void take_answer(struct fr_redis_shard *shard, const struct fr_redis_push *push,
                        const redisReply *reply)
{
    struct fr_redis_hearing hearing = {.answers = &shard->subscribe_answers,
                                       .is_sharded = shard->options.is_sharded,
                                       .shard = shard,
                                       .from = shard->subscribing.where};
    struct fr_redis_lane *named = push->channel.data == NULL ? NULL : lane_of(shard, push->channel);
    switch (fr_redis_hearing_take(&hearing, push, named, fr_clock_monotonic_us())) {
    case FR_REDIS_HEARD_ASTRAY:
        shard->options.astray(shard->options.user, hearing.astray, &hearing.redirect);
        break;
    case FR_REDIS_HEARD_WELL:
        break;
    case FR_REDIS_HEARD_NONSENSE:
        fr_redis_link_reject(&shard->subscribing, reply);
        return;
    }
    fr_redis_shard_pump(shard);
}

static void on_subscribe_reply(void *user, redisReply *reply)
{
    struct fr_redis_shard *shard = user;
    struct fr_redis_push push = fr_redis_push_read(reply);
    if (push.kind == FR_REDIS_PUSH_MESSAGE)
        take_message(shard, &push);
    else
        take_answer(shard, &push, reply);
}

static void on_subscribe_ping(void *user)
{
    struct fr_redis_shard *shard = user;
    if (fr_redis_answers_is_empty(&shard->subscribe_answers) && shard->seat != NULL)
        fr_redis_subscriptions_ping(&shard->seat->subscriptions);
}

static const char *text_of(const struct fr_redis_shard *shard, enum fr_redis_verb verb)
{
    static const char *const plain[] = {"SUBSCRIBE", "UNSUBSCRIBE", "PING"};
    static const char *const sharded[] = {"SSUBSCRIBE", "SUNSUBSCRIBE", "PING"};
    return shard->options.is_sharded ? sharded[verb] : plain[verb];
}

bool fr_redis_shard_send_subscription(struct fr_redis_shard *shard, struct fr_redis_lane *lane,
                                      enum fr_redis_verb verb, const struct freshet_span *channels,
                                      size_t count)
{
    struct freshet_span arguments[FR_REDIS_BATCH + 1] = {freshet_span_text(text_of(shard, verb))};
    struct evbuffer *output = fr_redis_link_output(&shard->subscribing);
    for (size_t i = 0; i < count; i++)
        arguments[i + 1] = channels[i];
    if (output == NULL || !fr_redis_answers_reserve(&shard->subscribe_answers) ||
        !fr_redis_wire_add(output, arguments, count + 1))
        return false;
    fr_redis_answers_add(&shard->subscribe_answers,
                         &(struct fr_redis_awaited){.owner = lane,
                                                    .epoch = lane->epoch,
                                                    .count = verb == FR_REDIS_PING ? 1 : (uint32_t)count,
                                                    .kind = (int)verb});
    return true;
}

void fr_redis_shard_note_put_off(struct fr_redis_shard *shard, enum fr_redis_verb verb,
                                 struct freshet_span reason)
{
    char text[sizeof(shard->put_off)];
    snprintf(text, sizeof(text), "%s: %s", text_of(shard, verb), fr_escape(reason).text);
    fr_redis_shard_count_error(shard);
    if (strcmp(text, shard->put_off) != 0)
        fr_log(&shard->options.sink->log, FRESHET_LOG_WARN, "redis subscribe link: refused: %s", text);
    snprintf(shard->put_off, sizeof(shard->put_off), "%s", text);
}

struct fr_redis_link_owner fr_redis_shard_subscribe_owner(struct fr_redis_shard *shard)
{
    return (struct fr_redis_link_owner){.user = shard,
                                        .up = on_subscribe_up,
                                        .down = on_subscribe_down,
                                        .reply = on_subscribe_reply,
                                        .ping = on_subscribe_ping};
}
