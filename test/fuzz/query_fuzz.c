/* Queries. Input: the index as one digit, the name, a line feed, and the query as a client sends it. */
#include "core/query.h"
#include "decoded.h"

#define MAX_PAIRS 4096

struct pair {
    struct decoded name, value;
};

static struct pair pairs[MAX_PAIRS];

/* All pairs of the query, decoded the plain way; false: one is malformed. */
static bool split(const char *query, size_t len, size_t *count)
{
    bool good = true;
    *count = 0;
    for (size_t start = 0, end, equals; start < len && *count < MAX_PAIRS; start = end + 1) {
        for (end = start; end < len && query[end] != '&'; end++)
            ;
        for (equals = start; equals < end && query[equals] != '='; equals++)
            ;
        if (start == end)
            continue;
        size_t value = equals < end ? equals + 1 : end;
        struct pair *pair = &pairs[(*count)++];
        pair->name = decoded_new(query + start, equals - start, true);
        pair->value = decoded_new(query + value, end - value, true);
        good &= !pair->name.bad && !pair->value.bad;
    }
    return good;
}

static bool is_same(struct freshet_span span, const struct decoded *text)
{
    return freshet_span_equal(span, freshet_span((const char *)text->bytes, text->len));
}

static const struct decoded *pick(size_t count, struct freshet_span name, size_t index)
{
    for (size_t i = 0; i < count; i++)
        if (is_same(name, &pairs[i].name) && index-- == 0)
            return &pairs[i].value;
    return NULL;
}

/* One after the other, in order, and never past the room. */
static void check_next(struct freshet_span query, size_t count, bool good)
{
    char *room = malloc(query.len == 0 ? 1 : query.len), *at = room;
    CHECK(room != NULL);
    struct freshet_span rest = query, name, value;
    enum freshet_status status;
    size_t seen = 0;
    while ((status = fr_query_next(&rest, &at, &name, &value)) == FRESHET_OK) {
        CHECK(seen < count && is_same(name, &pairs[seen].name) && is_same(value, &pairs[seen].value));
        CHECK(value.data + value.len == at && at <= room + query.len);
        seen++;
    }
    CHECK(status == (good ? FRESHET_NOT_FOUND : FRESHET_INVALID));
    CHECK(!good || seen == count);
    if (!good)
        CHECK(seen < count && (pairs[seen].name.bad || pairs[seen].value.bad));
    free(room);
}

static void check_find(struct freshet_span query, size_t count, bool good, struct freshet_span name,
                       size_t index, size_t room_bytes)
{
    const struct decoded *expected = pick(count, name, index);
    char *room = malloc(room_bytes == 0 ? 1 : room_bytes);
    CHECK(room != NULL);
    struct freshet_span value;
    enum freshet_status status = fr_query_find(query, name, index, room, room_bytes, &value);
    if (!good)
        CHECK(status == FRESHET_INVALID);
    else if (expected == NULL)
        CHECK(status == FRESHET_NOT_FOUND);
    else if (expected->len > room_bytes)
        CHECK(status == FRESHET_TOO_LARGE);
    else
        CHECK(status == FRESHET_OK && value.data == room && is_same(value, expected));
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
    if (end == NULL || end == data)
        return 0;
    size_t name_len = (size_t)(end - data) - 1, count, len = size - name_len - 2;
    struct freshet_span name = freshet_span((const char *)data + 1, name_len);
    char *copy = malloc(len == 0 ? 1 : len);
    CHECK(copy != NULL);
    memcpy(copy, end + 1, len);
    struct freshet_span query = freshet_span(copy, len);
    bool good = split(copy, len, &count);
    if (count < MAX_PAIRS) {
        check_next(query, count, good);
        check_find(query, count, good, name, data[0] % 10, query.len);
        check_find(query, count, good, name, data[0] % 10, 4);
        /* Each pair is found by its own name. */
        for (size_t i = 0; good && i < count && i < 16; i++)
            check_find(query, count, good, freshet_span((const char *)pairs[i].name.bytes, pairs[i].name.len),
                       0, query.len);
    }
    for (size_t i = 0; i < count; i++) {
        free(pairs[i].name.bytes);
        free(pairs[i].value.bytes);
    }
    free(copy);
    return 0;
}
