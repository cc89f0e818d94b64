/* freshet_load_once(): a view's state for one request, and how a stream goes on from it. */
#include "core_rig.h"

#include "core/hub/fanout.h"
#include "wait.h"
#include <freshet/once.h>
#include <stdatomic.h>
#include <string.h>

#define SPAN(text) freshet_span_text(text)

struct got {
    atomic_uint answers;
    int status;
    char code[64], location[64], bytes[4096], version[40];
    pthread_t thread;
};

static struct got got;
static sem_t told;

static void copy(char *to, size_t size, struct freshet_span span)
{
    snprintf(to, size, "%.*s", (int)span.len, span.len == 0 ? "" : span.data);
}

static void note(const struct freshet_once_answer *answer, void *user)
{
    struct got *into = user;
    into->status = answer->status;
    copy(into->code, sizeof(into->code), answer->code);
    copy(into->location, sizeof(into->location), answer->location);
    copy(into->bytes, sizeof(into->bytes), answer->bytes);
    copy(into->version, sizeof(into->version), answer->version);
    into->thread = pthread_self();
    atomic_fetch_add(&into->answers, 1);
    sem_post(&told);
}

static enum freshet_status ask_with(struct freshet_once_request request, struct freshet_error *error)
{
    request.size = sizeof(request);
    return freshet_load_once(rig.freshet, &request, note, &got, error);
}

static void ask(const char *target)
{
    struct freshet_error error = {""};
    got = (struct got){.status = 0};
    cr_assert_eq(ask_with((struct freshet_once_request){.target = SPAN(target)}, &error), FRESHET_OK, "%s",
                 error.text);
    cr_assert_eq(got.answers, 0, "never within the call");
    rig_run();
}

static void expect(int status, const char *code)
{
    cr_assert_eq(got.answers, 1);
    cr_expect_eq(got.status, status, "%d", got.status);
    cr_expect_str_eq(got.code, code);
}

static void begin(const struct freshet_loader_options *options)
{
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(options);
    rig_join();
}

static const struct freshet_loader_options shared = {.shared = true};

static void subscribe(void)
{
    rig_acknowledge();
    rig_run();
}

/* contract 4.13 */
Test(once, loads_for_a_request_alone_and_leaves_nothing)
{
    begin(&shared);
    ask("/board/a?x=1");
    cr_assert_eq(got.answers, 0);
    subscribe();
    cr_assert_eq(rig.load_count, 1);
    rig_answer("one\r\ntwo");
    expect(200, "");
    cr_expect_str_eq(got.bytes, "one\ntwo", "as a page gets it");
    cr_expect_eq(strspn(got.version, "0123456789abcdef"), 32);
    cr_expect(pthread_equal(got.thread, pthread_self()), "on the loop that asked");
    cr_expect_eq(rig.workers[0]->views, 0);
    cr_expect_eq(rig_stats().streams + rig_stats().snapshots_pushed + rig_stats().once_refused, 0);
    cr_expect_eq(rig_stats().once_answered, 1);
    rig_end();
}

/* contract 4.13, 4.3 */
Test(once, shares_the_load_that_runs_and_the_snapshot_that_is_known)
{
    struct client client;
    begin(&shared);
    client_open(&client, 0, "/board/a");
    subscribe();
    ask("/board/a");
    rig_answer("one");
    expect(200, "");
    cr_expect_str_eq(got.bytes, "one");
    ask("/board/a");
    expect(200, "");
    cr_expect_eq(rig.load_count, 1, "its version is known to be current");
    rig_message("board/a");
    ask("/board/a");
    cr_expect_eq(got.answers, 0);
    rig_answer("two");
    expect(200, "");
    cr_expect_str_eq(got.bytes, "two");
    client_close(&client);
    rig_end();
}

static void count_answer(const struct freshet_once_answer *answer, void *user)
{
    unsigned *good = user;
    *good += answer->status == 200 && freshet_span_equal(answer->bytes, SPAN("one"));
}

/* contract 4.13, 4.3: as when a page that everybody opens is rendered just after a publish */
Test(once, a_thousand_at_a_time_share_one_load)
{
    unsigned good = 0;
    struct freshet_once_request request = {.size = sizeof(request), .target = SPAN("/board/a")};
    begin(&shared);
    for (unsigned i = 0; i < 1000; i++)
        cr_assert_eq(freshet_load_once(rig.freshet, &request, count_answer, &good, NULL), FRESHET_OK);
    rig_run();
    subscribe();
    cr_assert_eq(rig.load_count, 1);
    rig_answer("one");
    rig_run();
    cr_expect_eq(good, 1000);
    cr_expect_eq(rig.load_count, 1);
    cr_expect_eq(rig_stats().once_answered, 1000);
    cr_expect_eq(rig.workers[0]->views, 0);
    rig_end();
}

