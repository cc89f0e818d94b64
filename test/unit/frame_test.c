#include <criterion/criterion.h>

#include "failing_memory.h"

#include "base/buffer.c"
#include "base/bytes.c"

#include <openssl/evp.h>
#define EVP_MD_CTX_new() (may_allocate() ? EVP_MD_CTX_new() : NULL)
#include "core/codec/frame_version.c"

#include <stdio.h>

#define SPAN(text)   freshet_span((text), sizeof(text) - 1)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An event stream read as the WHATWG algorithm says, byte by byte, apart from the code under test. */
struct reader {
    char data[4096], event[64], id[64], line[4096];
    size_t data_len, line_len, dispatched;
    bool after_cr;
    char last_data[4096], last_event[64];
    size_t last_len;
};

static void set_text(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text);
}

static void dispatch(struct reader *reader)
{
    if (reader->data_len != 0) {
        reader->last_len = reader->data_len - 1;
        memcpy(reader->last_data, reader->data, reader->last_len);
        set_text(reader->last_event, sizeof(reader->last_event), reader->event);
        reader->dispatched++;
    }
    reader->data_len = 0;
    reader->event[0] = '\0';
}

static void read_line(struct reader *reader)
{
    char *line = reader->line, *colon = memchr(line, ':', reader->line_len);
    line[reader->line_len] = '\0';
    if (reader->line_len == 0)
        dispatch(reader);
    if (reader->line_len == 0 || colon == line)
        return;
    char *value = colon == NULL ? line + reader->line_len : colon + 1;
    if (colon != NULL)
        *colon = '\0';
    if (*value == ' ')
        value++;
    if (strcmp(line, "event") == 0)
        set_text(reader->event, sizeof(reader->event), value);
    if (strcmp(line, "id") == 0)
        set_text(reader->id, sizeof(reader->id), value);
    if (strcmp(line, "data") != 0)
        return;
    size_t len = (size_t)(line + reader->line_len - value);
    memcpy(reader->data + reader->data_len, value, len);
    reader->data[reader->data_len + len] = '\n';
    reader->data_len += len + 1;
}

static void feed(struct reader *reader, struct freshet_span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        char byte = bytes.data[i];
        bool second = reader->after_cr && byte == '\n';
        reader->after_cr = byte == '\r';
        if (second)
            continue;
        if (byte != '\r' && byte != '\n') {
            reader->line[reader->line_len++] = byte;
            continue;
        }
        read_line(reader);
        reader->line_len = 0;
    }
}

/* The event inside of a chunk; checks the chunk. */
static struct freshet_span unchunk(const struct fr_bytes *frame)
{
    cr_assert_not_null(frame);
    char *end;
    size_t len = strtoul(frame->span.data, &end, 16);
    cr_assert(end[0] == '\r' && end[1] == '\n');
    struct freshet_span body = freshet_span(end + 2, len);
    cr_assert_eq((size_t)(end - frame->span.data) + 2 + len + 2, frame->span.len);
    cr_assert_eq(memcmp(body.data + len, "\r\n", 2), 0);
    struct freshet_span same = fr_frame_body(frame->span);
    cr_assert(same.data == body.data && same.len == body.len);
    return body;
}

static void expect_frame(struct fr_bytes *frame, const char *text)
{
    cr_assert_not_null(frame);
    cr_expect(freshet_span_equal(frame->span, freshet_span_text(text)), "%.*s instead of %s",
              (int)frame->span.len, frame->span.data, text);
    unchunk(frame);
    fr_bytes_release(frame);
}

static const struct fr_version version = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}};
#define ID "id: 00010203040506070809aabbccddeeff\n"

