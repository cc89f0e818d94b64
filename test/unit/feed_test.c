#include "snapshot_rig.h"

static const struct freshet_loader_options shared = {.shared = true};

/* contract 4.1 */
Test(feed, loads_only_after_the_subscription_is_acknowledged)
{
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(&shared);
    client_open(&client, 0, "board/b1");
    cr_assert_eq(rig.bus->subscribes, 1);
    cr_assert_str_eq(rig.bus->topic, "board/b1");
    cr_assert_eq(rig.load_count, 0);
    rig_acknowledge();
    rig_run();
    cr_assert_eq(rig.load_count, 1);
    cr_assert_eq(rig_last_load()->cause, FRESHET_CAUSE_CONNECT);
    rig_answer("one");
    cr_assert(client_has(&client, "one"));
    cr_assert_eq(client.errors, 0);
    end_with_client();
}

/* contract 4.1: a publish before the acknowledgement is covered by the load after it */
Test(feed, publish_before_the_acknowledgement_ends_with_the_newest)
{
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(&shared);
    client_open(&client, 0, "board/b1");
    rig_publish("board/b1");
    cr_assert_eq(rig.load_count, 0);
    rig_acknowledge();
    rig_run();
    cr_assert_eq(rig.load_count, 1);
    rig_answer("two");
    cr_assert_eq(rig.load_count, 1);
    cr_assert(client_has(&client, "two"));
    end_with_client();
}

