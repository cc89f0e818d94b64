#include "guard_rig.h"

#include "wait.h"
#include <pthread.h>

static struct visit visit;
static struct client client;

static const struct freshet_guard held_guard = {.guard = hold_guard, .user = "loader"};
static const struct freshet_loader_options single = {.use = &held_guard, .use_count = 1};
static const struct freshet_loader_options shared = {.use = &held_guard, .use_count = 1, .shared = true};

static void begin(struct freshet_options options, const struct freshet_loader_options *loader)
{
    check_count = 0;
    rig_begin(options, 1);
    rig_add_loader(loader);
}

/* A stream that shows "one", let in by the guard. */
static void begin_open(struct freshet_options options, const struct freshet_loader_options *loader)
{
    begin(options, loader);
    visit_plain(&visit, &client, "board/b1");
    allow_last();
    cr_assert_eq(visit.answer, FR_VISIT_YES);
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    cr_assert_str_eq(client.order, "s");
}

static void end(void)
{
    client_close(&client);
    rig_end();
}

/* Refused: there is no client. */
static void end_refused(void)
{
    cr_assert_null(client.view.fanout);
    cr_assert_eq(rig_stats().topics, 0);
    rig_end();
}

/* ---- coming in ---- */

/* contract 4.8: on connect nothing happens before the guards have allowed it */
Test(guard, nothing_is_subscribed_or_loaded_before_the_guards_allow_it)
{
    begin((struct freshet_options){0}, &single);
    visit_plain(&visit, &client, "board/b1");
    cr_assert_eq(check_count, 1);
    cr_assert(!visit.decided);
    cr_assert_eq(rig_stats().topics, 0);
    allow_last();
    cr_assert_eq(visit.answer, FR_VISIT_YES);
    rig_acknowledge();
    rig_run();
    cr_assert_eq(rig.load_count, 1);
    cr_assert_eq(check_count, 1, "the guards that let it in count for the first load");
    rig_answer("one");
    cr_assert(client_has(&client, "one"));
    cr_assert_eq(rig_stats().guards, 1);
    end();
}

static enum freshet_status note_topic(const struct freshet_request *request, struct freshet_topic *topic,
                                      struct freshet_refusal *refusal, void *user)
{
    (void)refusal;
    (void)user;
    cr_assert(has_attribute(request, "from", "loader"));
    checks[check_count++] = (struct rig_check){.guard = "topic"};
    *topic = rig_topic("board/b1");
    return FRESHET_OK;
}

/* Leaves its name, after a look at what those before it left. */
static void sign(struct freshet_check check, const struct freshet_request *request, void *user)
{
    cr_assert_eq(has_attribute(request, "seen-mount", "yes"), check_count > 0);
    freshet_check_set(check, "from", freshet_span_text(user));
    freshet_check_set(check, "seen-mount", freshet_span_text("yes"));
    allow_guard(check, request, user);
}

/* contract 4.8: mount, route and loader, in that order, then the topic function */
Test(guard, chain_runs_from_mount_to_topic_function)
{
    static const struct freshet_guard on_mount[] = {{.guard = sign, .user = "mount"},
                                                    {.guard = sign, .user = "mount 2"}};
    static const struct freshet_guard on_route = {.guard = sign, .user = "route"};
    static const struct freshet_guard elsewhere = {.guard = sign, .user = "elsewhere"};
    static const struct freshet_guard on_loader = {.guard = sign, .user = "loader"};
    static const char *const order[] = {"mount", "mount 2", "route", "route", "loader", "topic"};
    begin((struct freshet_options){0},
          &(struct freshet_loader_options){.use = &on_loader, .use_count = 1, .topic = note_topic});
    cr_assert_eq(freshet_use(rig.freshet, "board/:any*", &on_route, 1, NULL), FRESHET_OK);
    cr_assert_eq(freshet_use(rig.freshet, "board/b2", &elsewhere, 1, NULL), FRESHET_OK);
    cr_assert_eq(freshet_use(rig.freshet, ":x/b1", &on_route, 1, NULL), FRESHET_OK);
    visit_begin(&visit, &client, "board/b1", NULL, &(struct fr_guards){on_mount, 2});
    cr_assert_eq(visit.answer, FR_VISIT_YES);
    cr_assert_eq(check_count, sizeof(order) / sizeof(order[0]));
    for (unsigned i = 0; i < check_count; i++)
        cr_assert_str_eq(checks[i].guard, order[i]);
    end();
}

/* contract 4.8: the first that denies is the last that is asked */
Test(guard, denial_ends_the_chain)
{
    static const struct freshet_guard two[] = {{.guard = hold_guard}, {.guard = hold_guard}};
    begin((struct freshet_options){0},
          &(struct freshet_loader_options){.use = two, .use_count = 2, .topic = note_topic});
    visit_plain(&visit, &client, "board/b1");
    deny_last(401, "log-in");
    cr_assert_eq(visit.answer, FR_VISIT_NO);
    cr_assert_eq(visit.refusal.status, 401);
    cr_assert_str_eq(visit.refusal.code, "log-in");
    cr_assert_eq(check_count, 1);
    end_refused();
}

