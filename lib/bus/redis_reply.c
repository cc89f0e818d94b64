#include "bus/redis_reply.h"

#include "bus/redis_guard.h"
#include <stdlib.h>

static struct freshet_span text_of(const redisReply *reply)
{
    return freshet_span(reply->str, reply->len);
}

/* Depth is bounded by the guard. */
static size_t count_all(const redisReply *reply)
{
    size_t count = 1;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        count += count_all(reply->element[i]);
    return count;
}

static bool is_cut(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        return freshet_span_equal(text_of(reply), freshet_span_text(FR_REDIS_GUARD_CUT));
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        if (is_cut(reply->element[i]))
            return true;
    return false;
}

/* `free_slots`: the first struct not yet used; elements of one array stand together. */
static void fill(struct freshet_redis_reply *to, const redisReply *from,
                 struct freshet_redis_reply **free_slots)
{
    switch (from->type) {
    case REDIS_REPLY_NIL:
        to->type = FRESHET_REDIS_NIL;
        break;
    case REDIS_REPLY_INTEGER:
        to->type = FRESHET_REDIS_INTEGER;
        to->integer = from->integer;
        break;
    case REDIS_REPLY_ARRAY: {
        struct freshet_redis_reply *elements = *free_slots;
        *free_slots += from->elements;
        to->type = FRESHET_REDIS_ARRAY;
        to->elements = elements;
        to->element_count = from->elements;
        for (size_t i = 0; i < from->elements; i++)
            fill(&elements[i], from->element[i], free_slots);
        break;
    }
    default:
        to->type = from->type == REDIS_REPLY_ERROR ? FRESHET_REDIS_ERROR : FRESHET_REDIS_TEXT;
        to->text = text_of(from);
    }
}

struct freshet_redis_reply *fr_redis_reply_convert(const redisReply *reply)
{
    bool cut = is_cut(reply);
    struct freshet_redis_reply *converted = calloc(cut ? 1 : count_all(reply), sizeof(*converted));
    if (converted == NULL)
        return NULL;
    struct freshet_redis_reply *free_slots = converted + 1;
    if (cut) {
        converted->type = FRESHET_REDIS_ERROR;
        converted->text = freshet_span_text("FRESHET the reply is over max_reply_bytes");
    } else {
        fill(converted, reply, &free_slots);
    }
    return converted;
}
