#include "core_rig.h"

#include "core/load/loader.h"

static const struct freshet_loader_options shared = {.shared = true};
static struct client clients[8];

static void begin(unsigned workers)
{
    rig_begin((struct freshet_options){0}, workers);
    rig_add_loader(&shared);
    rig_join();
}

static void end(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        client_close(&clients[i]);
    rig_end();
}

/* contract 4.3: once per process, not per thread */
Test(workers, shared_feed_loads_once_for_streams_on_all_workers)
{
    begin(3);
    for (unsigned i = 0; i < 6; i++)
        client_open(&clients[i], i % 3, "board/b1");
    rig_acknowledge();
    rig_run();
    cr_assert_eq(rig.bus->subscribes, 1);
    cr_assert_eq(rig.load_count, 1);
    rig_answer("one");
    rig_publish("board/b1");
    rig_answer("two");
    cr_assert_eq(rig.load_count, 2);
    for (unsigned i = 0; i < 6; i++) {
        cr_assert_str_eq(clients[i].order, "ss");
        cr_assert(client_has(&clients[i], "two"));
    }
    struct freshet_topic topic = rig_topic("board/b1");
    cr_assert_eq(freshet_topic_streams(rig.freshet, &topic), 6);
    cr_assert_eq(rig_stats().feeds, 1);
    end(6);
}

Test(workers, homes_are_spread)
{
    char path[16];
    begin(2);
    for (unsigned i = 0; i < 8; i++) {
        snprintf(path, sizeof(path), "board/b%u", i);
        client_open(&clients[i], 0, path);
        rig_acknowledge();
        rig_run();
        rig_answer(path);
        cr_assert(client_has(&clients[i], path));
    }
    cr_assert_eq(rig.workers[0]->home_count, 4);
    cr_assert_eq(rig.workers[1]->home_count, 4);
    end(8);
}

