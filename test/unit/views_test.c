/* Several views on one stream: who gets what, when one of them ends, and what waits meanwhile. */
#include "views_rig.h"

#include "core/hub/fanout.h"
#include "core/load/loader.h"

static struct page page, other;

/* The application: every topic counts its loads, and some fail. */
static unsigned version;
static const char *failing; /* a topic */
static struct freshet_span peer_seen;

static void load_state(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    char text[128];
    (void)user;
    if (failing != NULL && freshet_span_equal(context->topic, freshet_span_text(failing))) {
        freshet_load_fail(load, "broken", "It is broken.");
        return;
    }
    snprintf(text, sizeof(text), "%.*s %u", (int)context->topic.len, context->topic.data, version);
    freshet_load_answer(load, freshet_span_text(text));
}

static enum freshet_status refuse_topic(const struct freshet_request *request, struct freshet_topic *topic,
                                        struct freshet_refusal *refusal, void *user)
{
    (void)topic;
    (void)user;
    peer_seen = freshet_request_peer(request);
    cr_assert(freshet_span_equal(peer_seen, freshet_span_text("192.0.2.1:5")));
    refusal->status = 451;
    strcpy(refusal->code, "not-here");
    return FRESHET_REFUSED;
}

static const char *identity_now = "a";

static enum freshet_status tell_identity(const struct freshet_request *request,
                                         struct freshet_identity *identity, struct freshet_refusal *refusal,
                                         void *user)
{
    (void)request;
    (void)refusal;
    (void)user;
    identity->len = strlen(identity_now);
    memcpy(identity->text, identity_now, identity->len);
    return FRESHET_OK;
}

static const struct freshet_guard held_guard = {.guard = hold_guard, .user = "held"};

static void begin_with(struct freshet_options options)
{
    rig_begin(options, 0);
    version = 1;
    check_count = 0;
    rig_add_loader(&(struct freshet_loader_options){
        .name = "board", .route = "board/:id", .load = load_state, .shared = true});
    rig_add_loader(&(struct freshet_loader_options){
        .name = "own", .route = "own/:id", .load = load_state, .shared = false});
    rig_add_loader(&(struct freshet_loader_options){.name = "chat", .route = "chat/:id", .messages = true});
    rig_add_loader(&(struct freshet_loader_options){
        .name = "refused", .route = "refused", .load = load_state, .topic = refuse_topic});
    rig_add_loader(&(struct freshet_loader_options){.name = "guarded",
                                                    .route = "guarded/:id",
                                                    .load = load_state,
                                                    .shared = true,
                                                    .use = &held_guard,
                                                    .use_count = 1});
    rig_add_loader(&(struct freshet_loader_options){.name = "grouped",
                                                    .route = "grouped/:id",
                                                    .load = load_state,
                                                    .identity = tell_identity,
                                                    .use = &held_guard,
                                                    .use_count = 1});
    add_page_worker();
}

static void begin(void)
{
    begin_with((struct freshet_options){0});
}

static void end(void)
{
    struct freshet_stats stats = rig_stats();
    uint64_t closed = 0;
    for (size_t i = 0; i < FRESHET_CLOSE_REASONS; i++)
        closed += stats.streams_closed[i];
    cr_assert_eq(stats.streams, 0);
    cr_assert_eq(stats.streams_opened, closed);
    cr_assert_eq(group.count, 0);
    rig_end();
}

static void open_page(struct page *opened, const char *const *names)
{
    cr_assert(page_begin(opened, true));
    for (; *names != NULL; names++)
        page_add(opened, *names, NULL);
    page_go(opened);
}

#define OPEN(page, ...) open_page(page, (const char *const[]){__VA_ARGS__, NULL})

/* Changes the state behind a topic. */
static void change(const char *topic)
{
    version++;
    rig_publish(topic);
}

static struct fr_version version_in(const struct page *of, const char *name)
{
    char head[128];
    struct fr_version found;
    snprintf(head, sizeof(head), "event: %s\ndata: ", name);
    const char *at = page_find(of, head);
    cr_assert_not_null(at);
    cr_assert(fr_version_parse(freshet_span(at + strlen(head), FR_VERSION_HEX), &found));
    return found;
}

