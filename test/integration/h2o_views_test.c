/* Several views on one stream, through a real h2o. */
#include "h2o_rig.h"

#define MOST 64

TestSuite(h2o_views, .timeout = 60);

static atomic_bool flaky, revoked;

static void load_flaky(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    (void)context;
    (void)user;
    if (atomic_load(&flaky))
        freshet_load_fail(load, "broken", "It is broken.");
    else
        freshet_load_answer(load, freshet_span_text("whole"));
}

static void guard(struct freshet_check check, const struct freshet_request *request, void *user)
{
    struct freshet_span path = freshet_request_path(request), query;
    (void)user;
    cr_assert(freshet_span_equal(path, freshet_span_text("/guarded")));
    cr_assert_eq(freshet_request_query(request, "as", 0, &query), FRESHET_OK);
    cr_assert(freshet_span_equal(query, freshet_span_text("me & you")));
    if (atomic_load(&revoked))
        freshet_check_deny(check, 403, "revoked");
    else
        freshet_check_allow(check);
}

static void add(struct freshet_loader_options options, const char *channel_name)
{
    struct freshet_error error;
    struct freshet_channel *channel;
    cr_assert_eq(freshet_channel_new(&channel, channel_name, &error), FRESHET_OK, "%s", error.text);
    options.size = sizeof(options);
    options.route = options.name;
    options.channel = channel;
    options.shared = !options.messages;
    options.on_loop = true;
    cr_assert_eq(freshet_loader_new(rig.freshet, &options, NULL, &error), FRESHET_OK, "%s", error.text);
    freshet_channel_destroy(channel);
}

static void add_loaders(void)
{
    static const struct freshet_guard guards[] = {{.guard = guard}};
    add((struct freshet_loader_options){.name = "flaky", .load = load_flaky}, "flaky");
    add((struct freshet_loader_options){.name = "guarded", .load = rig_load, .use = guards, .use_count = 1},
        "counter");
    add((struct freshet_loader_options){.name = "chat", .messages = true}, "chat");
}

static void up(struct freshet_options *limits)
{
    rig.add_loaders = add_loaders;
    rig_up(NULL, limits);
}

static void publish(const char *name)
{
    struct freshet_topic topic = {.len = (uint16_t)strlen(name)};
    memcpy(topic.text, name, topic.len);
    cr_assert_eq(freshet_publish(rig.freshet, &topic, freshet_span(NULL, 0), NULL, NULL), FRESHET_OK);
}

/* Where the version behind the event of a view begins. */
static const char *version_of(struct rig_client *client, const char *view)
{
    char head[128];
    snprintf(head, sizeof(head), "event: %s\ndata: ", view);
    rig_expect(client, head);
    return strstr(client->in, head) + strlen(head);
}

/* `count` boards, behind a request line without its end. */
static size_t print_boards(char *text, size_t size, unsigned count)
{
    size_t len = (size_t)snprintf(text, size, "GET /live?");
    for (unsigned i = 0; i < count; i++)
        len += (size_t)snprintf(text + len, size - len, "&v=%%2Fboard%%2F%u~", i);
    return len + (size_t)snprintf(text + len, size - len, " HTTP/1.1\r\nHost: x\r\n\r\n");
}

