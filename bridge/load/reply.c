#include "load/reply.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool reply_shape_of(const char *command, enum reply_shape *shape)
{
    static const char *const reads[] = {
        "BITCOUNT",   "BITPOS",      "EVAL_RO",       "EXISTS",   "FCALL_RO",  "GEODIST",
        "GEOPOS",     "GET",         "GETBIT",        "GETRANGE", "HEXISTS",   "HGET",
        "HGETALL",    "HKEYS",       "HLEN",          "HMGET",    "HSTRLEN",   "HVALS",
        "JSON.GET",   "JSON.MGET",   "LINDEX",        "LLEN",     "LRANGE",    "MGET",
        "PFCOUNT",    "PTTL",        "SCARD",         "SINTER",   "SISMEMBER", "SMEMBERS",
        "SMISMEMBER", "SRANDMEMBER", "STRLEN",        "SUNION",   "TTL",       "TYPE",
        "XLEN",       "XRANGE",      "XREVRANGE",     "ZCARD",    "ZCOUNT",    "ZLEXCOUNT",
        "ZRANGE",     "ZRANGEBYLEX", "ZRANGEBYSCORE", "ZRANK",    "ZREVRANGE", "ZREVRANGEBYSCORE",
        "ZREVRANK",   "ZSCORE",
    };
    *shape = strcasecmp(command, "HGETALL") == 0 ? REPLY_HASH
             : strcasecmp(command, "HMGET") == 0 ? REPLY_FIELDS
                                                 : REPLY_PLAIN;
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
        if (strcasecmp(command, reads[i]) == 0)
            return true;
    }
    return false;
}

/* NULL: no memory, or no UTF-8. */
static json_t *json_of(const struct freshet_redis_reply *reply)
{
    switch (reply->type) {
    case FRESHET_REDIS_INTEGER:
        return json_integer((json_int_t)reply->integer);
    case FRESHET_REDIS_TEXT:
        return json_stringn(reply->text.data == NULL ? "" : reply->text.data, reply->text.len);
    case FRESHET_REDIS_ARRAY:
        break;
    default:
        return json_null();
    }
    json_t *array = json_array();
    for (size_t i = 0; array != NULL && i < reply->element_count; i++) {
        if (json_array_append_new(array, json_of(&reply->elements[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static bool set_field(json_t *object, struct freshet_span name, const struct freshet_redis_reply *value)
{
    return json_object_setn_new(object, name.data == NULL ? "" : name.data, name.len, json_of(value)) == 0;
}

static json_t *object_of(const struct freshet_redis_reply *reply, enum reply_shape shape,
                         const struct freshet_span *fields, size_t field_count)
{
    json_t *object = json_object();
    size_t step = shape == REPLY_HASH ? 2 : 1;
    for (size_t i = 0; object != NULL && i + step <= reply->element_count; i += step) {
        bool good = shape == REPLY_HASH
                        ? set_field(object, reply->elements[i].text, &reply->elements[i + 1])
                        : i < field_count && set_field(object, fields[i], &reply->elements[i]);
        if (!good) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static char *copy(const char *bytes, size_t size, size_t *len)
{
    char *text = malloc(size + 1);
    if (text == NULL)
        return NULL;
    if (size > 0)
        memcpy(text, bytes, size);
    text[size] = '\0';
    *len = size;
    return text;
}

char *reply_text(const struct freshet_redis_reply *reply, enum reply_shape shape,
                 const struct freshet_span *fields, size_t field_count, size_t *len)
{
    char digits[32];
    if (reply->type == FRESHET_REDIS_TEXT)
        return copy(reply->text.data, reply->text.len, len);
    if (reply->type == FRESHET_REDIS_INTEGER)
        return copy(digits, (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)reply->integer), len);
    if (reply->type != FRESHET_REDIS_ARRAY)
        return copy("null", 4, len);
    json_t *json = shape == REPLY_PLAIN ? json_of(reply) : object_of(reply, shape, fields, field_count);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    json_decref(json);
    *len = text == NULL ? 0 : strlen(text);
    return text;
}