/* contract 5.8 */
Test(views, each_gets_its_snapshot_with_its_name_and_version)
{
    begin();
    OPEN(&page, "/board/a", "/board/b");
    struct fr_version a = fr_version_of(freshet_span_text("board"), freshet_span_text("board/a"),
                                        freshet_span_text("board/a 1"));
    struct fr_version in_event = version_in(&page, "/board/a");
    cr_assert(fr_version_equal(&a, &in_event));
    EXPECT(&page, "\ndata: board/a 1\n\n\r\n");
    EXPECT(&page, "\ndata: board/b 1\n\n\r\n");
    cr_assert_eq(page_count(&page, "event: "), 2);
    cr_assert_eq(page_count(&page, "id: "), 0);
    change("board/b");
    EXPECT(&page, "\ndata: board/b 2\n\n\r\n");
    cr_assert_eq(page_count(&page, "event: /board/a\n"), 1);
    struct freshet_stats stats = rig_stats();
    cr_assert_eq(stats.streams, 1);
    cr_assert_eq(stats.streams_opened, 1);
    cr_assert_eq(stats.snapshots_pushed, 3);
    page_hang_up(&page);
    end();
}

/* contract 5.8 */
Test(views, http_1_0_gets_the_events_without_chunks)
{
    begin();
    cr_assert(page_begin(&page, false));
    page_add(&page, "/board/a", NULL);
    page_add(&page, "/nowhere", NULL);
    page_go(&page);
    cr_assert_eq(page_count(&page, "\r"), 0);
    EXPECT(&page, "\ndata: board/a 1\n\n");
    EXPECT(&page, "event: end\ndata: {\"view\":\"/nowhere\",\"status\":404,\"code\":\"not-found\","
                  "\"retry_ms\":null}\n\n");
    page_hang_up(&page);
    end();
}

/* contract 5.8, 6.1: the frame of a view is made once, whoever sends it and however late */
Test(views, streams_with_the_same_view_share_its_frame)
{
    begin();
    OPEN(&page, "/board/a", "/board/b");
    OPEN(&other, "/board/b", "/board/a");
    page.room = other.room = 3;
    change("board/a");
    struct fr_bytes *frame = page.line->stream.frame;
    cr_assert_not_null(frame);
    cr_assert_eq(frame, other.line->stream.frame);
    const struct fr_fanout *fanout = page.line->stream.views->all[0].view.fanout;
    cr_assert_eq(fanout, other.line->stream.views->all[1].view.fanout);
    const struct fr_named_frame *newest = &fanout->named[(fanout->named_next - 1) % FR_NAMED_FRAMES];
    cr_assert_eq(newest->named, frame);
    cr_assert_eq(newest->plain, fanout->update.snapshot->frame);
    page_hang_up(&page);
    page_hang_up(&other);
    end();
}

Test(views, a_frame_that_is_not_current_is_not_kept_for_others)
{
    begin();
    OPEN(&page, "/board/a");
    const struct fr_fanout *fanout = page.line->stream.views->all[0].view.fanout;
    cr_assert_not_null(fanout->named[0].named);
    page.room = 0;
    change("board/a");
    change("board/a");
    for (size_t i = 0; i < FR_NAMED_FRAMES; i++)
        cr_assert(fanout->named[i].plain == NULL || fanout->named[i].plain == fanout->update.snapshot->frame);
    page_hang_up(&page);
    end();
}

/* contract 6.1 */
Test(views, a_slow_reader_has_one_frame_on_its_way_and_then_gets_the_newest_of_each)
{
    begin();
    OPEN(&page, "/board/a", "/board/b", "/board/c");
    page.out.len = 0;
    page.room = 3;
    for (int i = 0; i < 20; i++) {
        change("board/a");
        change("board/b");
        change("board/c");
    }
    cr_assert_eq(page.out.len, 3);
    page_make_room(&page, SIZE_MAX);
    EXPECT(&page, "\ndata: board/a 2\n"); /* had begun */
    EXPECT(&page, "\ndata: board/a 59\n");
    EXPECT(&page, "\ndata: board/b 60\n");
    EXPECT(&page, "\ndata: board/c 61\n");
    cr_assert_eq(page_count(&page, "event: "), 4);
    cr_assert_eq(rig_stats().snapshots_skipped, 18 + 19 + 19);
    page_hang_up(&page);
    end();
}

