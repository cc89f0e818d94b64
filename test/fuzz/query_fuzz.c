/* Queries. Input: one as a client sends it. */
#include "core/request/query.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t count;
    char *copy = malloc(size == 0 ? 1 : size);
    CHECK(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    bool good = split(copy, size, &count);
    if (count < MAX_PAIRS)
        check_next(freshet_span(copy, size), count, good);
    for (size_t i = 0; i < count; i++) {
        free(pairs[i].name.bytes);
        free(pairs[i].value.bytes);
    }
    free(copy);
    return 0;
}
