#include <criterion/criterion.h>

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The decimal point of the locale; machines that test have no other locales. */
static const char *point = ".";

static void replace(char *text, size_t size, const char *from, const char *to)
{
    char copy[64];
    char *at = strstr(text, from);
    if (at == NULL)
        return;
    snprintf(copy, sizeof(copy), "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    snprintf(text, size, "%s", copy);
}

static int local_snprintf(char *text, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, size, format, arguments);
    va_end(arguments);
    replace(text, size, ".", point);
    return len;
}

static double local_strtod(const char *text, char **end)
{
    char copy[64];
    (void)end;
    snprintf(copy, sizeof(copy), "%s", text);
    replace(copy, sizeof(copy), point, ".");
    return strtod(copy, NULL);
}

#define snprintf local_snprintf
#define strtod   local_strtod
#include "core/codec/msgpack_json.c"
#undef snprintf
#undef strtod

#define SPAN(text)   freshet_span((text), sizeof(text) - 1)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct row {
    struct freshet_span bytes;
    const char *json;
};
#define ROW(bytes, json)                                                                                     \
    {                                                                                                        \
        {(bytes), sizeof(bytes) - 1}, (json)                                                                 \
    }

static const struct row rows[] = {
    ROW("\xc0", "null"),
    ROW("\xc2", "false"),
    ROW("\xc3", "true"),
    ROW("\x00", "0"),
    ROW("\x7f", "127"),
    ROW("\xcc\xff", "255"),
    ROW("\xcd\xff\xff", "65535"),
    ROW("\xce\xff\xff\xff\xff", "4294967295"),
    ROW("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"),
    ROW("\xcf\x00\x20\x00\x00\x00\x00\x00\x01", "9007199254740993"),
    ROW("\xff", "-1"),
    ROW("\xe0", "-32"),
    ROW("\xd0\x80", "-128"),
    ROW("\xd0\x7f", "127"),
    ROW("\xd1\x80\x00", "-32768"),
    ROW("\xd2\x80\x00\x00\x00", "-2147483648"),
    ROW("\xd2\xff\xff\xff\xff", "-1"),
    ROW("\xd3\x80\x00\x00\x00\x00\x00\x00\x00", "-9223372036854775808"),
    ROW("\xd3\x7f\xff\xff\xff\xff\xff\xff\xff", "9223372036854775807"),
    /* the fewest digits that read back */
    ROW("\xca\x3d\xcc\xcc\xcd", "0.1"),
    ROW("\xca\x4b\x7f\xff\xff", "16777215"),
    ROW("\xca\x3e\xaa\xaa\xab", "0.33333334"),
    ROW("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a", "0.1"),
    ROW("\xcb\x3f\xd3\x33\x33\x33\x33\x33\x34", "0.30000000000000004"),
    ROW("\xcb\x7f\xef\xff\xff\xff\xff\xff\xff", "1.7976931348623157e+308"),
    ROW("\xcb\x00\x00\x00\x00\x00\x00\x00\x01", "4.94065645841247e-324"),
    ROW("\xcb\x40\x00\x00\x00\x00\x00\x00\x00", "2"),
    ROW("\xcb\x80\x00\x00\x00\x00\x00\x00\x00", "-0"),
    ROW("\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00", "null"),
    ROW("\xcb\xff\xf0\x00\x00\x00\x00\x00\x00", "null"),
    ROW("\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", "null"),
    ROW("\xca\x7f\xc0\x00\x00", "null"),
    ROW("\xa0", "\"\""),
    ROW("\xa2hi", "\"hi\""),
    ROW("\xd9\x06\xc3\xa9\xe2\x82\xac.", "\"\xc3\xa9\xe2\x82\xac.\""),
    ROW("\xda\x00\x04\xf0\x9f\x8c\x8a", "\"\xf0\x9f\x8c\x8a\""),
    ROW("\xa7\"\\\r\n\t\0\x7f", "\"\\\"\\\\\\u000d\\u000a\\u0009\\u0000\x7f\""),
    /* not UTF-8: a stray byte, a cut character, a surrogate, an overlong one */
    ROW("\xa3x\x80y", "\"x\xef\xbf\xbdy\""),
    ROW("\xa2\xe2\x82", "\"\xef\xbf\xbd\""),
    ROW("\xa3\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""),
    ROW("\xa2\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""),
    /* RFC 4648, 10 */
    ROW("\xc4\x00", "\"\""),
    ROW("\xc4\x01"
        "f",
        "\"Zg==\""),
    ROW("\xc4\x02"
        "fo",
        "\"Zm8=\""),
    ROW("\xc4\x03"
        "foo",
        "\"Zm9v\""),
    ROW("\xc5\x00\x04"
        "foob",
        "\"Zm9vYg==\""),
    ROW("\xc4\x03\xfb\xff\xbf", "\"+/+/\""),
    ROW("\xd4\x01x", "null"),
    ROW("\xc7\x03\x01xyz", "null"),
    ROW("\x90", "[]"),
    ROW("\x93\x01\xa1x\x91\xc0", "[1,\"x\",[null]]"),
    ROW("\xdc\x00\x02\x01\x02", "[1,2]"),
    ROW("\x80", "{}"),
    ROW("\x82\xa1"
        "a\x01\xa1"
        "b\x81\xa1"
        "c\x90",
        "{\"a\":1,\"b\":{\"c\":[]}}"),
    ROW("\xde\x00\x01\xa1"
        "a\x01",
        "{\"a\":1}"),
    /* keys that are not text; the same key twice */
    ROW("\x81\x01\x02", "{\"1\":2}"),
    ROW("\x81\xff\x02", "{\"-1\":2}"),
    ROW("\x82\xc0\x01\xc3\x02", "{\"null\":1,\"true\":2}"),
    ROW("\x81\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00\x01", "{\"1.5\":1}"),
    ROW("\x81\xc4\x01"
        "f\x01",
        "{\"Zg==\":1}"),
    ROW("\x81\x92\xa1x\x01\x02", "{\"[\\\"x\\\",1]\":2}"),
    ROW("\x81\x81\x81\x01\x02\x03\x04", "{\"{\\\"{\\\\\\\"1\\\\\\\":2}\\\":3}\":4}"),
    ROW("\x82\xa1"
        "a\x01\xa1"
        "a\x02",
        "{\"a\":1,\"a\":2}"),
};

static void check_row(const struct row *row, unsigned i)
{
    struct fr_buffer out = {0};
    cr_assert_eq(fr_msgpack_json(&out, row->bytes, 1000), FRESHET_OK, "row %u", i);
    cr_assert(freshet_span_equal(freshet_span(out.data, out.len), freshet_span_text(row->json)),
              "row %u: %.*s instead of %s", i, (int)out.len, out.data, row->json);
    fr_buffer_deinit(&out);
}

Test(msgpack_json, writes_each_kind_of_value)
{
    for (unsigned i = 0; i < COUNT(rows); i++)
        check_row(&rows[i], i);
}

Test(msgpack_json, does_not_care_for_the_locale)
{
    static const char *const points[] = {",", "\xd9\xab"};
    for (unsigned i = 0; i < 2 * COUNT(rows); i++) {
        point = points[i % 2];
        check_row(&rows[i / 2], i / 2);
    }
}

Test(msgpack_json, refuses_what_is_not_one_value)
{
    static const struct freshet_span wrong[] = {{"", 0},        {"\xc1", 1},     {"\x01\x02", 2},
                                                {"\xa2x", 2},   {"\x81\x01", 2}, {"\xdd\xff\xff\xff\xff", 5},
                                                {"\xcb\x00", 2}};
    for (unsigned i = 0; i < COUNT(wrong); i++) {
        struct fr_buffer out = {0};
        cr_assert_eq(fr_msgpack_json(&out, wrong[i], 1000), FRESHET_INVALID, "row %u", i);
        cr_assert_eq(out.len, 0);
        fr_buffer_deinit(&out);
    }
}

/* `depth` arrays, or maps that are each other's key, around a number. */
static enum freshet_status nest(unsigned depth, char type, struct fr_buffer *out, size_t max_bytes)
{
    char bytes[128];
    size_t len = 0;
    for (unsigned i = 0; i < depth; i++)
        bytes[len++] = type;
    bytes[len++] = 1;
    for (unsigned i = 0; i < depth && type == '\x81'; i++)
        bytes[len++] = 2;
    return fr_msgpack_json(out, freshet_span(bytes, len), max_bytes);
}

Test(msgpack_json, follows_as_deep_as_the_check)
{
    struct fr_buffer out = {0};
    cr_assert_eq(nest(FR_MSGPACK_MAX_DEPTH, '\x91', &out, 1000), FRESHET_OK);
    cr_assert_eq(out.len, 2 * FR_MSGPACK_MAX_DEPTH + 1);
    cr_assert_eq(nest(FR_MSGPACK_MAX_DEPTH + 1, '\x91', &out, 1000), FRESHET_INVALID);
    fr_buffer_deinit(&out);
}

/* Maps as keys of maps: each level doubles the backslashes. */
Test(msgpack_json, keys_of_keys_end_at_the_limit)
{
    struct fr_buffer out = {0};
    cr_assert_eq(nest(8, '\x81', &out, 100000), FRESHET_OK);
    cr_assert_gt(out.len, 256);
    fr_buffer_deinit(&out);
    cr_assert_eq(nest(FR_MSGPACK_MAX_DEPTH, '\x81', &out, 100000), FRESHET_TOO_LARGE);
    cr_assert_leq(out.len, 300000);
    fr_buffer_deinit(&out);
}

Test(msgpack_json, stops_at_the_limit)
{
    static const char many[] = "\x9f\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01";
    struct fr_buffer out = {0};
    fr_buffer_append(&out, freshet_span_text("before"));
    cr_assert_eq(fr_msgpack_json(&out, SPAN(many), 31), FRESHET_OK);
    cr_assert_eq(out.len, 6 + 31);
    fr_buffer_deinit(&out);
    cr_assert_eq(fr_msgpack_json(&out, SPAN(many), 30), FRESHET_TOO_LARGE);
    fr_buffer_deinit(&out);
    cr_assert_eq(fr_msgpack_json(&out, SPAN(many), 10), FRESHET_TOO_LARGE);
    cr_assert_leq(out.len, 12);
    fr_buffer_deinit(&out);
}