/* A view with much news goes behind those that wait. */
Test(views, take_turns)
{
    begin();
    OPEN(&page, "/board/a", "/board/b", "/board/c");
    page.out.len = 0;
    page.room = 1;
    change("board/a");
    change("board/b");
    change("board/c");
    change("board/a");
    /* Each time there is room for one frame and one byte, "a" has news again. */
    size_t frame_len = page.line->stream.frame->span.len;
    for (int i = 0; i < 4; i++) {
        page_make_room(&page, frame_len);
        change("board/a");
    }
    const char *b = page_find(&page, "event: /board/b"), *c = page_find(&page, "event: /board/c");
    cr_assert(b != NULL && c != NULL && b < c);
    cr_assert_leq(page_count(&page, "event: /board/a"), 3); /* one had begun, one waited before the others */
    page_hang_up(&page);
    end();
}

/* contract 5.8 */
Test(views, a_refusal_ends_one_view_and_the_others_go_on)
{
    begin();
    OPEN(&page, "/refused", "/board/a", "/nowhere");
    EXPECT(&page, "event: end\ndata: {\"view\":\"/refused\",\"status\":451,\"code\":\"not-here\","
                  "\"retry_ms\":null}\n\n");
    EXPECT(&page, "event: end\ndata: {\"view\":\"/nowhere\",\"status\":404,\"code\":\"not-found\","
                  "\"retry_ms\":null}\n\n");
    EXPECT(&page, "\ndata: board/a 1\n");
    change("board/a");
    EXPECT(&page, "\ndata: board/a 2\n");
    cr_assert_eq(rig_stats().streams_denied, 2);
    page_hang_up(&page);
    end();
}

/* contract 5.8, 6.5 */
Test(views, a_limit_refuses_a_view_for_now)
{
    begin_with((struct freshet_options){.max_topics = 1});
    OPEN(&page, "/board/a", "/board/b");
    EXPECT(&page, "event: end\ndata: {\"view\":\"/board/b\",\"code\":\"max-topics\",\"retry_ms\":1");
    EXPECT(&page, "\ndata: board/a 1\n");
    cr_assert_eq(rig_stats().streams_refused, 1);
    cr_assert_eq(rig_stats().streams_denied, 0);
    page_hang_up(&page);
    end();
}

/* contract 5.8 */
Test(views, the_stream_ends_when_all_have_ended_and_were_told_so)
{
    begin();
    OPEN(&page, "/nowhere", "/refused");
    const char *last = page_find(&page, "event: end\ndata: {\"code\":\"no-views\",\"retry_ms\":null}\n\n");
    cr_assert_not_null(last);
    cr_assert_lt(page_find(&page, "\"/nowhere\""), last);
    cr_assert_lt(page_find(&page, "\"/refused\""), last);
    cr_assert(page.finished);
    cr_assert_eq(page.reason, FRESHET_CLOSE_DENIED);
    page_hang_up(&page);
    end();
}

/* contract 5.8, 5.3 */
Test(views, a_client_that_holds_the_version_gets_it_without_the_bytes)
{
    begin();
    OPEN(&page, "/board/a", "/board/b");
    struct fr_version a = version_in(&page, "/board/a"), b = version_in(&page, "/board/b");
    page_hang_up(&page);
    change("board/b");
    cr_assert(page_begin(&page, true));
    page_add(&page, "/board/a", &a);
    page_add(&page, "/board/b", &b);
    page_add(&page, "/board/c", NULL);
    page_go(&page);
    struct fr_version again = version_in(&page, "/board/a");
    cr_assert(fr_version_equal(&a, &again));
    cr_assert_null(page_find(&page, "data: board/a"));
    EXPECT(&page, "\ndata: board/b 2\n");
    EXPECT(&page, "\ndata: board/c 2\n");
    change("board/a");
    EXPECT(&page, "\ndata: board/a 3\n");
    page_hang_up(&page);
    end();
}