/* contract 5.8 */
Test(h2o_views, each_view_gets_its_data_on_one_stream)
{
    up(NULL);
    struct rig_client *client = rig_get("/live?v=%2Fcounter~&v=%2Fboard%2Fb1~&v=%2Fcounter~");
    rig_expect(client, "event: /counter\ndata: ");
    rig_expect(client, "event: /board/b1\ndata: ");
    cr_assert_eq(strncmp(client->in, "HTTP/1.1 200 OK\r\n", 17), 0);
    cr_assert_not_null(strstr(client->in, "\r\ncontent-type: text/event-stream; charset=utf-8\r\n"));
    cr_assert_not_null(strstr(client->in, ": freshet 1 heartbeat=15000\nretry: "));
    cr_assert_eq(strspn(version_of(client, "/counter"), "0123456789abcdef"), 32);
    cr_assert_eq(strncmp(version_of(client, "/board/b1") + 32, "\ndata: 0\n\n\r\n", 11), 0);
    rig_forget(client);
    rig_publish(5);
    rig_expect(client, "\ndata: 5\n\n\r\n");
    cr_assert_not_null(strstr(client->in, "event: /counter\n"));
    cr_assert_null(strstr(client->in, "/board"));
    cr_assert_eq(rig_stats().streams, 1);
    cr_assert_eq(rig_stats().snapshots_pushed, 3);
    rig_hang_up(client);
    RIG_WAIT(rig_stream_ends() == 1);
    cr_assert_str_eq(rig.end_topic, "");
    cr_assert_eq(rig.reason, FRESHET_CLOSE_CLIENT);
    cr_assert_eq(rig_stats().streams, 0);
    rig_down();
}

/* contract 5.8, 5.6 */
Test(h2o_views, http_1_0_gets_them_without_chunks)
{
    up(NULL);
    struct rig_client *client = rig_ask("GET /live/?v=%2Fcounter~&v=%2Fnowhere~ HTTP/1.0\r\n\r\n");
    rig_expect(client, "\ndata: 0\n\n");
    rig_expect(client, "{\"view\":\"/nowhere\",\"status\":404,\"code\":\"not-found\",\"retry_ms\":null}\n\n");
    cr_assert_null(strstr(strstr(client->in, "\r\n\r\n") + 4, "\r"));
    rig_hang_up(client);
    rig_down();
}

/* contract 5.8 */
Test(h2o_views, those_refused_are_told_so_among_those_accepted)
{
    up(NULL);
    struct rig_client *client = rig_get("/live?v=%2Fno%22where~&v=%2Fcounter~&v=%2Frefused~&v=%2Fa%2F..%2Fb~"
                                        "&v=%2F%25zz~&v=%2Fguarded%3Fas%3D%25~");
    rig_expect(client,
               "{\"view\":\"/no\\\"where\",\"status\":404,\"code\":\"not-found\",\"retry_ms\":null}\n");
    rig_expect(client, "{\"view\":\"/refused\",\"status\":451,\"code\":\"not-here\",\"retry_ms\":null}\n");
    rig_expect(client, "{\"view\":\"/a/../b\",\"status\":404,\"code\":\"not-found\",\"retry_ms\":null}\n");
    rig_expect(client, "{\"view\":\"/%zz\",\"status\":400,\"code\":\"bad-path\",\"retry_ms\":null}\n");
    rig_expect(client,
               "{\"view\":\"/guarded?as=%\",\"status\":400,\"code\":\"bad-query\",\"retry_ms\":null}\n");
    rig_expect(client, "event: /counter\n");
    rig_publish(8);
    rig_expect(client, "\ndata: 8\n");
    cr_assert_eq(rig_stats().streams_denied, 5);
    rig_hang_up(client);
    rig_down();
}

/* contract 5.8 */
Test(h2o_views, a_stream_without_any_ends)
{
    up(NULL);
    struct rig_client *client = rig_get("/live?v=%2Fnowhere~&v=%2Frefused~");
    rig_expect_end(client);
    const char *last = strstr(client->in, "event: end\ndata: {\"code\":\"no-views\",\"retry_ms\":null}\n\n");
    cr_assert_not_null(last);
    cr_assert(strstr(client->in, "\"/nowhere\"") < last && strstr(client->in, "\"/refused\"") < last);
    cr_assert_str_eq(client->in + client->len - 5, "0\r\n\r\n");
    rig_hang_up(client);
    RIG_WAIT(rig_stream_ends() == 1);
    cr_assert_eq(rig.reason, FRESHET_CLOSE_DENIED);
    rig_down();
}

