#include <criterion/criterion.h>

#include "core/channel/pattern.h"
#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct fr_pattern *compile(const char *text)
{
    struct fr_pattern *pattern;
    cr_assert_eq(fr_pattern_new(&pattern, text, NULL), FRESHET_OK, "%s", text);
    return pattern;
}

struct pair {
    const char *a, *b;
    int order; /* below 0: a is the better; 0: neither */
    bool overlap;
};

static int sign(int number)
{
    return (number > 0) - (number < 0);
}

/* contract 1.6 */
Test(pattern_order, orders_patterns_and_finds_conflicts)
{
    static const struct pair pairs[] = {
        {"a", "a", 0, true},
        {"a", "b", 0, false},
        {"a", ":x", -1, true},
        {"a/:x", "a/:y", 0, true},
        {"a/:x", "b/:x", 0, false},
        {"a/:x", ":x/b", -1, true},
        {"a/b", "a/:x", -1, true},
        {"a/:x", "a/:x?", -1, true},
        {"a", "a/:x?", -1, true},
        {"a/:x?", "a/:r*", 0, true},
        {"a/:x?", "a/:r+", 0, true},
        {"a/:x", "a/:r+", -1, true},
        {"a", "a/:r+", -1, false},
        {"a", "a/b", 1, false},
        {":x?", ":r*", 0, true},
        {":r*/a", ":s*/b", 0, false},
        {":r*/a", "b/:s*", 1, true},
        {":r+/a", "a", 1, false},
        {":r*/a", "a", 1, true},
        {":r*/a", "b", 1, false},
        {"a/:r*/b", "a/:x", 1, true},
        {"a/:r*/b/c", "a/:x", 1, false},
        {"a/b/:r*/c/d", "a/:s*/d", -1, true},
        {"a/:r*/b", "a/:s*/c/:d", 1, true},
        {":x?/b/c", ":y/c", 1, true},
        {":x?/b/c", ":y/d", 1, false},
        {"a/..", "a/:x", -1, true},
        {"a/b/c/:r*", ":s*/x/y/z", -1, true},
        {"a/:r+/b", "a/b", 1, false},
    };
    for (size_t i = 0; i < COUNT(pairs); i++) {
        struct fr_pattern *a = compile(pairs[i].a), *b = compile(pairs[i].b);
        cr_expect_eq(sign(fr_pattern_compare(a, b)), pairs[i].order, "%s, %s", pairs[i].a, pairs[i].b);
        cr_expect_eq(sign(fr_pattern_compare(b, a)), -pairs[i].order, "%s, %s", pairs[i].a, pairs[i].b);
        cr_expect_eq(fr_pattern_overlap(a, b), pairs[i].overlap, "%s, %s", pairs[i].a, pairs[i].b);
        cr_expect_eq(fr_pattern_overlap(b, a), pairs[i].overlap, "%s, %s", pairs[i].a, pairs[i].b);
        fr_pattern_destroy(a);
        fr_pattern_destroy(b);
    }
}

/* `longer` has room for 16 bytes, and is not `path`. */
static void lengthen(char *longer, const char *path, const char *segment)
{
    snprintf(longer, 16, "%.8s/%s", path, segment);
}

/* Every pair of small patterns against every short path: overlap says yes exactly when a path matches both.
 */
Test(pattern_order, overlap_agrees_with_matching)
{
    static const char *const parts[] = {"a", "b", ":x", ":r?", ":r*", ":r+"};
    static const char *const segments[] = {"a", "b", "c"};
    char names[6 * 6 * 6][16], paths[1 + 3 + 9 + 27 + 81][16];
    struct fr_pattern *patterns[COUNT(names)];
    size_t count = 0, path_count = 1;
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(names[count], sizeof(names[0]), "%s/%s/%s", parts[i % 6], parts[i / 6 % 6], parts[i / 36]);
        count += fr_pattern_new(&patterns[count], names[count], NULL) == FRESHET_OK;
    }
    cr_assert_eq(count, 20 + 9 * 8); /* no suffix; one of three in one of three places */
    paths[0][0] = '\0';
    for (size_t from = 0, length = 0; length < 4; length++)
        for (size_t to = path_count; from < to; from++)
            for (size_t i = 0; i < 3; i++)
                lengthen(paths[path_count++], paths[from], segments[i]);
    for (size_t i = 0; i < count * count; i++) {
        struct fr_pattern *a = patterns[i / count], *b = patterns[i % count];
        bool both = false;
        for (size_t j = 0; j < path_count && !both; j++) {
            struct fr_params *of_a = NULL, *of_b = NULL;
            both = fr_pattern_match(a, freshet_span_text(paths[j]), &of_a) == FRESHET_OK &&
                   fr_pattern_match(b, freshet_span_text(paths[j]), &of_b) == FRESHET_OK;
            fr_params_release(of_a);
            fr_params_release(of_b);
        }
        cr_expect_eq(fr_pattern_overlap(a, b), both, "%s, %s", fr_pattern_text(a), fr_pattern_text(b));
    }
    for (size_t i = 0; i < count; i++)
        fr_pattern_destroy(patterns[i]);
}
