#include "bus/redis/proto/reply.h"

#include "bus/redis/proto/resp_limit.h"
#include <stdlib.h>
#include <string.h>

static struct freshet_span text_of(const redisReply *reply)
{
    return freshet_span(reply->str, reply->len);
}

static bool has_text(const redisReply *reply)
{
    return reply->type != REDIS_REPLY_NIL && reply->type != REDIS_REPLY_INTEGER &&
           reply->type != REDIS_REPLY_ARRAY;
}

/* Structs and texts of a reply and all its parts. Depth is bounded by the guard. */
static void measure(const redisReply *reply, size_t *structs, size_t *text_bytes)
{
    ++*structs;
    if (has_text(reply))
        *text_bytes += reply->len;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        measure(reply->element[i], structs, text_bytes);
}

static bool is_cut(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        return freshet_span_equal(text_of(reply), freshet_span_text(FR_RESP_LIMIT_CUT));
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        if (is_cut(reply->element[i]))
            return true;
    return false;
}

/* What of the allocation is not used yet; elements of one array stand together. */
struct room {
    struct freshet_redis_reply *structs;
    char *text;
};

static struct freshet_span copy_text(struct room *room, struct freshet_span text)
{
    char *copy = room->text;
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    room->text += text.len;
    return freshet_span(copy, text.len);
}

static void fill(struct freshet_redis_reply *to, const redisReply *from, struct room *room)
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
        struct freshet_redis_reply *elements = room->structs;
        room->structs += from->elements;
        to->type = FRESHET_REDIS_ARRAY;
        to->elements = elements;
        to->element_count = from->elements;
        for (size_t i = 0; i < from->elements; i++)
            fill(&elements[i], from->element[i], room);
        break;
    }
    default:
        to->type = from->type == REDIS_REPLY_ERROR ? FRESHET_REDIS_ERROR : FRESHET_REDIS_TEXT;
        to->text = copy_text(room, text_of(from));
    }
}

struct freshet_redis_reply *fr_redis_reply_copy(const redisReply *reply, size_t *bytes)
{
    static const char cut_text[] = "FRESHET the reply is over max_reply_bytes";
    const redisReply cut = {.type = REDIS_REPLY_ERROR, .str = (char *)cut_text, .len = sizeof(cut_text) - 1};
    const redisReply *from = is_cut(reply) ? &cut : reply;
    size_t structs = 0, text_bytes = 0;
    measure(from, &structs, &text_bytes);
    *bytes = structs * sizeof(struct freshet_redis_reply) + text_bytes;
    struct freshet_redis_reply *copy = calloc(1, *bytes);
    if (copy == NULL)
        return NULL;
    struct room room = {copy + 1, (char *)(copy + structs)};
    fill(copy, from, &room);
    return copy;
}
