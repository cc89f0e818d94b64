/* The inside of a pattern, for the pattern_*.c files. */
#ifndef FR_PATTERN_INTERNAL_H
#define FR_PATTERN_INTERNAL_H

#include "core/channel/pattern.h"
#include <stdint.h>

enum fr_segment_kind {
    FR_SEGMENT_LITERAL = 0,
    FR_SEGMENT_REQUIRED,
    FR_SEGMENT_OPTIONAL,  /* `?` */
    FR_SEGMENT_REST_ANY,  /* `*` */
    FR_SEGMENT_REST_SOME, /* `+` */
};

struct fr_segment {
    enum fr_segment_kind kind;
    struct freshet_span text; /* the literal, or the parameter's name */
};

struct fr_pattern {
    const char *text; /* behind the segments, which point into it */
    size_t count;
    size_t flexible; /* the one segment with a suffix; `count`: none */
    struct fr_segment segments[];
};

static inline bool fr_segment_is_rest(const struct fr_segment *segment)
{
    return segment->kind == FR_SEGMENT_REST_ANY || segment->kind == FR_SEGMENT_REST_SOME;
}

/* Whether it may stand for no segment at all. */
static inline bool fr_segment_may_drop(const struct fr_segment *segment)
{
    return segment->kind == FR_SEGMENT_OPTIONAL || segment->kind == FR_SEGMENT_REST_ANY;
}

/* The parameter of this name; NULL: there is none. */
const struct fr_segment *fr_pattern_find(const struct fr_pattern *pattern, struct freshet_span name);

/* The fewest and the most segments of a path or topic. */
static inline size_t fr_pattern_fewest(const struct fr_pattern *pattern)
{
    size_t i = pattern->flexible;
    return pattern->count - (i < pattern->count && fr_segment_may_drop(&pattern->segments[i]) ? 1 : 0);
}

static inline size_t fr_pattern_most(const struct fr_pattern *pattern)
{
    size_t i = pattern->flexible;
    return i < pattern->count && fr_segment_is_rest(&pattern->segments[i]) ? SIZE_MAX : pattern->count;
}

/* What stands for place `i` of a path or topic of `length` segments, which is a length that the pattern has.
 * Only one segment can vary in number, so there is one answer. */
static inline const struct fr_segment *fr_pattern_at(const struct fr_pattern *pattern, size_t length,
                                                     size_t i)
{
    size_t from_end = length - i; /* 1: the last */
    if (i < pattern->flexible)
        return &pattern->segments[i];
    if (from_end < pattern->count - pattern->flexible)
        return &pattern->segments[pattern->count - from_end];
    return &pattern->segments[pattern->flexible];
}

#endif