/* contract 4.13, 4.5: as to a stream, what there was and why it may be old */
Test(once, a_failing_load_is_503_or_the_last_good_with_a_code)
{
    struct client client;
    begin(&shared);
    ask("/board/a");
    subscribe();
    rig_fail("store-down");
    expect(503, "store-down");
    cr_expect_str_eq(got.bytes, "");
    client_open(&client, 0, "/board/a");
    rig_pass_ms(2000);
    rig_answer("one");
    rig_message("board/a");
    rig_run();
    rig_fail("store-down");
    ask("/board/a");
    expect(200, "store-down");
    cr_expect_str_eq(got.bytes, "one");
    client_close(&client);
    rig_end();
}

/* contract 4.13, 4.10 */
Test(once, what_no_stream_would_be_for_is_refused_the_same)
{
    begin(&shared);
    ask("/nowhere");
    expect(404, "not-found");
    ask("/board/a/%2e%2e/b");
    expect(404, "not-found");
    ask("/board/%zz");
    expect(400, "bad-path");
    cr_expect_eq(rig.load_count, 0);
    rig_end();
}

static enum freshet_status refuse_topic(const struct freshet_request *request, struct freshet_topic *topic,
                                        struct freshet_refusal *refusal, void *user)
{
    struct freshet_span value;
    (void)topic;
    (void)user;
    cr_expect(freshet_span_equal(freshet_request_path(request), SPAN("/board/a")));
    cr_expect(freshet_span_equal(freshet_request_peer(request), SPAN("192.0.2.1:5")));
    cr_expect_eq(freshet_request_query(request, "x", 0, &value), FRESHET_OK);
    cr_expect(freshet_span_equal(value, SPAN("1 2")));
    cr_expect_eq(freshet_request_cookie(request, "user", &value), FRESHET_OK);
    cr_expect(freshet_span_equal(value, SPAN("7")));
    cr_expect_eq(freshet_request_header(request, "accept-language", &value), FRESHET_NOT_FOUND);
    cr_expect_eq(freshet_request_header(request, "other", &value), FRESHET_UNSUPPORTED);
    refusal->status = 451;
    strcpy(refusal->code, "not-here");
    return FRESHET_REFUSED;
}

/* contract 4.13, 4.8 */
Test(once, callbacks_see_the_request)
{
    static const char *const headers[] = {"cookie", "accept-language", NULL};
    struct freshet_once_header sent = {SPAN("cookie"), SPAN("user=7")};
    begin(&(struct freshet_loader_options){.shared = true, .topic = refuse_topic, .headers = headers});
    got = (struct got){.status = 0};
    cr_assert_eq(ask_with((struct freshet_once_request){.target = SPAN("/board/a?x=1+2"),
                                                        .peer = SPAN("192.0.2.1:5"),
                                                        .headers = &sent,
                                                        .header_count = 1},
                          NULL),
                 FRESHET_OK);
    rig_run();
    expect(451, "not-here");
    rig_end();
}

static void decide(struct freshet_check check, const struct freshet_request *request, void *user)
{
    const char *how = user;
    (void)request;
    if (how[0] == '/')
        freshet_check_redirect(check, how);
    else if (strcmp(how, "allow") == 0)
        freshet_check_allow(check);
    else if (strcmp(how, "fail") == 0)
        freshet_check_fail(check);
    else
        freshet_check_deny(check, 401, how);
}

static void ask_guarded(const char *first, const char *second)
{
    struct freshet_guard guards[] = {{.guard = decide, .user = (void *)(size_t)first},
                                     {.guard = decide, .user = (void *)(size_t)second}};
    got = (struct got){.status = 0};
    cr_assert_eq(
        ask_with((struct freshet_once_request){.target = SPAN("/board/a"), .use = guards, .use_count = 2},
                 NULL),
        FRESHET_OK);
    memset(guards, 0, sizeof(guards)); /* they have been copied */
    rig_run();
}