/* contract 5.3 */
Test(frame, a_snapshot_is_an_id_and_a_data_line_for_each_line)
{
    expect_frame(fr_frame_snapshot(&version, SPAN("42")), "2f\r\n" ID "data: 42\n\n\r\n");
    expect_frame(fr_frame_snapshot(&version, SPAN("a\nb\rc\r\nd")),
                 "46\r\n" ID "data: a\ndata: b\ndata: c\ndata: d\n\n\r\n");
    expect_frame(fr_frame_snapshot(&version, SPAN("")), "2d\r\n" ID "data: \n\n\r\n");
    expect_frame(fr_frame_snapshot(&version, freshet_span(NULL, 0)), "2d\r\n" ID "data: \n\n\r\n");
    expect_frame(fr_frame_snapshot(&version, SPAN("\n")), "34\r\n" ID "data: \ndata: \n\n\r\n");
    expect_frame(fr_frame_snapshot(&version, SPAN(" x")), "2f\r\n" ID "data:  x\n\n\r\n");
}

/* contract 5.5 */
Test(frame, events_have_codes_in_json)
{
    expect_frame(
        fr_frame_load_error(SPAN("bus-down"), SPAN("The bus is down.")),
        "4a\r\nevent: load-error\ndata: {\"code\":\"bus-down\",\"message\":\"The bus is down.\"}\n\n\r\n");
    expect_frame(fr_frame_end(&(struct fr_end){.code = SPAN("going-away"), .retry_ms = 1500}),
                 "38\r\nevent: end\ndata: {\"code\":\"going-away\",\"retry_ms\":1500}\n\n\r\n");
    expect_frame(fr_frame_end(&(struct fr_end){.code = SPAN("refused"), .retry_ms = -1}),
                 "35\r\nevent: end\ndata: {\"code\":\"refused\",\"retry_ms\":null}\n\n\r\n");
    expect_frame(fr_frame_end(&(struct fr_end){.code = SPAN("x"), .retry_ms = 0}),
                 "2c\r\nevent: end\ndata: {\"code\":\"x\",\"retry_ms\":0}\n\n\r\n");
}

Test(frame, json_is_escaped)
{
    static const struct {
        struct freshet_span text;
        const char *json;
    } cases[] = {
        {{"", 0}, "\"\""},
        {{"\"\\/", 3}, "\"\\\"\\\\/\""},
        {{"\0\n\r\t\x1f\x7f", 6}, "\"\\u0000\\u000a\\u000d\\u0009\\u001f\x7f\""},
        {{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\x8a", 9}, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\x8a\""},
        {{"a\xff"
          "b",
          3},
         "\"a\xef\xbf\xbd"
         "b\""},
        {{"\xc0\xaf", 2}, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xf0\x9f\x8c", 3}, "\"\xef\xbf\xbd\""},
        {{"\xf0\x9f\x8c"
          "a",
          4},
         "\"\xef\xbf\xbd"
         "a\""},
        {{"\xed\xa0\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xe2\x82\"", 3}, "\"\xef\xbf\xbd\\\"\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char expected[128];
        snprintf(expected, sizeof(expected), "event: load-error\ndata: {\"code\":\"c\",\"message\":%s}\n\n",
                 cases[i].json);
        struct fr_bytes *frame = fr_frame_load_error(SPAN("c"), cases[i].text);
        struct freshet_span body = unchunk(frame);
        cr_expect(freshet_span_equal(body, freshet_span_text(expected)), "case %zu: %.*s", i, (int)body.len,
                  body.data);
        fr_bytes_release(frame);
    }
}

/* contract 5.5 */
Test(frame, messages_and_gaps_have_no_id)
{
    expect_frame(fr_frame_message(SPAN("{\"a\":1}")), "f\r\ndata: {\"a\":1}\n\n\r\n");
    expect_frame(fr_frame_gap(3), "1d\r\nevent: gap\ndata: {\"lost\":3}\n\n\r\n");
    expect_frame(fr_frame_gap(-1), "20\r\nevent: gap\ndata: {\"lost\":null}\n\n\r\n");
}

/* The text with each of its line ends turned into one LF. */
static size_t normalise(struct freshet_span text, char *to)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\n' && i > 0 && text.data[i - 1] == '\r')
            continue;
        to[len++] = text.data[i] == '\r' ? '\n' : text.data[i];
    }
    return len;
}

