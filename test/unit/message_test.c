#include <criterion/criterion.h>

#include "core/codec/msgpack_check.h"
#include <freshet/message.h>
#include <msgpack.h>

#define SPAN(text)   freshet_span((text), sizeof(text) - 1)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct freshet_message message_of(struct freshet_span payload)
{
    return (struct freshet_message){SPAN("pub"), 7, UINT64_C(1700000000000000), payload};
}

static void expect_bytes(const struct freshet_message *message, struct freshet_span bytes)
{
    char body[512];
    size_t len = 0;
    cr_assert_eq(freshet_message_encode(message, body, sizeof(body), &len), FRESHET_OK);
    cr_assert_eq(len, bytes.len, "%zu", len);
    cr_assert_arr_eq(body, bytes.data, len);
    struct freshet_message read;
    cr_assert_eq(freshet_message_decode(bytes, &read), FRESHET_OK);
    cr_assert(freshet_span_equal(read.publisher, message->publisher));
    cr_assert_eq(read.sequence, message->sequence);
    cr_assert_eq(read.time_us, message->time_us);
    cr_assert(freshet_span_equal(read.payload, message->payload));
}

/* contract 2.1: other languages rely on these bytes. */
Test(message, has_these_bytes)
{
    struct freshet_message signal = message_of(SPAN(""));
    expect_bytes(&signal, SPAN("\x95\x01\xa3pub\x07\xcf\x00\x06\x0a\x24\x18\x1e\x40\x00\xc0"));
    struct freshet_message text = message_of(SPAN("\xa2hi"));
    expect_bytes(&text, SPAN("\x95\x01\xa3pub\x07\xcf\x00\x06\x0a\x24\x18\x1e\x40\x00\xa2hi"));
    struct freshet_message map = {SPAN("p"), 70000, 1, SPAN("\x82\xa1t\xc3\xa1n\x92\x01\xff")};
    expect_bytes(&map, SPAN("\x95\x01\xa1p\xce\x00\x01\x11\x70\x01\x82\xa1t\xc3\xa1n\x92\x01\xff"));
    struct freshet_message most = {SPAN("0123456789012345678901234567890123456789012345678901234567890123"),
                                   UINT64_MAX, UINT64_MAX, SPAN("\x00")};
    expect_bytes(&most, SPAN("\x95\x01\xd9\x40"
                             "0123456789012345678901234567890123456789012345678901234567890123"
                             "\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xcf\xff\xff\xff\xff\xff\xff\xff\xff\x00"));
}

Test(message, spans_point_into_the_body)
{
    static const char body[] = "\x95\x01\xa3pub\x07\x08\xa2hi";
    struct freshet_message read;
    cr_assert_eq(freshet_message_decode(SPAN(body), &read), FRESHET_OK);
    cr_assert_eq(read.publisher.data, body + 3);
    cr_assert_eq(read.payload.data, body + 8);
    cr_assert_eq(read.payload.len, 3);
}

/* contract 2.1: encoders of other languages choose other formats for the same values. */
Test(message, takes_every_way_to_write_it)
{
    static const struct freshet_span bodies[] = {
        {"\xdc\x00\x05\x01\xa1p\x01\x02\xc0", 9},
        {"\xdd\x00\x00\x00\x05\x01\xa1p\x01\x02\xc0", 11},
        {"\x95\xcc\x01\xd9\x01p\xcd\x00\x01\xce\x00\x00\x00\x02\xc0", 15},
        {"\x95\xd0\x01\xda\x00\x01p\xd1\x00\x01\xd2\x00\x00\x00\x02\xc0", 16},
        {"\x95\xcf\x00\x00\x00\x00\x00\x00\x00\x01\xdb\x00\x00\x00\x01p\x01\x02\xc0", 19},
        {"\x95\xd3\x00\x00\x00\x00\x00\x00\x00\x01\xa1p\x01\x02\xc0", 15},
        {"\x97\x01\xa1p\x01\x02\xc0\x91\xc0\xa3new", 13}, /* a later version's extra elements */
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct freshet_message read;
        cr_expect_eq(freshet_message_decode(bodies[i], &read), FRESHET_OK, "body %zu", i);
        cr_expect(freshet_span_equal(read.publisher, SPAN("p")), "body %zu", i);
        cr_expect_eq(read.sequence, 1, "body %zu", i);
        cr_expect_eq(read.time_us, 2, "body %zu", i);
        cr_expect_eq(read.payload.len, 0, "body %zu", i);
    }
}