/* contract 4.8, 5.1: what is not a final refusal or no code is made one */
Test(guard, denial_is_always_a_4xx_and_a_code)
{
    static const struct {
        int status, expected;
        const char *code, *expected_code;
    } cases[] = {{200, 403, "a-1", "a-1"},
                 {500, 403, "Big", "refused"},
                 {0, 403, NULL, "refused"},
                 {400, 400, "", "refused"},
                 {499, 499, "a\"b", "refused"},
                 {403, 403, "a-code-that-is-too-long-for-the-place-where-codes-are", "refused"}};
    begin((struct freshet_options){0}, &single);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        visit_plain(&visit, &client, "board/b1");
        deny_last(cases[i].status, cases[i].code);
        cr_assert_eq(visit.answer, FR_VISIT_NO);
        cr_assert_eq(visit.refusal.status, cases[i].expected);
        cr_assert_str_eq(visit.refusal.code, cases[i].expected_code);
    }
    end_refused();
}

/* contract 4.8 */
Test(guard, redirect_needs_a_location_that_fits_a_header)
{
    static char too_long[FR_MOST_LOCATION_BYTES + 2];
    begin((struct freshet_options){0}, &single);
    visit_plain(&visit, &client, "board/b1");
    struct freshet_check check = last_check()->handle;
    memset(too_long, 'x', sizeof(too_long) - 1);
    cr_assert_eq(freshet_check_redirect(check, NULL), FRESHET_INVALID);
    cr_assert_eq(freshet_check_redirect(check, ""), FRESHET_INVALID);
    cr_assert_eq(freshet_check_redirect(check, too_long), FRESHET_INVALID);
    cr_assert_eq(freshet_check_redirect(check, "/a\r\nset-cookie: b"), FRESHET_INVALID);
    cr_assert_eq(freshet_check_redirect(check, "/a b"), FRESHET_INVALID);
    cr_assert_eq(freshet_check_redirect(check, "/\x7f"), FRESHET_INVALID);
    rig_run();
    cr_assert(!visit.decided, "the check stays open");
    cr_assert_eq(freshet_check_redirect(check, "/login?next=%2Fboard"), FRESHET_OK);
    cr_assert_eq(freshet_check_redirect(check, "/other"), FRESHET_STALE);
    rig_run();
    cr_assert_str_eq(visit.location, "/login?next=%2Fboard");
    end_refused();
}

/* contract 4.8, 5.2: neither is an allow */
Test(guard, failure_and_timeout_are_temporary_refusals_at_connect)
{
    begin((struct freshet_options){0}, &single);
    visit_plain(&visit, &client, "board/b1");
    fail_last();
    cr_assert_eq(visit.answer, FR_VISIT_LATER);
    cr_assert_str_eq(visit.refusal.code, "guard-failed");
    visit_plain(&visit, &client, "board/b1");
    rig_pass_ms(4999);
    cr_assert(!visit.decided);
    rig_pass_ms(1);
    cr_assert_eq(visit.answer, FR_VISIT_LATER);
    cr_assert_str_eq(visit.refusal.code, "guard-timeout");
    /* Too late: it says so and lets nobody in. */
    cr_assert_eq(freshet_check_set(last_check()->handle, "user", freshet_span_text("ann")), FRESHET_STALE);
    cr_assert_eq(freshet_check_allow(last_check()->handle), FRESHET_STALE);
    rig_run();
    cr_assert_eq(rig_stats().guards, 2);
    cr_assert_eq(rig_stats().guards_failed, 2);
    end_refused();
}

/* contract 4.8: each guard has its own time */
Test(guard, timeout_is_for_each_guard_and_can_be_switched_off)
{
    static const struct freshet_guard two[] = {{.guard = hold_guard, .timeout_ms = 100},
                                               {.guard = hold_guard, .timeout_ms = FRESHET_NEVER}};
    begin((struct freshet_options){0}, &(struct freshet_loader_options){.use = two, .use_count = 2});
    visit_plain(&visit, &client, "board/b1");
    rig_pass_ms(99);
    allow_last();
    cr_assert_eq(check_count, 2);
    rig_pass_ms(20000);
    cr_assert(!visit.decided);
    allow_last();
    cr_assert_eq(visit.answer, FR_VISIT_YES);
    end();
}

/* contract 4.8: what was found, and the request, reach the loads of one connection */
Test(guard, load_of_one_connection_sees_what_the_guards_found)
{
    struct fr_request_view request_view = {.peer = freshet_span_text("127.0.0.1:9")};
    request_view.headers[request_view.header_count++] =
        (struct fr_field){freshet_span_text("cookie"), freshet_span_text("session=s1")};
    begin((struct freshet_options){0}, &single);
    visit_begin(&visit, &client, "board/b1?view=full", &request_view, NULL);
    struct freshet_check check = last_check()->handle;
    cr_assert(has_query(last_check()->request, "view", "full"));
    cr_assert(!has_attribute(last_check()->request, "user", "ann"));
    cr_assert_eq(freshet_check_set(check, "user", freshet_span_text("eve")), FRESHET_OK);
    cr_assert_eq(freshet_check_set(check, "user", freshet_span_text("ann")), FRESHET_OK);
    allow_last();
    rig_acknowledge();
    rig_run();
    const struct freshet_request *request = rig_last_load()->request;
    struct freshet_span value;
    cr_assert(has_attribute(request, "user", "ann"));
    cr_assert(has_query(request, "view", "full"));
    cr_assert(request_has(freshet_request_cookie(request, "session", &value), value, "s1"));
    cr_assert(request_has(freshet_request_param(request, "id", 0, &value), value, "b1"));
    cr_assert(request_has(FRESHET_OK, freshet_request_path(request), "board/b1"));
    rig_answer("one");
    /* The next chain begins with nothing; its load sees what it found. */
    rig_publish("board/b1");
    cr_assert(!has_attribute(last_check()->request, "user", "ann"));
    cr_assert_eq(freshet_check_set(last_check()->handle, "user", freshet_span_text("bob")), FRESHET_OK);
    allow_last();
    cr_assert_eq(rig.load_count, 2);
    cr_assert(has_attribute(rig_last_load()->request, "user", "bob"));
    rig_answer("two");
    end();
}