/* contract 5.8: the set changes, and nothing that the client holds is sent again */
Test(h2o_views, a_new_stream_takes_over_with_the_versions_held)
{
    up(NULL);
    struct rig_client *before = rig_get("/live?v=%2Fcounter~&v=%2Fboard%2Fb1~");
    rig_expect(before, "event: /counter\n");
    rig_expect(before, "event: /board/b1\n");
    char path[256];
    snprintf(path, sizeof(path), "/live?v=%%2Fcounter~%.32s&v=%%2Fboard%%2Fb2~&v=%%2Fboard%%2Fb1~%.32s",
             version_of(before, "/counter"), version_of(before, "/counter"));
    struct rig_client *after = rig_get(path);
    rig_expect(after, "event: /board/b2\n");
    cr_assert_eq(strncmp(version_of(after, "/counter"), version_of(before, "/counter"), 32), 0);
    cr_assert_eq(strncmp(version_of(after, "/counter") + 32, "\n\n", 2), 0, "only the version");
    cr_assert_eq(strncmp(version_of(after, "/board/b1") + 32, "\ndata: 0\n", 9), 0, "another's version");
    rig_hang_up(before);
    rig_publish(3);
    rig_expect(after, "\ndata: 3\n");
    rig_hang_up(after);
    rig_down();
}

/* contract 5.8, 4.5 */
Test(h2o_views, a_load_error_names_its_view)
{
    up(NULL);
    atomic_store(&flaky, true);
    struct rig_client *client = rig_get("/live?v=%2Fflaky~&v=%2Fcounter~");
    rig_expect(client, "event: load-error\ndata: {\"view\":\"/flaky\",\"code\":\"broken\","
                       "\"message\":\"It is broken.\"}\n\n");
    rig_expect(client, "\ndata: 0\n");
    atomic_store(&flaky, false);
    rig_expect(client, "\ndata: whole\n");
    cr_assert_not_null(strstr(client->in, "event: /flaky\n"));
    rig_hang_up(client);
    rig_down();
}

/* contract 4.8, 5.8 */
Test(h2o_views, a_guard_denies_one_later_while_the_others_go_on)
{
    struct freshet_options limits = {.guard_interval_ms = 50};
    up(&limits);
    /* The view's own query: as=me%20%26%20you. */
    struct rig_client *client = rig_get("/live?v=%2Fguarded%3Fas%3Dme%2520%2526%2520you~&v=%2Fboard%2Fb1~");
    rig_expect(client, "event: /guarded?as=me%20%26%20you\n");
    rig_expect(client, "event: /board/b1\n");
    atomic_store(&revoked, true);
    rig_expect(client, "event: end\ndata: {\"view\":\"/guarded?as=me%20%26%20you\",\"code\":\"revoked\","
                       "\"retry_ms\":null}\n\n");
    rig_forget(client);
    publish("board/b1");
    rig_expect(client, "event: /board/b1\n");
    rig_hang_up(client);
    rig_down();
}

/* Reads until `text` has come `times` times. */
static void expect_times(struct rig_client *client, const char *text, unsigned times)
{
    for (unsigned seen = 0; seen < times;) {
        rig_expect(client, text);
        seen = 0;
        for (const char *at = strstr(client->in, text); at != NULL; at = strstr(at + 1, text))
            seen++;
        if (seen < times)
            cr_assert(rig_read(client, rig_now_ms() + RIG_DEADLINE_MS));
    }
}

