/* Whether two sets of parameters say the same. */
#ifndef FUZZ_PARAMS_H
#define FUZZ_PARAMS_H

#include "core/channel/pattern.h"

/* The values of one name in `one`, which are not empty, are those in `other`, in order. */
static inline bool same_values(const struct freshet_param *one, size_t one_count,
                               const struct freshet_param *other, size_t other_count, const char *name)
{
    size_t i = 0, j = 0;
    for (;; i++, j++) {
        while (i < one_count && (one[i].value.len == 0 || strcmp(one[i].name, name) != 0))
            i++;
        while (j < other_count && (other[j].value.len == 0 || strcmp(other[j].name, name) != 0))
            j++;
        if (i == one_count || j == other_count)
            return i == one_count && j == other_count;
        if (!freshet_span_equal(one[i].value, other[j].value))
            return false;
    }
}

static inline bool same_params(const struct freshet_param *one, size_t one_count,
                               const struct freshet_param *other, size_t other_count)
{
    for (size_t i = 0; i < one_count; i++)
        if (!same_values(one, one_count, other, other_count, one[i].name))
            return false;
    for (size_t i = 0; i < other_count; i++)
        if (!same_values(one, one_count, other, other_count, other[i].name))
            return false;
    return true;
}

#endif