/* contract 4.3: nothing is shared that did not say so, and what is shared sees no request */
Test(guard, shared_load_has_no_request)
{
    begin_open((struct freshet_options){0}, &shared);
    cr_assert_null(rig_last_load()->request);
    end();
}

/* contract 6.1: an asked request is refused, not cut */
Test(guard, request_that_is_too_large_or_not_text_is_refused_before_the_guards)
{
    struct fr_request_view many = {.too_many = true};
    begin((struct freshet_options){0}, &single);
    visit_begin(&visit, &client, "board/b1", &many, NULL);
    cr_assert_eq(visit.answer, FR_VISIT_NO);
    cr_assert_eq(visit.refusal.status, 431);
    visit_plain(&visit, &client, "board/b1?a=%zz");
    cr_assert_eq(visit.answer, FR_VISIT_NO);
    cr_assert_eq(visit.refusal.status, 400);
    cr_assert_str_eq(visit.refusal.code, "bad-query");
    cr_assert_eq(check_count, 0);
    end_refused();
}

/* contract 4.8 */
Test(guard, use_says_what_is_wrong)
{
    struct freshet_error error;
    begin((struct freshet_options){0}, &single);
    cr_assert_eq(freshet_use(rig.freshet, "a//b", &held_guard, 1, &error), FRESHET_INVALID);
    cr_assert_neq(error.text[0], '\0');
    cr_assert_eq(freshet_use(rig.freshet, "a", NULL, 1, &error), FRESHET_INVALID);
    cr_assert_not_null(strstr(error.text, "use"));
    cr_assert_eq(freshet_use(rig.freshet, "a", &(struct freshet_guard){.user = "x"}, 1, &error),
                 FRESHET_INVALID);
    cr_assert_not_null(strstr(error.text, "guard 0"));
    /* An empty list would let everybody in. */
    cr_assert_eq(freshet_use(rig.freshet, "board/:id", NULL, 0, &error), FRESHET_INVALID);
    cr_assert_not_null(strstr(error.text, "count"), "%s", error.text);
    cr_assert_eq(freshet_use(rig.freshet, "board/:id", &held_guard, 0, &error), FRESHET_INVALID);
    cr_assert_eq(freshet_use(rig.freshet, NULL, &held_guard, 1, &error), FRESHET_INVALID);
    cr_assert_eq(freshet_use(NULL, "board/:id", &held_guard, 1, &error), FRESHET_INVALID);
    visit_plain(&visit, &client, "board/b1");
    cr_assert_eq(visit.answer, FR_VISIT_YES);
    client_close(&client);
    rig_end();
}

static char complaints[1024];

static void note_complaint(enum freshet_log_level level, const char *line, void *user)
{
    (void)user;
    cr_assert_eq(level, FRESHET_LOG_ERROR);
    cr_assert_lt(strlen(complaints) + strlen(line) + 2, sizeof(complaints));
    strcat(strcat(complaints, line), "\n");
}

/* contract 4.4, 4.8: a guard that can never find what it looks for says so, once */
Test(guard, header_that_no_option_names_is_an_error_and_one_line_in_the_log)
{
    struct freshet_span value;
    begin((struct freshet_options){.log = {.write = note_complaint}}, &single);
    for (int i = 0; i < 3; i++) {
        visit_plain(&visit, &client, "board/b1");
        cr_assert_eq(freshet_request_cookie(last_check()->request, "session", &value), FRESHET_UNSUPPORTED);
        cr_assert_eq(freshet_request_header(last_check()->request, "x-user", &value), FRESHET_UNSUPPORTED);
        deny_last(401, "sign-in");
    }
    cr_assert_str_eq(complaints,
                     "loader board: header \"cookie\" is asked for, but neither the loader's option "
                     "`headers` nor the mount's `request_headers` names it\n");
    end_refused();
}

/* ---- answers that come twice, late, from elsewhere ---- */

/* contract 4.8 */
Test(guard, first_answer_counts)
{
    begin((struct freshet_options){0}, &single);
    visit_plain(&visit, &client, "board/b1");
    struct freshet_check check = last_check()->handle;
    cr_assert_eq(freshet_check_deny(check, 403, "no"), FRESHET_OK);
    cr_assert_eq(freshet_check_allow(check), FRESHET_STALE);
    cr_assert_eq(freshet_check_redirect(check, "/x"), FRESHET_STALE);
    cr_assert_eq(freshet_check_fail(check), FRESHET_STALE);
    cr_assert_eq(freshet_check_set(check, "user", freshet_span_text("ann")), FRESHET_STALE);
    rig_run();
    cr_assert_eq(visit.answer, FR_VISIT_NO);
    end_refused();
}