/* contract 5.8 */
Test(frame, messages_and_gaps_say_their_view)
{
    struct fr_bytes *message = fr_frame_message(SPAN("1")), *gap = fr_frame_gap(3);
    expect_frame(fr_frame_named(message, SPAN("c%2F1")), "1d\r\nevent: c%2F1\ndata: \ndata: 1\n\n\r\n");
    expect_frame(fr_frame_named(gap, SPAN("c")),
                 "28\r\nevent: gap\ndata: {\"view\":\"c\",\"lost\":3}\n\n\r\n");
    fr_bytes_release(message);
    fr_bytes_release(gap);
}

/* contract 5.8 */
Test(frame, other_events_say_their_view)
{
    struct fr_bytes *snapshot = fr_frame_snapshot(&version, SPAN("a\r\n\rb"));
    struct fr_bytes *error = fr_frame_load_error(SPAN("broken"), SPAN("event: x\n"));
    expect_frame(fr_frame_named(snapshot, SPAN("/b")),
                 "49\r\nevent: /b\ndata: 00010203040506070809aabbccddeeff\ndata: a\ndata: \ndata: b\n\n\r\n");
    expect_frame(fr_frame_named(error, SPAN("/\"")),
                 "53\r\nevent: load-error\ndata: {\"view\":\"/\\\"\","
                 "\"code\":\"broken\",\"message\":\"event: x\\u000a\"}\n\n\r\n");
    expect_frame(fr_frame_current(SPAN("/b"), &version),
                 "32\r\nevent: /b\ndata: 00010203040506070809aabbccddeeff\n\n\r\n");
    fr_bytes_release(snapshot);
    fr_bytes_release(error);
}

/* contract 5.10 */
Test(frame, a_difference_has_both_versions)
{
    struct fr_version from = {{0xff}};
    struct fr_bytes *frame = fr_frame_difference(&version, &from, SPAN("[[0,4]]"));
    expect_frame(fr_bytes_acquire(frame),
                 "6d\r\n" ID
                 "event: difference\ndata: ff000000000000000000000000000000\ndata: [[0,4]]\n\n\r\n");
    expect_frame(fr_frame_named(frame, SPAN("/b")),
                 "61\r\nevent: /b\ndata: 00010203040506070809aabbccddeeff ff000000000000000000000000000000\n"
                 "data: [[0,4]]\n\n\r\n");
    fr_bytes_release(frame);
}

/* contract 5.3: what a client makes of the lines */
Test(frame, the_text_of_a_snapshot_is_its_lines)
{
    const struct {
        struct freshet_span bytes, text;
    } cases[] = {{SPAN("42"), SPAN("42")},
                 {SPAN(""), SPAN("")},
                 {SPAN("a\r\nb\rc\n"), SPAN("a\nb\nc\n")},
                 {SPAN("\n\r"), SPAN("\n\n")},
                 {SPAN("data: x"), SPAN("data: x")}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fr_bytes *frame = fr_frame_snapshot(&version, cases[i].bytes);
        struct fr_buffer lines = {0};
        cr_expect(freshet_span_equal(fr_frame_text(frame, &lines), cases[i].text), "%zu", i);
        fr_buffer_deinit(&lines);
        fr_bytes_release(frame);
    }
}

/* contract 5.8 */
Test(frame, the_end_of_a_view_has_a_status_if_it_was_never_open)
{
    struct fr_end end = {.code = SPAN("log-in"), .retry_ms = -1, .location = SPAN("/log-in?\"")};
    expect_frame(
        fr_frame_end_view(&end, SPAN("/b"), 302),
        "65\r\nevent: end\ndata: {\"view\":\"/b\",\"status\":302,\"code\":\"log-in\",\"retry_ms\":null,"
        "\"location\":\"/log-in?\\\"\"}\n\n\r\n");
    end = (struct fr_end){.code = SPAN("max-topics"), .retry_ms = 17};
    expect_frame(fr_frame_end_view(&end, SPAN("/b"), 0),
                 "42\r\nevent: end\ndata: {\"view\":\"/b\",\"code\":\"max-topics\",\"retry_ms\":17}\n\n\r\n");
}

