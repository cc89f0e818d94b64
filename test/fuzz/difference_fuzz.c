/* Differences of two texts. Input: both of them, cut at the first byte that is no UTF-8. */
#include "base/utf8.h"
#include "check.h"
#include "core/codec/difference.h"
#include "difference_apply.h"

static void check(struct freshet_span before, struct freshet_span after, size_t most_cost)
{
    struct fr_pieces pieces;
    struct fr_buffer json = {0};
    size_t len;
    if (!fr_difference_find(&pieces, before, after, most_cost)) {
        CHECK(pieces.all == NULL && (most_cost < after.len || before.len == 0 || after.len == 0));
        return;
    }
    CHECK(pieces.cost <= most_cost);
    fr_pieces_print(&json, &pieces, before, after);
    char *out = malloc(before.len * pieces.count + after.len + 1);
    CHECK(out != NULL && !json.failed && fr_utf8_valid(freshet_span(json.data, json.len)));
    CHECK(apply_difference(freshet_span(json.data, json.len), before, out, &len));
    CHECK(len == after.len && memcmp(out, after.data, len) == 0);
    free(out);
    fr_buffer_deinit(&json);
    fr_pieces_deinit(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = size == 0 ? NULL : memchr(data, 0xff, size);
    if (cut == NULL)
        return 0;
    struct freshet_span before = freshet_span((const char *)data, (size_t)(cut - data));
    struct freshet_span after = freshet_span((const char *)cut + 1, size - before.len - 1);
    if (!fr_utf8_valid(before) || !fr_utf8_valid(after))
        return 0;
    check(before, after, SIZE_MAX);
    check(before, after, after.len / 2);
    return 0;
}