/* contract 4.13, 4.8: nobody sees what a stream would not be allowed to */
Test(once, guards_decide_first)
{
    begin(&shared);
    ask_guarded("allow", "sign-in");
    expect(401, "sign-in");
    ask_guarded("/log-in", "allow");
    expect(302, "redirect");
    cr_expect_str_eq(got.location, "/log-in");
    ask_guarded("allow", "fail");
    cr_expect_eq(got.status, 503);
    cr_expect_eq(rig.load_count, 0);
    ask_guarded("allow", "allow");
    subscribe();
    rig_answer("one");
    expect(200, "");
    rig_end();
}

/* contract 4.13 */
Test(once, takes_no_longer_than_its_time)
{
    begin(&shared);
    ask("/board/a");
    subscribe();
    cr_assert_eq(rig.load_count, 1);
    rig_pass_ms(4999);
    cr_expect_eq(got.answers, 0);
    rig_pass_ms(1);
    expect(503, "timeout");
    rig_answer("one");
    cr_expect_eq(got.answers, 1);
    rig_end();
}

/* contract 4.13, 6.4 */
Test(once, is_answered_by_the_time_that_its_worker_has_left)
{
    begin(&shared);
    ask("/board/a");
    rig_leave(0);
    expect(503, "going-away");
    rig_end();
}

static void *ask_from_here(void *user)
{
    (void)user;
    got = (struct got){.status = 0};
    cr_expect_eq(ask_with((struct freshet_once_request){.target = SPAN("/board/a")}, NULL), FRESHET_OK);
    return NULL;
}

/* contract 4.13: for a thread without a loop, on the callback thread */
Test(once, any_thread_may_ask)
{
    pthread_t thread;
    begin(&shared);
    sem_init(&told, 0, 0);
    pthread_create(&thread, NULL, ask_from_here, NULL);
    pthread_join(thread, NULL);
    rig_run();
    subscribe();
    rig_answer("one");
    cr_assert(wait_for(&told));
    expect(200, "");
    cr_expect_not(pthread_equal(got.thread, pthread_self()));
    rig_end();
}

/* contract 4.13 */
Test(once, wrong_arguments_are_named)
{
    struct freshet_error error;
    struct freshet_once_request request = {.size = sizeof(request), .target = SPAN("/board/a")};
    rig_begin((struct freshet_options){0}, 0);
    rig_add_loader(&shared);
    rig_add_loader(&(struct freshet_loader_options){.name = "chat", .route = "chat", .messages = true});
    cr_expect_eq(freshet_load_once(NULL, &request, note, &got, &error), FRESHET_INVALID);
    cr_expect_eq(freshet_load_once(rig.freshet, NULL, note, &got, &error), FRESHET_INVALID);
    cr_expect_str_eq(error.text, "`request` is NULL");
    cr_expect_eq(freshet_load_once(rig.freshet, &request, NULL, &got, &error), FRESHET_INVALID);
    cr_expect_str_eq(error.text, "`answered` is NULL");
    cr_expect_eq(ask_with((struct freshet_once_request){.target = SPAN("board/a")}, &error), FRESHET_INVALID);
    cr_expect_str_eq(error.text, "target: must begin with '/'");
    cr_expect_eq(ask_with((struct freshet_once_request){.target = SPAN("/board/a"), .use_count = 1}, &error),
                 FRESHET_INVALID);
    cr_expect_eq(
        ask_with((struct freshet_once_request){.target = SPAN("/board/a"), .header_count = 1}, &error),
        FRESHET_INVALID);
    cr_expect_eq(ask_with((struct freshet_once_request){.target = SPAN("/board/a")}, &error),
                 FRESHET_UNSUPPORTED);
    cr_expect_str_eq(error.text, "no loop has joined as a worker");
    rig_add_worker();
    cr_expect_eq(ask_with((struct freshet_once_request){.target = SPAN("/chat")}, &error),
                 FRESHET_UNSUPPORTED);
    cr_expect_str_eq(error.text, "loader chat is one of messages: they have no state");
    cr_expect_eq(got.answers, 0);
    rig_end();
}

/* contract 4.13 */
Test(once, spans_without_bytes_are_refused)
{
    static const struct freshet_span broken = {NULL, 3};
    const struct freshet_once_header unnamed = {broken, SPAN("x")}, nameless = {{NULL, 0}, SPAN("x")},
                                     valueless = {SPAN("x"), broken};
    const struct freshet_once_header *headers[] = {&unnamed, &nameless, &valueless};
    struct freshet_error error;
    begin(&shared);
    cr_expect_eq(ask_with((struct freshet_once_request){.target = broken}, &error), FRESHET_INVALID);
    cr_expect_eq(ask_with((struct freshet_once_request){.target = SPAN("/board/a"), .peer = broken}, &error),
                 FRESHET_INVALID);
    cr_expect_str_eq(error.text, "peer: 3 bytes, but NULL");
    for (size_t i = 0; i < 3; i++) {
        struct freshet_once_request request = {
            .target = SPAN("/board/a"), .headers = headers[i], .header_count = 1};
        error.text[0] = '\0';
        cr_expect_eq(ask_with(request, &error), FRESHET_INVALID);
        cr_expect_str_eq(error.text, "headers: the name or value of number 0 is NULL");
    }
    rig_end();
}