/* contract 6.1 */
Test(h2o_views, a_slow_reader_of_many_views_costs_little_and_gets_the_newest_of_each)
{
    enum { VIEWS = 8, ROUNDS = 100 };
    char request[1024], topic[32], newest[64];
    rig.padding = 20000;
    up(NULL);
    print_boards(request, sizeof(request), VIEWS);
    struct rig_client *slow = rig_connect_to(0, 4096), *quick = rig_ask(request);
    rig_send(slow, request);
    expect_times(quick, "\ndata: 0.", VIEWS);
    rig_expect(slow, "event: ");
    rig_forget(quick);
    for (int round = 1; round <= ROUNDS; round++) {
        rig_publish(round);
        for (unsigned i = 0; i < VIEWS; i++) {
            snprintf(topic, sizeof(topic), "board/%u", i);
            publish(topic);
        }
        snprintf(newest, sizeof(newest), "\ndata: %d.", round);
        expect_times(quick, newest, VIEWS);
        rig_forget(quick);
    }
    /* What the slow one's kernel took; of the rest only the newest waits. */
    uint64_t taken = rig_stats().snapshots_pushed - VIEWS * (ROUNDS + 1);
    cr_assert(taken >= 1 && taken < VIEWS * ROUNDS / 2, "%llu", (unsigned long long)taken);
    expect_times(slow, newest, VIEWS);
    struct freshet_stats stats = rig_stats();
    cr_assert_leq(stats.snapshots_pushed, VIEWS * (ROUNDS + 1) + taken + VIEWS,
                  "once each, nothing in between");
    cr_assert_gt(stats.snapshots_skipped, ROUNDS / 2, "%llu", (unsigned long long)stats.snapshots_skipped);
    for (unsigned i = 0; i < VIEWS; i++) {
        snprintf(newest, sizeof(newest), "event: /board/%u\n", i);
        cr_assert_not_null(strstr(slow->in, newest));
    }
    rig_hang_up(slow);
    rig_hang_up(quick);
    rig_down();
}

/* contract 5.8 */
Test(h2o_views, there_can_be_64_and_not_65)
{
    char request[4096], event[64];
    up(NULL);
    print_boards(request, sizeof(request), MOST);
    struct rig_client *client = rig_ask(request);
    for (unsigned i = 0; i < MOST; i++) {
        snprintf(event, sizeof(event), "event: /board/%u\n", i);
        rig_expect(client, event);
    }
    cr_assert_eq(rig_stats().topics, MOST);
    cr_assert_eq(rig_stats().streams, 1);
    rig_hang_up(client);
    print_boards(request, sizeof(request), MOST + 1);
    rig_check(request, "HTTP/1.1 400 ", "{\"code\":\"too-many-views\"}");
    RIG_WAIT(rig_stats().streams == 0);
    rig_down();
}

/* contract 5.8: what is no view, or would be more than a name in an event */
Test(h2o_views, bad_names_are_refused)
{
    static const char *const bad[] = {"counter~",           "%2Fcounter",       "~",
                                      "%2F\xc3\xa9~",       "%2F%C3%A9~",       "%2Fa%0Adata:%20x~",
                                      "%2Fa%0D~",           "%2Fa%20b~",        "%2Fa+b~",
                                      "%2Fa%00~",           "%2Fa%7F~",         "%zz",
                                      "%2Fcounter~&v=%ff~", "%2Fcounter~&x=%zz"};
    char request[4096], name[2050];
    up(NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(request, sizeof(request), "GET /live?v=%s HTTP/1.1\r\nHost: x\r\n\r\n", bad[i]);
        rig_check(request, "HTTP/1.1 400 ", "{\"code\":\"bad-view\"}");
    }
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    snprintf(request, sizeof(request), "GET /live?v=/%s~ HTTP/1.1\r\nHost: x\r\n\r\n", name + 1);
    rig_check(request, "HTTP/1.1 400 ", "{\"code\":\"bad-view\"}");
    snprintf(request, sizeof(request), "GET /live?v=/%s~ HTTP/1.1\r\nHost: x\r\n\r\n", name + 2);
    rig_check(request, "HTTP/1.1 200 ", "\"status\":404,\"code\":\"not-found\"");
    rig_down();
}

/* contract 5.8, 4.10: only the mount itself has views, and only of who asks */
Test(h2o_views, other_requests_are_what_they_were)
{
    up(NULL);
    rig_check("GET /live?x=%zz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", "\r\n\r\nnext");
    rig_check("GET /live/?w=%2Fcounter~ HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", "\r\n\r\nnext");
    rig_check("GET /live?v=2 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", "\r\n\r\nnext");
    rig_check("GET /live/counter?v=%2Fboard%2Fb1~ HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", "\nid: ");
    rig_check("POST /live?v=%2Fcounter~ HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405 ", "method-not-allowed");
    rig_check("GET /live?v=%2Fcounter~ HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n", "HTTP/1.1 406 ",
              "not-acceptable");
    rig_down();
}

