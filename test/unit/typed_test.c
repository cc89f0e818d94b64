#include "typed_rig.h"

#include "core/codec/typed.h"
#include "typed_kinds.h"
#include <float.h>

#define SPAN(text)   freshet_span((text), sizeof(text) - 1)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define EVERY_KIND                                                                                           \
    "{yes: true, number: -5, size: 7, ratio: 0.5, title: 'hi', blob: <00ff>, at: {x: 1.5, y: -2.0}}"

static bool is_zero(const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((const char *)bytes)[i] != 0)
            return false;
    return true;
}

static bool is_inside(struct freshet_span part, struct freshet_span whole)
{
    return part.data >= whole.data && part.data + part.len <= whole.data + whole.len;
}

/* contract 1.5 */
Test(typed, reads_every_kind_without_a_copy)
{
    struct payload payload = payload_of(EVERY_KIND);
    struct kinds_message message;
    struct freshet_error error = {""};
    cr_assert_eq(kinds_decode(payload_span(&payload), &message, &error), FRESHET_OK, "%s", error.text);
    cr_assert(message.yes);
    cr_assert_eq(message.number, -5);
    cr_assert_eq(message.size, 7);
    cr_assert_float_eq(message.ratio, 0.5, 0);
    cr_assert(freshet_span_equal(message.title, SPAN("hi")));
    cr_assert(freshet_span_equal(message.blob, SPAN("\x00\xff")));
    cr_assert(is_inside(message.title, payload_span(&payload)));
    cr_assert(is_inside(message.blob, payload_span(&payload)));
    cr_assert_float_eq(message.at.x, 1.5, 0);
    cr_assert_float_eq(message.at.y, -2.0, 0);
    cr_assert_not(message.at.has_name);
    cr_assert_str_empty(error.text);
}

/* contract 1.5: other languages rely on these bytes. */
Test(typed, writes_a_map_with_the_names_as_keys)
{
    struct maybe_message message = {.has_number = true, .number = -1, .has_title = true, .title = SPAN("hi")};
    static const char bytes[] = "\x82\xa6number\xff\xa5title\xa2hi";
    char buffer[64];
    size_t len = 0;
    cr_assert_eq(maybe_encode(&message, buffer, sizeof(buffer), &len, NULL), FRESHET_OK);
    cr_assert_eq(len, sizeof(bytes) - 1);
    cr_assert_arr_eq(buffer, bytes, len);
    message = (struct maybe_message){.has_yes = false};
    cr_assert_eq(maybe_encode(&message, buffer, sizeof(buffer), &len, NULL), FRESHET_OK);
    cr_assert_eq(len, 1);
    cr_assert_eq((unsigned char)buffer[0], 0x80);
}

static void expect_way_back(struct kinds_message sent)
{
    char buffer[512];
    size_t len = 0;
    struct kinds_message got;
    cr_assert_eq(kinds_encode(&sent, buffer, sizeof(buffer), &len, NULL), FRESHET_OK);
    cr_assert_eq(kinds_decode(freshet_span(buffer, len), &got, NULL), FRESHET_OK);
    cr_expect_eq(got.yes, sent.yes);
    cr_expect_eq(got.number, sent.number);
    cr_expect_eq(got.size, sent.size);
    cr_expect(memcmp(&got.ratio, &sent.ratio, sizeof(double)) == 0);
    cr_expect(freshet_span_equal(got.title, sent.title));
    cr_expect(freshet_span_equal(got.blob, sent.blob));
    cr_expect(memcmp(&got.at.x, &sent.at.x, sizeof(double)) == 0);
    cr_expect_eq(got.at.has_name, sent.at.has_name);
    cr_expect(freshet_span_equal(got.at.name, sent.at.name));
}