/* contract 4.8: the client leaves while its guard is out; what was asked stays readable until the
 * answer */
Test(guard, answer_after_the_client_left_is_stale)
{
    begin((struct freshet_options){0}, &single);
    visit_plain(&visit, &client, "board/b1?a=1");
    fr_visit_end(&visit.core);
    rig_run();
    cr_assert(has_query(last_check()->request, "a", "1"));
    cr_assert_eq(freshet_check_set(last_check()->handle, "user", freshet_span_text("ann")), FRESHET_STALE);
    cr_assert_eq(freshet_check_allow(last_check()->handle), FRESHET_STALE);
    cr_assert_eq(freshet_check_allow(last_check()->handle), FRESHET_STALE);
    rig_run();
    cr_assert(!visit.decided);
    end_refused();
}

/* contract 4.8 */
Test(guard, answer_after_an_open_stream_left_is_stale)
{
    begin_open((struct freshet_options){0}, &single);
    rig_publish("board/b1");
    cr_assert_eq(check_count, 2);
    client_close(&client);
    cr_assert_eq(freshet_check_allow(last_check()->handle), FRESHET_STALE);
    rig_run();
    cr_assert_eq(rig.load_count, 1);
    rig_end();
}

/* contract 6.4: late answers stay safe */
Test(guard, answer_after_the_freshet_is_gone_is_stale)
{
    begin((struct freshet_options){0}, &single);
    visit_plain(&visit, &client, "board/b1");
    struct freshet_check check = last_check()->handle;
    fr_visit_end(&visit.core);
    rig_end();
    cr_assert_eq(freshet_check_set(check, "user", freshet_span_text("ann")), FRESHET_STALE);
    cr_assert_eq(freshet_check_deny(check, 403, "no"), FRESHET_STALE);
}

/* contract 4.8: two in one process */
Test(guard, check_of_one_freshet_outlives_another)
{
    struct freshet *another;
    begin((struct freshet_options){0}, &single);
    visit_plain(&visit, &client, "board/b1");
    cr_assert_eq(freshet_new(&another, NULL, NULL), FRESHET_OK);
    freshet_destroy(another, 1000);
    allow_last();
    cr_assert_eq(visit.answer, FR_VISIT_YES);
    end();
}

/* contract 6.4: answered on the way to a worker that leaves */
Test(guard, answer_in_the_mail_of_a_worker_that_leaves_is_dropped)
{
    begin((struct freshet_options){0}, &single);
    visit_plain(&visit, &client, "board/b1");
    cr_assert_eq(freshet_check_allow(last_check()->handle), FRESHET_OK);
    fr_visit_end(&visit.core);
    rig_leave(0);
    cr_assert(!visit.decided);
    freshet_destroy(rig.freshet, 1000);
}

static void *allow_elsewhere(void *user)
{
    struct freshet_check *check = user;
    freshet_check_set(*check, "user", freshet_span_text("ann"));
    return freshet_check_allow(*check) == FRESHET_OK ? user : NULL;
}

/* contract 4.8: at once or later, from any thread */
Test(guard, answer_may_come_from_another_thread)
{
    pthread_t thread;
    void *taken;
    begin((struct freshet_options){0}, &single);
    visit_plain(&visit, &client, "board/b1");
    cr_assert_eq(pthread_create(&thread, NULL, allow_elsewhere, &last_check()->handle), 0);
    pthread_join(thread, &taken);
    cr_assert_not_null(taken);
    rig_run();
    cr_assert_eq(visit.answer, FR_VISIT_YES);
    end();
}

static sem_t inside, go_on, done;
static enum freshet_status late_status;
static bool late_sees_request;

static void block(struct freshet_check check, const struct freshet_request *request, void *user)
{
    (void)user;
    sem_post(&inside);
    wait_for(&go_on);
    late_sees_request = has_query(request, "a", "1");
    late_status = freshet_check_allow(check);
    sem_post(&done);
}

static void begin_blocked(void)
{
    static const struct freshet_guard blocking = {.guard = block, .on_pool = true};
    sem_init(&inside, 0, 0);
    sem_init(&go_on, 0, 0);
    sem_init(&done, 0, 0);
    begin((struct freshet_options){.pool_threads = 1},
          &(struct freshet_loader_options){.use = &blocking, .use_count = 1});
    visit_plain(&visit, &client, "board/b1?a=1");
    cr_assert(wait_for(&inside));
}

/* contract 6.4: everything is gone while a guard runs on a thread of the pool */
Test(guard, freshet_may_be_destroyed_while_a_guard_runs_on_the_pool)
{
    begin_blocked();
    fr_visit_end(&visit.core);
    rig_leave(0);
    freshet_destroy(rig.freshet, 10);
    sem_post(&go_on);
    cr_assert(wait_for(&done));
    cr_assert_eq(late_status, FRESHET_STALE);
    cr_assert(late_sees_request);
}

/* contract 6.1: clients that come and go faster than guards answer leave no work behind */
Test(guard, guards_of_clients_that_left_are_not_run)
{
    static struct visit visits[20];
    static struct client clients[20];
    begin_blocked();
    for (unsigned i = 0; i < 20; i++) {
        visit_plain(&visits[i], &clients[i], "board/b1");
        fr_visit_end(&visits[i].core);
    }
    sem_post(&go_on);
    cr_assert(wait_for(&done));
    for (int64_t until = time(NULL) + DEADLINE_S; !visit.decided && time(NULL) < until;)
        rig_run();
    cr_assert_eq(visit.answer, FR_VISIT_YES);
    client_close(&client);
    rig_end(); /* waits for the pool */
    int more;
    cr_assert_eq(sem_getvalue(&inside, &more), 0);
    cr_assert_eq(more, 0);
}