/* contract 6.5: a stream counts as many as it has views, and the one that reaches the limit is let in */
Test(h2o_views, limits_count_views)
{
    struct freshet_options limits = {.max_streams = 3, .max_streams_per_peer = 3};
    up(&limits);
    struct rig_client *one = rig_get("/live/counter");
    rig_expect(one, "data: 0\n");
    struct rig_client *three = rig_get("/live?v=%2Fcounter~&v=%2Fboard%2Fb1~&v=%2Fboard%2Fb2~");
    rig_expect(three, "event: /board/b2\n");
    rig_check("GET /live/counter HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ",
              "event: end\ndata: {\"code\":\"max-streams\"");
    cr_assert_eq(rig_stats().streams, 2, "connections");
    rig_hang_up(three);
    RIG_WAIT(rig_stats().streams == 1);
    struct rig_client *two = rig_get("/live?v=%2Fcounter~&v=%2Fboard%2Fb1~");
    rig_expect(two, "event: /board/b1\n");
    rig_hang_up(one);
    rig_hang_up(two);
    rig_down();
}

/* contract 6.5 */
Test(h2o_views, limit_of_one_lets_a_stream_of_several_in)
{
    struct freshet_options limits = {.max_streams = 1, .max_streams_per_peer = 1};
    up(&limits);
    struct rig_client *client = rig_get("/live?v=%2Fcounter~&v=%2Fboard%2Fb1~");
    rig_expect(client, "event: /board/b1\n");
    rig_check("GET /live?v=%2Fcounter~ HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ",
              "event: end\ndata: {\"code\":\"max-streams\"");
    rig_hang_up(client);
    RIG_WAIT(rig_stats().streams == 0);
    client = rig_get("/live?v=%2Fcounter~");
    rig_expect(client, "event: /counter\n");
    rig_hang_up(client);
    rig_down();
}

/* contract 6.5: views of new topics count for their client, one by one */
Test(h2o_views, new_topics_of_one_client_are_limited)
{
    struct freshet_options limits = {.max_new_topics_per_s_per_peer = 2};
    up(&limits);
    int64_t begin_ms = rig_now_ms();
    struct rig_client *client = rig_get("/live?v=%2Fboard%2Fb1~&v=%2Fboard%2Fb2~&v=%2Fboard%2Fb3~");
    rig_expect(client, "event: /board/b2\n");
    rig_expect(client, "/board/b3");
    /* On a machine that stands still for half a second there is room again. */
    cr_assert(strstr(client->in, "\"code\":\"max-new-topics-per-peer\"") != NULL ||
                  rig_now_ms() - begin_ms >= 500,
              "%s", client->in);
    rig_hang_up(client);
    client = rig_get("/live?v=%2Fboard%2Fb1~&v=%2Fboard%2Fb2~");
    rig_expect(client, "event: /board/b1\n");
    rig_expect(client, "event: /board/b2\n");
    rig_hang_up(client);
    rig_down();
}

/* contract 6.4 */
Test(h2o_views, drain_ends_the_whole_stream)
{
    up(NULL);
    struct rig_client *client = rig_get("/live?v=%2Fcounter~&v=%2Fboard%2Fb1~");
    rig_expect(client, "event: /board/b1\n");
    rig_expect(client, "event: /counter\n");
    rig_drain(RIG_DEADLINE_MS, 0);
    rig_expect_end(client);
    cr_assert_not_null(strstr(client->in, "event: end\ndata: {\"code\":\"going-away\",\"retry_ms\":"));
    rig_hang_up(client);
    rig_down();
}

/* contract 5.8, 5.5 */
Test(h2o_views, messages_are_views_too)
{
    up(NULL);
    struct rig_client *client = rig_get("/live?v=%2Fchat~&v=%2Fcounter~");
    rig_expect(client, "event: /counter\n");
    publish("chat");
    rig_expect(client, "event: /chat\ndata: \ndata: null\n\n");
    rig_hang_up(client);
    rig_down();
}