/* contract 1.5 */
Test(typed, brings_back_what_was_written)
{
    static const int64_t numbers[] = {0,    1,    -1,    127,       128,       -32,      -33,
                                      -128, -129, 65536, INT32_MIN, INT64_MIN, INT64_MAX};
    static const uint64_t sizes[] = {0, 127, 128, 255, 256, 65535, 65536, UINT32_MAX, UINT64_MAX};
    static const double ratios[] = {0.0, -0.0, 1e300, DBL_MIN, -DBL_MAX, 0.1};
    static char long_text[300];
    memset(long_text, 'x', sizeof(long_text));
    for (size_t i = 0; i < COUNT(numbers); i++)
        expect_way_back((struct kinds_message){.number = numbers[i], .yes = i % 2 == 0});
    for (size_t i = 0; i < COUNT(sizes); i++)
        expect_way_back((struct kinds_message){.size = sizes[i]});
    for (size_t i = 0; i < COUNT(ratios); i++)
        expect_way_back((struct kinds_message){.ratio = ratios[i], .at.x = -ratios[i]});
    expect_way_back((struct kinds_message){.title = freshet_span(long_text, sizeof(long_text))});
    expect_way_back(
        (struct kinds_message){.title = SPAN("\xc3\xa9\xf0\x9f\x8c\x8a"), .blob = SPAN("\xff\x00\xc1")});
    expect_way_back((struct kinds_message){.at = {.has_name = true, .name = SPAN("here")}});
}

/* contract 1.5 */
Test(typed, optional_fields_may_be_absent_or_nil)
{
    static const char *const absent[] = {
        "{}",
        "{yes: nil, number: nil, size: nil, ratio: nil, title: nil, blob: nil, at: nil, numbers: nil}",
    };
    for (size_t i = 0; i < COUNT(absent); i++) {
        struct payload payload = payload_of(absent[i]);
        struct maybe_message message;
        cr_assert_eq(maybe_decode(payload_span(&payload), &message, NULL), FRESHET_OK);
        cr_expect(is_zero(&message, sizeof(message)), "%s", absent[i]);
    }
    struct payload payload = payload_of("{yes: false, number: 1, size: 2, ratio: 3.0, title: '', blob: <>, "
                                        "at: {x: 1.0, y: 2.0}, numbers: []}");
    struct maybe_message message;
    cr_assert_eq(maybe_decode(payload_span(&payload), &message, NULL), FRESHET_OK);
    cr_assert(message.has_yes && message.has_number && message.has_size && message.has_ratio);
    cr_assert(message.has_title && message.has_blob && message.has_at && message.has_numbers);
    cr_assert_not(message.yes);
    cr_assert_eq(message.size, 2);
    cr_assert_float_eq(message.at.y, 2.0, 0);
}

/* contract 1.5 */
Test(typed, ignores_what_it_does_not_know)
{
    struct payload payload =
        payload_of("{new: {x: [1, {y: 2}], x: 'twice'}, x: 1.0, 'odd': nil, y: 2.0, new: <00>}");
    struct freshet_error error;
    struct point point;
    cr_assert_eq(freshet_fields_decode(&point_fields, payload_span(&payload), &point, &error), FRESHET_OK,
                 "%s", error.text);
    cr_assert_float_eq(point.y, 2.0, 0);
    /* Keys need not be text: 1, nil, a map and bytes of a field's name. */
    static const char keys[] = "\x86\x01\x01\xc0\x02\x80\x03\xc4\x01x\x04\xa1x\xca\x3f\x80\x00\x00\xa1y\x02";
    cr_assert_eq(freshet_fields_decode(&point_fields, SPAN(keys), &point, &error), FRESHET_OK, "%s",
                 error.text);
    cr_assert_float_eq(point.x, 1.0, 0);
    cr_assert_float_eq(point.y, 2.0, 0);
}

struct refused {
    const char *payload, *reason;
};

