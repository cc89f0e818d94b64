#include "publish/msgpack.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool add(struct msgpack *to, const void *bytes, size_t len)
{
    if (len > to->room - to->len) {
        size_t room = (to->len + len) * 2 + 64;
        char *grown = realloc(to->bytes, room);
        if (grown == NULL)
            return false;
        to->bytes = grown;
        to->room = room;
    }
    if (len > 0)
        memcpy(to->bytes + to->len, bytes, len);
    to->len += len;
    return true;
}

/* A byte that tells the format, and a number of `size` bytes behind it, the high ones first. */
static bool add_number(struct msgpack *to, unsigned char format, uint64_t number, unsigned size)
{
    unsigned char bytes[9] = {format};
    for (unsigned i = 0; i < size; i++)
        bytes[1 + i] = (unsigned char)(number >> 8 * (size - 1 - i));
    return add(to, bytes, 1 + size);
}

static bool add_integer(struct msgpack *to, json_int_t value)
{
    if (value >= 0 && value <= 0x7f)
        return add_number(to, (unsigned char)value, 0, 0);
    return add_number(to, value < 0 ? 0xd3 : 0xcf, (uint64_t)value, 8);
}

static bool add_real(struct msgpack *to, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return add_number(to, 0xcb, bits, 8);
}

static bool add_text(struct msgpack *to, const char *text, size_t len)
{
    return add_number(to, 0xdb, len, 4) && add(to, text, len);
}

static bool add_list(struct msgpack *to, const json_t *list, unsigned depth)
{
    bool good = add_number(to, 0xdd, json_array_size(list), 4);
    for (size_t i = 0; good && i < json_array_size(list); i++)
        good = msgpack_append(to, json_array_get(list, i), depth + 1);
    return good;
}

static bool add_map(struct msgpack *to, const json_t *map, unsigned depth)
{
    bool good = add_number(to, 0xdf, json_object_size(map), 4);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)map, key, value)
    {
        good = good && add_text(to, key, strlen(key)) && msgpack_append(to, value, depth + 1);
    }
    return good;
}

bool msgpack_append(struct msgpack *to, const json_t *json, unsigned depth)
{
    if (depth > MSGPACK_MAX_DEPTH)
        return false;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return add_map(to, json, depth);
    case JSON_ARRAY:
        return add_list(to, json, depth);
    case JSON_STRING:
        return add_text(to, json_string_value(json), json_string_length(json));
    case JSON_INTEGER:
        return add_integer(to, json_integer_value(json));
    case JSON_REAL:
        return add_real(to, json_real_value(json));
    case JSON_NULL:
        return add_number(to, 0xc0, 0, 0);
    default:
        return add_number(to, json_is_true(json) ? 0xc3 : 0xc2, 0, 0);
    }
}
