#include "core/pattern_internal.h"

/* Ranks of what a pattern has at one place, the better first. */
enum { RANK_LITERAL, RANK_REQUIRED, RANK_END, RANK_FLEXIBLE };

static int rank(const struct fr_pattern *pattern, size_t place)
{
    if (place >= pattern->count)
        return RANK_END;
    switch (pattern->segments[place].kind) {
    case FR_SEGMENT_LITERAL:
        return RANK_LITERAL;
    case FR_SEGMENT_REQUIRED:
        return RANK_REQUIRED;
    default:
        return RANK_FLEXIBLE;
    }
}

int fr_pattern_compare(const struct fr_pattern *a, const struct fr_pattern *b)
{
    size_t places = a->count > b->count ? a->count : b->count;
    int difference = 0;
    for (size_t i = 0; i < places && difference == 0; i++)
        difference = rank(a, i) - rank(b, i);
    return difference;
}

static bool overlap_at_length(const struct fr_pattern *a, const struct fr_pattern *b, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const struct fr_segment *one = fr_pattern_at(a, length, i), *other = fr_pattern_at(b, length, i);
        if (one->kind == FR_SEGMENT_LITERAL && other->kind == FR_SEGMENT_LITERAL &&
            !freshet_span_equal(one->text, other->text))
            return false;
    }
    return true;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

bool fr_pattern_overlap(const struct fr_pattern *a, const struct fr_pattern *b)
{
    size_t low = fr_pattern_fewest(a), high = smaller(fr_pattern_most(a), fr_pattern_most(b));
    if (low < fr_pattern_fewest(b))
        low = fr_pattern_fewest(b);
    /* At this length no literal of the one stands across from a literal behind the other's rest; longer ones
     * only add to the middle. */
    high = smaller(high, a->count + b->count);
    for (size_t length = low; length <= high; length++)
        if (overlap_at_length(a, b, length))
            return true;
    return false;
}
