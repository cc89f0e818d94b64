/* Which of several servers is asked, and which rest. */
#include "../../bridge/fetch/servers.c"
#include <criterion/criterion.h>

static struct servers servers;
static const char *const urls[] = {"http://a:1/x?q", "http://b:2/x", "http://c:3/x"};

static void setup(void)
{
    memset(&servers, 0, sizeof(servers));
}

static void teardown(void)
{
    servers_deinit(&servers);
}

TestSuite(bridge_servers, .init = setup, .fini = teardown);

Test(bridge_servers, take_turns)
{
    for (int i = 0; i < 6; i++)
        cr_assert_eq(servers_choose(&servers, urls, 3, 0, 0), i % 3);
}

Test(bridge_servers, one_that_failed_rests_and_comes_back)
{
    servers_note(&servers, urls[0], true, 100);
    for (int i = 0; i < 6; i++)
        cr_assert_neq(servers_choose(&servers, urls, 3, 0, 100 + SERVERS_MIN_REST_MS - 1), 0);
    bool asked = false;
    for (int i = 0; i < 3; i++)
        asked |= servers_choose(&servers, urls, 3, 0, 100 + SERVERS_MIN_REST_MS) == 0;
    cr_assert(asked);
}

Test(bridge_servers, rests_double_up_to_the_longest_and_begin_anew_after_a_success)
{
    int64_t now = 0;
    for (uint32_t rest = SERVERS_MIN_REST_MS; rest < SERVERS_MAX_REST_MS; rest *= 2) {
        servers_note(&servers, urls[1], true, now);
        cr_assert_eq(servers.first->rests_until_ms, now + rest);
        now += rest;
    }
    servers_note(&servers, urls[1], true, now);
    cr_assert_eq(servers.first->rests_until_ms, now + SERVERS_MAX_REST_MS);
    servers_note(&servers, urls[1], false, now);
    servers_note(&servers, urls[1], true, now);
    cr_assert_eq(servers.first->rests_until_ms, now + SERVERS_MIN_REST_MS);
}

Test(bridge_servers, many_failures_at_once_are_one)
{
    for (int i = 0; i < 100; i++)
        servers_note(&servers, urls[1], true, 5);
    cr_assert_eq(servers.first->rests_until_ms, 5 + SERVERS_MIN_REST_MS);
}

Test(bridge_servers, when_all_rest_the_one_that_is_back_first_is_asked)
{
    servers_note(&servers, urls[0], true, 30);
    servers_note(&servers, urls[1], true, 10);
    servers_note(&servers, urls[2], true, 20);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(servers_choose(&servers, urls, 3, 0, 40), 1);
    cr_assert_eq(servers_choose(&servers, urls, 3, 1u << 1, 40), 2);
}

Test(bridge_servers, those_that_were_tried_are_not_asked_again)
{
    cr_assert_eq(servers_choose(&servers, urls, 3, 3, 0), 2);
    cr_assert_eq(servers_choose(&servers, urls, 3, 7, 0), -1);
}

Test(bridge_servers, are_known_by_scheme_host_and_port)
{
    static const char *const same[] = {"http://a:1/x?q", "http://a:1", "http://a:1#f", "http://a:1/other"};
    static const char *const others[] = {"http://a:11/x", "https://a:1/x", "http://a", "http://b:1"};
    servers_note(&servers, same[0], true, 0);
    for (size_t i = 0; i < 4; i++) {
        cr_assert_not_null(find(&servers, same[i]));
        cr_assert_null(find(&servers, others[i]), "%s", others[i]);
    }
}
