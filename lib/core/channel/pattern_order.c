#include "core/channel/pattern_internal.h"

#include <string.h>

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

/* What an encoded value in a topic can be: these bytes of literals it never has. */
static bool is_value(struct freshet_span literal)
{
    for (size_t i = 0; i < literal.len; i++)
        if (strchr("$,;=@:", literal.data[i]) != NULL)
            return false;
    return true;
}

enum target { PATHS, TOPICS };

static bool can_meet(const struct fr_segment *one, const struct fr_segment *other, enum target target)
{
    bool literal = one->kind == FR_SEGMENT_LITERAL, other_literal = other->kind == FR_SEGMENT_LITERAL;
    if (literal && other_literal)
        return freshet_span_equal(one->text, other->text);
    if (target == TOPICS && (literal || other_literal))
        return is_value(literal ? one->text : other->text);
    return true;
}

static bool overlap_at_length(const struct fr_pattern *a, const struct fr_pattern *b, size_t length,
                              enum target target)
{
    for (size_t i = 0; i < length; i++)
        if (!can_meet(fr_pattern_at(a, length, i), fr_pattern_at(b, length, i), target))
            return false;
    return true;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool overlap(const struct fr_pattern *a, const struct fr_pattern *b, size_t low, enum target target)
{
    size_t high = smaller(fr_pattern_most(a), fr_pattern_most(b));
    if (low < fr_pattern_fewest(a))
        low = fr_pattern_fewest(a);
    if (low < fr_pattern_fewest(b))
        low = fr_pattern_fewest(b);
    /* At this length no literal of the one stands across from a literal behind the other's rest; longer ones
     * only add to the middle. */
    high = smaller(high, a->count + b->count);
    for (size_t length = low; length <= high; length++)
        if (overlap_at_length(a, b, length, target))
            return true;
    return false;
}

bool fr_pattern_overlap(const struct fr_pattern *a, const struct fr_pattern *b)
{
    return overlap(a, b, 0, PATHS);
}

bool fr_pattern_share_topic(const struct fr_pattern *a, const struct fr_pattern *b)
{
    return overlap(a, b, 1, TOPICS);
}

static bool gives(const struct fr_segment *given, const struct fr_segment *wanted)
{
    bool may_lack = given == NULL || fr_segment_may_drop(given);
    bool may_be_several = given != NULL && fr_segment_is_rest(given);
    return (!may_lack || fr_segment_may_drop(wanted)) && (!may_be_several || fr_segment_is_rest(wanted));
}

bool fr_pattern_fills(const struct fr_pattern *route, const struct fr_pattern *channel,
                      struct freshet_span *culprit)
{
    for (size_t i = 0; i < channel->count; i++) {
        const struct fr_segment *wanted = &channel->segments[i];
        if (wanted->kind == FR_SEGMENT_LITERAL)
            continue;
        *culprit = wanted->text;
        const struct fr_segment *given = fr_pattern_find(route, wanted->text);
        /* Without this one nothing would be left of the topic. */
        bool is_all = channel->count == 1;
        if (!gives(given, wanted) || (is_all && (given == NULL || fr_segment_may_drop(given))))
            return false;
    }
    return true;
}