/* architecture: its topics are born again elsewhere with subscribe, acknowledge, load */
Test(workers, topic_is_born_again_when_its_home_leaves)
{
    begin(2);
    client_open(&clients[0], 1, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    /* Worker 0 is the home: the first of those with the fewest topics. */
    cr_assert_eq(rig.workers[0]->home_count, 1);
    rig_leave(0);
    rig_run();
    cr_assert_eq(rig.bus->unsubscribes, 1);
    cr_assert_eq(rig.bus->subscribes, 2);
    cr_assert(!clients[0].lost);
    rig_acknowledge();
    rig_run();
    cr_assert_eq(rig.load_count, 2);
    rig_answer("two");
    cr_assert(client_has(&clients[0], "two"));
    rig_publish("board/b1");
    rig_answer("three");
    cr_assert(client_has(&clients[0], "three"));
    end(1);
}

Test(workers, load_of_a_worker_that_left_is_stale_and_gives_its_place_back)
{
    rig_begin((struct freshet_options){0}, 2);
    rig_add_loader(&(struct freshet_loader_options){.shared = true, .max_concurrent_loads = 1});
    client_open(&clients[0], 1, "board/b1");
    rig_acknowledge();
    rig_run();
    struct freshet_load old = rig_last_load()->handle;
    rig_leave(0);
    rig_run();
    rig_acknowledge();
    rig_run();
    cr_assert_eq(rig.load_count, 1); /* the place is taken still */
    cr_assert_eq(rig_stats().loads_abandoned, 1);
    cr_assert_eq(freshet_load_answer(old, freshet_span_text("late")), FRESHET_STALE);
    rig_run();
    cr_assert_eq(rig.load_count, 2);
    rig_answer("two");
    cr_assert_str_eq(clients[0].order, "s");
    cr_assert_eq(rig_stats().loads_abandoned, 0);
    cr_assert_eq(rig_stats().loads_running, 0);
    end(1);
}

Test(workers, two_freshets_on_one_thread_do_not_meet)
{
    begin(1);
    struct freshet *other;
    struct fr_worker *worker;
    const struct fr_worker_host host = {.wake = rig_wake};
    cr_assert_eq(freshet_new(&other, NULL, NULL), FRESHET_OK);
    cr_assert_eq(fr_worker_new(&worker, other, &host), FRESHET_OK);
    cr_assert_eq(fr_worker_here(other), worker);
    cr_assert_eq(fr_worker_here(rig.freshet), rig.workers[0]);
    fr_worker_leave(worker);
    cr_assert_null(fr_worker_here(other));
    freshet_destroy(other, 1000);
    end(0);
}

/* contract 6.5 */
Test(workers, max_topics_refuses_a_stream_of_a_new_topic)
{
    struct freshet_refusal refusal = {0};
    rig_begin((struct freshet_options){.max_topics = 1}, 1);
    rig_add_loader(&shared);
    client_open(&clients[0], 0, "board/b1");
    cr_assert_eq(client_try(&clients[1], 0, "board/b2", NULL, &refusal), FR_VISIT_LATER);
    cr_assert_str_eq(refusal.code, "max-topics");
    client_open(&clients[1], 0, "board/b1");
    end(2);
}

/* contract 6.5 */
Test(workers, max_streams_is_counted)
{
    struct fr_quota quota;
    const char *code;
    rig_begin((struct freshet_options){.max_streams = 2}, 1);
    rig_join();
    cr_assert_eq(fr_stream_begin(rig.workers[0], freshet_span(NULL, 0), 1, &quota, &code), FRESHET_OK);
    cr_assert_eq(fr_stream_begin(rig.workers[0], freshet_span(NULL, 0), 1, &quota, &code), FRESHET_OK);
    cr_assert_eq(fr_stream_begin(rig.workers[0], freshet_span(NULL, 0), 1, &quota, &code), FRESHET_FULL);
    fr_stream_end(rig.workers[0], &quota, FRESHET_CLOSE_CLIENT);
    cr_assert_eq(fr_stream_begin(rig.workers[0], freshet_span(NULL, 0), 1, &quota, &code), FRESHET_OK);
    cr_assert_eq(rig_stats().streams, 2);
    fr_stream_end(rig.workers[0], &quota, FRESHET_CLOSE_CLIENT);
    fr_stream_end(rig.workers[0], &quota, FRESHET_CLOSE_FLOOD);
    cr_assert_eq(rig_stats().streams, 0);
    cr_assert_eq(rig_stats().streams_closed[FRESHET_CLOSE_CLIENT], 2);
    rig_end();
}

/* A bus that has no memory for the subscription costs the streams of that topic, nothing else. */
Test(workers, refused_subscribe_ends_the_streams_of_the_topic)
{
    begin(1);
    client_open(&clients[0], 0, "board/b1");
    rig.bus->refuse_subscribe = true;
    client_open(&clients[1], 0, "board/b2");
    cr_assert(clients[1].lost);
    cr_assert_eq(clients[1].reason, FRESHET_CLOSE_NO_MEMORY);
    cr_assert(freshet_span_equal(fr_view_topic(&clients[1].view), freshet_span_text("board/b2")));
    client_close(&clients[1]);
    rig.bus->refuse_subscribe = false;
    client_open(&clients[1], 0, "board/b2");
    cr_assert(!clients[1].lost);
    end(2);
}

static enum freshet_status publish_and_refuse(struct freshet_bus *bus, struct freshet_span topic,
                                              uint64_t number)
{
    (void)number;
    struct rig_bus *scripted = (struct rig_bus *)bus;
    scripted->sink.message(scripted->sink.context, topic, freshet_span("body", 4), false);
    return FRESHET_NO_MEMORY;
}

/* The mail of a publish that falls into a subscribe that fails must not outlive the subscriber it is for. */
Test(workers, publish_while_a_subscribe_fails_is_harmless)
{
    begin(1);
    struct freshet_bus_ops ops = rig_bus_ops;
    ops.subscribe = publish_and_refuse;
    rig.bus->base.ops = &ops;
    client_open(&clients[0], 0, "board/b1");
    cr_assert(clients[0].lost);
    client_close(&clients[0]);
    cr_assert_eq(rig_stats().topics, 0);
    rig.bus->base.ops = &rig_bus_ops;
    client_open(&clients[0], 0, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    cr_assert(client_has(&clients[0], "one"));
    end(1);
}

/* The bad news of one ask must not hide from the home that the streams of a later one have left. */
Test(workers, feed_served_after_a_failed_ask_is_given_back)
{
    struct freshet_refusal refusal;
    begin(2);
    rig.bus->refuse_subscribe = true;
    cr_assert_eq(client_try(&clients[0], 1, "board/b1", NULL, &refusal), FR_VISIT_YES);
    fr_worker_turn(rig.workers[0]); /* the home: fails */
    rig.bus->refuse_subscribe = false;
    cr_assert_eq(client_try(&clients[1], 1, "board/b1", NULL, &refusal), FR_VISIT_YES);
    fr_worker_turn(rig.workers[0]); /* serves */
    rig_run();
    cr_assert(clients[0].lost);
    client_close(&clients[0]);
    client_close(&clients[1]);
    rig_pass_ms(5000);
    cr_assert_eq(rig_stats().feeds, 0);
    cr_assert_eq(rig_stats().topics, 0);
    cr_assert_eq(rig.bus->unsubscribes, 1);
    end(0);
}

static unsigned ready_calls;

static void count_ready(struct fr_view *view)
{
    ready_calls++;
    rig_view_ready(view);
}

/* contract 4.3: N streams that join one after another must not cost N * N */
Test(workers, stream_that_joins_does_not_disturb_the_others)
{
    begin(2);
    rig.workers[0]->host.view_ready = rig.workers[1]->host.view_ready = count_ready;
    for (unsigned i = 0; i < 6; i++)
        client_open(&clients[i], i % 2, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    cr_assert_eq(ready_calls, 6);
    client_open(&clients[6], 0, "board/b1");
    cr_assert(client_has(&clients[6], "one"));
    cr_assert_eq(ready_calls, 7);
    end(7);
}

static void read_publishes(enum freshet_status status, int64_t receivers, void *user)
{
    (void)status;
    (void)receivers;
    *(uint64_t *)user = rig_stats().publishes;
}

/* contract 8.1: a counter never goes back, also while a worker leaves */
Test(workers, counters_stay_while_a_worker_leaves)
{
    uint64_t seen = 0;
    begin(1);
    struct freshet_topic topic = rig_topic("board/b1");
    freshet_publish(rig.freshet, &topic, freshet_span(NULL, 0), read_publishes, &seen);
    rig_leave(0);
    cr_assert_eq(seen, 1);
    cr_assert_eq(rig_stats().publishes, 1);
    end(0);
}

static struct client *self_closing;

static void close_in_ready(struct fr_view *view)
{
    struct client *client = FR_CONTAINER(view, struct client, view);
    client->order[0] = 'r';
    fr_view_close(&self_closing[0].view);
    fr_view_close(&self_closing[1].view);
    fr_view_close(&self_closing[2].view);
}

/* Closing in a callback is legal, of this view and of others. */
Test(workers, views_may_be_closed_from_view_ready)
{
    begin(1);
    rig.workers[0]->host.view_ready = close_in_ready;
    self_closing = clients;
    for (unsigned i = 0; i < 3; i++)
        client_open(&clients[i], 0, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    cr_assert_eq(clients[0].order[0], 'r');
    cr_assert_eq(clients[1].order[0], '\0');
    cr_assert_eq(rig.workers[0]->views, 0);
    end(0);
}

/* contract 6.1 and architecture: a sweep is cut into slices, and a newer snapshot replaces the older one for
 * those not reached yet */
Test(workers, newer_snapshot_overtakes_a_sweep)
{
    enum { MANY = 600 };
    struct client *many = calloc(MANY, sizeof(*many));
    begin(1);
    for (unsigned i = 0; i < MANY; i++)
        client_open(&many[i], 0, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    rig_publish("board/b1");
    freshet_load_answer(rig_last_load()->handle, freshet_span_text("two"));
    fr_worker_turn(rig.workers[0]); /* takes the answer, or shows it; one slice of 256 at the most */
    fr_worker_turn(rig.workers[0]);
    unsigned told = 0;
    for (unsigned i = 0; i < MANY; i++)
        told += many[i].snapshots == 2;
    cr_assert_gt(told, 0);
    cr_assert_leq(told, 512);
    struct freshet_topic topic = rig_topic("board/b1");
    freshet_publish(rig.freshet, &topic, freshet_span(NULL, 0), NULL, NULL);
    while (rig.load_count < 3)
        fr_worker_turn(rig.workers[0]);
    freshet_load_answer(rig_last_load()->handle, freshet_span_text("three"));
    rig_run();
    for (unsigned i = 0; i < MANY; i++) {
        cr_assert(client_has(&many[i], "three"));
        fr_view_close(&many[i].view);
    }
    free(many);
    end(0);
}

/* ---- publish ---- */

struct outcome {
    unsigned count;
    enum freshet_status status;
    int64_t receivers;
};

static void note_outcome(enum freshet_status status, int64_t receivers, void *user)
{
    struct outcome *outcome = user;
    outcome->count++;
    outcome->status = status;
    outcome->receivers = receivers;
}

/* contract 3.2 */
Test(publish, result_runs_once_in_the_workers_loop_and_never_on_the_callers_stack)
{
    struct outcome outcome = {0};
    begin(1);
    struct freshet_topic topic = rig_topic("board/b1");
    cr_assert_eq(freshet_publish(rig.freshet, &topic, freshet_span(NULL, 0), note_outcome, &outcome),
                 FRESHET_OK);
    cr_assert_eq(outcome.count, 0);
    rig_run();
    cr_assert_eq(outcome.count, 1);
    cr_assert_eq(outcome.status, FRESHET_OK);
    cr_assert_eq(outcome.receivers, 2);
    end(0);
}

/* contract 2.3, 3.2 */
Test(publish, refusals_name_their_reason_and_reach_the_result_too)
{
    static char large[100000] = "\xc6\x00\x01\x86\x9b";
    struct outcome outcome = {0};
    begin(1);
    struct freshet_topic topic = rig_topic("board/b1");
    struct freshet_topic control = rig_topic("/probe");
    struct freshet_span none = {NULL, 0};
    cr_assert_eq(freshet_publish(rig.freshet, &control, none, note_outcome, &outcome), FRESHET_INVALID);
    rig_run();
    cr_assert_eq(outcome.count, 1);
    cr_assert_eq(outcome.status, FRESHET_INVALID);
    cr_assert_eq(freshet_publish(rig.freshet, &topic, freshet_span("\x92\x01", 2), NULL, NULL),
                 FRESHET_INVALID);
    cr_assert_eq(
        freshet_publish(rig.freshet, &topic, freshet_span(large, sizeof(large)), note_outcome, &outcome),
        FRESHET_TOO_LARGE);
    rig_run();
    cr_assert_eq(outcome.count, 2);
    cr_assert_eq(outcome.status, FRESHET_TOO_LARGE);
    cr_assert_eq(rig.bus->publishes, 0);
    cr_assert_eq(rig_stats().publishes, 3);
    cr_assert_eq(rig_stats().publishes_refused, 3);
    end(0);
}

/* contract 3.3: bus up or down */
Test(publish, marks_own_feeds_while_the_bus_is_down)
{
    begin(1);
    client_open(&clients[0], 0, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    rig_bus_state(FRESHET_BUS_DOWN);
    rig_run();
    rig_pass_ms(250);
    rig_answer("one");
    rig_publish("board/b1");
    cr_assert_eq(rig_last_load()->cause, FRESHET_CAUSE_PUBLISH);
    rig_answer("two");
    cr_assert(client_has(&clients[0], "two"));
    end(1);
}

/* contract 3.3: the state has changed, whatever becomes of the message */
Test(publish, too_large_a_payload_marks_own_feeds)
{
    static char large[70000] = "\xc6\x00\x01\x11\x6b";
    begin(1);
    client_open(&clients[0], 0, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    struct freshet_topic topic = rig_topic("board/b1");
    cr_assert_eq(freshet_publish(rig.freshet, &topic, freshet_span(large, sizeof(large)), NULL, NULL),
                 FRESHET_TOO_LARGE);
    rig_run();
    cr_assert_eq(rig.load_count, 2);
    cr_assert_eq(rig_last_load()->cause, FRESHET_CAUSE_PUBLISH);
    rig_answer("two");
    cr_assert(client_has(&clients[0], "two"));
    end(1);
}

/* ---- loaders ---- */

static enum freshet_status refuse_topic(const struct freshet_request *request, struct freshet_topic *topic,
                                        struct freshet_refusal *refusal, void *user)
{
    struct freshet_span id;
    (void)user;
    cr_assert_eq(freshet_request_param(request, "id", 0, &id), FRESHET_OK);
    cr_assert_eq(freshet_request_param(request, "nothing", 0, &id), FRESHET_NOT_FOUND);
    cr_assert_eq(freshet_request_param(request, "id", 0, &id), FRESHET_OK);
    if (freshet_span_equal(id, freshet_span_text("good"))) {
        *topic = rig_topic("chosen/topic");
        return FRESHET_OK;
    }
    refusal->status = 404;
    snprintf(refusal->code, sizeof(refusal->code), "no-such-board");
    return FRESHET_REFUSED;
}

/* contract 4.1 */
Test(loader, topic_function_chooses_or_refuses)
{
    struct freshet_refusal refusal = {0};
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(&(struct freshet_loader_options){.topic = refuse_topic});
    client_open(&clients[0], 0, "board/good");
    cr_assert_str_eq(rig.bus->topic, "chosen/topic");
    cr_assert_eq(client_try(&clients[1], 0, "board/bad", NULL, &refusal), FR_VISIT_NO);
    cr_assert_eq(refusal.status, 404);
    cr_assert_str_eq(refusal.code, "no-such-board");
    end(1);
}

static enum freshet_status add(const char *name, const char *route, struct freshet_error *error)
{
    static struct freshet_channel *channel;
    struct freshet_loader *loader;
    if (channel == NULL)
        cr_assert_eq(freshet_channel_new(&channel, "any/:a?", NULL), FRESHET_OK);
    struct freshet_loader_options options = {
        .size = sizeof(options), .name = name, .route = route, .channel = channel, .load = rig_load};
    return freshet_loader_new(rig.freshet, &options, &loader, error);
}

/* contract 4.10: the best match wins, two equal ones are refused when they are registered */
Test(loader, conflicts_are_refused_naming_both_routes)
{
    struct freshet_error error = {""};
    rig_begin((struct freshet_options){0}, 0);
    cr_assert_eq(add("a", "board/:id", &error), FRESHET_OK);
    cr_assert_eq(add("b", "board/new", &error), FRESHET_OK);
    cr_assert_eq(add("c", "board/:other", &error), FRESHET_CONFLICT);
    cr_assert_not_null(strstr(error.text, "board/:id"));
    cr_assert_not_null(strstr(error.text, "board/:other"));
    cr_assert_eq(add("a", "else", &error), FRESHET_CONFLICT);
    cr_assert_eq(add("bad name", "else", &error), FRESHET_INVALID);
    cr_assert_eq(add("d", "else/:id??", &error), FRESHET_INVALID);
    struct freshet_loader *found;
    struct fr_params *params;
    cr_assert_eq(fr_route_find(rig.freshet, freshet_span_text("board/new"), &found, &params), FRESHET_OK);
    cr_assert_eq(params->count, 0);
    fr_params_release(params);
    cr_assert_eq(fr_route_find(rig.freshet, freshet_span_text("board/x"), &found, &params), FRESHET_OK);
    cr_assert_eq(params->count, 1);
    fr_params_release(params);
    cr_assert_eq(fr_route_find(rig.freshet, freshet_span_text("nowhere"), &found, &params),
                 FRESHET_NOT_FOUND);
    cr_assert_eq(fr_route_find(rig.freshet, freshet_span_text("board/%zz"), &found, &params),
                 FRESHET_INVALID);
    rig_end();
}
