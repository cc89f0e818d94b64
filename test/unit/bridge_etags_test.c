/* Which version each feed was given last. */
#include "../../bridge/load/etags.c"
#include <criterion/criterion.h>
#include <stdio.h>

static struct etags etags;
static char tag[ETAGS_MAX_BYTES + 1];

static void setup(void)
{
    etags_init(&etags);
}

static void teardown(void)
{
    etags_deinit(&etags);
}

TestSuite(bridge_etags, .init = setup, .fini = teardown);

static void put(const char *key, const char *text)
{
    etags_put(&etags, freshet_span_text(key), freshet_span_text(text));
}

static bool finds(const char *key)
{
    return etags_find(&etags, freshet_span_text(key), tag);
}

Test(bridge_etags, newest_of_a_key_is_found_until_it_is_forgotten)
{
    cr_assert_not(finds("a"));
    put("a", "1");
    put("a", "2");
    cr_assert(finds("a"));
    cr_assert_str_eq(tag, "2");
    etags_forget(&etags, freshet_span_text("a"));
    cr_assert_not(finds("a"));
    put("a", "3");
    etags_clear(&etags);
    cr_assert_not(finds("a"));
}

Test(bridge_etags, too_long_a_tag_takes_the_one_before_it_away)
{
    char text[ETAGS_MAX_BYTES + 2];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    put("a", text + 1);
    cr_assert(finds("a"));
    put("a", text);
    cr_assert_not(finds("a"));
}

Test(bridge_etags, keys_that_meet_never_get_the_other_s)
{
    char key[32];
    for (int i = 0; i < 3 * ETAGS_PLACES; i++) {
        snprintf(key, sizeof(key), "feed %d", i);
        put(key, key);
    }
    int found = 0;
    for (int i = 0; i < 3 * ETAGS_PLACES; i++) {
        snprintf(key, sizeof(key), "feed %d", i);
        if (finds(key)) {
            cr_assert_str_eq(tag, key);
            found++;
        }
    }
    cr_assert(found > 0 && found <= ETAGS_PLACES);
}