/* ---- open streams of one connection ---- */

/* contract 4.8: again before each load */
Test(guard, one_connection_is_asked_before_each_load)
{
    begin_open((struct freshet_options){0}, &single);
    rig_publish("board/b1");
    cr_assert_eq(check_count, 2);
    cr_assert_eq(rig.load_count, 1, "not before the guards have allowed it");
    rig_publish("board/b1");
    rig_publish("board/b1");
    cr_assert_eq(check_count, 2);
    allow_last();
    cr_assert_eq(rig.load_count, 2);
    cr_assert_eq(rig_last_load()->publishes, 3);
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    rig_pass_ms(120000);
    cr_assert_eq(check_count, 2, "idle, there is nothing to allow");
    end();
}

/* contract 4.8: a revoked user loses the stream at the next run */
Test(guard, denied_connection_loses_its_stream_and_nothing_is_loaded)
{
    begin_open((struct freshet_options){0}, &single);
    rig_publish("board/b1");
    deny_last(403, "revoked");
    cr_assert(client.lost);
    cr_assert_eq(client.reason, FRESHET_CLOSE_DENIED);
    cr_assert_str_eq(client.end_code, "revoked");
    cr_assert_eq(rig.load_count, 1);
    rig_publish("board/b1");
    rig_pass_ms(60000);
    cr_assert_eq(rig.load_count, 1);
    cr_assert_eq(check_count, 2);
    cr_assert_str_eq(client.order, "s");
    end();
}

/* contract 4.8: a publish that overtakes the word of a client's end loads nothing: what the guards found is
 * gone */
Test(guard, nothing_is_asked_or_loaded_for_a_client_that_has_just_left)
{
    begin_open((struct freshet_options){0}, &single);
    struct freshet_topic topic = rig_topic("board/b1");
    cr_assert_eq(freshet_publish(rig.freshet, &topic, freshet_span(NULL, 0), NULL, NULL), FRESHET_OK);
    client_close(&client);
    cr_assert_eq(check_count, 1);
    cr_assert_eq(rig.load_count, 1);
    rig_pass_ms(10000);
    cr_assert_eq(rig_stats().feeds, 0);
    rig_end();
}

/* contract 4.7, 4.8: the same while its load waits for its turn */
Test(guard, client_that_has_just_left_gives_its_turn_up)
{
    static struct visit other_visit;
    static struct client other;
    begin((struct freshet_options){0},
          &(struct freshet_loader_options){.use = &held_guard, .use_count = 1, .max_concurrent_loads = 1});
    visit_plain(&other_visit, &other, "board/b1");
    allow_last();
    rig_acknowledge();
    rig_run();
    visit_plain(&visit, &client, "board/b1");
    allow_last();
    cr_assert_eq(rig.load_count, 1);
    cr_assert_eq(freshet_load_answer(rig_last_load()->handle, freshet_span_text("one")), FRESHET_OK);
    fr_view_close(&client.view); /* its turn is in the mail */
    rig_run();
    cr_assert_eq(rig.load_count, 1);
    rig_publish("board/b1");
    allow_last();
    cr_assert_eq(rig.load_count, 2, "the place is free");
    rig_answer("two");
    cr_assert(client_has(&other, "two"));
    client_close(&other);
    rig_end();
}

/* contract 4.8 */
Test(guard, redirect_of_an_open_stream_ends_it_with_the_location)
{
    begin_open((struct freshet_options){0}, &single);
    rig_publish("board/b1");
    cr_assert_eq(freshet_check_redirect(last_check()->handle, "/login"), FRESHET_OK);
    rig_run();
    cr_assert(client.lost);
    cr_assert_str_eq(client.end_code, "redirect");
    cr_assert_str_eq(client.end_location, "/login");
    end();
}

/* contract 4.8: held back and retried, with growing delays */
Test(guard, connection_whose_guard_cannot_decide_is_not_loaded_for)
{
    begin_open((struct freshet_options){0}, &single);
    rig_publish("board/b1");
    fail_last();
    rig_pass_ms(180);
    cr_assert_eq(check_count, 2);
    rig_publish("board/b1");
    cr_assert_eq(check_count, 2, "a publish does not hurry the retry");
    rig_pass_ms(140); /* 250 ms, a quarter more at most */
    cr_assert_eq(check_count, 3);
    fail_last();
    rig_pass_ms(370);
    cr_assert_eq(check_count, 3);
    rig_pass_ms(260);
    cr_assert_eq(check_count, 4);
    cr_assert_eq(rig.load_count, 1);
    cr_assert(!client.lost);
    allow_last();
    cr_assert_eq(rig.load_count, 2);
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    cr_assert_eq(rig_stats().guards_failed, 2);
    end();
}

