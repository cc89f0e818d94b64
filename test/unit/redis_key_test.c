/* Which key a command is about. */
#include "bus/redis/cluster/key.h"
#include <criterion/criterion.h>
#include <string.h>

#define MOST 12

/* `command`: words with one space between them; `expected` NULL: none. */
static void expect_key(const char *command, const char *expected)
{
    struct freshet_span words[MOST], key;
    size_t count = 0;
    for (const char *at = command; count < MOST; at += words[count++].len + 1) {
        words[count] = freshet_span(at, strcspn(at, " "));
        if (at[words[count].len] == '\0') {
            count++;
            break;
        }
    }
    bool found = fr_redis_key_of(words, count, &key);
    cr_assert_eq(found, expected != NULL, "%s", command);
    if (found)
        cr_assert(freshet_span_equal(key, freshet_span_text(expected)), "%s: %.*s", command, (int)key.len,
                  key.data);
}

/* contract 7.9 */
Test(redis_key, is_the_first_argument_of_most_commands)
{
    expect_key("GET a", "a");
    expect_key("hset a field value", "a");
    expect_key("MSET a 1 b 2", "a");
    expect_key("SPUBLISH channel body", "channel");
    expect_key("NOBODY.KNOWS a b", "a");
    expect_key("GET", NULL);
}

Test(redis_key, stands_elsewhere_in_some)
{
    expect_key("EVAL script 2 a b c", "a");
    expect_key("evalsha sha 1 a", "a");
    expect_key("ZUNION 2 a b", "a");
    expect_key("BLMPOP 0 2 a b LEFT", "a");
    expect_key("BITOP AND to a b", "to");
    expect_key("OBJECT ENCODING a", "a");
    expect_key("XREAD COUNT 2 STREAMS a b 0 0", "a");
    expect_key("XREADGROUP GROUP g c STREAMS a >", "a");
}

Test(redis_key, is_missing_in_others)
{
    expect_key("PING", NULL);
    expect_key("SCAN 0 MATCH x", NULL);
    expect_key("EVAL script 0 argument", NULL);
    expect_key("EVAL script", NULL);
    expect_key("XREAD COUNT 2", NULL);
    expect_key("XREAD STREAMS", NULL);
    expect_key("PUBLISH channel body", NULL);
}
