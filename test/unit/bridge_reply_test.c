/* Answers of Redis as what a page is shown. */
#include "../../bridge/load/reply.c"
#include <criterion/criterion.h>

static struct freshet_redis_reply text_of(const char *text)
{
    return (struct freshet_redis_reply){.type = FRESHET_REDIS_TEXT, .text = freshet_span_text(text)};
}

static void shows(const struct freshet_redis_reply *reply, const char *command, const char *wanted)
{
    const struct freshet_span fields[] = {freshet_span_text("name"), freshet_span_text("age")};
    enum reply_shape shape;
    size_t len = 0;
    cr_assert(reply_shape_of(command, &shape));
    char *text = reply_text(reply, shape, fields, 2, &len);
    if (wanted == NULL) {
        cr_assert_null(text);
        return;
    }
    cr_assert_str_eq(text, wanted);
    cr_assert_eq(len, strlen(wanted));
    free(text);
}

/* contract 10.2 */
Test(bridge_reply, single_values_are_as_they_are)
{
    struct freshet_redis_reply reply = text_of("{\"a\": 1}");
    shows(&reply, "GET", "{\"a\": 1}");
    reply = (struct freshet_redis_reply){.type = FRESHET_REDIS_INTEGER, .integer = -7};
    shows(&reply, "llen", "-7");
    reply = (struct freshet_redis_reply){.type = FRESHET_REDIS_NIL};
    shows(&reply, "GET", "null");
}

/* contract 10.2 */
Test(bridge_reply, hashes_are_objects_and_lists_are_arrays)
{
    struct freshet_redis_reply items[] = {text_of("name"), text_of("A \"b\""), text_of("age"), text_of("7")};
    struct freshet_redis_reply reply = {.type = FRESHET_REDIS_ARRAY, .elements = items, .element_count = 4};
    shows(&reply, "HGETALL", "{\"name\":\"A \\\"b\\\"\",\"age\":\"7\"}");
    shows(&reply, "LRANGE", "[\"name\",\"A \\\"b\\\"\",\"age\",\"7\"]");
    items[1] = (struct freshet_redis_reply){.type = FRESHET_REDIS_NIL};
    reply.element_count = 2;
    shows(&reply, "HMGET", "{\"name\":\"name\",\"age\":null}");
    reply.element_count = 0;
    shows(&reply, "HGETALL", "{}");
    shows(&reply, "SMEMBERS", "[]");
}

Test(bridge_reply, lists_hold_lists)
{
    struct freshet_redis_reply fields[] = {text_of("k"), text_of("v")};
    struct freshet_redis_reply entry[] = {
        text_of("1-0"), {.type = FRESHET_REDIS_ARRAY, .elements = fields, .element_count = 2}};
    struct freshet_redis_reply entries[] = {
        {.type = FRESHET_REDIS_ARRAY, .elements = entry, .element_count = 2}};
    struct freshet_redis_reply reply = {.type = FRESHET_REDIS_ARRAY, .elements = entries, .element_count = 1};
    shows(&reply, "XRANGE", "[[\"1-0\",[\"k\",\"v\"]]]");
}

Test(bridge_reply, text_in_a_list_that_is_not_utf_8_is_none)
{
    struct freshet_redis_reply items[] = {text_of("a"), text_of("\xff")};
    struct freshet_redis_reply reply = {.type = FRESHET_REDIS_ARRAY, .elements = items, .element_count = 2};
    shows(&reply, "LRANGE", NULL);
    shows(&reply, "HGETALL", NULL);
}

Test(bridge_reply, commands_that_write_are_refused)
{
    static const char *const wrong[] = {"SET",       "DEL",    "EVAL", "GETDEL", "FLUSHALL",
                                        "SUBSCRIBE", "CONFIG", "",     "GET x"};
    enum reply_shape shape;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_not(reply_shape_of(wrong[i], &shape), "%s", wrong[i]);
}