/* contract 2.2 */
Test(message, refuses_what_is_not_a_message)
{
    static const struct freshet_span bodies[] = {
        {"", 0},
        {NULL, 0},
        {"hello", 5},
        {"\xc0", 1},
        {"\x90", 1},
        {"\x94\x01\xa1p\x01\x02", 6},                          /* four elements */
        {"\x85\x01\xa1p\x01\x02\xc0\x01\x01\x01\x01\x01", 12}, /* a map */
        {"\x95\x02\xa1p\x01\x02\xc0", 7},                      /* version 2 */
        {"\x95\x00\xa1p\x01\x02\xc0", 7},
        {"\x95\xff\xa1p\x01\x02\xc0", 7},
        {"\x95\xa1"
         "1\xa1p\x01\x02\xc0",
         8},
        {"\x95\x01\xa0\x01\x02\xc0", 6},      /* no publisher */
        {"\x95\x01\xc4\x01p\x01\x02\xc0", 8}, /* bin */
        {"\x95\x01\x01\x01\x02\xc0", 6},
        {"\x95\x01\xa1p\xff\x02\xc0", 7}, /* sequence below zero */
        {"\x95\x01\xa1p\xd0\x80\x02\xc0", 8},
        {"\x95\x01\xa1p\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\x02\xc0", 15},
        {"\x95\x01\xa1p\x01\xc0\xc0", 7}, /* no time */
        {"\x95\x01\xa1p\x01\xd3\xff\xff\xff\xff\xff\xff\xff\xff\xc0", 15},
        {"\x95\x01\xa1p\x01\x02\xc1", 7},     /* never used */
        {"\x95\x01\xa1p\x01\x02", 6},         /* cut off */
        {"\x95\x01\xa1p\x01\x02\xc0\x00", 8}, /* something behind it */
        {"\x95\x01\xa1p\x01\x02\xa5hi", 9},
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct freshet_message read = {.sequence = 99};
        cr_expect_eq(freshet_message_decode(bodies[i], &read), FRESHET_INVALID, "body %zu", i);
        cr_expect_eq(read.sequence, 99, "body %zu", i);
    }
}

Test(message, refuses_every_truncation)
{
    static const char body[] = "\x95\x01\xa3pub\xce\x00\x01\x11\x70\x01\x82\xa1t\xc3\xa1n\x92\x01\xff";
    struct freshet_message read;
    for (size_t len = 0; len < sizeof(body) - 1; len++)
        cr_expect_eq(freshet_message_decode(freshet_span(body, len), &read), FRESHET_INVALID, "%zu bytes",
                     len);
    cr_expect_eq(freshet_message_decode(SPAN(body), &read), FRESHET_OK);
}

Test(message, refuses_to_encode_what_it_would_not_decode)
{
    char body[256], long_name[FRESHET_MAX_PUBLISHER_BYTES + 1] = {0};
    size_t len = 99;
    struct freshet_message message = message_of(SPAN("\x01"));
    message.publisher.len = 0;
    cr_expect_eq(freshet_message_encode(&message, body, sizeof(body), &len), FRESHET_INVALID);
    message.publisher = freshet_span(long_name, sizeof(long_name));
    cr_expect_eq(freshet_message_encode(&message, body, sizeof(body), &len), FRESHET_INVALID);
    message = message_of(SPAN("\x01\x02"));
    cr_expect_eq(freshet_message_encode(&message, body, sizeof(body), &len), FRESHET_INVALID);
    message = message_of(SPAN("\xa3hi"));
    cr_expect_eq(freshet_message_encode(&message, body, sizeof(body), &len), FRESHET_INVALID);
    cr_expect_eq(len, 99);
}