static void expect_refusals(const struct freshet_fields *fields, void *message, const struct refused *cases,
                            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct payload payload = payload_of(cases[i].payload);
        struct freshet_error error = {""};
        memset(message, 0x5a, fields->size);
        cr_expect_eq(freshet_fields_decode(fields, payload_span(&payload), message, &error), FRESHET_INVALID,
                     "%s", cases[i].payload);
        cr_expect_str_eq(error.text, cases[i].reason);
        cr_expect(is_zero(message, fields->size), "%s", cases[i].payload);
        cr_expect_eq(freshet_fields_decode(fields, payload_span(&payload), message, NULL), FRESHET_INVALID);
    }
}

/* contract 1.5 */
Test(typed, names_a_missing_field)
{
    static const struct refused cases[] = {
        {"{}", "kinds_message: field \"yes\": it is required and missing"},
        {"{yes: true, number: -5, size: 7, ratio: 0.5, title: 'hi', at: {x: 1.5, y: -2.0}}",
         "kinds_message: field \"blob\": it is required and missing"},
        {"{yes: true, number: -5, size: 7, ratio: 0.5, title: 'hi', blob: <00>}",
         "kinds_message: field \"at\": it is required and missing"},
        {"{yes: true, number: -5, size: 7, ratio: 0.5, title: 'hi', blob: <00>, at: {x: 1.5}}",
         "kinds_message: field \"at.y\": it is required and missing"},
    };
    struct kinds_message message;
    expect_refusals(&kinds_message_fields, &message, cases, COUNT(cases));
    static const struct refused nested[] = {
        {"{answers: [], numbers: [], sizes: [], ratios: [], titles: [], blobs: [], lines: "
         "[{colour: 'red', points: []}, {colour: 'red', points: [{x: 1, y: 2}, {x: 1, y: 2}, {y: 2}]}]}",
         "lists_message: field \"lines[1].points[2].x\": it is required and missing"},
    };
    struct lists_message lists;
    expect_refusals(&lists_message_fields, &lists, nested, COUNT(nested));
}

/* contract 1.5 */
Test(typed, names_a_field_of_the_wrong_kind_and_both_kinds)
{
    static const struct refused cases[] = {
        {"{yes: 1}", "maybe_message: field \"yes\": boolean expected, integer found"},
        {"{number: 1.0}", "maybe_message: field \"number\": int64 expected, float found"},
        {"{number: true}", "maybe_message: field \"number\": int64 expected, boolean found"},
        {"{size: 1.0}", "maybe_message: field \"size\": uint64 expected, float found"},
        {"{size: '1'}", "maybe_message: field \"size\": uint64 expected, text found"},
        {"{ratio: '0.5'}", "maybe_message: field \"ratio\": float64 expected, text found"},
        {"{title: <00>}", "maybe_message: field \"title\": text expected, bytes found"},
        {"{title: {}}", "maybe_message: field \"title\": text expected, map found"},
        {"{blob: 'text'}", "maybe_message: field \"blob\": bytes expected, text found"},
        {"{blob: [1]}", "maybe_message: field \"blob\": bytes expected, array found"},
        {"{at: 1}", "maybe_message: field \"at\": map expected, integer found"},
        {"{at: {x: 1, y: 2, name: 3}}", "maybe_message: field \"at.name\": text expected, integer found"},
        {"{at: {x: nil, y: 2}}", "maybe_message: field \"at.x\": float64 expected, nil found"},
        {"{numbers: 5}", "maybe_message: field \"numbers\": array expected, integer found"},
        {"{numbers: [1, 2, nil]}", "maybe_message: field \"numbers[2]\": int64 expected, nil found"},
        {"[]", "maybe_message: map expected, array found"},
        {"nil", "maybe_message: map expected, nil found"},
        {"'text'", "maybe_message: map expected, text found"},
    };
    struct maybe_message message;
    expect_refusals(&maybe_message_fields, &message, cases, COUNT(cases));
}