/* contract 4.1 */
Test(feed, publish_during_the_first_load_leads_to_another_one)
{
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(&shared);
    client_open(&client, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_message("board/b1");
    rig_run();
    cr_assert_eq(rig.load_count, 1);
    rig_answer("one");
    cr_assert_eq(rig.load_count, 2);
    cr_assert_eq(rig_last_load()->cause, FRESHET_CAUSE_PUBLISH);
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    cr_assert_eq(client.snapshots, 2);
    end_with_client();
}

/* contract 4.1: the database is up, Redis is not */
Test(feed, loads_without_the_bus_after_the_grace_and_says_so)
{
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(&shared);
    client_open(&client, 0, "board/b1");
    rig_pass_ms(249);
    cr_assert_eq(rig.load_count, 0);
    rig_pass_ms(1);
    cr_assert_eq(rig.load_count, 1);
    rig_answer("one");
    cr_assert_str_eq(client.order, "se");
    cr_assert(client_has_error(&client, "bus-down"));
    rig_acknowledge();
    rig_run();
    cr_assert_eq(rig.load_count, 2);
    /* contract 4.5: equal, and pushed in full all the same */
    rig_answer("one");
    cr_assert_str_eq(client.order, "ses");
    rig_pass_ms(20000);
    cr_assert_eq(rig.load_count, 2);
    end_with_client();
}

/* contract 4.1 */
Test(feed, polls_while_the_bus_is_down_and_stops_when_it_is_back)
{
    begin_with_snapshot((struct freshet_options){.poll_while_down_ms = 1000}, &shared);
    rig_bus_state(FRESHET_BUS_DOWN);
    rig_run();
    cr_assert_eq(rig.load_count, 1);
    rig_pass_ms(250);
    cr_assert_eq(rig.load_count, 2);
    rig_answer("one");
    cr_assert_str_eq(client.order, "se");
    rig_pass_ms(1250);
    cr_assert_eq(rig.load_count, 3);
    cr_assert_eq(rig_last_load()->cause, FRESHET_CAUSE_GAP);
    /* Equal and still down: nothing is said twice. */
    rig_answer("one");
    cr_assert_str_eq(client.order, "se");
    rig_pass_ms(1250);
    rig_answer("two");
    cr_assert_str_eq(client.order, "sese");
    rig_bus_state(FRESHET_BUS_UP);
    rig_acknowledge();
    rig_run();
    rig_answer("two");
    cr_assert_str_eq(client.order, "seses");
    unsigned loads = rig.load_count;
    rig_pass_ms(10000);
    cr_assert_eq(rig.load_count, loads);
    end_with_client();
}

/* contract 7.9: a topic that is lost alone, while the bus stands, is treated as all are when it does not. */
Test(feed, polls_while_its_topic_is_lost_and_loads_when_it_is_acknowledged)
{
    begin_with_snapshot((struct freshet_options){.poll_while_down_ms = 1000}, &shared);
    struct freshet_bus_sink *sink = &rig.bus->sink;
    sink->lost(sink->context, freshet_span_text(rig.bus->topic), rig.bus->subscription + 1);
    sink->lost(sink->context, freshet_span_text("board/other"), rig.bus->subscription);
    rig_run();
    rig_pass_ms(5000);
    cr_assert_eq(rig.load_count, 1, "it is another one that was lost");
    sink->lost(sink->context, freshet_span_text(rig.bus->topic), rig.bus->subscription);
    rig_run();
    rig_pass_ms(250);
    cr_assert_eq(rig.load_count, 2);
    rig_answer("one");
    rig_acknowledge();
    rig_run();
    cr_assert_eq(rig.load_count, 3);
    cr_assert_eq(rig_last_load()->cause, FRESHET_CAUSE_GAP);
    rig_answer("two");
    rig_pass_ms(20000);
    cr_assert_eq(rig.load_count, 3);
    end_with_client();
}

/* contract 7.4: a blip shorter than the grace costs one load and no word */
Test(feed, reloads_after_a_gap_and_pushes_only_what_differs)
{
    begin_with_snapshot((struct freshet_options){0}, &shared);
    rig_bus_state(FRESHET_BUS_DOWN);
    rig_bus_state(FRESHET_BUS_UP);
    rig_run();
    rig_acknowledge();
    rig_run();
    cr_assert_eq(rig.load_count, 2);
    cr_assert_eq(rig_last_load()->cause, FRESHET_CAUSE_GAP);
    rig_answer("one");
    cr_assert_str_eq(client.order, "s");
    end_with_client();
}

/* contract 4.2 */
Test(feed, runs_one_trailing_load_after_a_burst)
{
    begin_with_snapshot((struct freshet_options){0}, &shared);
    for (int i = 0; i < 1000; i++)
        rig_message("board/b1");
    rig_run();
    cr_assert_eq(rig.load_count, 2);
    cr_assert_eq(rig_last_load()->publishes, 1000);
    for (int i = 0; i < 1000; i++)
        rig_publish("board/b1");
    cr_assert_eq(rig.load_count, 2);
    rig_answer("two");
    cr_assert_eq(rig.load_count, 3);
    cr_assert_eq(rig_last_load()->publishes, 1000);
    rig_answer("three");
    cr_assert_eq(rig.load_count, 3);
    cr_assert(client_has(&client, "three"));
    cr_assert_eq(rig_stats().loads_collapsed, 1998);
    end_with_client();
}

/* contract 3.3: one publish costs one load per instance */
Test(feed, echo_of_an_own_publish_loads_nothing)
{
    begin_with_snapshot((struct freshet_options){0}, &shared);
    rig_publish("board/b1");
    rig_answer("two");
    rig.bus->sink.message(rig.bus->sink.context, freshet_span_text("board/b1"),
                          freshet_span(rig.bus->body, rig.bus->body_len), false);
    rig_run();
    cr_assert_eq(rig.load_count, 2);
    cr_assert_eq(rig_stats().messages_echo, 1);
    end_with_client();
}

/* contract 5.7 */
Test(feed, pushes_an_equal_result_of_a_publish)
{
    begin_with_snapshot((struct freshet_options){0}, &shared);
    rig_publish("board/b1");
    rig_answer("one");
    cr_assert_eq(client.snapshots, 2);
    end_with_client();
}

/* contract 5.7 */
Test(feed, skip_unchanged_keeps_an_equal_result_back)
{
    begin_with_snapshot((struct freshet_options){0},
                        &(struct freshet_loader_options){.shared = true, .skip_unchanged = true});
    rig_publish("board/b1");
    rig_answer("one");
    cr_assert_eq(client.snapshots, 1);
    rig_publish("board/b1");
    rig_answer("two");
    cr_assert_eq(client.snapshots, 2);
    end_with_client();
}

/* contract 4.4 */
Test(feed, unchanged_pushes_nothing)
{
    begin_with_snapshot((struct freshet_options){0}, &shared);
    rig_publish("board/b1");
    cr_assert_eq(freshet_load_unchanged(rig_last_load()->handle), FRESHET_OK);
    rig_run();
    cr_assert_eq(client.snapshots, 1);
    cr_assert_eq(client.errors, 0);
    end_with_client();
}

/* contract 4.5 */
Test(feed, failed_load_keeps_the_snapshot_and_recovers)
{
    begin_with_snapshot((struct freshet_options){0},
                        &(struct freshet_loader_options){.shared = true, .skip_unchanged = true});
    rig_publish("board/b1");
    rig_fail("db-down");
    cr_assert_str_eq(client.order, "se");
    cr_assert(client_has_error(&client, "db-down"));
    unsigned loads = rig.load_count;
    rig_pass_ms(187);
    cr_assert_eq(rig.load_count, loads);
    rig_pass_ms(126);
    cr_assert_eq(rig.load_count, loads + 1);
    cr_assert_eq(rig_last_load()->cause, FRESHET_CAUSE_RETRY);
    rig_fail("db-down"); /* the same error is not told twice */
    cr_assert_str_eq(client.order, "se");
    rig_pass_ms(626);
    rig_answer("one"); /* equal, skip_unchanged, and pushed in full */
    cr_assert_str_eq(client.order, "ses");
    end_with_client();
}

/* contract 4.5 */
Test(feed, publish_to_a_failing_feed_waits_250_ms_from_the_failure)
{
    begin_with_snapshot((struct freshet_options){0}, &shared);
    for (int i = 0; i < 4; i++) { /* the delay has grown past two seconds */
        rig_publish("board/b1");
        rig_pass_ms(250);
        rig_fail("db-down");
    }
    unsigned loads = rig.load_count;
    rig_pass_ms(100);
    rig_publish("board/b1");
    rig_pass_ms(149);
    cr_assert_eq(rig.load_count, loads);
    rig_pass_ms(1);
    cr_assert_eq(rig.load_count, loads + 1);
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    rig_pass_ms(60000); /* nothing is left to retry */
    cr_assert_eq(rig.load_count, loads + 1);
    end_with_client();
}

/* Its last load failed, and the next is due in eight to sixteen seconds. */
static void fail_for_long(void)
{
    rig_publish("board/b1");
    rig_pass_ms(250);
    for (int i = 0; i < 6; i++) {
        rig_fail("store-down");
        if (i < 5)
            rig_pass_ms(16000);
    }
}

/* contract 7.4: the store may be in the Redis that was away */
Test(feed, failing_feed_loads_at_once_when_the_bus_is_back_and_its_delays_begin_anew)
{
    begin_with_snapshot((struct freshet_options){.poll_while_down_ms = FRESHET_NEVER}, &shared);
    rig_bus_state(FRESHET_BUS_DOWN);
    fail_for_long();
    unsigned loads = rig.load_count;
    rig_pass_ms(250);
    cr_assert_eq(rig.load_count, loads);
    rig_bus_state(FRESHET_BUS_UP);
    rig_acknowledge();
    rig_run();
    cr_assert_eq(rig.load_count, loads + 1);
    rig_fail("store-down");
    rig_pass_ms(625); /* twice the first delay, with jitter */
    cr_assert_eq(rig.load_count, loads + 2);
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    end_with_client();
}

static void retry(const struct freshet_loader *loader, const char *topic_text)
{
    struct freshet_topic topic = rig_topic(topic_text == NULL ? "" : topic_text);
    cr_assert_eq(freshet_loader_retry(rig.freshet, loader, topic_text == NULL ? NULL : &topic), FRESHET_OK);
    rig_run();
}

/* contract 4.5: the application knows that its store is back */
Test(feed, failing_feed_that_is_to_be_retried_waits_250_ms_from_the_failure_and_its_delays_begin_anew)
{
    begin_with_snapshot((struct freshet_options){0}, &shared);
    fail_for_long();
    unsigned loads = rig.load_count;
    rig_pass_ms(100);
    retry(NULL, NULL);
    rig_pass_ms(149);
    cr_assert_eq(rig.load_count, loads);
    rig_pass_ms(1);
    cr_assert_eq(rig.load_count, loads + 1);
    cr_assert_eq(rig_last_load()->cause, FRESHET_CAUSE_RETRY);
    rig_fail("store-down");
    rig_pass_ms(625); /* twice the first delay, with jitter */
    cr_assert_eq(rig.load_count, loads + 2);
    rig_fail("store-down");
    rig_pass_ms(400);
    retry(NULL, NULL);
    cr_assert_eq(rig.load_count, loads + 3, "at once");
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    end_with_client();
}

/* contract 4.5 */
Test(feed, retry_does_nothing_where_no_load_has_failed)
{
    begin_with_snapshot((struct freshet_options){0}, &shared);
    unsigned loads = rig.load_count;
    retry(NULL, NULL);
    rig_pass_ms(60000);
    cr_assert_eq(rig.load_count, loads);
    rig_publish("board/b1"); /* a load is out: it answers for itself */
    retry(NULL, NULL);
    rig_answer("two");
    rig_pass_ms(60000);
    cr_assert_eq(rig.load_count, loads + 1);
    cr_assert_str_eq(client.order, "ss");
    end_with_client();
}

/* contract 4.5: of a load that began before the store was back, too */
Test(feed, retry_during_a_load_shortens_the_wait_after_it)
{
    begin_with_snapshot((struct freshet_options){0}, &shared);
    fail_for_long();
    rig_pass_ms(16000);
    unsigned loads = rig.load_count;
    retry(NULL, NULL);
    rig_fail("store-down");
    rig_pass_ms(625);
    cr_assert_eq(rig.load_count, loads + 1);
    rig_answer("two");
    end_with_client();
}

/* contract 4.5 */
Test(feed, retry_may_be_of_one_loader_or_one_topic)
{
    static struct client other;
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(&shared);
    struct freshet_loader *users = rig_add_loader(
        &(struct freshet_loader_options){.shared = true, .name = "users", .route = "user/:id"});
    show_snapshot();
    client_open(&other, 0, "user/u1");
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    fail_for_long();
    unsigned loads = rig.load_count;
    rig_pass_ms(250);
    retry(users, NULL);
    retry(NULL, "user/u1");
    retry(NULL, "user/nobody");
    retry(users, "board/b1");
    cr_assert_eq(rig.load_count, loads);
    retry(NULL, "board/b1");
    cr_assert_eq(rig.load_count, loads + 1);
    rig_fail("store-down");
    rig_pass_ms(250);
    struct freshet_topic topic = rig_topic("board/b1");
    cr_assert_eq(freshet_loader_retry(rig.freshet, users, &topic), FRESHET_OK);
    cr_assert_eq(freshet_loader_retry(rig.freshet, NULL, &topic), FRESHET_OK); /* both before it is heard */
    rig_run();
    cr_assert_eq(rig.load_count, loads + 2);
    topic.len = 0;
    cr_assert_eq(freshet_loader_retry(rig.freshet, NULL, &topic), FRESHET_INVALID);
    cr_assert_eq(freshet_loader_retry(NULL, NULL, NULL), FRESHET_INVALID);
    rig_answer("two");
    client_close(&other);
    end_with_client();
}

/* contract 4.5 */
Test(feed, failed_first_load_says_so_and_is_retried)
{
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(&shared);
    client_open(&client, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_fail("db-down");
    cr_assert_str_eq(client.order, "e");
    rig_pass_ms(313);
    rig_answer("one");
    cr_assert_str_eq(client.order, "es");
    end_with_client();
}

/* contract 4.5 */
Test(feed, stream_that_joins_a_failing_feed_gets_the_snapshot_then_the_error)
{
    static struct client late;
    begin_with_snapshot((struct freshet_options){0}, &shared);
    rig_publish("board/b1");
    rig_fail("db-down");
    client_open(&late, 0, "board/b1");
    cr_assert_str_eq(late.order, "se");
    cr_assert(client_has(&late, "one"));
    client_close(&late);
    end_with_client();
}

/* contract 4.6 */
Test(feed, timeout_cuts_a_load_that_ignores_it)
{
    begin_with_snapshot((struct freshet_options){0},
                        &(struct freshet_loader_options){.shared = true, .timeout_ms = 100});
    rig_publish("board/b1");
    struct freshet_load slow = rig_last_load()->handle;
    rig_pass_ms(99);
    cr_assert(!freshet_load_cancelled(slow));
    rig_pass_ms(1);
    cr_assert(freshet_load_cancelled(slow));
    cr_assert_str_eq(client.order, "se");
    cr_assert(client_has_error(&client, "timeout"));
    for (int ms = 0; ms < 313 && rig.load_count == 2; ms++)
        rig_pass_ms(1);
    cr_assert_eq(rig.load_count, 3); /* the retry starts while the first call is out */
    cr_assert_eq(rig_stats().loads_abandoned, 1);
    cr_assert_eq(freshet_load_answer(slow, freshet_span_text("late")), FRESHET_STALE);
    rig_run();
    cr_assert_eq(rig_stats().loads_late, 1);
    cr_assert_eq(rig_stats().loads_abandoned, 0);
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    end_with_client();
}

/* contract 4.6: at most one abandoned call per feed */
Test(feed, second_call_over_its_time_is_not_abandoned)
{
    begin_with_snapshot((struct freshet_options){0},
                        &(struct freshet_loader_options){.shared = true, .timeout_ms = 100});
    rig_publish("board/b1");
    rig_pass_ms(100 + 313 + 100);
    cr_assert_eq(rig.load_count, 3);
    rig_pass_ms(29000);
    cr_assert_eq(rig.load_count, 3);
    cr_assert_eq(rig_stats().loads_timed_out, 2);
    cr_assert_eq(rig_stats().loads_abandoned, 1);
    freshet_load_answer(rig_last_load()->handle, freshet_span_text("two"));
    rig_run();
    cr_assert(client_has(&client, "two"));
    freshet_load_answer(rig.loads[1].handle, freshet_span_text("late"));
    rig_run();
    cr_assert(client_has(&client, "two"));
    end_with_client();
}

/* contract 4.6 */
Test(feed, load_out_for_30_s_is_counted_as_overdue_once)
{
    begin_with_snapshot((struct freshet_options){0}, &shared);
    rig_publish("board/b1");
    rig_pass_ms(29999);
    cr_assert_eq(rig_stats().loads_overdue, 0);
    rig_pass_ms(40000);
    cr_assert_eq(rig_stats().loads_overdue, 1);
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    end_with_client();
}

/* contract 4.7 */
Test(feed, min_interval_collapses_publishes_into_one_load_at_its_end)
{
    begin_with_snapshot((struct freshet_options){0},
                        &(struct freshet_loader_options){.shared = true, .min_interval_ms = 1000});
    rig_pass_ms(1000);
    rig_publish("board/b1"); /* the first loads at once */
    cr_assert_eq(rig.load_count, 2);
    rig_answer("two");
    for (int i = 0; i < 5; i++)
        rig_publish("board/b1");
    rig_pass_ms(999);
    cr_assert_eq(rig.load_count, 2);
    rig_pass_ms(1);
    cr_assert_eq(rig.load_count, 3);
    cr_assert_eq(rig_last_load()->cause, FRESHET_CAUSE_INTERVAL);
    cr_assert_eq(rig_last_load()->publishes, 5);
    rig_answer("three");
    cr_assert(client_has(&client, "three"));
    end_with_client();
}

/* contract 6.5 */
Test(feed, too_large_a_snapshot_keeps_the_old_one)
{
    begin_with_snapshot((struct freshet_options){.max_snapshot_bytes = 8}, &shared);
    rig_publish("board/b1");
    cr_assert_eq(freshet_load_answer(rig_last_load()->handle, freshet_span_text("123456789")),
                 FRESHET_TOO_LARGE);
    rig_run();
    cr_assert(client_has(&client, "one"));
    cr_assert(client_has_error(&client, "too-large"));
    end_with_client();
}

/* contract 4.4 */
Test(feed, second_answer_is_stale)
{
    begin_with_snapshot((struct freshet_options){0}, &shared);
    cr_assert_eq(freshet_load_answer(rig_last_load()->handle, freshet_span_text("x")), FRESHET_STALE);
    cr_assert_eq(freshet_load_fail(rig_last_load()->handle, "x", NULL), FRESHET_STALE);
    cr_assert(freshet_load_cancelled(rig_last_load()->handle));
    cr_assert_eq(freshet_load_answer((struct freshet_load){.slot = 4000000000u}, freshet_span_text("x")),
                 FRESHET_STALE);
    end_with_client();
}

static unsigned released;

static void count_release(void *user)
{
    (void)user;
    released++;
}

/* contract 4.4 */
Test(feed, given_bytes_are_released_once_taken_or_not)
{
    begin_with_snapshot((struct freshet_options){0}, &shared);
    rig_publish("board/b1");
    struct freshet_load load = rig_last_load()->handle;
    cr_assert_eq(freshet_load_give(load, freshet_span_text("two"), count_release, NULL), FRESHET_OK);
    rig_run();
    cr_assert(client_has(&client, "two"));
    cr_assert_eq(released, 1);
    cr_assert_eq(freshet_load_give(load, freshet_span_text("x"), count_release, NULL), FRESHET_STALE);
    cr_assert_eq(released, 2);
    end_with_client();
}

/* contract 4.4 */
Test(feed, answer_after_the_freshet_is_gone_is_stale)
{
    begin_with_snapshot((struct freshet_options){0}, &shared);
    rig_publish("board/b1");
    struct freshet_load load = rig_last_load()->handle;
    end_with_client();
    cr_assert(freshet_load_cancelled(load));
    cr_assert_eq(freshet_load_answer(load, freshet_span_text("x")), FRESHET_STALE);
}

/* contract 4.3, 4.9 */
Test(feed, shared_feed_loads_once_and_its_snapshot_answers_new_streams)
{
    static struct client more[10];
    begin_with_snapshot((struct freshet_options){0}, &shared);
    for (int i = 0; i < 10; i++)
        client_open(&more[i], 0, "board/b1");
    cr_assert_eq(rig.load_count, 1);
    for (int i = 0; i < 10; i++)
        cr_assert(client_has(&more[i], "one"));
    rig_publish("board/b1");
    cr_assert_eq(rig.load_count, 2);
    rig_answer("two");
    for (int i = 0; i < 10; i++) {
        cr_assert(client_has(&more[i], "two"));
        client_close(&more[i]);
    }
    end_with_client();
}

/* contract 4.9: nothing was published since, and the subscription held */
Test(feed, snapshot_is_kept_while_the_topic_lingers)
{
    begin_with_snapshot((struct freshet_options){.linger_ms = 1000}, &shared);
    client_close(&client);
    rig_pass_ms(999);
    client_open(&client, 0, "board/b1");
    cr_assert_eq(rig.load_count, 1);
    cr_assert_eq(rig.bus->subscribes, 1);
    cr_assert(client_has(&client, "one"));
    end_with_client();
}

/* contract 4.9 */
Test(feed, publish_while_lingering_drops_the_snapshot)
{
    begin_with_snapshot((struct freshet_options){.linger_ms = 1000}, &shared);
    client_close(&client);
    rig_message("board/b1");
    rig_run();
    cr_assert_eq(rig.load_count, 1);
    client_open(&client, 0, "board/b1");
    cr_assert_eq(rig.load_count, 2);
    cr_assert_eq(client.snapshots, 0);
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    cr_assert_eq(client.snapshots, 1);
    end_with_client();
}

/* contract 4.9 */
Test(feed, loss_of_the_bus_while_lingering_drops_the_snapshot)
{
    begin_with_snapshot((struct freshet_options){.linger_ms = 1000}, &shared);
    client_close(&client);
    rig_bus_state(FRESHET_BUS_DOWN);
    rig_run();
    rig_acknowledge();
    client_open(&client, 0, "board/b1");
    cr_assert_eq(rig.load_count, 2);
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    end_with_client();
}

static enum freshet_status one_topic(const struct freshet_request *request, struct freshet_topic *topic,
                                     struct freshet_refusal *refusal, void *user)
{
    (void)request;
    (void)refusal;
    (void)user;
    *topic = rig_topic("all");
    return FRESHET_OK;
}

/* A feed for each, all on one topic. */
static void begin_on_one_topic(struct client *many, int count)
{
    rig_begin((struct freshet_options){.linger_ms = 1000}, 1);
    rig_add_loader(&(struct freshet_loader_options){.shared = true, .topic = one_topic});
    for (int i = 0; i < count; i++) {
        char path[24];
        snprintf(path, sizeof(path), "board/b%d", i);
        client_open(&many[i], 0, path);
        if (i == 0)
            rig_acknowledge();
        rig_run();
        rig_answer("old");
    }
}

/* contract 4.9: this freshet has heard of the publish, though the feed has not yet */
Test(feed, snapshot_is_not_shown_once_a_publish_has_been_heard_of)
{
    static struct client many[40];
    begin_on_one_topic(many, 40);
    client_close(&many[39]);
    /* More feeds than one slice of a delivery reaches: that of the last waits for its turn. */
    struct freshet_refusal refusal;
    rig_message("all");
    cr_assert_eq(client_try(&many[39], 0, "board/b39", NULL, &refusal), FR_VISIT_YES);
    rig_run();
    cr_assert_eq(many[39].snapshots, 0, "%s", many[39].last);
    for (unsigned i = 40; i < rig.load_count; i++) {
        freshet_load_answer(rig.loads[i % RIG_MAX].handle, freshet_span_text("new"));
        rig_run();
    }
    for (int i = 0; i < 40; i++) {
        cr_assert(client_has(&many[i], "new"), "%d", i);
        client_close(&many[i]);
    }
    rig_end();
}

/* contract 4.5, 4.9: the snapshot is current, but the last load failed, and its retry left with the stream */
Test(feed, who_comes_to_a_feed_whose_last_look_failed_gets_a_retry)
{
    begin_with_snapshot((struct freshet_options){.linger_ms = 1000},
                        &(struct freshet_loader_options){.shared = true, .settle_ms = 100});
    rig_publish("board/b1");
    rig_answer("two");
    rig_pass_ms(100);
    cr_assert_eq(rig_last_load()->cause, FRESHET_CAUSE_SETTLE);
    rig_fail("broken");
    cr_assert_str_eq(client.order, "sse");
    client_close(&client);
    client_open(&client, 0, "board/b1");
    cr_assert_str_eq(client.order, "se");
    rig_pass_ms(400);
    cr_assert_eq(rig.load_count, 4);
    rig_answer("two");
    cr_assert_str_eq(client.order, "ses");
    end_with_client();
}

/* contract 4.11 */
Test(feed, topic_is_given_back_after_the_linger_and_born_again)
{
    begin_with_snapshot((struct freshet_options){.linger_ms = 1000}, &shared);
    client_close(&client);
    rig_pass_ms(1000);
    cr_assert_eq(rig.bus->unsubscribes, 1);
    cr_assert_eq(rig_stats().topics, 0);
    cr_assert_eq(rig_stats().feeds, 0);
    uint64_t first = rig.bus->subscription;
    client_open(&client, 0, "board/b1");
    cr_assert_eq(rig.bus->subscribes, 2);
    /* The acknowledgement of the earlier SUBSCRIBE is not ours. */
    rig.bus->sink.subscribed(rig.bus->sink.context, freshet_span_text("board/b1"), first);
    rig_run();
    cr_assert_eq(rig.load_count, 1);
    rig_acknowledge();
    rig_run();
    cr_assert_eq(rig.load_count, 2);
    rig_answer("two");
    end_with_client();
}

/* contract 4.11 */
Test(feed, stream_that_joins_while_a_load_runs_takes_its_result)
{
    static struct client late;
    begin_with_snapshot((struct freshet_options){0}, &shared);
    rig_publish("board/b1");
    client_open(&late, 0, "board/b1");
    cr_assert_eq(late.snapshots, 0);
    rig_answer("two");
    cr_assert_eq(rig.load_count, 2);
    cr_assert_str_eq(late.order, "s");
    cr_assert(client_has(&late, "two"));
    client_close(&late);
    end_with_client();
}

/* contract 4.4: cancelled when the last stream has left; a stream that comes meanwhile is served all the same
 */
Test(feed, load_is_cancelled_with_the_last_stream_and_run_again_for_the_next)
{
    begin_with_snapshot((struct freshet_options){0}, &shared);
    rig_publish("board/b1");
    struct freshet_load load = rig_last_load()->handle;
    client_close(&client);
    cr_assert(freshet_load_cancelled(load));
    client_open(&client, 0, "board/b1");
    freshet_load_fail(load, "cancelled", NULL);
    rig_run();
    cr_assert_eq(client.errors, 0);
    cr_assert_eq(rig.load_count, 3);
    rig_answer("three");
    cr_assert_str_eq(client.order, "s");
    cr_assert(client_has(&client, "three"));
    end_with_client();
}

/* contract 4.3 */
Test(feed, single_feeds_load_for_each_stream)
{
    static struct client other;
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(NULL);
    client_open(&client, 0, "board/b1");
    client_open(&other, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    cr_assert_eq(rig.bus->subscribes, 1);
    cr_assert_eq(rig.load_count, 2);
    freshet_load_answer(rig.loads[0].handle, freshet_span_text("mine"));
    freshet_load_answer(rig.loads[1].handle, freshet_span_text("yours"));
    rig_run();
    cr_assert(client_has(&client, "mine"));
    cr_assert(client_has(&other, "yours"));
    rig_publish("board/b1");
    cr_assert_eq(rig.load_count, 4);
    client_close(&other);
    cr_assert(freshet_load_cancelled(rig.loads[3].handle));
    rig_pass_ms(10000);
    cr_assert_eq(rig_stats().feeds, 1);
    freshet_load_answer(rig.loads[2].handle, freshet_span_text("mine2"));
    freshet_load_answer(rig.loads[3].handle, freshet_span_text("late"));
    rig_run();
    cr_assert(client_has(&client, "mine2"));
    cr_assert_eq(rig_stats().loads_running, 0);
    cr_assert_eq(rig_stats().loads_abandoned, 0);
    end_with_client();
}

/* contract 4.7 */
Test(feed, max_concurrent_loads_paces_feeds)
{
    static struct client many[6];
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(&(struct freshet_loader_options){.shared = true, .max_concurrent_loads = 2});
    for (int i = 0; i < 6; i++) {
        char path[16];
        snprintf(path, sizeof(path), "board/b%d", i);
        client_open(&many[i], 0, path);
        rig_acknowledge();
    }
    rig_run();
    for (unsigned i = 0; i < 6; i++) {
        cr_assert_eq(rig.load_count, i < 4 ? i + 2 : 6);
        freshet_load_answer(rig.loads[i].handle, freshet_span_text("x"));
        rig_run();
        cr_assert(client_has(&many[i], "x"));
    }
    for (int i = 0; i < 6; i++)
        client_close(&many[i]);
    rig_end();
}

/* contract 4.7: what waits at the gate can leave */
Test(feed, stream_that_leaves_while_its_load_waits_gives_its_turn_up)
{
    static struct client second, third;
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(&(struct freshet_loader_options){.max_concurrent_loads = 1});
    client_open(&client, 0, "board/b1");
    rig_acknowledge();
    client_open(&second, 0, "board/b1");
    client_open(&third, 0, "board/b1");
    cr_assert_eq(rig.load_count, 1);
    client_close(&second);
    rig_answer("one");
    cr_assert_eq(rig.load_count, 2);
    rig_answer("three");
    cr_assert(client_has(&third, "three"));
    cr_assert_eq(rig.load_count, 2);
    client_close(&third);
    end_with_client();
}

/* contract 7.6 */
Test(feed, forbidden_topic_is_loaded_and_told_and_others_are_untouched)
{
    static struct client other;
    begin_with_snapshot((struct freshet_options){0}, &shared);
    client_open(&other, 0, "board/secret");
    rig.bus->sink.refused(rig.bus->sink.context, freshet_span_text("board/secret"), rig.bus->subscription,
                          freshet_span_text("NOPERM"));
    rig_run();
    cr_assert_eq(rig.load_count, 2);
    rig_answer("secret");
    cr_assert_str_eq(other.order, "se");
    cr_assert(client_has_error(&other, "forbidden-topic"));
    cr_assert_str_eq(client.order, "s");
    rig_acknowledge();
    rig_run();
    rig_answer("secret");
    cr_assert_str_eq(other.order, "ses");
    client_close(&other);
    end_with_client();
}

/* contract 3.4 */
Test(feed, everything_reloads_all_feeds)
{
    begin_with_snapshot((struct freshet_options){0}, &shared);
    rig.bus->sink.everything(rig.bus->sink.context);
    rig_run();
    cr_assert_eq(rig.load_count, 2);
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    end_with_client();
}

/* contract 2.4, 4.2: each feed of the topic one running load and one after it, however many publishes */
Test(feed, flood_on_a_topic_with_many_feeds_costs_each_two_loads)
{
    static struct client many[20];
    begin_on_one_topic(many, 20);
    for (int i = 0; i < 10000; i++) {
        rig_message("all");
        if (i % 100 == 0)
            rig_run();
    }
    rig_run();
    cr_assert_eq(rig.load_count, 40, "one each");
    for (unsigned i = 20; i < rig.load_count; i++) {
        freshet_load_answer(rig.loads[i % RIG_MAX].handle, freshet_span_text("new"));
        rig_run();
    }
    cr_assert_eq(rig.load_count, 60, "and one after it");
    for (int i = 0; i < 20; i++)
        client_close(&many[i]);
    rig_end();
}

enum { GAP_FEEDS = 6 };

static struct client gap_clients[GAP_FEEDS];
static uint64_t gap_subscriptions[GAP_FEEDS];

/* Feeds that show what they have, of which one may load at a time. */
static void begin_gap_feeds(void)
{
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(&(struct freshet_loader_options){.shared = true, .max_concurrent_loads = 1});
    for (unsigned i = 0; i < GAP_FEEDS; i++) {
        char path[16];
        snprintf(path, sizeof(path), "board/b%u", i);
        client_open(&gap_clients[i], 0, path);
        gap_subscriptions[i] = rig.bus->subscription;
        rig_acknowledge();
        rig_run();
        rig_answer("one");
    }
    cr_assert_eq(rig.load_count, GAP_FEEDS);
}

static void end_gap_feeds(void)
{
    for (unsigned i = 0; i < GAP_FEEDS; i++) {
        cr_assert(client_has(&gap_clients[i], "two"));
        client_close(&gap_clients[i]);
    }
    rig_end();
}

static void raise_everything(void)
{
    rig.bus->sink.everything(rig.bus->sink.context);
    rig_run();
}

/* Marks that come faster are paced. */
static void raise_everything_in_time(void)
{
    raise_everything();
    rig_pass_ms(1250);
}

static void lose_and_subscribe_again(void)
{
    struct freshet_bus_sink *sink = &rig.bus->sink;
    sink->state(sink->context, FRESHET_BUS_DOWN, freshet_span_text(""));
    sink->state(sink->context, FRESHET_BUS_PROVED, freshet_span_text(""));
    rig_run();
    for (unsigned i = 0; i < GAP_FEEDS; i++) {
        char topic[16];
        snprintf(topic, sizeof(topic), "board/b%u", i);
        sink->subscribed(sink->context, freshet_span_text(topic), gap_subscriptions[i]);
    }
    rig_run();
}

/* Answers whatever is asked, one after the other. */
static unsigned answer_all(void)
{
    unsigned first = rig.load_count - 1;
    for (unsigned i = first; i < rig.load_count; i++) {
        freshet_load_answer(rig.loads[i].handle, freshet_span_text("two"));
        rig_run();
    }
    return rig.load_count;
}

static void expect_one_load_for_gaps(void (*gap)(void))
{
    begin_gap_feeds();
    gap();
    cr_assert_eq(rig.load_count, GAP_FEEDS + 1, "one runs, the others wait for their turn");
    for (int again = 0; again < 3; again++)
        gap();
    cr_assert_eq(rig.load_count, GAP_FEEDS + 1);
    /* Each once, and the one that had begun before the last gap once more. */
    cr_assert_eq(answer_all(), 2 * GAP_FEEDS + 1);
    end_gap_feeds();
}

/* contract 7.4: a gap adds no load to a feed that still waits for its turn after the last one */
Test(feed, gaps_that_come_again_are_one_load_for_each_feed_that_waits)
{
    expect_one_load_for_gaps(raise_everything_in_time);
}

/* contract 7.4 */
Test(feed, links_that_break_again_are_one_load_for_each_feed_that_waits)
{
    expect_one_load_for_gaps(lose_and_subscribe_again);
}

/* contract 2.4: who may publish on the control channel costs no more than a bus that is down does */
Test(feed, flood_of_everything_is_paced_and_the_last_one_counts)
{
    begin_with_snapshot((struct freshet_options){.poll_while_down_ms = 4000}, &shared);
    for (int i = 0; i < 500; i++) {
        raise_everything();
        if (i == 0)
            rig_answer("one");
    }
    cr_assert_eq(rig.load_count, 2, "at once, and nothing more for those that follow");
    rig_pass_ms(999);
    cr_assert_eq(rig.load_count, 2);
    rig_pass_ms(1);
    cr_assert_eq(rig.load_count, 3, "and once for all of these");
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    unsigned before = rig.load_count;
    for (int i = 0; i < 40000; i++) {
        raise_everything();
        rig_pass_ms(1);
        if (rig.load_count != before) {
            before = rig.load_count;
            rig_answer("two");
        }
    }
    cr_assert_leq(rig.load_count, 3 + 12, "%u in 40 s", rig.load_count);
    rig_pass_ms(4000);
    rig_answer("three");
    cr_assert(client_has(&client, "three"));
    end_with_client();
}

/* contract 2.4, 4.9: until they are told, feeds show new streams nothing that is in doubt */
Test(feed, stream_that_comes_in_doubt_is_loaded_for_at_once)
{
    static struct client late;
    begin_with_snapshot((struct freshet_options){0}, &shared);
    raise_everything();
    rig_answer("two");
    raise_everything();
    cr_assert_eq(rig.load_count, 2);
    client_open(&late, 0, "board/b1");
    cr_assert_eq(rig.load_count, 3);
    rig_answer("three");
    cr_assert(client_has(&late, "three"));
    cr_assert(client_has(&client, "three"));
    rig_pass_ms(2000);
    cr_assert_eq(rig.load_count, 3, "that was the load that the doubt asks for");
    client_close(&late);
    end_with_client();
}

/* contract 2.4: the worker that was to tell them has left */
Test(feed, doubt_is_told_though_a_worker_leaves)
{
    rig_begin((struct freshet_options){0}, 2);
    rig_add_loader(&shared);
    client_open(&client, 0, "board/b1"); /* whose home is the first worker, so the second sees to it */
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    raise_everything();
    rig_answer("two");
    raise_everything();
    cr_assert_eq(rig.load_count, 2);
    rig_leave(1);
    rig_run();
    cr_assert_eq(rig.load_count, 3);
    rig_answer("three");
    cr_assert(client_has(&client, "three"));
    rig_pass_ms(2000);
    cr_assert_eq(rig.load_count, 3);
    end_with_client();
}

/* contract 6.1 */
Test(feed, slow_client_skips_snapshots)
{
    begin_with_snapshot((struct freshet_options){0}, &shared);
    client.blocked = true;
    for (int i = 0; i < 5; i++) {
        char text[16];
        rig_publish("board/b1");
        snprintf(text, sizeof(text), "n%d", i);
        rig_answer(text);
    }
    client_take(&client);
    cr_assert_eq(client.snapshots, 2);
    cr_assert(client_has(&client, "n4"));
    cr_assert_eq(rig_stats().snapshots_skipped, 4);
    end_with_client();
}

/* contract 5.3 */
Test(feed, client_that_holds_the_version_gets_a_comment)
{
    static struct client back;
    struct freshet_refusal refusal;
    struct fr_version version;
    begin_with_snapshot((struct freshet_options){0}, &shared);
    cr_assert(fr_version_parse(freshet_span(strstr(client.last, "id: ") + 4, FR_VERSION_HEX), &version));
    cr_assert_eq(client_try(&back, 0, "board/b1", &version, &refusal), FR_VISIT_YES);
    rig_run();
    cr_assert_str_eq(back.order, "u");
    rig_publish("board/b1");
    rig_answer("two");
    cr_assert_str_eq(back.order, "us");
    client_close(&back);
    end_with_client();
}

/* contract 3.1: the message reaches the load */
Test(feed, load_sees_the_newest_message)
{
    begin_with_snapshot((struct freshet_options){0}, &shared);
    struct freshet_topic topic = rig_topic("board/b1");
    freshet_publish(rig.freshet, &topic, freshet_span("\x01", 1), NULL, NULL);
    freshet_publish(rig.freshet, &topic, freshet_span("\x02", 1), NULL, NULL);
    rig_run();
    cr_assert_eq(rig_last_load()->publishes, 2);
    cr_assert(freshet_span_equal(rig_last_load()->message.payload, freshet_span("\x02", 1)));
    cr_assert_eq(rig_last_load()->message.sequence, 2);
    rig_answer("two");
    end_with_client();
}

/* contract 4.1, 7.4: also when a load is under way; the error is for what takes longer than the grace */
Test(feed, blip_within_the_grace_is_not_told_though_a_load_ends_in_it)
{
    begin_with_snapshot((struct freshet_options){0}, &shared);
    rig_publish("board/b1");
    rig_bus_state(FRESHET_BUS_DOWN);
    rig_run();
    rig_pass_ms(100);
    rig_answer("two");
    cr_assert_str_eq(client.order, "ss");
    rig_bus_state(FRESHET_BUS_UP);
    rig_acknowledge();
    rig_run();
    rig_answer("two");
    cr_assert_str_eq(client.order, "ss");
    end_with_client();
}

/* contract 4.1: the other half: it is told once the grace is over */
Test(feed, loss_of_the_bus_during_a_load_is_told_after_the_grace)
{
    begin_with_snapshot((struct freshet_options){0}, &shared);
    rig_publish("board/b1");
    rig_bus_state(FRESHET_BUS_DOWN);
    rig_run();
    rig_answer("two");
    rig_pass_ms(250);
    cr_assert_eq(rig.load_count, 3);
    rig_answer("two");
    cr_assert_str_eq(client.order, "sse");
    cr_assert(client_has_error(&client, "bus-down"));
    end_with_client();
}

/* contract 4.7: at most one run in this time, whatever the cause */
Test(feed, polling_while_the_bus_is_down_keeps_to_min_interval)
{
    begin_with_snapshot((struct freshet_options){.poll_while_down_ms = 1000},
                        &(struct freshet_loader_options){.shared = true, .min_interval_ms = 20000});
    rig_bus_state(FRESHET_BUS_DOWN);
    rig_run();
    rig_pass_ms(19999);
    cr_assert_eq(rig.load_count, 1);
    rig_pass_ms(1);
    cr_assert_eq(rig.load_count, 2);
    rig_answer("two");
    rig_pass_ms(19999);
    cr_assert_eq(rig.load_count, 2);
    end_with_client();
}

/* FRESHET_NEVER: the time is switched off */
Test(feed, never_switches_off_the_times_of_a_loader)
{
    begin_with_snapshot((struct freshet_options){0},
                        &(struct freshet_loader_options){
                            .shared = true, .min_interval_ms = FRESHET_NEVER, .timeout_ms = FRESHET_NEVER});
    rig_publish("board/b1");
    cr_assert_eq(rig.load_count, 2);
    cr_assert_eq(rig_last_load()->deadline_us, INT64_MAX);
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    end_with_client();
}

/* FRESHET_NEVER */
Test(feed, never_switches_off_polling_and_the_grace)
{
    const int64_t days_50_us = INT64_C(50) * 24 * 3600 * 1000000;
    rig_begin((struct freshet_options){.subscribe_grace_ms = FRESHET_NEVER}, 1);
    rig_add_loader(&shared);
    client_open(&client, 0, "board/b1");
    rig.now_us += days_50_us;
    rig_run();
    cr_assert_eq(rig.load_count, 0);
    end_with_client();
    begin_with_snapshot((struct freshet_options){.poll_while_down_ms = FRESHET_NEVER}, &shared);
    rig_bus_state(FRESHET_BUS_DOWN);
    rig_run();
    rig_pass_ms(250);
    rig_answer("two");
    rig.now_us += 2 * days_50_us;
    rig_run();
    cr_assert_eq(rig.load_count, 2);
    end_with_client();
}

/* contract 4.6: one abandoned call at a time, so the next one can be abandoned when that has come back */
Test(feed, second_call_over_its_time_is_abandoned_when_the_first_comes_back)
{
    begin_with_snapshot((struct freshet_options){0},
                        &(struct freshet_loader_options){.shared = true, .timeout_ms = 100});
    rig_publish("board/b1");
    rig_pass_ms(100 + 313 + 100);
    cr_assert_eq(rig.load_count, 3);
    cr_assert_eq(rig_stats().loads_timed_out, 2);
    cr_assert_eq(freshet_load_answer(rig.loads[1].handle, freshet_span_text("late")), FRESHET_STALE);
    rig_run();
    cr_assert_eq(rig_stats().loads_abandoned, 1);
    for (int ms = 0; ms < 625 && rig.load_count == 3; ms++)
        rig_pass_ms(1);
    cr_assert_eq(rig.load_count, 4);
    cr_assert_eq(freshet_load_answer(rig.loads[2].handle, freshet_span_text("late")), FRESHET_STALE);
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    cr_assert_eq(rig_stats().loads_abandoned, 0);
    cr_assert_eq(rig_stats().loads_running, 0);
    end_with_client();
}

/* contract 6.3, 4.11: clients choose the parameters, so feeds that nobody looks at must not pile up on a
 * topic that somebody always looks at */
Test(feed, shared_feed_without_streams_goes_while_its_topic_stays)
{
    static struct client other;
    rig_begin((struct freshet_options){.linger_ms = 1000}, 1);
    rig_add_loader(&(struct freshet_loader_options){.shared = true, .topic = one_topic});
    client_open(&client, 0, "board/kept");
    rig_acknowledge();
    rig_run();
    rig_answer("kept");
    for (int i = 0; i < 20; i++) {
        char path[16];
        snprintf(path, sizeof(path), "board/b%d", i);
        client_open(&other, 0, path);
        rig_answer("other");
        client_close(&other);
    }
    cr_assert_eq(rig_stats().feeds, 21);
    rig_pass_ms(500);
    rig_publish("all"); /* does not keep them any longer */
    rig_answer("kept");
    client_open(&other, 0, "board/b0"); /* this does */
    rig_answer("other");
    rig_pass_ms(500);
    cr_assert_eq(rig_stats().feeds, 2);
    cr_assert_eq(rig.bus->unsubscribes, 0);
    client_close(&other);
    rig_pass_ms(1000);
    cr_assert_eq(rig_stats().feeds, 1);
    rig_publish("all");
    rig_answer("again");
    cr_assert(client_has(&client, "again"));
    end_with_client();
}

/* contract 2.2: a time that no clock shows is no time */
Test(feed, impossible_time_of_a_foreign_publish_is_not_measured)
{
    char body[64];
    size_t len;
    struct freshet_message message = {
        .publisher = freshet_span_text("other"), .sequence = 1, .time_us = UINT64_C(1) << 63};
    begin_with_snapshot((struct freshet_options){0}, &shared);
    cr_assert_eq(freshet_message_encode(&message, body, sizeof(body), &len), FRESHET_OK);
    rig.bus->sink.message(rig.bus->sink.context, freshet_span_text("board/b1"), freshet_span(body, len),
                          false);
    rig_run();
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    cr_assert_eq(rig_stats().publish_to_push.count, 0);
    end_with_client();
}