/* contract 4.8: an allow does not last for ever because the load has to wait */
Test(guard, allow_is_not_used_after_the_interval)
{
    begin((struct freshet_options){.subscribe_grace_ms = FRESHET_NEVER, .guard_interval_ms = 1000}, &single);
    visit_plain(&visit, &client, "board/b1");
    allow_last();
    rig_pass_ms(5000);
    cr_assert_eq(check_count, 1);
    rig_acknowledge();
    rig_run();
    cr_assert_eq(check_count, 2);
    cr_assert_eq(rig.load_count, 0);
    deny_last(403, "revoked");
    cr_assert(client.lost);
    cr_assert_eq(rig.load_count, 0);
    end();
}

/* ---- open streams of shared feeds ---- */

/* contract 4.8: a push within the interval asks nobody */
Test(guard, shared_stream_is_not_asked_within_the_interval)
{
    begin_open((struct freshet_options){0}, &shared);
    rig_pass_ms(29999);
    rig_publish("board/b1");
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    cr_assert_eq(check_count, 1);
    end();
}

/* contract 4.8: after it nothing is shown before the guards have allowed it */
Test(guard, shared_stream_is_asked_at_the_interval_and_data_waits)
{
    begin_open((struct freshet_options){0}, &shared);
    rig_pass_ms(30001);
    cr_assert_eq(check_count, 2, "also while idle");
    rig_publish("board/b1");
    rig_answer("two");
    rig_publish("board/b1");
    rig_answer("three");
    cr_assert_eq(client.snapshots, 1);
    cr_assert_eq(check_count, 2);
    allow_last();
    cr_assert_str_eq(client.order, "ss");
    cr_assert(client_has(&client, "three"));
    rig_pass_ms(30001);
    cr_assert_eq(check_count, 3);
    end();
}

/* contract 4.8: a revoked user loses a shared stream, others keep theirs */
Test(guard, denied_shared_stream_is_lost_and_others_go_on)
{
    static struct visit other_visit;
    static struct client other;
    begin_open((struct freshet_options){0}, &shared);
    visit_plain(&other_visit, &other, "board/b1");
    allow_last();
    cr_assert(client_has(&other, "one"));
    rig_pass_ms(30001);
    cr_assert_eq(check_count, 4);
    cr_assert_eq(freshet_check_deny(checks[2].handle, 403, "revoked"), FRESHET_OK);
    cr_assert_eq(freshet_check_allow(checks[3].handle), FRESHET_OK);
    rig_run();
    cr_assert(client.lost);
    cr_assert_str_eq(client.end_code, "revoked");
    rig_publish("board/b1");
    rig_answer("two");
    cr_assert_eq(client.snapshots, 1);
    cr_assert(!other.lost);
    cr_assert(client_has(&other, "two"));
    client_close(&other);
    end();
}

/* contract 4.8 */
Test(guard, shared_stream_whose_guard_cannot_decide_gets_nothing_until_it_can)
{
    begin_open((struct freshet_options){.guard_interval_ms = 1000}, &shared);
    rig_pass_ms(1001);
    rig_pass_ms(5000); /* its time is up */
    rig_publish("board/b1");
    rig_answer("two");
    cr_assert_eq(check_count, 2, "nor does news hurry the retry");
    rig_pass_ms(313);
    cr_assert_eq(check_count, 3);
    cr_assert_str_eq(client.order, "s");
    allow_last();
    cr_assert(client_has(&client, "two"));
    cr_assert_eq(rig_stats().guards_failed, 1);
    end();
}

/* contract 4.8: FRESHET_NEVER */
Test(guard, shared_stream_is_never_asked_again_without_an_interval)
{
    begin_open((struct freshet_options){.guard_interval_ms = FRESHET_NEVER}, &shared);
    rig_pass_ms(100000);
    rig_publish("board/b1");
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    cr_assert_eq(check_count, 1);
    end();
}

/* ---- identity ---- */

static const char *identity_now; /* NULL: refuses */
static size_t identity_len;      /* 0: that of the text */

static enum freshet_status tell_identity(const struct freshet_request *request,
                                         struct freshet_identity *identity, struct freshet_refusal *refusal,
                                         void *user)
{
    (void)user;
    struct freshet_span value;
    if (identity_now == NULL) {
        refusal->status = 410;
        snprintf(refusal->code, sizeof(refusal->code), "no-tenant");
        return FRESHET_REFUSED;
    }
    if (freshet_request_attribute(request, "tenant", &value) != FRESHET_OK)
        value = freshet_span_text(identity_now);
    identity->len = identity_len != 0 ? identity_len : value.len;
    memcpy(identity->text, value.data, value.len);
    return FRESHET_OK;
}

static const struct freshet_loader_options grouped = {.identity = tell_identity};
static const struct freshet_loader_options grouped_held = {
    .use = &held_guard, .use_count = 1, .identity = tell_identity};

/* contract 4.3: one feed for each identity, and the load knows whose it is */
Test(guard, identity_groups_connections)
{
    static struct visit visits[3];
    static struct client clients[3];
    static const char *const identities[] = {"a", "b", "a"};
    begin((struct freshet_options){0}, &grouped);
    for (unsigned i = 0; i < 3; i++) {
        identity_now = identities[i];
        visit_plain(&visits[i], &clients[i], "board/b1");
        cr_assert_eq(visits[i].answer, FR_VISIT_YES);
    }
    rig_acknowledge();
    rig_run();
    cr_assert_eq(rig.load_count, 2);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_null(rig.loads[i].request);
        cr_assert_str_eq(rig.loads[i].identity, identities[i]);
        cr_assert_eq(freshet_load_answer(rig.loads[i].handle, freshet_span_text(identities[i])), FRESHET_OK);
    }
    rig_run();
    for (unsigned i = 0; i < 3; i++) {
        cr_assert(client_has(&clients[i], identities[i]));
        cr_assert_eq(clients[i].snapshots, 1);
    }
    for (unsigned i = 0; i < 3; i++)
        client_close(&clients[i]);
    rig_end();
}