/* contract 4.13: it has served, so that is no fault of the program's set-up */
Test(once, when_all_workers_have_left_it_is_closed)
{
    struct freshet_error error;
    begin(&shared);
    rig_leave(0);
    cr_expect_eq(ask_with((struct freshet_once_request){.target = SPAN("/board/a")}, &error), FRESHET_CLOSED);
    cr_expect_str_eq(error.text, "all workers have left");
    rig_end();
}

/* ---- without a gap ---- */

static unsigned state;

static void load_state(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    char text[16];
    (void)context;
    (void)user;
    freshet_load_answer(load, freshet_span(text, (size_t)sprintf(text, "%u", state)));
}

static void publish_if(bool here)
{
    if (!here)
        return;
    state++;
    rig_message("board/a");
}

/* contract 4.13, 5.3: a publish at every point between rendering and subscribing, with others looking and
 * without. What the page shows in the end is the newest; and it is sent only if it is not what was rendered.
 */
static void render_and_subscribe(unsigned point, bool watched, bool leaves)
{
    struct client page, watcher;
    struct fr_version version;
    struct freshet_refusal refusal;
    char newest[16];
    begin(&(struct freshet_loader_options){.shared = true, .load = load_state});
    state = 1;
    if (watched) {
        client_open(&watcher, 0, "/board/a");
        subscribe();
    }
    publish_if(point == 0);
    ask("/board/a");
    publish_if(point == 1);
    if (!watched)
        subscribe();
    rig_run();
    expect(200, "");
    publish_if(point == 2);
    if (leaves) { /* the feed, and what is known of its topic, have gone */
        rig_pass_ms(6000);
        publish_if(point == 3);
    }
    publish_if(point == 4);
    cr_assert(fr_version_parse(SPAN(got.version), &version));
    cr_assert_eq(client_try(&page, 0, "/board/a", &version, &refusal), FR_VISIT_YES);
    publish_if(point == 5);
    rig_run();
    subscribe();
    publish_if(point == 6);
    rig_run();
    snprintf(newest, sizeof(newest), "%u", state);
    if (page.snapshots > 0)
        cr_expect(client_has(&page, newest), "point %u: %s", point, page.last);
    else
        cr_expect(strcmp(got.bytes, newest) == 0 && page.unchanged == 1, "point %u: %s", point, got.bytes);
    cr_expect_eq(page.snapshots, strcmp(got.bytes, newest) != 0, "point %u", point);
    client_close(&page);
    if (watched)
        client_close(&watcher);
    rig_end();
}

Test(once, a_stream_goes_on_from_what_was_rendered)
{
    for (unsigned point = 0; point < 8; point++)
        for (unsigned how = 0; how < 4; how++)
            render_and_subscribe(point, (how & 1) != 0, (how & 2) != 0);
}

/* ---- HTML ---- */

/* contract 4.13: nothing of the state can end the element or begin another */
Test(once, its_html_holds_the_text_as_it_is)
{
    struct freshet_once_answer answer = {.status = 200,
                                         .bytes = SPAN("{\"t\":\"</script><!--\\u003c&\"}\n"),
                                         .version = SPAN("00112233445566778899aabbccddeeff")};
    char *html = freshet_once_html(&answer, "/live/board/\"<a>&");
    cr_expect_str_eq(html, "<script type=\"application/json\" data-initial=\"/live/board/&#34;&#60;a>&#38;\" "
                           "data-version=\"00112233445566778899aabbccddeeff\">"
                           "\"{\\\"t\\\":\\\"\\u003c/script>\\u003c!--\\\\u003c&\\\"}\\u000a\"</script>");
    free(html);
    answer.status = 503;
    cr_expect_null(freshet_once_html(&answer, "/live"));
    cr_expect_null(freshet_once_html(NULL, "/live"));
    answer.status = 200;
    cr_expect_null(freshet_once_html(&answer, NULL));
}