/* contract 5.8, 4.5 */
Test(views, a_load_error_is_told_for_its_view_and_the_next_snapshot_in_full)
{
    begin();
    OPEN(&page, "/board/a", "/board/b");
    struct fr_version a = version_in(&page, "/board/a");
    page_hang_up(&page);
    failing = "board/a";
    cr_assert(page_begin(&page, true));
    page_add(&page, "/board/b", NULL);
    rig_publish("board/a");
    page_add(&page, "/board/a", &a);
    page_go(&page);
    EXPECT(&page, "event: load-error\ndata: {\"view\":\"/board/a\",\"code\":\"broken\","
                  "\"message\":\"It is broken.\"}\n\n");
    EXPECT(&page, "\ndata: board/b 1\n");
    failing = NULL;
    page.out.len = 0;
    rig_pass_ms(1000);
    EXPECT(&page, "\ndata: board/a 1\n\n");
    page_hang_up(&page);
    end();
}

/* contract 4.8, 5.8 */
Test(views, a_guard_denies_one_later_and_the_others_go_on)
{
    begin_with((struct freshet_options){.guard_interval_ms = 100});
    OPEN(&page, "/guarded/a", "/board/b");
    EXPECT(&page, "\ndata: board/b 1\n");
    cr_assert_null(page_find(&page, "guarded"));
    allow_last();
    rig_acknowledge();
    rig_run();
    EXPECT(&page, "\ndata: guarded/a 1\n");
    rig_pass_ms(101);
    cr_assert_eq(check_count, 2);
    change("guarded/a");
    cr_assert_null(page_find(&page, "guarded/a 2"));
    deny_last(403, "revoked");
    EXPECT(&page, "event: end\ndata: {\"view\":\"/guarded/a\",\"code\":\"revoked\",\"retry_ms\":null}\n\n");
    cr_assert_null(page_find(&page, "guarded/a 2"));
    change("board/b");
    EXPECT(&page, "\ndata: board/b 3\n");
    cr_assert_eq(rig_stats().streams_denied, 1);
    cr_assert_eq(page.ended, 0);
    page_hang_up(&page);
    end();
}

/* contract 4.8, 5.8 */
Test(views, guards_refuse_redirect_and_fail_for_one_view_at_the_beginning)
{
    begin();
    OPEN(&page, "/guarded/a", "/guarded/b", "/guarded/c", "/board/d");
    cr_assert_eq(check_count, 3);
    cr_assert_eq(freshet_check_deny(checks[0].handle, 401, "log-in"), FRESHET_OK);
    cr_assert_eq(freshet_check_redirect(checks[1].handle, "/log-in?\"x\""), FRESHET_OK);
    cr_assert_eq(freshet_check_fail(checks[2].handle), FRESHET_OK);
    rig_run();
    EXPECT(&page, "{\"view\":\"/guarded/a\",\"status\":401,\"code\":\"log-in\",\"retry_ms\":null}\n");
    EXPECT(&page, "{\"view\":\"/guarded/b\",\"status\":302,\"code\":\"redirect\",\"retry_ms\":null,"
                  "\"location\":\"/log-in?\\\"x\\\"\"}\n");
    EXPECT(&page, "{\"view\":\"/guarded/c\",\"code\":\"guard-failed\",\"retry_ms\":1");
    EXPECT(&page, "\ndata: board/d 1\n");
    cr_assert_eq(rig_stats().streams_denied, 2);
    cr_assert_eq(rig_stats().streams_refused, 1);
    page_hang_up(&page);
    end();
}

/* contract 4.8: their answers go nowhere */
Test(views, a_stream_goes_while_guards_of_its_views_are_out)
{
    begin();
    OPEN(&page, "/guarded/a", "/guarded/b", "/board/c");
    page_hang_up(&page);
    cr_assert_eq(freshet_check_allow(checks[0].handle), FRESHET_STALE);
    cr_assert_eq(freshet_check_deny(checks[1].handle, 403, "no"), FRESHET_STALE);
    rig_run();
    end();
}