Test(typed, names_a_field_that_is_out_of_range_or_twice_or_not_utf8)
{
    static const struct refused cases[] = {
        {"{number: 9223372036854775808}", "maybe_message: field \"number\": an integer outside of int64"},
        {"{size: -1}", "maybe_message: field \"size\": an integer outside of uint64"},
        {"{title: '\xc3\x28'}", "maybe_message: field \"title\": text that is not UTF-8"},
        {"{size: 1, number: 1, size: 1}", "maybe_message: field \"size\": it is there twice"},
        {"{size: nil, size: 1}", "maybe_message: field \"size\": it is there twice"},
    };
    struct maybe_message message;
    expect_refusals(&maybe_message_fields, &message, cases, COUNT(cases));
}

/* Languages without a type for whole numbers write 1.0 as 1. */
Test(typed, takes_an_integer_where_a_float64_is_wanted)
{
    static const struct {
        const char *payload;
        double ratio;
    } cases[] = {{"{ratio: 3}", 3.0}, {"{ratio: -3}", -3.0}, {"{ratio: 18446744073709551615}", 0x1p64}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct payload payload = payload_of(cases[i].payload);
        struct maybe_message message;
        cr_assert_eq(maybe_decode(payload_span(&payload), &message, NULL), FRESHET_OK);
        cr_assert_float_eq(message.ratio, cases[i].ratio, 0);
    }
}