/* contract 5.8: bytes that look like lines of events are data, whatever the kind of frame */
Test(frame, a_client_gets_the_snapshot_of_a_view_back)
{
    static const struct freshet_span texts[] = {
        {"", 0}, {"42", 2}, {"id: 7", 5}, {"event: x\ndata: {", 16}, {"\n\n", 2}, {"{}", 2}, {"a\rb", 3}};
    static struct reader reader;
    for (size_t i = 0; i < COUNT(texts); i++) {
        char expected[64] = "00010203040506070809aabbccddeeff\n";
        struct fr_bytes *plain[] = {fr_frame_snapshot(&version, texts[i]), fr_frame_message(texts[i])};
        for (size_t j = 0; j < COUNT(plain); j++) {
            size_t skipped = j == 0 ? 0 : FR_VERSION_HEX; /* a message has none */
            struct fr_bytes *frame = fr_frame_named(plain[j], SPAN("/a?b=c"));
            size_t len = FR_VERSION_HEX + 1 + normalise(texts[i], expected + FR_VERSION_HEX + 1);
            feed(&reader, unchunk(frame));
            cr_assert_eq(reader.dispatched, 2 * i + j + 1);
            cr_assert_eq(reader.last_len, len - skipped, "case %zu", i);
            cr_assert_eq(memcmp(reader.last_data, expected + skipped, len - skipped), 0, "case %zu", i);
            cr_assert_str_eq(reader.last_event, "/a?b=c");
            cr_assert_str_eq(reader.id, "");
            fr_bytes_release(frame);
            fr_bytes_release(plain[j]);
        }
    }
}

/* contract 5.1 */
Test(frame, a_comment_is_no_event)
{
    expect_frame(fr_frame_comment(SPAN("freshet 1 heartbeat=15000")),
                 "1d\r\n: freshet 1 heartbeat=15000\n\n\r\n");
    expect_frame(fr_frame_comment(SPAN("")), "4\r\n: \n\n\r\n");
}

/* contract 5.3: every text of up to six bytes of a small alphabet. */
Test(frame, a_client_gets_the_snapshot_back)
{
    static const char alphabet[] = "a: \r\n";
    static struct reader reader;
    size_t count = 0;
    for (size_t number = 0; number < 6 * 6 * 6 * 6 * 6 * 6; number++) {
        char text[6], expected[6];
        struct freshet_span span = freshet_span(text, 0);
        for (size_t rest = number; rest % 6 != 0; rest /= 6)
            text[span.len++] = alphabet[rest % 6 - 1];
        struct fr_bytes *frame = fr_frame_snapshot(&version, span);
        size_t expected_len = normalise(span, expected);
        feed(&reader, unchunk(frame));
        fr_bytes_release(frame);
        cr_assert_eq(reader.dispatched, ++count);
        cr_assert_eq(reader.last_len, expected_len, "number %zu", number);
        cr_assert_eq(memcmp(reader.last_data, expected, expected_len), 0, "number %zu", number);
        cr_assert_str_eq(reader.last_event, "");
        cr_assert_str_eq(reader.id, "00010203040506070809aabbccddeeff");
    }
}

/* contract 5.5 */
Test(frame, a_client_gets_named_events_and_keeps_its_id)
{
    static struct reader reader;
    struct fr_bytes *frames[] = {
        fr_frame_comment(SPAN("hello")),
        fr_frame_snapshot(&version, SPAN("1")),
        fr_frame_load_error(SPAN("c"), SPAN("a\nb")),
        fr_frame_end(&(struct fr_end){.code = SPAN("max-age"), .retry_ms = 7}),
    };
    for (size_t i = 0; i < COUNT(frames); i++) {
        feed(&reader, unchunk(frames[i]));
        fr_bytes_release(frames[i]);
        cr_assert_eq(reader.dispatched, i);
    }
    cr_assert_str_eq(reader.last_event, "end");
    cr_assert_str_eq(reader.id, "00010203040506070809aabbccddeeff");
}