/* contract 6.4 */
Test(views, drain_ends_the_stream_with_guards_out)
{
    begin();
    OPEN(&page, "/guarded/a", "/board/b");
    page.out.len = 0;
    fr_stream_group_drain(&group, 50);
    pass_for_streams(10);
    EXPECT(&page, "event: end\ndata: {\"code\":\"going-away\",\"retry_ms\":");
    cr_assert_null(page_find(&page, "view"));
    cr_assert_eq(page.reason, FRESHET_CLOSE_DRAIN);
    cr_assert_eq(freshet_check_allow(checks[0].handle), FRESHET_STALE);
    page_hang_up(&page);
    end();
}

Test(views, a_stream_is_dropped_before_its_head_was_sent)
{
    begin();
    cr_assert(page_begin(&page, true));
    page_add(&page, "/guarded/a", NULL);
    page_add(&page, "/board/b", NULL);
    page_add(&page, "/nowhere", NULL);
    fr_stream_cancel(rig.workers[0], &page.line->stream.quota);
    fr_stream_deinit(&page.line->stream);
    free(page.line);
    cr_assert_eq(page.ended, 0);
    cr_assert_eq(freshet_check_allow(checks[0].handle), FRESHET_STALE);
    end();
}

/* contract 6.5 */
Test(views, a_stream_ends_at_its_age_with_all_of_them)
{
    begin();
    config.max_age_ms = 100;
    OPEN(&page, "/board/a", "/board/b");
    pass_for_streams(130);
    EXPECT(&page, "event: end\ndata: {\"code\":\"max-age\",\"retry_ms\":1");
    cr_assert_eq(page.reason, FRESHET_CLOSE_MAX_AGE);
    page_hang_up(&page);
    end();
}

/* Views of one stream on the same feed: the first one's news closes the stream under the others. */
Test(views, the_connection_breaks_while_views_are_told_of_news)
{
    begin();
    OPEN(&page, "/board/a", "/board/a?2", "/board/a?3", "/own/x");
    OPEN(&other, "/board/a");
    page.broken = true;
    change("board/a");
    cr_assert_null(page.line);
    cr_assert_eq(page.reason, FRESHET_CLOSE_WRITE_ERROR);
    EXPECT(&other, "\ndata: board/a 2\n");
    page_hang_up(&page);
    page_hang_up(&other);
    end();
}

/* The same with the end of a feed. */
Test(views, the_connection_breaks_while_views_are_told_of_their_end)
{
    begin();
    rig.bus->refuse_subscribe = true;
    cr_assert(page_begin(&page, true));
    page_add(&page, "/nowhere", NULL);
    page_add(&page, "/board/b", NULL);
    page_go(&page);
    EXPECT(&page, "{\"view\":\"/board/b\",\"code\":\"no-memory\",\"retry_ms\":1");
    page_hang_up(&page);

    const char *const names[] = {"/board/a", "/board/a?2", "/board/a?3"};
    cr_assert(page_begin(&page, true));
    for (size_t i = 0; i < 3; i++) {
        struct fr_request_view request_view = {.path = freshet_span_text("/board/a")};
        page_ask(page.line->stream.views, freshet_span_text(names[i]), NULL, &request_view);
    }
    fr_stream_count_open(rig.workers[0], false);
    fr_stream_opened(&page.line->stream, 0);
    page.broken = true;
    rig_run();
    cr_assert_null(page.line);
    cr_assert_eq(page.reason, FRESHET_CLOSE_WRITE_ERROR);
    page_hang_up(&page);
    end();
}

/* contract 4.8 */
Test(views, one_moves_to_the_feed_of_its_new_identity)
{
    begin_with((struct freshet_options){.guard_interval_ms = 100});
    identity_now = "a";
    OPEN(&page, "/grouped/x", "/board/b");
    allow_last();
    rig_acknowledge();
    rig_run();
    EXPECT(&page, "event: /grouped/x\n");
    page.out.len = 0;
    identity_now = "b";
    rig_pass_ms(101);
    allow_last();
    cr_assert_eq(rig_stats().streams_moved, 1);
    EXPECT(&page, "\ndata: grouped/x 1\n");
    cr_assert_null(page_find(&page, "board"));
    page_hang_up(&page);
    end();
}

