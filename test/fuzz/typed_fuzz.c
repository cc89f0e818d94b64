/* Payloads of typed channels: the first byte picks the type, the rest is the payload. */
#include "../typed_kinds.h"
#include "check.h"
#include <string.h>

union any {
    struct kinds_message kinds;
    struct maybe_message maybe;
    struct lists_message lists;
    struct line line;
};

static const struct freshet_fields *const types[] = {&kinds_message_fields, &maybe_message_fields,
                                                     &lists_message_fields, &line_fields};

static bool is_zero(const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((const char *)bytes)[i] != 0)
            return false;
    return true;
}

/* Items of an array of messages, and of the arrays in them: `count` says how many there are. */
static void check_lines(struct line_array lines)
{
    size_t left = lines.count;
    for (struct line line; line_next(&lines, &line); left--) {
        size_t points = line.points.count;
        for (struct point point; point_next(&line.points, &point);)
            points--;
        CHECK(points == 0);
    }
    CHECK(left == 0);
}

static void check_lists(const struct lists_message *lists, struct freshet_span payload)
{
    struct freshet_text_array titles = lists->titles;
    struct freshet_uint64_array sizes = lists->sizes;
    size_t title_count = titles.count, size_count = sizes.count;
    CHECK(title_count + size_count <= payload.len);
    for (struct freshet_span title; freshet_text_next(&titles, &title); title_count--)
        CHECK(title.data >= payload.data && title.data + title.len <= payload.data + payload.len);
    for (uint64_t size; freshet_uint64_next(&sizes, &size);)
        size_count--;
    CHECK(title_count == 0 && size_count == 0);
    check_lines(lists->lines);
}

static char *encode(const struct freshet_fields *fields, const void *message, size_t *len)
{
    size_t same_len = 0;
    enum freshet_status status = freshet_fields_encode(fields, message, NULL, 0, len, NULL);
    CHECK(status == FRESHET_TOO_LARGE);
    char *bytes = malloc(*len);
    CHECK(bytes != NULL);
    CHECK(freshet_fields_encode(fields, message, bytes, *len, &same_len, NULL) == FRESHET_OK);
    CHECK(same_len == *len);
    return bytes;
}

/* What was read is written, and what was written is read as the same. */
static void check_way_back(const struct freshet_fields *fields, const union any *message)
{
    union any again;
    size_t len, len_again;
    char *bytes = encode(fields, message, &len);
    CHECK(freshet_fields_decode(fields, freshet_span(bytes, len), &again, NULL) == FRESHET_OK);
    char *bytes_again = encode(fields, &again, &len_again);
    CHECK(len_again == len && memcmp(bytes, bytes_again, len) == 0);
    free(bytes);
    free(bytes_again);
}

/* An array that no decoding made. */
static void check_any_array(struct freshet_span payload)
{
    struct lists_message lists = {.numbers = {.count = SIZE_MAX, .encoded = payload}};
    struct line_array lines = {.count = payload.len, .encoded = payload};
    size_t len, items = 0;
    lists.lines = lines;
    (void)lists_encode(&lists, NULL, 0, &len, NULL);
    lists.numbers.count = 2;
    (void)lists_encode(&lists, NULL, 0, &len, NULL);
    for (struct line line; line_next(&lines, &line);)
        items++;
    CHECK(items <= payload.len);
    for (int64_t number; freshet_int64_next(&lists.numbers, &number);)
        CHECK(lists.numbers.encoded.len < payload.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const struct freshet_fields *fields = types[data[0] % (sizeof(types) / sizeof(types[0]))];
    struct freshet_span payload = freshet_span((const char *)data + 1, size - 1);
    union any message;
    struct freshet_error error = {""};
    memset(&message, 0x5a, sizeof(message));
    enum freshet_status status = freshet_fields_decode(fields, payload, &message, &error);
    check_any_array(payload);
    if (status != FRESHET_OK) {
        CHECK(status == (payload.len == 0 ? FRESHET_NOT_FOUND : FRESHET_INVALID));
        CHECK(is_zero(&message, fields->size));
        CHECK(strstr(error.text, fields->name) == error.text && memchr(error.text, 0, sizeof(error.text)));
        return 0;
    }
    CHECK(error.text[0] == '\0');
    if (fields == &lists_message_fields)
        check_lists(&message.lists, payload);
    check_way_back(fields, &message);
    return 0;
}