/* contract 4.3: no two identities can look the same, and none looks like a part of an address */
Test(guard, identity_that_is_none_is_refused)
{
    begin((struct freshet_options){0}, &grouped);
    identity_now = "a\0b";
    identity_len = 3;
    visit_plain(&visit, &client, "board/b1");
    cr_assert_eq(visit.answer, FR_VISIT_NO);
    cr_assert_str_eq(visit.refusal.code, "bad-identity");
    identity_len = sizeof(((struct freshet_identity *)0)->text) + 1;
    visit_plain(&visit, &client, "board/b1");
    cr_assert_eq(visit.answer, FR_VISIT_NO);
    identity_len = 0;
    identity_now = NULL;
    visit_plain(&visit, &client, "board/b1");
    cr_assert_eq(visit.refusal.status, 410);
    cr_assert_str_eq(visit.refusal.code, "no-tenant");
    end_refused();
}

static enum freshet_status choose_bad_topic(const struct freshet_request *request,
                                            struct freshet_topic *topic, struct freshet_refusal *refusal,
                                            void *user)
{
    (void)request;
    (void)refusal;
    (void)user;
    *topic = rig_topic("board");
    memcpy(topic->text + topic->len, "\0b", 2);
    topic->len = (uint16_t)(topic->len + 2);
    return FRESHET_OK;
}

/* contract 4.3 */
Test(guard, topic_that_could_pass_for_topic_and_identity_is_refused)
{
    begin((struct freshet_options){0}, &(struct freshet_loader_options){.topic = choose_bad_topic});
    visit_plain(&visit, &client, "board/b1");
    cr_assert_eq(visit.answer, FR_VISIT_NO);
    cr_assert_str_eq(visit.refusal.code, "bad-topic");
    end_refused();
}

/* A stream of identity "a" that shows "one". */
static void begin_grouped(void)
{
    identity_now = "a";
    begin_open((struct freshet_options){.guard_interval_ms = 1000}, &grouped_held);
    cr_assert_str_eq(rig_last_load()->identity, "a");
}

/* contract 4.8: if the identity comes out different the stream moves to the other feed */
Test(guard, stream_moves_to_the_feed_of_its_new_identity)
{
    begin_grouped();
    rig_publish("board/b1");
    struct freshet_load of_a = rig_last_load()->handle;
    rig_pass_ms(1001);
    cr_assert_eq(freshet_check_set(last_check()->handle, "tenant", freshet_span_text("b")), FRESHET_OK);
    allow_last();
    cr_assert_eq(rig_stats().streams_moved, 1);
    cr_assert_eq(rig.load_count, 3);
    cr_assert_str_eq(rig_last_load()->identity, "b");
    /* What comes for the identity before is not shown any more. */
    freshet_load_answer(of_a, freshet_span_text("secret of a"));
    rig_run();
    cr_assert_eq(client.snapshots, 1);
    rig_answer("b's");
    cr_assert_str_eq(client.order, "ss");
    cr_assert(client_has(&client, "b's"));
    rig_publish("board/b1");
    cr_assert_eq(rig.load_count, 4, "nobody is left in the feed before");
    cr_assert_str_eq(rig_last_load()->identity, "b");
    rig_answer("b's again");
    cr_assert(client_has(&client, "b's again"));
    end();
}

/* contract 4.8, 5.3: equal bytes for another identity are news all the same */
Test(guard, moved_stream_gets_the_snapshot_in_full)
{
    static struct visit other_visit;
    static struct client other;
    begin_grouped();
    identity_now = "b";
    visit_plain(&other_visit, &other, "board/b1");
    allow_last();
    rig_answer("one");
    cr_assert(client_has(&other, "one"));
    rig_pass_ms(1001);
    for (unsigned i = check_count - 2; i < check_count; i++)
        cr_assert_eq(freshet_check_allow(checks[i].handle), FRESHET_OK);
    unsigned loads = rig.load_count;
    rig_run();
    cr_assert_str_eq(client.order, "ss");
    cr_assert_str_eq(other.order, "s");
    cr_assert_eq(rig.load_count, loads, "the other feed knows what is current");
    client_close(&other);
    end();
}

/* contract 4.8: data waits while it is not known whose it is */
Test(guard, nothing_of_the_old_identity_is_shown_while_the_guard_is_out)
{
    begin_grouped();
    rig_pass_ms(1001);
    rig_publish("board/b1");
    rig_answer("secret of a");
    cr_assert_eq(client.snapshots, 1);
    identity_now = "b";
    allow_last();
    cr_assert_eq(client.snapshots, 1);
    rig_answer("b's");
    cr_assert(client_has(&client, "b's"));
    cr_assert_eq(client.snapshots, 2);
    end();
}

