#include "publish/msgpack.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const unsigned char *at, *end;
    bool is_short; /* something that has to be there is not */
};

static json_t *read_value(struct reader *reader, unsigned depth);

/* `size` bytes, the high ones first. */
static uint64_t number(struct reader *reader, size_t size)
{
    uint64_t value = 0;
    if ((size_t)(reader->end - reader->at) < size) {
        reader->at = reader->end;
        reader->is_short = true;
        return 0;
    }
    for (size_t i = 0; i < size; i++)
        value = value << 8 | *reader->at++;
    return value;
}

/* Past the signed ones, as a text: jansson's numbers end there. */
static json_t *unsigned_value(uint64_t value)
{
    return value <= INT64_MAX ? json_integer((json_int_t)value)
                              : json_sprintf("%llu", (unsigned long long)value);
}

static json_t *real(uint64_t bits, bool is_double)
{
    double value;
    if (is_double) {
        memcpy(&value, &bits, sizeof(value));
    } else {
        uint32_t few = (uint32_t)bits;
        float small;
        memcpy(&small, &few, sizeof(small));
        value = small;
    }
    json_t *json = json_real(value);
    return json == NULL ? json_null() : json; /* infinity, and no number */
}

static json_t *text(struct reader *reader, uint64_t len)
{
    if (len > (uint64_t)(reader->end - reader->at))
        return NULL;
    json_t *json = json_stringn((const char *)reader->at, len);
    reader->at += len;
    return json == NULL ? json_string("(not UTF-8)") : json;
}

static json_t *skipped(struct reader *reader, uint64_t len)
{
    if (len > (uint64_t)(reader->end - reader->at))
        return NULL;
    reader->at += len;
    return json_sprintf("(%llu bytes)", (unsigned long long)len);
}

static json_t *list(struct reader *reader, uint64_t count, unsigned depth)
{
    json_t *json = json_array();
    for (uint64_t i = 0; json != NULL && i < count; i++) {
        if (json_array_append_new(json, read_value(reader, depth + 1)) != 0) {
            json_decref(json);
            json = NULL;
        }
    }
    return json;
}

/* A key that is no text is shown as its JSON. */
static bool add_pair(struct reader *reader, json_t *json, unsigned depth)
{
    json_t *key = read_value(reader, depth), *value = key == NULL ? NULL : read_value(reader, depth);
    char *written =
        key == NULL || json_is_string(key) ? NULL : json_dumps(key, JSON_ENCODE_ANY | JSON_COMPACT);
    const char *name = written == NULL ? json_string_value(key) : written;
    bool good = value != NULL && name != NULL && json_object_set(json, name, value) == 0;
    free(written);
    json_decref(key);
    json_decref(value);
    return good;
}

static json_t *map(struct reader *reader, uint64_t count, unsigned depth)
{
    json_t *json = json_object();
    for (uint64_t i = 0; json != NULL && i < count; i++) {
        if (!add_pair(reader, json, depth + 1)) {
            json_decref(json);
            json = NULL;
        }
    }
    return json;
}

/* Formats whose first byte is 0xc0 and more, 0xdf at most. */
static json_t *read_format(struct reader *reader, unsigned char format, unsigned depth)
{
    switch (format) {
    case 0xc0:
        return json_null();
    case 0xc2:
    case 0xc3:
        return json_boolean(format == 0xc3);
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return skipped(reader, number(reader, (size_t)1 << (format - 0xc4)));
    case 0xc7:
    case 0xc8:
    case 0xc9:
        return skipped(reader, number(reader, (size_t)1 << (format - 0xc7)) + 1);
    case 0xca:
    case 0xcb:
        return real(number(reader, format == 0xca ? 4 : 8), format == 0xcb);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return unsigned_value(number(reader, (size_t)1 << (format - 0xcc)));
    case 0xd0:
        return json_integer((int8_t)number(reader, 1));
    case 0xd1:
        return json_integer((int16_t)number(reader, 2));
    case 0xd2:
        return json_integer((int32_t)number(reader, 4));
    case 0xd3:
        return json_integer((int64_t)number(reader, 8));
    case 0xd9:
    case 0xda:
    case 0xdb:
        return text(reader, number(reader, (size_t)1 << (format - 0xd9)));
    case 0xdc:
    case 0xdd:
        return list(reader, number(reader, format == 0xdc ? 2 : 4), depth);
    case 0xde:
    case 0xdf:
        return map(reader, number(reader, format == 0xde ? 2 : 4), depth);
    default: /* extensions of 1, 2, 4, 8 and 16 bytes, behind their type */
        return format == 0xc1 ? NULL : skipped(reader, ((uint64_t)1 << (format - 0xd4)) + 1);
    }
}

static json_t *read_value(struct reader *reader, unsigned depth)
{
    if (reader->at == reader->end || depth > MSGPACK_MAX_DEPTH)
        return NULL;
    unsigned char format = *reader->at++;
    if (format <= 0x7f || format >= 0xe0)
        return json_integer((int8_t)format);
    if (format <= 0x8f)
        return map(reader, format & 0x0f, depth);
    if (format <= 0x9f)
        return list(reader, format & 0x0f, depth);
    if (format <= 0xbf)
        return text(reader, format & 0x1f);
    return read_format(reader, format, depth);
}

json_t *msgpack_read(struct freshet_span bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.data;
    struct reader reader = {at, at == NULL ? NULL : at + bytes.len, false};
    json_t *json = read_value(&reader, 1);
    if (reader.at == reader.end && !reader.is_short)
        return json;
    json_decref(json);
    return NULL;
}