/* Every format that msgpack has for an integer. */
Test(typed, reads_integers_however_they_were_written)
{
    const struct {
        struct freshet_span value;
        int64_t number;
    } cases[] = {
        {SPAN("\x05"), 5},
        {SPAN("\xfb"), -5},
        {SPAN("\xe0"), -32},
        {SPAN("\xcc\xff"), 255},
        {SPAN("\xcd\x01\x00"), 256},
        {SPAN("\xce\xff\xff\xff\xff"), UINT32_MAX},
        {SPAN("\xcf\x00\x00\x00\x01\x00\x00\x00\x00"), INT64_C(1) << 32},
        {SPAN("\xd0\x7f"), 127},
        {SPAN("\xd0\x80"), -128},
        {SPAN("\xd1\x80\x00"), -32768},
        {SPAN("\xd1\xff\xfe"), -2},
        {SPAN("\xd2\x80\x00\x00\x00"), INT32_MIN},
        {SPAN("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), INT64_MIN},
        {SPAN("\xd3\x00\x00\x00\x00\x00\x00\x00\x09"), 9},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct payload payload = {.len = 0};
        struct maybe_message message;
        put(&payload, "\x81\xa6number", 8);
        put(&payload, cases[i].value.data, cases[i].value.len);
        cr_assert_eq(maybe_decode(payload_span(&payload), &message, NULL), FRESHET_OK, "case %zu", i);
        cr_expect_eq(message.number, cases[i].number, "case %zu", i);
    }
}

static const char lists_text[] =
    "{answers: [true, false], numbers: [-1, 2], sizes: [3], ratios: [0.5, 1], titles: ['a', '', 'c'], "
    "blobs: [<01>], lines: [{colour: 'red', points: [{x: 1.0, y: 2.0}, {x: 3.0, y: 4.0, name: 'n'}]}, "
    "{colour: 'blue', points: []}]}";

static void expect_lists(struct lists_message lists)
{
    bool answer;
    int64_t number;
    uint64_t size;
    double ratio;
    struct freshet_span title, blob;
    cr_expect(freshet_boolean_next(&lists.answers, &answer) && answer);
    cr_expect(freshet_boolean_next(&lists.answers, &answer) && !answer);
    cr_expect(!freshet_boolean_next(&lists.answers, &answer));
    cr_expect(freshet_int64_next(&lists.numbers, &number) && number == -1);
    cr_expect_eq(lists.numbers.count, 1);
    cr_expect(freshet_int64_next(&lists.numbers, &number) && number == 2);
    cr_expect(!freshet_int64_next(&lists.numbers, &number));
    cr_expect(freshet_uint64_next(&lists.sizes, &size) && size == 3);
    cr_expect(freshet_float64_next(&lists.ratios, &ratio) && ratio > 0.4 && ratio < 0.6);
    cr_expect(freshet_text_next(&lists.titles, &title) && freshet_span_equal(title, SPAN("a")));
    cr_expect(freshet_text_next(&lists.titles, &title) && title.len == 0);
    cr_expect(freshet_text_next(&lists.titles, &title) && freshet_span_equal(title, SPAN("c")));
    cr_expect(!freshet_text_next(&lists.titles, &title));
    cr_expect(freshet_bytes_next(&lists.blobs, &blob) && freshet_span_equal(blob, SPAN("\x01")));
    struct line line;
    struct point point;
    cr_assert(line_next(&lists.lines, &line));
    cr_expect(freshet_span_equal(line.colour, SPAN("red")));
    cr_expect_eq(line.points.count, 2);
    cr_expect(point_next(&line.points, &point) && point.y > 1.9 && !point.has_name);
    cr_expect(point_next(&line.points, &point) && point.x > 2.9 && freshet_span_equal(point.name, SPAN("n")));
    cr_expect(!point_next(&line.points, &point));
    cr_assert(line_next(&lists.lines, &line));
    cr_expect(freshet_span_equal(line.colour, SPAN("blue")) && line.points.count == 0);
    cr_expect(!line_next(&lists.lines, &line));
}

/* contract 1.5 */
Test(typed, reads_arrays_item_by_item_without_memory)
{
    struct payload payload = payload_of(lists_text);
    struct freshet_error error;
    struct lists_message lists;
    cr_assert_eq(lists_decode(payload_span(&payload), &lists, &error), FRESHET_OK, "%s", error.text);
    cr_assert_eq(lists.titles.count, 3);
    cr_assert(is_inside(lists.titles.encoded, payload_span(&payload)));
    expect_lists(lists);
}

/* contract 1.5 */
Test(typed, writes_arrays_from_memory)
{
    const bool answers[] = {true, false};
    const int64_t numbers[] = {-1, 2};
    const uint64_t sizes[] = {3};
    const double ratios[] = {0.5, 1};
    const struct freshet_span titles[] = {SPAN("a"), SPAN(""), SPAN("c")}, blobs[] = {SPAN("\x01")};
    const struct point points[] = {{.x = 1, .y = 2}, {.x = 3, .y = 4, .has_name = true, .name = SPAN("n")}};
    const struct line lines[] = {{.colour = SPAN("red"), .points = {.items = points, .count = 2}},
                                 {.colour = SPAN("blue")}};
    const struct lists_message sent = {
        .answers = {.items = answers, .count = 2},
        .numbers = {.items = numbers, .count = 2},
        .sizes = {.items = sizes, .count = 1},
        .ratios = {.items = ratios, .count = 2},
        .titles = {.items = titles, .count = 3},
        .blobs = {.items = blobs, .count = 1},
        .lines = {.items = lines, .count = 2},
    };
    expect_lists(sent);
    char buffer[512];
    size_t len = 0;
    struct lists_message got;
    cr_assert_eq(lists_encode(&sent, buffer, sizeof(buffer), &len, NULL), FRESHET_OK);
    cr_assert_eq(lists_decode(freshet_span(buffer, len), &got, NULL), FRESHET_OK);
    expect_lists(got);
}

/* contract 1.5 */
Test(typed, writes_a_decoded_array_as_it_came)
{
    struct payload payload = payload_of(lists_text);
    struct lists_message lists, again;
    char buffer[512];
    size_t len = 0;
    struct freshet_span title;
    cr_assert_eq(lists_decode(payload_span(&payload), &lists, NULL), FRESHET_OK);
    cr_assert_eq(lists_encode(&lists, buffer, sizeof(buffer), &len, NULL), FRESHET_OK);
    cr_assert_eq(lists_decode(freshet_span(buffer, len), &again, NULL), FRESHET_OK);
    expect_lists(again);
    freshet_text_next(&lists.titles, &title); /* what is left of it */
    cr_assert_eq(lists_encode(&lists, buffer, sizeof(buffer), &len, NULL), FRESHET_OK);
    cr_assert_eq(lists_decode(freshet_span(buffer, len), &again, NULL), FRESHET_OK);
    cr_assert_eq(again.titles.count, 2);
    cr_assert(freshet_text_next(&again.titles, &title) && title.len == 0);
}

Test(typed, does_not_write_what_it_would_not_read)
{
    char buffer[512];
    size_t len = 0;
    struct freshet_error error;
    const struct freshet_span titles[] = {SPAN("a"), SPAN("\xff")};
    struct kinds_message kinds = {.title = SPAN("\xed\xa0\x80")};
    cr_assert_eq(kinds_encode(&kinds, buffer, sizeof(buffer), &len, &error), FRESHET_INVALID);
    cr_assert_str_eq(error.text, "kinds_message: field \"title\": text that is not UTF-8");
    cr_assert_eq(len, 0);
    kinds = (struct kinds_message){.at = {.has_name = true, .name = SPAN("\x80")}};
    cr_assert_eq(kinds_encode(&kinds, buffer, sizeof(buffer), &len, &error), FRESHET_INVALID);
    cr_assert_str_eq(error.text, "kinds_message: field \"at.name\": text that is not UTF-8");
    struct lists_message lists = {.titles = {.items = titles, .count = 2}};
    cr_assert_eq(lists_encode(&lists, buffer, sizeof(buffer), &len, &error), FRESHET_INVALID);
    cr_assert_str_eq(error.text, "lists_message: field \"titles[1]\": text that is not UTF-8");
    lists = (struct lists_message){.titles = {.count = 1}};
    cr_assert_eq(lists_encode(&lists, buffer, sizeof(buffer), &len, &error), FRESHET_INVALID);
    cr_assert_str_eq(error.text, "lists_message: field \"titles[0]\": neither in memory nor encoded");
    lists = (struct lists_message){.numbers = {.count = 1, .encoded = SPAN("\xa1x")}};
    cr_assert_eq(lists_encode(&lists, buffer, sizeof(buffer), &len, &error), FRESHET_INVALID);
    cr_assert_str_eq(error.text, "lists_message: field \"numbers[0]\": int64 expected, text found");
}

Test(typed, says_what_it_needs_when_it_does_not_fit)
{
    struct kinds_message message = {.title = SPAN("hello"), .blob = SPAN("there")};
    size_t needed = 0, len = 0;
    cr_assert_eq(kinds_encode(&message, NULL, 0, &needed, NULL), FRESHET_TOO_LARGE);
    for (size_t capacity = 0; capacity < needed; capacity++) {
        char *room = malloc(capacity + 1);
        room[capacity] = 'x';
        cr_assert_eq(kinds_encode(&message, room, capacity, &len, NULL), FRESHET_TOO_LARGE);
        cr_assert_eq(len, needed);
        cr_assert_eq(room[capacity], 'x');
        free(room);
    }
    char buffer[256];
    cr_assert_eq(kinds_encode(&message, buffer, needed, &len, NULL), FRESHET_OK);
    cr_assert_eq(len, needed);
}

/* More than msgpack can count is refused before it is looked at. */
Test(typed, refuses_texts_and_arrays_over_32_bits)
{
    struct kinds_message kinds = {.blob = freshet_span("", (size_t)UINT32_MAX + 1)};
    struct lists_message lists = {.answers = {.items = &kinds.yes, .count = (size_t)UINT32_MAX + 1}};
    size_t len = 0;
    cr_assert_eq(kinds_encode(&kinds, NULL, 0, &len, NULL), FRESHET_TOO_LARGE);
    cr_assert_eq(len, SIZE_MAX);
    kinds = (struct kinds_message){.title = freshet_span("", (size_t)UINT32_MAX + 1)};
    cr_assert_eq(kinds_encode(&kinds, NULL, 0, &len, NULL), FRESHET_TOO_LARGE);
    cr_assert_eq(len, SIZE_MAX);
    cr_assert_eq(lists_encode(&lists, NULL, 0, &len, NULL), FRESHET_TOO_LARGE);
    cr_assert_eq(len, SIZE_MAX);
}

Test(typed, says_when_there_is_no_message)
{
    struct kinds_message message = {.number = 1};
    struct freshet_error error;
    cr_assert_eq(kinds_decode(freshet_span(NULL, 0), &message, &error), FRESHET_NOT_FOUND);
    cr_assert_str_eq(error.text, "kinds_message: there is no message");
    cr_assert(is_zero(&message, sizeof(message)));
}

/* contract 2.2: whoever calls it with whatever. */
Test(typed, is_safe_on_announced_sizes_and_truncation)
{
    const struct freshet_span hostile[] = {
        SPAN("\xdf\xff\xff\xff\xff"),
        SPAN("\x81\xa7numbers\xdd\xff\xff\xff\xff"),
        SPAN("\x81\xa5title\xdb\xff\xff\xff\xff"),
        SPAN("\x81\xa4"
             "blob\xc6\x7f\xff\xff\xff"
             "abc"),
        SPAN("\x81\xdb\xff\xff\xff\xff"),
        SPAN("\x80\x80"),
        SPAN("\xc1"),
    };
    struct maybe_message message;
    for (size_t i = 0; i < COUNT(hostile); i++) {
        struct freshet_error error;
        cr_expect_eq(maybe_decode(hostile[i], &message, &error), FRESHET_INVALID, "case %zu", i);
        cr_expect_str_eq(error.text, "maybe_message: not one whole msgpack value");
    }
    struct payload payload = payload_of(EVERY_KIND);
    struct kinds_message kinds;
    for (size_t len = 1; len < payload.len; len++) {
        char *cut = malloc(len); /* so that a sanitizer sees a byte too many */
        memcpy(cut, payload.bytes, len);
        cr_expect_eq(kinds_decode(freshet_span(cut, len), &kinds, NULL), FRESHET_INVALID, "%zu bytes", len);
        free(cut);
    }
}

/* An array made by hand out of any bytes ends, and ends early. */
Test(typed, next_is_safe_on_any_bytes)
{
    struct freshet_int64_array numbers = {.count = SIZE_MAX, .encoded = SPAN("\x01\x02\xa1x")};
    int64_t number = 9;
    cr_assert(freshet_int64_next(&numbers, &number) && number == 1);
    cr_assert(freshet_int64_next(&numbers, &number) && number == 2);
    cr_assert_not(freshet_int64_next(&numbers, &number));
    cr_assert_eq(number, 0);
    cr_assert_eq(numbers.count, 0);
    struct point_array points = {.count = 3, .encoded = SPAN("\x82\xa1x\x01\xa1y\x02\x82\xa1x\x01")};
    struct point point;
    cr_assert(point_next(&points, &point));
    cr_assert_not(point_next(&points, &point));
    cr_assert_not(point_next(&points, &point));
}

/* A long array of maps costs time in proportion, and no memory. */
Test(typed, takes_as_many_items_as_a_payload_holds)
{
    enum { POINTS = 60000 };
    size_t len = 0;
    char *bytes = malloc(64 + POINTS * 7);
    memcpy(bytes,
           "\x82\xa6"
           "colour\xa1r\xa6points\xdd\x00\x00\xea\x60",
           22);
    for (len = 22; len < 22 + POINTS * 7; len += 7)
        memcpy(bytes + len, "\x82\xa1x\x01\xa1y\x02", 7);
    struct line line;
    struct point point;
    size_t count = 0;
    cr_assert_eq(freshet_fields_decode(&line_fields, freshet_span(bytes, len), &line, NULL), FRESHET_OK);
    while (point_next(&line.points, &point))
        count++;
    cr_assert_eq(count, POINTS);
    free(bytes);
}