/* contract 2.3 */
Test(message, says_what_it_needs_when_it_does_not_fit)
{
    char body[32];
    size_t len = 0, needed = 0;
    struct freshet_message message = message_of(SPAN("\xa2hi"));
    cr_assert_eq(freshet_message_encode(&message, NULL, 0, &needed), FRESHET_TOO_LARGE);
    cr_assert_eq(needed, 19);
    for (size_t capacity = 0; capacity < needed; capacity++) {
        memset(body, 'x', sizeof(body));
        cr_assert_eq(freshet_message_encode(&message, body, capacity, &len), FRESHET_TOO_LARGE);
        cr_assert_eq(len, needed);
        cr_assert_eq(body[capacity], 'x');
    }
    cr_assert_eq(freshet_message_encode(&message, body, needed, &len), FRESHET_OK);
}

static struct freshet_span nested(char *room, unsigned depth)
{
    memset(room, '\x91', depth);
    room[depth] = '\xc0';
    return freshet_span(room, depth + 1);
}

/* msgpack-c must be able to unpack whatever is let through. */
Test(message, payloads_are_no_deeper_than_msgpack_c_unpacks)
{
    char room[64], body[128];
    size_t len = 0, off = 0;
    struct freshet_message read, message = message_of(nested(room, 31));
    cr_assert_eq(freshet_message_encode(&message, body, sizeof(body), &len), FRESHET_OK);
    cr_assert_eq(freshet_message_decode(freshet_span(body, len), &read), FRESHET_OK);
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    cr_assert_eq(msgpack_unpack_next(&unpacked, read.payload.data, read.payload.len, &off),
                 MSGPACK_UNPACK_SUCCESS);
    msgpack_unpacked_destroy(&unpacked);
    message = message_of(nested(room, 32));
    cr_assert_eq(freshet_message_encode(&message, body, sizeof(body), &len), FRESHET_INVALID);
    memcpy(body + 16, room, 33); /* in place of the payload decoded above */
    cr_assert_eq(freshet_message_decode(freshet_span(body, 16 + 33), &read), FRESHET_INVALID);
}

/* contract 2.2, stack.md 6 */
Test(msgpack_check, refuses_bombs)
{
    static const struct freshet_span bombs[] = {
        {"\xdd\xff\xff\xff\xff", 5},
        {"\xdd\x10\x00\x00\x00", 5},
        {"\xdf\x08\x00\x00\x00", 5},
        {"\xdf\x80\x00\x00\x00", 5},
        {"\xdc\xff\xff", 3},
        {"\xde\xff\xff", 3},
        {"\xdb\xff\xff\xff\xff"
         "abc",
         8},
        {"\xc6\xff\xff\xff\xff", 5},
        {"\xc9\xff\xff\xff\xff\x01", 6},
        {"\xc1", 1},
        {"\x91\xc1", 2},
        {"\x92\x01", 2},
        {"\x81\x01", 2},
        {"\x8f", 1},
        {"", 0},
        {NULL, 0},
        {"\xd9", 1},
        {"\xcf\x01\x02\x03\x04\x05\x06\x07", 8},
    };
    char nest[400];
    for (size_t i = 0; i < COUNT(bombs); i++)
        cr_expect_eq(fr_msgpack_check(bombs[i], FR_MSGPACK_MAX_DEPTH), 0, "bomb %zu", i);
    for (size_t i = 0; i < 80; i++)
        memcpy(nest + i * 5, "\xdd\x04\x00\x00\x00", 5);
    cr_expect_eq(fr_msgpack_check(freshet_span(nest, 150), FR_MSGPACK_MAX_DEPTH), 0);
    cr_expect_eq(fr_msgpack_check(freshet_span(nest, 400), FR_MSGPACK_MAX_DEPTH), 0);
}

