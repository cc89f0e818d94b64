#include "core/codec/msgpack_json.h"

#include "base/json.h"
#include "core/codec/msgpack_check.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads `rest` from the front, which was checked, and appends to `out`. */
struct writer {
    struct freshet_span rest;
    struct fr_buffer *out;
    size_t most; /* bytes in `out` */
};

static bool write_value(struct writer *writer);

static struct freshet_span take(struct writer *writer, size_t len)
{
    struct freshet_span taken = freshet_span(writer->rest.data, len);
    writer->rest.data += len;
    writer->rest.len -= len;
    return taken;
}

static void put(struct writer *writer, const char *text)
{
    fr_buffer_append(writer->out, freshet_span_text(text));
}

static bool has_room(const struct writer *writer)
{
    return !writer->out->failed && writer->out->len <= writer->most;
}

/* A locale may have another decimal point, even one of several bytes. */
static void put_number(struct writer *writer, const char *text)
{
    static const char json[] = "0123456789+-e";
    while (*text != '\0') {
        size_t len = strspn(text, json);
        fr_buffer_append(writer->out, freshet_span(text, len));
        text += len;
        if (*text != '\0')
            put(writer, ".");
        text += strcspn(text, json);
    }
}

/* FLT_DIG and DBL_DIG digits are always kept; two or three more are always enough. */
static void put_float(struct writer *writer, double number, bool is_single)
{
    char text[40];
    if (!isfinite(number)) {
        put(writer, "null");
        return;
    }
    int digits = is_single ? 6 : 15, most = is_single ? 9 : 17;
    for (; digits <= most; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, number);
        double again = strtod(text, NULL);
        if (is_single ? (float)again == (float)number : again == number)
            break;
    }
    put_number(writer, text);
}

static uint64_t read_big_endian(struct freshet_span bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes.len; i++)
        number = number << 8 | (unsigned char)bytes.data[i];
    return number;
}

static void write_float(struct writer *writer, struct freshet_span bytes)
{
    uint64_t bits = read_big_endian(bytes);
    uint32_t short_bits = (uint32_t)bits;
    float single;
    double number;
    memcpy(&single, &short_bits, sizeof(single));
    memcpy(&number, &bits, sizeof(number));
    bool is_single = bytes.len == sizeof(single);
    put_float(writer, is_single ? (double)single : number, is_single);
}

/* `bytes` with the type in front; the number may be in the type itself. */
static void write_negative(struct writer *writer, struct freshet_span bytes)
{
    struct freshet_span digits = bytes.len == 1 ? bytes : freshet_span(bytes.data + 1, bytes.len - 1);
    unsigned unused_bits = 64 - 8 * (unsigned)digits.len;
    int64_t number = (int64_t)(read_big_endian(digits) << unused_bits) >> unused_bits;
    fr_buffer_print(writer->out, "%lld", (long long)number);
}

static void write_base64(struct writer *writer, struct freshet_span bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *to = fr_buffer_reserve(writer->out, (bytes.len + 2) / 3 * 4 + 2);
    if (to == NULL)
        return;
    char *start = to;
    *to++ = '"';
    for (size_t at = 0; at < bytes.len; at += 3) {
        size_t left = bytes.len - at < 3 ? bytes.len - at : 3;
        uint64_t group = read_big_endian(freshet_span(bytes.data + at, left)) << 8 * (3 - left);
        *to++ = digits[group >> 18];
        *to++ = digits[group >> 12 & 63];
        *to++ = left < 2 ? '=' : digits[group >> 6 & 63];
        *to++ = left < 3 ? '=' : digits[group & 63];
    }
    *to++ = '"';
    writer->out->len += (size_t)(to - start);
}

/* All but arrays and maps; its head has been read but not taken. */
static void write_scalar(struct writer *writer, const struct fr_msgpack_head *head)
{
    struct freshet_span front = take(writer, head->len), body = take(writer, head->body_len);
    switch (head->type) {
    case FR_MSGPACK_BOOL:
        put(writer, (unsigned char)front.data[0] == 0xc3 ? "true" : "false");
        break;
    case FR_MSGPACK_UNSIGNED:
        fr_buffer_print(writer->out, "%llu", (unsigned long long)head->number);
        break;
    case FR_MSGPACK_NEGATIVE:
        write_negative(writer, front);
        break;
    case FR_MSGPACK_FLOAT:
        write_float(writer, body);
        break;
    case FR_MSGPACK_STR:
        fr_json_string(writer->out, body);
        break;
    case FR_MSGPACK_BIN:
        write_base64(writer, body);
        break;
    default:
        put(writer, "null");
    }
}

static bool write_array(struct writer *writer, uint64_t items)
{
    put(writer, "[");
    for (uint64_t i = 0; i < items; i++) {
        if (i > 0)
            put(writer, ",");
        if (!write_value(writer))
            return false;
    }
    put(writer, "]");
    return has_room(writer);
}

/* An array or a map as a key: its text, in quotes. */
static bool write_long_key(struct writer *writer)
{
    struct fr_buffer text = {0};
    struct writer inner = {.rest = writer->rest, .out = &text, .most = writer->most};
    bool written = write_value(&inner);
    writer->rest = inner.rest;
    if (written)
        fr_json_string(writer->out, freshet_span(text.data, text.len));
    writer->out->failed |= text.failed;
    fr_buffer_deinit(&text);
    return written;
}

static bool write_key(struct writer *writer)
{
    struct fr_msgpack_head head;
    fr_msgpack_read(writer->rest, &head);
    if (head.type == FR_MSGPACK_ARRAY || head.type == FR_MSGPACK_MAP)
        return write_long_key(writer);
    const char *quote = head.type == FR_MSGPACK_STR || head.type == FR_MSGPACK_BIN ? "" : "\"";
    put(writer, quote);
    write_scalar(writer, &head);
    put(writer, quote);
    return true;
}

static bool write_map(struct writer *writer, uint64_t pairs)
{
    put(writer, "{");
    for (uint64_t i = 0; i < pairs; i++) {
        if (i > 0)
            put(writer, ",");
        if (!write_key(writer))
            return false;
        put(writer, ":");
        if (!write_value(writer))
            return false;
    }
    put(writer, "}");
    return has_room(writer);
}

/* False: no room, or no memory. */
static bool write_value(struct writer *writer)
{
    struct fr_msgpack_head head;
    fr_msgpack_read(writer->rest, &head);
    if (head.type != FR_MSGPACK_ARRAY && head.type != FR_MSGPACK_MAP) {
        write_scalar(writer, &head);
        return has_room(writer);
    }
    take(writer, head.len);
    return head.type == FR_MSGPACK_ARRAY ? write_array(writer, head.items)
                                         : write_map(writer, head.items / 2);
}

enum freshet_status fr_msgpack_json(struct fr_buffer *out, struct freshet_span value, size_t max_bytes)
{
    if (value.len == 0 || fr_msgpack_check(value, FR_MSGPACK_MAX_DEPTH) != value.len)
        return FRESHET_INVALID;
    struct writer writer = {.rest = value, .out = out, .most = out->len + max_bytes};
    if (write_value(&writer))
        return FRESHET_OK;
    return out->failed ? FRESHET_NO_MEMORY : FRESHET_TOO_LARGE;
}