/* contract 4.8, 6.4: the worker where the feeds live leaves while the guard is out */
Test(guard, stream_moves_though_the_home_of_its_feed_has_left)
{
    identity_now = "a";
    begin((struct freshet_options){.guard_interval_ms = 1000}, &grouped_held);
    rig_join();
    rig_add_worker();
    /* The first topic lives on the first worker: so does this stream's feed, but not the stream. */
    struct fr_worker *first = rig.workers[0];
    rig.workers[0] = rig.workers[1];
    rig.workers[1] = first;
    visit_plain(&visit, &client, "board/b1");
    allow_last();
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    cr_assert(client_has(&client, "one"));
    rig_pass_ms(1001);
    identity_now = "b";
    rig_leave(1);
    rig_run();
    rig_acknowledge();
    rig_run();
    rig_answer("secret of a");
    cr_assert_eq(client.snapshots, 1, "its guard is out");
    allow_last();
    cr_assert_str_eq(rig_last_load()->identity, "b");
    rig_answer("b's");
    cr_assert_str_eq(client.order, "ss");
    cr_assert(client_has(&client, "b's"));
    end();
}

/* contract 4.8 */
Test(guard, refused_identity_ends_an_open_stream)
{
    begin_grouped();
    rig_pass_ms(1001);
    identity_now = NULL;
    allow_last();
    cr_assert(client.lost);
    cr_assert_eq(client.reason, FRESHET_CLOSE_DENIED);
    cr_assert_str_eq(client.end_code, "no-tenant");
    end();
}

/* contract 4.8: a route without guards asks the identity once */
Test(guard, identity_without_guards_is_asked_once)
{
    begin((struct freshet_options){.guard_interval_ms = 1000}, &grouped);
    identity_now = "a";
    visit_plain(&visit, &client, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    identity_now = "b";
    rig_pass_ms(5000);
    rig_publish("board/b1");
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    cr_assert_eq(rig_stats().streams_moved, 0);
    end();
}

/* ---- an allow for a time ---- */

static void allow_last_for(uint32_t for_ms)
{
    cr_assert_eq(freshet_check_allow_for(last_check()->handle, for_ms), FRESHET_OK);
    rig_run();
}

static void begin_allowed_for(uint32_t for_ms, const struct freshet_loader_options *loader)
{
    begin((struct freshet_options){.guard_interval_ms = 30000}, loader);
    visit_plain(&visit, &client, "board/b1");
    allow_last_for(for_ms);
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    cr_assert_str_eq(client.order, "s");
    cr_assert_eq(check_count, 1);
}

/* contract 4.8: an allow for a time is over when the time is, on an idle stream, too */
Test(guard, a_stream_that_was_allowed_for_a_time_is_asked_again_at_its_end)
{
    begin_allowed_for(500, &shared);
    rig_pass_ms(499);
    cr_assert_eq(check_count, 1);
    rig_pass_ms(1);
    cr_assert_eq(check_count, 2);
    deny_last(401, "token-expired");
    cr_assert(client.lost);
    end();
}

/* contract 4.8: a feed of one connection has no interval, but the time of an allow */
Test(guard, a_feed_of_one_connection_is_asked_again_at_the_end_of_its_time)
{
    begin_allowed_for(500, &single);
    rig_pass_ms(500);
    cr_assert_eq(check_count, 2);
    allow_last_for(200);
    cr_assert_eq(rig.load_count, 1, "being allowed anew is no news");
    rig_pass_ms(200);
    cr_assert_eq(check_count, 3);
    deny_last(401, "token-expired");
    cr_assert(client.lost);
    end();
}

/* contract 4.8: data waits for the guards once the time is over */
Test(guard, nothing_is_sent_behind_the_end_of_the_time)
{
    begin_allowed_for(500, &shared);
    rig_pass_ms(500);
    rig_publish("board/b1");
    rig_answer("two");
    cr_assert_str_eq(client.order, "s");
    allow_last();
    cr_assert(client_has(&client, "two"));
    rig_pass_ms(29999);
    cr_assert_eq(check_count, 2, "the interval counts again");
    rig_pass_ms(1);
    cr_assert_eq(check_count, 3);
    end();
}

/* contract 4.8: a time that is longer than the interval changes nothing */
Test(guard, the_interval_goes_on_within_a_longer_time)
{
    begin_allowed_for(100000, &shared);
    rig_pass_ms(30000);
    cr_assert_eq(check_count, 2);
    end();
}

/* contract 4.8: of several guards the shortest time counts */
Test(guard, the_shortest_time_of_a_chain_counts)
{
    static const struct freshet_guard chain[] = {{.guard = hold_guard}, {.guard = hold_guard}};
    static const struct freshet_loader_options two = {.use = chain, .use_count = 2, .shared = true};
    begin((struct freshet_options){.guard_interval_ms = FRESHET_NEVER}, &two);
    visit_plain(&visit, &client, "board/b1");
    allow_last_for(300);
    allow_last_for(FRESHET_NEVER);
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    rig_pass_ms(299);
    cr_assert_eq(check_count, 2);
    rig_pass_ms(1);
    cr_assert_eq(check_count, 3);
    end();
}

/* contract 4.8: no time at all is a slip, not an answer */
Test(guard, an_allow_for_no_time_is_refused)
{
    begin((struct freshet_options){0}, &shared);
    visit_plain(&visit, &client, "board/b1");
    cr_assert_eq(freshet_check_allow_for(last_check()->handle, 0), FRESHET_INVALID);
    allow_last_for(FRESHET_NEVER);
    cr_assert_eq(visit.answer, FR_VISIT_YES);
    end();
}