Test(msgpack_check, measures_one_value)
{
    static const struct freshet_span values[] = {
        {"\x00", 1},
        {"\x7f", 1},
        {"\xe0", 1},
        {"\xff", 1},
        {"\xc0", 1},
        {"\xc2", 1},
        {"\xc3", 1},
        {"\x80", 1},
        {"\x90", 1},
        {"\xa0", 1},
        {"\x81\x01\x02", 3},
        {"\x92\x01\x02", 3},
        {"\xa1"
         "a",
         2},
        {"\xc4\x01"
         "a",
         3},
        {"\xc5\x00\x01"
         "a",
         4},
        {"\xc6\x00\x00\x00\x01"
         "a",
         6},
        {"\xc7\x01\x05"
         "a",
         4},
        {"\xc7\x00\x05", 3},
        {"\xc8\x00\x01\x05"
         "a",
         5},
        {"\xc9\x00\x00\x00\x01\x05"
         "a",
         7},
        {"\xca"
         "abcd",
         5},
        {"\xcb"
         "abcdefgh",
         9},
        {"\xcc\x01", 2},
        {"\xcd\x01\x02", 3},
        {"\xce"
         "abcd",
         5},
        {"\xcf"
         "abcdefgh",
         9},
        {"\xd0\x01", 2},
        {"\xd1\x01\x02", 3},
        {"\xd2"
         "abcd",
         5},
        {"\xd3"
         "abcdefgh",
         9},
        {"\xd4\x01"
         "a",
         3},
        {"\xd5\x01"
         "ab",
         4},
        {"\xd6\x01"
         "abcd",
         6},
        {"\xd7\x01"
         "abcdefgh",
         10},
        {"\xd8\x01"
         "0123456789abcdef",
         18},
        {"\xd9\x01"
         "a",
         3},
        {"\xda\x00\x01"
         "a",
         4},
        {"\xdb\x00\x00\x00\x01"
         "a",
         6},
        {"\xdc\x00\x01\x05", 4},
        {"\xdd\x00\x00\x00\x01\x05", 6},
        {"\xde\x00\x01\x05\x06", 5},
        {"\xdf\x00\x00\x00\x01\x05\x06", 7},
        {"\x93\x81\xa1k\x92\x01\x02\xc0\x90", 9},
    };
    for (size_t i = 0; i < COUNT(values); i++) {
        char longer[64];
        struct freshet_span value = values[i];
        memcpy(longer, value.data, value.len);
        memset(longer + value.len, '\xc1', 4);
        cr_expect_eq(fr_msgpack_check(value, FR_MSGPACK_MAX_DEPTH), value.len, "value %zu", i);
        cr_expect_eq(fr_msgpack_check(freshet_span(longer, value.len + 4), FR_MSGPACK_MAX_DEPTH), value.len,
                     "value %zu, and more", i);
        for (size_t len = 0; len < value.len; len++)
            cr_expect_eq(fr_msgpack_check(freshet_span(value.data, len), FR_MSGPACK_MAX_DEPTH), 0,
                         "value %zu", i);
    }
}

Test(msgpack_check, bounds_the_depth)
{
    char room[64];
    cr_expect_eq(fr_msgpack_check(nested(room, 0), 0), 1);
    cr_expect_eq(fr_msgpack_check(nested(room, 1), 0), 0);
    cr_expect_eq(fr_msgpack_check(nested(room, 3), 3), 4);
    cr_expect_eq(fr_msgpack_check(nested(room, 4), 3), 0);
    cr_expect_eq(fr_msgpack_check(nested(room, 32), FR_MSGPACK_MAX_DEPTH), 33);
    cr_expect_eq(fr_msgpack_check(nested(room, 33), FR_MSGPACK_MAX_DEPTH), 0);
    cr_expect_eq(fr_msgpack_check(SPAN("\x90"), 0), 0);
}
