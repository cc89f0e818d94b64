#include "core/codec/msgpack_check.h"

#include <assert.h>

/* One row for each type byte from 0xc0 to 0xdf: how long the number behind it is, and what the number says.
 */
enum meaning { NOTHING, UNUSED, VALUE, SIGNED_VALUE, LENGTH, ITEMS, PAIRS };
struct format {
    unsigned char type, meaning, width, extra; /* `extra`: body bytes beside what the number says */
};
static const struct format formats[32] = {
    {FR_MSGPACK_NIL, NOTHING, 0, 0},
    {FR_MSGPACK_NIL, UNUSED, 0, 0},
    {FR_MSGPACK_BOOL, NOTHING, 0, 0},
    {FR_MSGPACK_BOOL, NOTHING, 0, 0},
    {FR_MSGPACK_BIN, LENGTH, 1, 0},
    {FR_MSGPACK_BIN, LENGTH, 2, 0},
    {FR_MSGPACK_BIN, LENGTH, 4, 0},
    {FR_MSGPACK_EXT, LENGTH, 1, 1},
    {FR_MSGPACK_EXT, LENGTH, 2, 1},
    {FR_MSGPACK_EXT, LENGTH, 4, 1},
    {FR_MSGPACK_FLOAT, NOTHING, 0, 4},
    {FR_MSGPACK_FLOAT, NOTHING, 0, 8},
    {FR_MSGPACK_UNSIGNED, VALUE, 1, 0},
    {FR_MSGPACK_UNSIGNED, VALUE, 2, 0},
    {FR_MSGPACK_UNSIGNED, VALUE, 4, 0},
    {FR_MSGPACK_UNSIGNED, VALUE, 8, 0},
    {FR_MSGPACK_UNSIGNED, SIGNED_VALUE, 1, 0},
    {FR_MSGPACK_UNSIGNED, SIGNED_VALUE, 2, 0},
    {FR_MSGPACK_UNSIGNED, SIGNED_VALUE, 4, 0},
    {FR_MSGPACK_UNSIGNED, SIGNED_VALUE, 8, 0},
    {FR_MSGPACK_EXT, NOTHING, 0, 2},
    {FR_MSGPACK_EXT, NOTHING, 0, 3},
    {FR_MSGPACK_EXT, NOTHING, 0, 5},
    {FR_MSGPACK_EXT, NOTHING, 0, 9},
    {FR_MSGPACK_EXT, NOTHING, 0, 17},
    {FR_MSGPACK_STR, LENGTH, 1, 0},
    {FR_MSGPACK_STR, LENGTH, 2, 0},
    {FR_MSGPACK_STR, LENGTH, 4, 0},
    {FR_MSGPACK_ARRAY, ITEMS, 2, 0},
    {FR_MSGPACK_ARRAY, ITEMS, 4, 0},
    {FR_MSGPACK_MAP, PAIRS, 2, 0},
    {FR_MSGPACK_MAP, PAIRS, 4, 0},
};

/* The types whose number is in the type byte itself. */
static struct fr_msgpack_head read_short(unsigned char byte)
{
    struct fr_msgpack_head head = {.type = FR_MSGPACK_UNSIGNED, .len = 1};
    if (byte <= 0x7f) {
        head.number = byte;
    } else if (byte <= 0x8f) {
        head.type = FR_MSGPACK_MAP;
        head.items = 2 * (byte & 0x0fu);
    } else if (byte <= 0x9f) {
        head.type = FR_MSGPACK_ARRAY;
        head.items = byte & 0x0fu;
    } else if (byte <= 0xbf) {
        head.type = FR_MSGPACK_STR;
        head.body_len = byte & 0x1fu;
    } else {
        head.type = FR_MSGPACK_NEGATIVE;
    }
    return head;
}

static uint64_t read_number(const unsigned char *at, unsigned width)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < width; i++)
        number = number << 8 | at[i];
    return number;
}

static struct fr_msgpack_head interpret(const struct format *format, uint64_t number)
{
    struct fr_msgpack_head head = {
        .type = format->type, .len = 1u + format->width, .body_len = format->extra, .number = number};
    if (format->meaning == LENGTH)
        head.body_len += (size_t)number;
    else if (format->meaning == ITEMS)
        head.items = number;
    else if (format->meaning == PAIRS)
        head.items = 2 * number;
    else if (format->meaning == SIGNED_VALUE && number >> (8 * format->width - 1) != 0)
        head.type = FR_MSGPACK_NEGATIVE;
    return head;
}

bool fr_msgpack_read(struct freshet_span bytes, struct fr_msgpack_head *head)
{
    if (bytes.len == 0)
        return false;
    const unsigned char *at = (const unsigned char *)bytes.data;
    if (at[0] < 0xc0 || at[0] > 0xdf) {
        *head = read_short(at[0]);
    } else {
        const struct format *format = &formats[at[0] - 0xc0];
        if (format->meaning == UNUSED || bytes.len - 1 < format->width)
            return false;
        *head = interpret(format, read_number(at + 1, format->width));
    }
    return head->body_len <= bytes.len - head->len;
}

size_t fr_msgpack_check(struct freshet_span bytes, unsigned max_depth)
{
    assert(max_depth <= FR_MSGPACK_MAX_DEPTH);
    if (bytes.len == 0)
        return 0;
    uint64_t left[FR_MSGPACK_MAX_DEPTH + 1] = {1}; /* values still to come, at each depth */
    unsigned depth = 0;
    size_t at = 0;
    for (;;) {
        while (left[depth] == 0) {
            if (depth == 0)
                return at;
            depth--;
        }
        left[depth]--;
        struct fr_msgpack_head head;
        if (!fr_msgpack_read(freshet_span(bytes.data + at, bytes.len - at), &head))
            return 0;
        at += head.len + head.body_len;
        /* Each item has a byte at least. */
        if (head.items > bytes.len - at)
            return 0;
        if (head.type == FR_MSGPACK_ARRAY || head.type == FR_MSGPACK_MAP) {
            if (depth == max_depth)
                return 0;
            left[++depth] = head.items;
        }
    }
}