/* contract 5.3; the sum by sha256sum over "counter\0counter\0" "42" */
Test(frame, versions_are_the_start_of_a_sha256)
{
    struct fr_version of = fr_version_of(SPAN("counter"), SPAN("counter"), SPAN("42")), read;
    cr_assert(fr_version_parse(SPAN("c52c4c0b9e314b813e20fca70f70e718"), &read));
    cr_assert(fr_version_equal(&of, &read));
    struct fr_version others[] = {
        fr_version_of(SPAN("counter"), SPAN("counter"), SPAN("43")),
        fr_version_of(SPAN("counter"), SPAN("counte"), SPAN("r42")),
        fr_version_of(SPAN("counte"), SPAN("rcounter"), SPAN("42")),
        fr_version_of(SPAN("counter"), SPAN("counter"), freshet_span(NULL, 0)),
        fr_version_of(SPAN(""), SPAN(""), SPAN("")),
    };
    for (size_t i = 0; i < COUNT(others); i++)
        for (size_t j = 0; j < i; j++)
            cr_expect_not(fr_version_equal(&others[i], &others[j]) || fr_version_equal(&of, &others[i]));
}

/* What a client sends as Last-Event-ID. */
Test(frame, versions_are_read_strictly)
{
    struct fr_version read = version;
    cr_assert(fr_version_parse(SPAN("00010203040506070809aabbccddeeff"), &read));
    cr_assert(fr_version_equal(&read, &version));
    static const struct freshet_span wrong[] = {
        {NULL, 0},
        {"00010203040506070809aabbccddeef", 31},
        {"00010203040506070809aabbccddeeff0", 33},
        {"00010203040506070809AABBCCDDEEFF", 32},
        {"00010203040506070809aabbccddeefg", 32},
        {" 0010203040506070809aabbccddeeff", 32},
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        cr_expect_not(fr_version_parse(wrong[i], &read));
        cr_expect(fr_version_equal(&read, &version));
    }
}

Test(frame, no_memory_gives_no_frame)
{
    struct fr_bytes *snapshot = fr_frame_snapshot(&version, SPAN("42"));
    allocations_left = 0;
    cr_expect_null(fr_frame_snapshot(&version, SPAN("42")));
    cr_expect_null(fr_frame_comment(SPAN("x")));
    cr_expect_null(fr_frame_message(SPAN("x")));
    cr_expect_null(fr_frame_gap(1));
    for (int left = 0; left < 2; left++) {
        allocations_left = left;
        cr_expect_null(fr_frame_named(snapshot, SPAN("/a")), "%d left", left);
        allocations_left = left;
        cr_expect_null(fr_frame_difference(&version, &version, SPAN("[]")), "%d left", left);
        allocations_left = left;
        cr_expect_null(fr_frame_current(SPAN("/a"), &version), "%d left", left);
        allocations_left = left;
        cr_expect_null(fr_frame_end_view(&(struct fr_end){.code = SPAN("x")}, SPAN("/a"), 404), "%d left",
                       left);
        allocations_left = left;
        cr_expect_null(fr_frame_end(&(struct fr_end){.code = SPAN("x"), .retry_ms = 1}), "%d left", left);
        allocations_left = left;
        cr_expect_null(fr_frame_load_error(SPAN("x"), SPAN("y")), "%d left", left);
    }
    cr_expect_null(fr_frame_snapshot(&version, freshet_span("", SIZE_MAX / 2)));
    fr_bytes_release(snapshot);
}

/* A snapshot whose version is not known must not pass for one that a client holds. */
Test(frame, without_memory_each_version_is_unlike_any_other)
{
    struct fr_version before = fr_version_of(SPAN("l"), SPAN("t"), SPAN("42"));
    allocations_left = 0;
    struct fr_version one = fr_version_of(SPAN("l"), SPAN("t"), SPAN("42"));
    struct fr_version other = fr_version_of(SPAN("l"), SPAN("t"), SPAN("42"));
    allocations_left = -1;
    struct fr_version after = fr_version_of(SPAN("l"), SPAN("t"), SPAN("42"));
    cr_expect(fr_version_equal(&before, &after));
    cr_expect_not(fr_version_equal(&one, &other));
    cr_expect_not(fr_version_equal(&one, &before) || fr_version_equal(&other, &before));
}