/* contract 5.8 */
Test(views, a_name_counts_once)
{
    begin();
    cr_assert(page_begin(&page, true));
    page_add(&page, "/board/a", NULL);
    const struct fr_views *views = page.line->stream.views;
    cr_assert(fr_views_has(views, freshet_span_text("/board/a")));
    cr_assert(!fr_views_has(views, freshet_span_text("/board/")));
    cr_assert(!fr_views_has(views, freshet_span_text("/board/a?1")));
    page_go(&page);
    page_hang_up(&page);
    end();
}

/* contract 5.8, 4.3: one load and one feed, but each name its own event */
Test(views, one_shared_feed_under_two_names)
{
    begin();
    OPEN(&page, "/board/a", "/board/a?b");
    OPEN(&other, "/board/a?b", "/board/a");
    page.out.len = other.out.len = 0;
    uint64_t loads = rig_stats().loads;
    change("board/a");
    cr_assert_eq(rig_stats().loads, loads + 1);
    cr_assert_eq(rig_stats().feeds, 1);
    struct page *const pages[] = {&page, &other};
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(page_count(pages[i], "event: /board/a\n"), 1);
        cr_assert_eq(page_count(pages[i], "event: /board/a?b\n"), 1);
        cr_assert_eq(page_count(pages[i], "\ndata: board/a 2\n\n"), 2);
    }
    page_hang_up(&page);
    page_hang_up(&other);
    end();
}

/* A request's headers are kept once for all of its views. */
Test(views, share_the_headers_that_are_kept)
{
    begin();
    cr_assert(page_begin(&page, true));
    static const char *const names[] = {"/guarded/a", "/guarded/b?x=1", "/guarded/c"};
    struct fr_views *views = page.line->stream.views;
    for (size_t i = 0; i < 3; i++) {
        struct fr_request_view request_view = {
            .path = freshet_span(names[i], strlen("/guarded/a")),
            .query = freshet_span_text(i == 1 ? "x=1" : ""),
            .headers = {{freshet_span_text("cookie"), freshet_span_text("user=7")},
                        {freshet_span_text("x-two"), freshet_span_text("2")}},
            .header_count = i == 2 ? 1 : 2};
        page_ask(views, freshet_span_text(names[i]), NULL, &request_view);
    }
    const struct fr_named_view *all = views->all;
    cr_assert_eq(all[0].visit.request_copy->headers, all[1].visit.request_copy->headers);
    cr_assert_neq(all[0].visit.request_copy->headers, all[2].visit.request_copy->headers,
                  "not the same ones");
    page_go(&page);
    cr_assert_eq(check_count, 3);
    struct freshet_span value;
    cr_assert_eq(freshet_request_cookie(checks[1].request, "user", &value), FRESHET_OK);
    cr_assert(freshet_span_equal(value, freshet_span_text("7")));
    cr_assert(has_query(checks[1].request, "x", "1"));
    cr_assert_eq(freshet_request_header(checks[2].request, "x-two", &value), FRESHET_UNSUPPORTED);
    page_hang_up(&page);
    end();
}

/* contract 4.3: a feed of one connection is one of one view */
Test(views, views_of_one_connection_share_nothing)
{
    begin();
    OPEN(&page, "/own/x?1", "/own/x?2");
    cr_assert_eq(rig_stats().feeds, 2);
    cr_assert_eq(page_count(&page, "\ndata: own/x 1\n"), 2);
    change("own/x");
    EXPECT(&page, "event: /own/x?1\n");
    EXPECT(&page, "event: /own/x?2\n");
    cr_assert_eq(page_count(&page, "\ndata: own/x 2\n"), 2);
    page_hang_up(&page);
    end();
}

/* contract 5.8, 5.5 */
Test(views, messages_come_without_a_version_and_gaps_with_the_view)
{
    begin();
    OPEN(&page, "/chat/a", "/board/b");
    EXPECT(&page, "event: gap\ndata: {\"view\":\"/chat/a\",\"lost\":null}\n\n");
    page.out.len = 0;
    rig_message("chat/a");
    rig_run();
    EXPECT(&page, "event: /chat/a\ndata: \ndata: null\n\n");
    rig_message("chat/a");
    rig_run();
    cr_assert_eq(page_count(&page, "event: /chat/a\ndata: \ndata: null\n\n"), 2);
    cr_assert_eq(page_count(&page, "event: "), 2);
    page_hang_up(&page);
    end();
}
