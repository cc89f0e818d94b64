#include <criterion/criterion.h>

#include "core/channel/pattern.h"
#include <stdio.h>

#define SPAN(text) freshet_span((text), sizeof(text) - 1)
#define PARAM(name, text)                                                                                    \
    {                                                                                                        \
        name,                                                                                                \
        {                                                                                                    \
            (text), sizeof(text) - 1                                                                         \
        }                                                                                                    \
    }
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FILL(pattern, ...)                                                                                   \
    fill(pattern, (struct freshet_param[]){__VA_ARGS__}, COUNT(((struct freshet_param[]){__VA_ARGS__})))

static struct fr_pattern *compile(const char *text)
{
    struct fr_pattern *pattern;
    struct freshet_error error = {""};
    cr_assert_eq(fr_pattern_new(&pattern, text, &error), FRESHET_OK, "\"%s\": %s", text, error.text);
    cr_assert_str_eq(fr_pattern_text(pattern), text);
    return pattern;
}

/* contract 1.1 */
Test(pattern, takes_the_grammar)
{
    static const char *const names[] = {
        "board",
        "board/:boardId",
        ":a",
        ":a?",
        ":a*",
        ":a+",
        "a/:b?/c",
        "a/:b*/c",
        ":b+/c/:d",
        "chat:lobby-1",
        "board/chat:lobby-1/:x",
        "a:",
        "a:b:",
        "a::b-",
        "a:b*",
        "x/:0/:_/:A_9",
        "~",
        ".",
        "..",
        "a/../:b",
        "!$()*,;=@-",
        "*",
        "a*",
        "_",
        "A.b-C~d",
        ":id/:ID",
    };
    for (size_t i = 0; i < COUNT(names); i++)
        fr_pattern_destroy(compile(names[i]));
}

