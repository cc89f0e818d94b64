/* The subscribe link of a shard: messages, acknowledgements, control channels. On the bus thread. */
#include "base/clock.h"
#include "base/log.h"
#include "bus/redis/proto/wire.h"
#include "bus/redis/shard/shard.h"
#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

void fr_redis_shard_pump(struct fr_redis_shard *shard)
{
    fr_redis_subscriptions_pump(&shard->subscriptions, fr_clock_monotonic_us());
}

static void on_subscribe_up(void *user)
{
    struct fr_redis_shard *shard = user;
    fr_redis_shard_update_state(shard, "subscribing");
    fr_redis_subscriptions_linked(&shard->subscriptions);
    fr_redis_shard_pump(shard);
}

static void on_subscribe_down(void *user, const struct fr_redis_reason *reason)
{
    struct fr_redis_shard *shard = user;
    fr_redis_subscriptions_lost(&shard->subscriptions);
    fr_redis_shard_lose_proof(shard);
    fr_redis_shard_update_state(shard, reason->text);
}

/* The part of a channel behind the prefix, which every channel of ours has. */
static bool topic_of(const struct fr_redis_shard *shard, struct freshet_span channel,
                     struct freshet_span *topic)
{
    if (channel.len < shard->prefix.len || memcmp(channel.data, shard->prefix.data, shard->prefix.len) != 0)
        return false;
    *topic = freshet_span(channel.data + shard->prefix.len, channel.len - shard->prefix.len);
    return true;
}

static bool is_control(struct freshet_span topic)
{
    return topic.len > 0 && topic.data[0] == '/';
}

static void take_control(struct fr_redis_shard *shard, struct freshet_span topic, struct freshet_span body)
{
    if (freshet_span_equal(topic, freshet_span_text(shard->options.everything))) {
        shard->options.sink->everything(shard->options.sink->context);
        return;
    }
    if (freshet_span_equal(topic, freshet_span_text(shard->options.probes)))
        fr_redis_shard_take_probe(shard, body);
}

static void take_message(struct fr_redis_shard *shard, const struct fr_redis_push *push)
{
    struct freshet_span topic;
    if (!topic_of(shard, push->channel, &topic))
        atomic_fetch_add_explicit(&shard->errors, 1, memory_order_relaxed);
    else if (is_control(topic))
        take_control(shard, topic, push->body);
    else
        shard->options.sink->message(shard->options.sink->context, topic, push->body, push->oversized);
}

static void on_subscribe_reply(void *user, redisReply *reply)
{
    struct fr_redis_shard *shard = user;
    struct fr_redis_push push = fr_redis_push_read(reply);
    if (push.kind == FR_REDIS_PUSH_MESSAGE) {
        take_message(shard, &push);
        return;
    }
    if (!fr_redis_subscriptions_take(&shard->subscriptions, &push, fr_clock_monotonic_us()))
        fr_redis_link_reject(&shard->subscribing, reply);
    else
        fr_redis_shard_pump(shard);
}

static void on_subscribe_ping(void *user)
{
    struct fr_redis_shard *shard = user;
    if (shard->subscriptions.command_count == 0)
        fr_redis_subscriptions_ping(&shard->subscriptions);
}

static bool send_subscription(void *user, const char *verb, const struct freshet_span *channels, size_t count)
{
    struct fr_redis_shard *shard = user;
    struct freshet_span arguments[FR_REDIS_BATCH + 1] = {freshet_span_text(verb)};
    struct evbuffer *output = fr_redis_link_output(&shard->subscribing);
    for (size_t i = 0; i < count; i++)
        arguments[i + 1] = channels[i];
    return output != NULL && fr_redis_wire_add(output, arguments, count + 1);
}

static void on_subscribed(void *user, struct freshet_span channel, uint64_t subscription)
{
    struct fr_redis_shard *shard = user;
    struct freshet_span topic;
    if (!topic_of(shard, channel, &topic))
        return;
    if (!is_control(topic))
        shard->options.sink->subscribed(shard->options.sink->context, topic, subscription);
    else if (freshet_span_equal(topic, freshet_span_text(shard->options.probes)))
        fr_redis_shard_probe(shard);
}

static void on_refused(void *user, struct freshet_span channel, uint64_t subscription,
                       struct freshet_span reason)
{
    struct fr_redis_shard *shard = user;
    struct freshet_span topic;
    struct fr_escaped name = fr_escape(channel), words = fr_escape(reason);
    atomic_fetch_add_explicit(&shard->errors, 1, memory_order_relaxed);
    fr_log(&shard->options.sink->log, FRESHET_LOG_ERROR, "redis refuses channel \"%s\": %s", name.text,
           words.text);
    if (topic_of(shard, channel, &topic) && !is_control(topic))
        shard->options.sink->refused(shard->options.sink->context, topic, subscription,
                                     freshet_span_text(words.text));
}

static void on_put_off(void *user, const char *verb, struct freshet_span reason)
{
    struct fr_redis_shard *shard = user;
    char text[sizeof(shard->put_off)];
    snprintf(text, sizeof(text), "%s: %s", verb, fr_escape(reason).text);
    atomic_fetch_add_explicit(&shard->errors, 1, memory_order_relaxed);
    if (strcmp(text, shard->put_off) != 0)
        fr_log(&shard->options.sink->log, FRESHET_LOG_WARN, "redis subscribe link: refused: %s", text);
    snprintf(shard->put_off, sizeof(shard->put_off), "%s", text);
}

static void on_pinged(void *user, uint64_t number)
{
    fr_redis_shard_take_ping(user, number);
}

struct fr_redis_link_owner fr_redis_shard_subscribe_owner(struct fr_redis_shard *shard)
{
    return (struct fr_redis_link_owner){.user = shard,
                                        .up = on_subscribe_up,
                                        .down = on_subscribe_down,
                                        .reply = on_subscribe_reply,
                                        .ping = on_subscribe_ping};
}

struct fr_redis_subscriptions_owner fr_redis_shard_subscriptions_owner(struct fr_redis_shard *shard)
{
    return (struct fr_redis_subscriptions_owner){.user = shard,
                                                 .send = send_subscription,
                                                 .subscribed = on_subscribed,
                                                 .refused = on_refused,
                                                 .put_off = on_put_off,
                                                 .pinged = on_pinged};
}
