#include <criterion/criterion.h>

#include "core/request/query.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char room[64];

/* The index-th value of a name, after all pairs have been read: any of them may be malformed. */
static enum freshet_status find(const char *query, const char *name, size_t index, struct freshet_span *value)
{
    struct freshet_span rest = freshet_span_text(query), found_name, found;
    enum freshet_status status;
    char *at = room;
    *value = freshet_span(NULL, 0);
    while ((status = fr_query_next(&rest, &at, &found_name, &found)) == FRESHET_OK)
        if (freshet_span_equal(found_name, freshet_span_text(name)) && index-- == 0)
            *value = found;
    if (status == FRESHET_INVALID)
        return status;
    return value->data == NULL ? FRESHET_NOT_FOUND : FRESHET_OK;
}

Test(query, finds_the_value_of_a_name)
{
    static const struct {
        const char *query, *name;
        size_t index;
        const char *value;
    } cases[] = {
        {"a=1", "a", 0, "1"},
        {"a=1&b=2", "b", 0, "2"},
        {"a=1&a=2&b=x&a=3", "a", 0, "1"},
        {"a=1&a=2&b=x&a=3", "a", 2, "3"},
        {"a=x+y%20z%2Bw", "a", 0, "x y z+w"},
        {"a=b=c", "a", 0, "b=c"},
        {"a=x%26b=1&b=2", "b", 0, "2"},
        {"a=x%3Db", "a", 0, "x=b"},
        {"a", "a", 0, ""},
        {"a=", "a", 0, ""},
        {"&&a=1&", "a", 0, "1"},
        {"%61%2b=1", "a+", 0, "1"},
        {"a+b=1", "a b", 0, "1"},
        {"=1", "", 0, "1"},
        {"&=", "", 0, ""},
        {"%c3%a9=%F0%9F%98%80", "\xc3\xa9", 0, "\xf0\x9f\x98\x80"},
        {"a=\xc3\xa9", "a", 0, "\xc3\xa9"},
        {"aa=1&a=2", "a", 0, "2"},
        {"a=1;b=2", "a", 0, "1;b=2"},
        {"a=%2525", "a", 0, "%25"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct freshet_span value;
        cr_assert_eq(find(cases[i].query, cases[i].name, cases[i].index, &value), FRESHET_OK, "%s",
                     cases[i].query);
        cr_assert(freshet_span_equal(value, freshet_span_text(cases[i].value)), "%s: %.*s", cases[i].query,
                  (int)value.len, value.data);
    }
}

Test(query, names_that_are_not_there_are_not_found)
{
    static const struct {
        const char *query, *name;
        size_t index;
    } cases[] = {
        {"", "a", 0},      {"", "", 0},         {"&&&", "", 0},      {"a=1", "A", 0},
        {"a=1", "b", 0},   {"a=1", "a", 1},     {"ab=1", "a", 0},    {"a=1", "ab", 0},
        {"x=a=1", "a", 0}, {"%2561=1", "a", 0}, {"a=1&a=2", "a", 2}, {"a%00=1", "a", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct freshet_span value;
        cr_assert_eq(find(cases[i].query, cases[i].name, cases[i].index, &value), FRESHET_NOT_FOUND, "%s",
                     cases[i].query);
        cr_assert_null(value.data);
    }
}

Test(query, malformed_is_invalid_whatever_is_looked_for)
{
    static const char *const queries[] = {
        "a=%",    "a=%4",        "a=%zz",       "a=1&b=%zz", "%zz=1&a=1",       "a=1&%ff", "a=%c3",
        "a=\xff", "a=%c3&b=%a9", "%c3=%a9&a=1", "a=1&a=%",   "a=1&b=%ed%a0%80", "a=1&%",   "b=%c0%80",
    };
    static const char *const names[] = {"a", "b", "c", ""};
    for (size_t i = 0; i < COUNT(queries); i++)
        for (size_t j = 0; j < COUNT(names); j++) {
            struct freshet_span value;
            cr_assert_eq(find(queries[i], names[j], 0, &value), FRESHET_INVALID, "%s", queries[i]);
        }
}

Test(query, next_gives_each_pair_in_order)
{
    static const char text[] = "a=1&&b+c=%41=&d&=e";
    static const char *const expected[][2] = {{"a", "1"}, {"b c", "A="}, {"d", ""}, {"", "e"}};
    struct freshet_span rest = freshet_span_text(text), name, value;
    char all[sizeof(text)], *at = all;
    for (size_t i = 0; i < COUNT(expected); i++) {
        cr_assert_eq(fr_query_next(&rest, &at, &name, &value), FRESHET_OK);
        cr_assert(freshet_span_equal(name, freshet_span_text(expected[i][0])));
        cr_assert(freshet_span_equal(value, freshet_span_text(expected[i][1])));
        cr_assert_eq(value.data + value.len, at);
    }
    cr_assert_eq(fr_query_next(&rest, &at, &name, &value), FRESHET_NOT_FOUND);
    cr_assert_eq(memcmp(all, "a1b cA=de", 9), 0);
    cr_assert_eq(at, all + 9);
    rest = freshet_span_text("a=%zz&b=1");
    cr_assert_eq(fr_query_next(&rest, &at, &name, &value), FRESHET_INVALID);
}