/* contract 1.2 */
Test(pattern, refuses_with_the_segment_and_the_rule)
{
    static const struct {
        const char *name, *segment, *rule;
    } cases[] = {
        {":board-id", "segment 1 \":board-id\"", "a parameter's name has only"},
        {"a/:", "segment 2 \":\"", "needs a name"},
        {"a/:?", "segment 2 \":?\"", "needs a name"},
        {"a/::id", "segment 2 \"::id\"", "a parameter's name has only"},
        {"a/:id??", "segment 2 \":id??\"", "at most one of"},
        {"a/:id+*", "segment 2 \":id+*\"", "at most one of"},
        {"a/:i:d", "segment 2 \":i:d\"", "a parameter's name has only"},
        {"board:boardId", "segment 1 \"board:boardId\"", "put a '/' before"},
        {"a/b:c-:d_1", "segment 2 \"b:c-:d_1\"", "put a '/' before"},
        {":a/x/:a", "segment 3 \":a\"", "two parameters"},
        {":a/x/:a?", "segment 3 \":a?\"", "two parameters"},
        {":a?/x/:b?", "segment 3 \":b?\"", "only one parameter"},
        {":a*/:b+", "segment 2 \":b+\"", "only one parameter"},
        {"", "segment 1 \"\"", "must not be empty"},
        {"/a", "segment 1 \"\"", "must not be empty"},
        {"a/", "segment 2 \"\"", "must not be empty"},
        {"a//b", "segment 2 \"\"", "must not be empty"},
        {"/", "segment 1 \"\"", "must not be empty"},
        {"a/b?", "segment 2 \"b?\"", "only A-Z"},
        {"a b", "segment 1 \"a b\"", "only A-Z"},
        {"a%20", "segment 1 \"a%20\"", "only A-Z"},
        {"a+", "segment 1 \"a+\"", "only A-Z"},
        {"a/\xc3\xa4", "segment 2 \"\\xc3\\xa4\"", "only A-Z"},
        {"a/:\xc3\xa4", "segment 2 \":\\xc3\\xa4\"", "a parameter's name has only"},
        {"a'", "segment 1 \"a'\"", "only A-Z"},
        {"a\n", "segment 1 \"a\\x0a\"", "only A-Z"},
        {"a\\", "segment 1 \"a\\x5c\"", "only A-Z"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fr_pattern *pattern = (struct fr_pattern *)&cases;
        struct freshet_error error = {""};
        cr_expect_eq(fr_pattern_new(&pattern, cases[i].name, &error), FRESHET_INVALID, "%s", cases[i].name);
        cr_expect_null(pattern);
        cr_expect_not_null(strstr(error.text, cases[i].segment), "%s: %s", cases[i].name, error.text);
        cr_expect_not_null(strstr(error.text, cases[i].rule), "%s: %s", cases[i].name, error.text);
        cr_expect_eq(fr_pattern_new(&pattern, cases[i].name, NULL), FRESHET_INVALID);
    }
}

/* contract 1.2 */
Test(pattern, refuses_a_name_over_the_limit)
{
    char name[FRESHET_MAX_TOPIC_BYTES + 2];
    struct fr_pattern *pattern;
    struct freshet_error error = {""};
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    cr_assert_eq(fr_pattern_new(&pattern, name, &error), FRESHET_TOO_LARGE);
    cr_assert_null(pattern);
    cr_assert_not_null(strstr(error.text, "513"));
    cr_assert_not_null(strstr(error.text, "512"));
    name[FRESHET_MAX_TOPIC_BYTES] = '\0';
    fr_pattern_destroy(compile(name));
    /* As many segments as there can be. */
    for (size_t i = 1; i < FRESHET_MAX_TOPIC_BYTES - 1; i += 2)
        name[i] = '/';
    fr_pattern_destroy(compile(name));
}

Test(pattern, knows_its_parameters)
{
    struct fr_pattern *pattern = compile("board/:boardId/:rest*");
    cr_assert(fr_pattern_has(pattern, SPAN("boardId")));
    cr_assert(fr_pattern_has(pattern, SPAN("rest")));
    cr_assert_not(fr_pattern_has(pattern, SPAN("rest*")));
    cr_assert_not(fr_pattern_has(pattern, SPAN("board")));
    cr_assert_not(fr_pattern_has(pattern, SPAN("")));
    cr_assert_str_eq(fr_pattern_text(pattern), "board/:boardId/:rest*");
    fr_pattern_destroy(pattern);
    fr_pattern_destroy(NULL);
}

static const char *fill(const char *text, const struct freshet_param *params, size_t count)
{
    static struct freshet_topic topic;
    struct freshet_error error = {""};
    struct fr_pattern *pattern = compile(text);
    enum freshet_status status = fr_pattern_fill(pattern, params, count, &topic, &error);
    fr_pattern_destroy(pattern);
    cr_assert_eq(status, FRESHET_OK, "%s: %s", text, error.text);
    cr_assert_eq(strlen(topic.text), topic.len);
    return topic.text;
}

/* contract 1.3 */
Test(pattern, encodes_each_byte_as_encodeURIComponent_does)
{
    for (unsigned byte = 0; byte < 0x80; byte++) {
        char value = (char)byte, expected[8];
        bool plain =
            byte != 0 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()",
                                (int)byte) != NULL;
        snprintf(expected, sizeof(expected), plain ? "x/%c" : "x/%%%02X", byte);
        cr_expect_str_eq(FILL("x/:v", {"v", {&value, 1}}), expected);
    }
    cr_expect_str_eq(FILL("x/:v", PARAM("v", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\x8a")),
                     "x/%C3%A4%E2%82%AC%F0%9F%8C%8A");
}

/* contract 1.3 */
Test(pattern, fills_in_every_kind_of_segment)
{
    cr_expect_str_eq(fill("counter", NULL, 0), "counter");
    cr_expect_str_eq(fill("chat:lobby-1/$,;=@", NULL, 0), "chat:lobby-1/$,;=@");
    cr_expect_str_eq(FILL("board/:id", PARAM("id", "b1")), "board/b1");
    cr_expect_str_eq(FILL("a/:x/:y", PARAM("y", "2"), PARAM("x", "1")), "a/1/2");
    cr_expect_str_eq(FILL("a/:x?", PARAM("x", "1")), "a/1");
    cr_expect_str_eq(fill("a/:x?", NULL, 0), "a");
    cr_expect_str_eq(FILL("a/:x?", PARAM("x", "")), "a");
    cr_expect_str_eq(fill("a/:x?/b", NULL, 0), "a/b");
    cr_expect_str_eq(fill(":x?/b", NULL, 0), "b");
    cr_expect_str_eq(FILL(":x?/b", PARAM("x", "/")), "%2F/b");
    cr_expect_str_eq(fill("a/:r*/b", NULL, 0), "a/b");
    cr_expect_str_eq(FILL("a/:r*/b", PARAM("r", "1"), PARAM("r", "2/3"), PARAM("r", "4")), "a/1/2%2F3/4/b");
    cr_expect_str_eq(FILL("a/:r+", PARAM("r", "1")), "a/1");
    cr_expect_str_eq(FILL(":r+/:s", PARAM("r", "1"), PARAM("s", "x"), PARAM("r", "2")), "1/2/x");
    cr_expect_str_eq(FILL("a/:x", PARAM("x", "..")), "a/..");
}

/* contract 1.4 */
Test(pattern, refuses_to_fill_in_and_names_the_parameter)
{
    static const struct {
        const char *name;
        struct freshet_param params[2];
        size_t count;
        const char *parameter, *rule;
    } cases[] = {
        {"a/:x", {{0}}, 0, "\"x\"", "missing"},
        {"a/:x/:y", {PARAM("x", "1")}, 1, "\"y\"", "missing"},
        {"a/:x+", {{0}}, 0, "\"x\"", "missing"},
        {"a/:x", {PARAM("x", "")}, 1, "\"x\"", "empty"},
        {"a/:x+", {PARAM("x", "1"), PARAM("x", "")}, 2, "\"x\"", "empty"},
        {"a/:x*", {PARAM("x", "")}, 1, "\"x\"", "empty"},
        {"a", {PARAM("x", "1")}, 1, "\"x\"", "none of this name"},
        {"a/:x", {PARAM("x", "1"), PARAM("X", "1")}, 2, "\"X\"", "none of this name"},
        {"a/:x", {PARAM("x", "1"), PARAM("a", "1")}, 2, "\"a\"", "none of this name"},
        {"a/:x", {PARAM("x", "1"), PARAM("\n", "1")}, 2, "\"\\x0a\"", "none of this name"},
        {"a/:x", {PARAM("x", "1"), PARAM("x", "1")}, 2, "\"x\"", "one value"},
        {"a/:x?", {PARAM("x", ""), PARAM("x", "1")}, 2, "\"x\"", "one value"},
        {"a/:x", {PARAM("x", "\xff")}, 1, "\"x\"", "UTF-8"},
        {"a/:x", {PARAM("x", "\xc0\xaf")}, 1, "\"x\"", "UTF-8"},
        {"a/:x", {PARAM("x", "\xed\xa0\x80")}, 1, "\"x\"", "UTF-8"},
        {"a/:x", {PARAM("x", "\xf4\x90\x80\x80")}, 1, "\"x\"", "UTF-8"},
        {"a/:x", {PARAM("x", "ab\xe2\x82")}, 1, "\"x\"", "UTF-8"},
        {":x?", {{0}}, 0, "\"x\"", "would be empty"},
        {":x*", {{0}}, 0, "\"x\"", "would be empty"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fr_pattern *pattern = compile(cases[i].name);
        struct freshet_topic topic = {3, "old"};
        struct freshet_error error = {""};
        cr_expect_eq(fr_pattern_fill(pattern, cases[i].params, cases[i].count, &topic, &error),
                     FRESHET_INVALID, "case %zu", i);
        cr_expect_not_null(strstr(error.text, cases[i].parameter), "case %zu: %s", i, error.text);
        cr_expect_not_null(strstr(error.text, cases[i].rule), "case %zu: %s", i, error.text);
        cr_expect_str_eq(topic.text, "old");
        fr_pattern_destroy(pattern);
    }
}

/* contract 1.4 */
Test(pattern, refuses_a_topic_over_the_limit_and_names_its_longest_value)
{
    char value[FRESHET_MAX_TOPIC_BYTES];
    memset(value, 'v', sizeof(value));
    struct freshet_param params[] = {PARAM("b", "1"), {"a", {value, 508}}};
    struct fr_pattern *pattern = compile(":a/:b/x");
    struct freshet_topic topic;
    struct freshet_error error = {""};
    cr_assert_eq(fr_pattern_fill(pattern, params, 2, &topic, &error), FRESHET_OK);
    cr_assert_eq(topic.len, 512);
    params[1].value.len++;
    cr_assert_eq(fr_pattern_fill(pattern, params, 2, &topic, &error), FRESHET_TOO_LARGE);
    cr_assert_str_eq(error.text, "parameter \"a\": the topic has 513 bytes, over the limit of 512");
    value[0] = '/';
    params[1].value.len = 507;
    cr_assert_eq(fr_pattern_fill(pattern, params, 2, &topic, &error), FRESHET_TOO_LARGE);
    fr_pattern_destroy(pattern);
}

/* What a match found, as "name=value;…", or the status. */
static const char *match(const char *text, struct freshet_span path)
{
    static char found[256];
    struct fr_pattern *pattern = compile(text);
    struct fr_params *params = (struct fr_params *)found;
    enum freshet_status status = fr_pattern_match(pattern, path, &params);
    fr_pattern_destroy(pattern);
    if (status != FRESHET_OK) {
        cr_assert_null(params);
        return freshet_status_text(status);
    }
    found[0] = '\0';
    for (size_t i = 0; i < params->count; i++) {
        cr_assert_eq(params->items[i].value.data[params->items[i].value.len], '\0');
        snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s=%s;", params->items[i].name,
                 params->items[i].value.data);
    }
    fr_params_release(params);
    return found;
}

/* contract 4.10 */
Test(pattern, matches_paths)
{
    static const struct {
        const char *name, *path, *found;
    } cases[] = {
        {"counter", "counter", ""},
        {"counter", "/counter", ""},
        {"counter", "/%63ounter", ""},
        {"chat:lobby-1", "/chat%3Alobby-1", ""},
        {"board/:id", "/board/b1", "id=b1;"},
        {"board/:id", "/board/a%2Fb%2525", "id=a/b%25;"},
        {"board/:id", "/board/a+b", "id=a+b;"},
        {"board/:id", "/board/%C3%A4\xc3\xa4", "id=\xc3\xa4\xc3\xa4;"},
        {"board/:id", "/board/...", "id=...;"},
        {"board/:id", "/board/%252e%252e", "id=%2e%2e;"},
        {"a/:x?", "/a", ""},
        {"a/:x?", "/a/1", "x=1;"},
        {":x?/a", "/a", ""},
        {":x?/a", "/a/a", "x=a;"},
        {":x?", "", ""},
        {":x?", "/", ""},
        {":x*", "", ""},
        {"a/:r*", "/a", ""},
        {"a/:r*", "/a/1/2/3", "r=1;r=2;r=3;"},
        {"a/:r+", "/a/1", "r=1;"},
        {"a/:r*/b/:c", "/a/b/2", "c=2;"},
        {"a/:r*/b/:c", "/a/b/b/b/2", "r=b;r=b;c=2;"},
        {":a/:r+/:c", "/1/2/3", "a=1;r=2;c=3;"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        cr_expect_str_eq(match(cases[i].name, freshet_span_text(cases[i].path)), cases[i].found,
                         "%s on %s: %s", cases[i].name, cases[i].path,
                         match(cases[i].name, freshet_span_text(cases[i].path)));
}

/* contract 4.10 */
Test(pattern, does_not_find_paths_of_another_shape)
{
    static const struct {
        const char *name, *path;
    } cases[] = {
        {"counter", ""},
        {"counter", "/"},
        {"counter", "/Counter"},
        {"counter", "/counter/"},
        {"counter", "//counter"},
        {"counter", "/counter/x"},
        {"a/:x", "/a"},
        {"a/:x", "/a/"},
        {"a/:x", "/a/1/2"},
        {"a/:x?", "/a/1/2"},
        {"a/:x?", "/b"},
        {"a/:r+", "/a"},
        {"a/:r*", "/a/"},
        {"a/:r*", "/a/1//2"},
        {"a/:r*/b", "/a/1/2"},
        {"a/:r*/b", "/a"},
        {"a/:x", "/a/."},
        {"a/:x", "/a/.."},
        {"a/:x", "/a/%2e"},
        {"a/:x", "/a/.%2E"},
        {"a/:r*", "/a/x/../y"},
        {"..", "/.."},
        {".", "/."},
        {"a/b", "/a%2Fb"},
        {"a/:x", "/../a/1"},
        {":x*", "//"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        cr_expect_str_eq(match(cases[i].name, freshet_span_text(cases[i].path)), "not found", "%s on %s",
                         cases[i].name, cases[i].path);
}

/* contract 4.10 */
Test(pattern, refuses_malformed_paths_even_where_they_do_not_match)
{
    static const struct freshet_span paths[] = {
        {"/a/%", 4},         {"/a/%4", 5},       {"/a/%4g", 6}, {"/a/%g4", 6},    {"/a/%%41", 7},
        {"/a/%ff", 6},       {"/a/\xff", 4},     {"/a/%C3", 6}, {"/a/%c0%af", 9}, {"/a/%ED%A0%80", 12},
        {"/a/%00", 6},       {"/a/\0", 4},       {"/a/%0a", 6}, {"/a/\x1f", 4},   {"/a/%7F", 6},
        {"/a/%C2%80", 9},    {"/a/\xc2\x9f", 5}, {"/zzz/%", 6}, {"/../%zz", 7},   {"//%zz", 5},
        {"/a/b/c/d/%1", 11}, {"/%C3/%A4", 8},    {"%2", 2},     {"/a/b%2fc%", 9},
    };
    for (size_t i = 0; i < COUNT(paths); i++)
        cr_expect_str_eq(match("a/:x", paths[i]), "invalid argument", "path %zu", i);
    cr_expect_str_eq(match("a/:x", SPAN("/a/\xc2\xa0")), "x=\xc2\xa0;");
}

Test(pattern, params_are_found_by_name_and_index)
{
    struct fr_pattern *pattern = compile(":a/:r*/:b");
    struct fr_params *params;
    struct freshet_span value;
    cr_assert_eq(fr_pattern_match(pattern, SPAN("/1/2/3/4"), &params), FRESHET_OK);
    fr_pattern_destroy(pattern);
    cr_assert(fr_params_get(params, SPAN("r"), 1, &value) && freshet_span_equal(value, SPAN("3")));
    cr_assert(fr_params_get(params, SPAN("a"), 0, &value) && freshet_span_equal(value, SPAN("1")));
    cr_assert(fr_params_get(params, SPAN("b"), 0, &value) && freshet_span_equal(value, SPAN("4")));
    cr_assert_not(fr_params_get(params, SPAN("r"), 2, &value));
    cr_assert_not(fr_params_get(params, SPAN("b"), 1, &value));
    cr_assert_not(fr_params_get(params, SPAN("c"), 0, &value));
    fr_params_release(params);
    fr_params_release(NULL);
}

/* contract 1.3, 4.10 */
Test(pattern, matches_its_own_topics_with_the_same_values)
{
    static const char *const names[] = {"x/:v", "x/:v?", "x/:v*", "x/:v+", ":v?/x", ":v*/x", "x/:v+/x"};
    static const struct freshet_span values[] = {
        {"a", 1}, {"/", 1}, {"a b%2F", 6}, {"\xc3\xa4", 2}, {"?#[]@:+", 7}, {"x", 1}, {"...", 3},
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        struct fr_pattern *pattern = compile(names[i]);
        for (size_t j = 0; j < COUNT(values); j++) {
            struct freshet_param param = {"v", values[j]};
            struct freshet_topic topic;
            struct fr_params *params;
            cr_assert_eq(fr_pattern_fill(pattern, &param, 1, &topic, NULL), FRESHET_OK);
            cr_assert_eq(fr_pattern_match(pattern, freshet_span(topic.text, topic.len), &params), FRESHET_OK);
            cr_assert_eq(params->count, 1);
            cr_assert(freshet_span_equal(params->items[0].value, values[j]));
            fr_params_release(params);
        }
        fr_pattern_destroy(pattern);
    }
}
