/* Differences in place of snapshots, through a real h2o: who is asked for them by whom, and what they cost.
 */
#include "h2o_rig.h"

#define TAKES "Accept: text/event-stream;differences=1\r\n"

TestSuite(h2o_differences, .timeout = 60);

static void up(size_t padding)
{
    rig.padding = padding;
    rig_up(NULL, NULL);
}

static struct rig_client *ask(const char *target, const char *headers)
{
    char request[512];
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", target, headers);
    return rig_ask(request);
}

/* Until the first state has come. */
static void read_first(struct rig_client *client)
{
    rig_expect(client, ".\n\n\r\n");
    rig_forget(client);
}

/* contract 5.10: a board of 170 KB of which a little changes */
Test(h2o_differences, a_page_gets_what_is_different_and_others_the_whole)
{
    up(170000);
    struct rig_client *page = ask("/live/counter", TAKES), *plain = ask("/live/counter", "");
    read_first(page);
    read_first(plain);
    rig_publish(12345);
    rig_expect(page, "\nevent: difference\ndata: ");
    rig_expect(page, "\n\n\r\n");
    cr_expect_not_null(strstr(page->in, "\ndata: [\"12345\",[1,170001]]\n\n"));
    cr_expect_lt(page->len, 500, "%zu", page->len);
    read_first(plain);
    cr_expect_null(strstr(plain->in, "difference"));
    cr_expect_eq(rig_stats().differences_made, 1);
    cr_expect_eq(rig_stats().differences_pushed, 1);
    rig_hang_up(page);
    rig_hang_up(plain);
    rig_down();
}

/* contract 5.8, 5.10 */
Test(h2o_differences, each_view_of_a_stream_has_its_own)
{
    char expected[128];
    up(5000);
    struct rig_client *page = ask("/live?v=%2Fcounter~&v=%2Fboard%2Fb1~", TAKES);
    rig_expect(page, "event: /counter\ndata: ");
    char version[33] = {0};
    memcpy(version, strstr(page->in, "event: /counter\ndata: ") + strlen("event: /counter\ndata: "), 32);
    rig_expect(page, "event: /board/b1\ndata: ");
    read_first(page);
    rig_publish(7);
    snprintf(expected, sizeof(expected), " %s\ndata: [\"7\",[1,5001]]\n\n\r\n", version);
    rig_expect(page, expected);
    cr_expect_not_null(strstr(page->in, "event: /counter\ndata: "));
    cr_expect_lt(page->len, 500, "%zu", page->len);
    rig_hang_up(page);
    rig_down();
}

/* contract 5.10: only who says so gets any; plain EventSource never does */
Test(h2o_differences, who_asks_in_other_words_gets_the_whole)
{
    static const char *const others[] = {"",
                                         "Accept: text/event-stream\r\n",
                                         "Accept: */*;differences=1\r\n",
                                         "Accept: text/event-stream;differences=0\r\n",
                                         "Accept: text/event-stream, text/html;differences=1\r\n",
                                         "Accept: text/event-stream;differences\r\n"};
    static const char *const same[] = {"Accept: text/html;q=0.1, TEXT/event-stream ; Differences = 1;q=1\r\n",
                                       "Accept: */*\r\nAccept: text/event-stream;q=0.9;differences=1\r\n"};
    const size_t count = sizeof(others) / sizeof(others[0]), same_count = sizeof(same) / sizeof(same[0]);
    struct rig_client *clients[8];
    cr_assert_eq(count + same_count, 8);
    up(5000);
    for (size_t i = 0; i < count + same_count; i++)
        read_first(clients[i] = ask("/live/counter", i < count ? others[i] : same[i - count]));
    rig_publish(1);
    for (size_t i = 0; i < count + same_count; i++) {
        rig_expect(clients[i], "\n\n\r\n");
        cr_expect_eq(strstr(clients[i]->in, "difference") != NULL, i >= count, "%zu: %s", i,
                     i < count ? others[i] : same[i - count]);
        rig_hang_up(clients[i]);
    }
    rig_down();
}

static void publish_in_gzip(size_t padding, uint64_t differences)
{
    up(padding);
    struct rig_client *page = ask("/live/counter", TAKES "Accept-Encoding: gzip\r\n");
    rig_expect(page, "content-encoding: gzip\r\n");
    RIG_WAIT(rig_stats().snapshots_pushed == 1);
    rig_publish(1);
    RIG_WAIT(rig_stats().snapshots_pushed == 2);
    cr_expect_eq(rig_stats().differences_pushed, differences);
    rig_hang_up(page);
    rig_down();
}

/* contract 5.10, 5.11: what deflate's window holds is gzip's */
Test(h2o_differences, in_gzip_a_state_within_its_window_has_none)
{
    publish_in_gzip(5000, 0);
}

Test(h2o_differences, in_gzip_a_large_state_has_some)
{
    publish_in_gzip(30000, 1);
}
