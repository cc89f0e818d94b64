#include "bus/redis/proto/push.h"

static bool is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;
}

static struct freshet_span text_of(const redisReply *reply)
{
    return freshet_span(reply->str, reply->len);
}

static bool says(const redisReply *reply, const char *text)
{
    return is_text(reply) && freshet_span_equal(text_of(reply), freshet_span_text(text));
}

/* Plain pub/sub and that of a cluster; a link speaks one of them only. */
static bool says_either(const redisReply *reply, const char *plain, const char *sharded)
{
    return says(reply, plain) || says(reply, sharded);
}

static struct fr_redis_push read_message(const redisReply *channel, const redisReply *body)
{
    struct fr_redis_push push = {.kind = FR_REDIS_PUSH_OTHER};
    bool oversized = body->type == REDIS_REPLY_NIL;
    if (channel->type != REDIS_REPLY_STRING || !(oversized || body->type == REDIS_REPLY_STRING))
        return push;
    push.kind = FR_REDIS_PUSH_MESSAGE;
    push.channel = text_of(channel);
    push.body = oversized ? freshet_span(NULL, 0) : text_of(body);
    push.oversized = oversized;
    return push;
}

static struct fr_redis_push read_acknowledgement(enum fr_redis_push_kind kind, const redisReply *channel)
{
    struct fr_redis_push push = {.kind = FR_REDIS_PUSH_OTHER};
    if (channel->type != REDIS_REPLY_STRING)
        return push;
    push.kind = kind;
    push.channel = text_of(channel);
    return push;
}

struct fr_redis_push fr_redis_push_read(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        return (struct fr_redis_push){.kind = FR_REDIS_PUSH_ERROR, .body = text_of(reply)};
    if (says(reply, "PONG"))
        return (struct fr_redis_push){.kind = FR_REDIS_PUSH_PONG};
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 3) {
        if (says_either(reply->element[0], "message", "smessage"))
            return read_message(reply->element[1], reply->element[2]);
        if (says_either(reply->element[0], "subscribe", "ssubscribe"))
            return read_acknowledgement(FR_REDIS_PUSH_SUBSCRIBED, reply->element[1]);
        if (says_either(reply->element[0], "unsubscribe", "sunsubscribe"))
            return read_acknowledgement(FR_REDIS_PUSH_UNSUBSCRIBED, reply->element[1]);
    }
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && says(reply->element[0], "pong"))
        return (struct fr_redis_push){.kind = FR_REDIS_PUSH_PONG};
    return (struct fr_redis_push){.kind = FR_REDIS_PUSH_OTHER};
}
