/* Message loaders: what streams of a topic get when each message is the news. */
#include "core/hub/fanout.h"
#include "core/hub/message_feed.h"
#include "guard_rig.h"

static const struct freshet_loader_options messages = {.messages = true};

static struct client client, slow, other;

static void send_body(struct freshet_span body)
{
    rig.bus->sink.message(rig.bus->sink.context, freshet_span_text("board/b1"), body, false);
}

/* Somebody else publishes a small number. */
static void send_from(const char *publisher, uint64_t sequence, unsigned char number)
{
    char body[128];
    size_t len;
    char payload = (char)number;
    struct freshet_message message = {.publisher = freshet_span_text(publisher),
                                      .sequence = sequence,
                                      .time_us = 1,
                                      .payload = freshet_span(&payload, 1)};
    cr_assert_eq(freshet_message_encode(&message, body, sizeof(body), &len), FRESHET_OK);
    send_body(freshet_span(body, len));
}

/* Messages `from` to `to`, which say their own number. */
static void send_range(unsigned from, unsigned to)
{
    for (unsigned i = from; i <= to; i++)
        send_from("somebody", i, (unsigned char)(i % 100));
}

static void publish_number(unsigned char number)
{
    struct freshet_topic topic = rig_topic("board/b1");
    char payload = (char)number;
    cr_assert_eq(freshet_publish(rig.freshet, &topic, freshet_span(&payload, 1), NULL, NULL), FRESHET_OK);
    rig_run();
}

/* What was published last comes back off the bus. */
static void send_echo(void)
{
    send_body(freshet_span(rig.bus->body, rig.bus->body_len));
    rig_run();
}

/* A stream whose subscription is in force, and which has been told so. */
static void watch_topic(void)
{
    client_open(&client, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    cr_assert_str_eq(client.messages, "{\"lost\":null} ");
    client.messages[0] = '\0';
}

static void begin(const struct freshet_loader_options *loader, unsigned workers)
{
    rig_begin((struct freshet_options){0}, workers);
    rig_add_loader(loader);
    watch_topic();
}

static void end(void)
{
    client_close(&client);
    rig_end();
}

static void expect(const struct client *who, const char *what)
{
    cr_assert_str_eq(who->messages, what);
}

/* The numbers `from` to `to` as `who` should have got them, behind `before`. */
static void expect_range(const struct client *who, const char *before, unsigned from, unsigned to)
{
    char text[4096];
    int len = snprintf(text, sizeof(text), "%s", before);
    for (unsigned i = from; i <= to; i++)
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%u ", i % 100);
    cr_assert_str_eq(who->messages, text);
}

/* contract 5.5, 7.4 */
Test(message_feed, pushes_each_message_once_in_the_order_of_the_bus)
{
    begin(&messages, 1);
    send_from("a", 1, 1);
    send_from("b", 7, 2);
    send_from("a", 2, 3);
    rig_run();
    send_from("b", 8, 4);
    rig_run();
    expect(&client, "1 2 3 4 ");
    cr_assert_eq(rig_stats().messages_pushed, 4);
    cr_assert_eq(rig_stats().messages_lost, 0);
    cr_assert_eq(rig_stats().loads, 0);
    end();
}

/* contract 2.2, 5.3: fields, a signal, and what is not in our format */
Test(message_feed, pushes_fields_as_json_and_signals_as_null)
{
    static const char map[] = "\x82\xa4text\xa5hi\n\"u\xa2no\xc3";
    struct freshet_topic topic = rig_topic("board/b1");
    begin(&messages, 1);
    cr_assert_eq(freshet_publish(rig.freshet, &topic, freshet_span(map, sizeof(map) - 1), NULL, NULL),
                 FRESHET_OK);
    send_echo();
    rig_publish("board/b1");
    send_echo();
    rig_message("board/b1");
    send_body(freshet_span_text("hello"));
    rig.bus->sink.message(rig.bus->sink.context, freshet_span_text("board/b1"), freshet_span(NULL, 0), true);
    rig_run();
    expect(&client, "{\"text\":\"hi\\u000a\\\"u\",\"no\":true} null null null null ");
    end();
}

/* The order is the bus's, also for own publishes. */
Test(message_feed, own_publishes_come_from_the_bus_only)
{
    begin(&messages, 1);
    publish_number(1);
    expect(&client, "");
    send_from("a", 1, 2);
    send_echo();
    expect(&client, "2 1 ");
    send_echo();
    expect(&client, "2 1 ");
    cr_assert_eq(rig_stats().messages_repeated, 1);
    end();
}

/* contract 3.4 */
Test(message_feed, drops_what_is_repeated)
{
    begin(&messages, 2);
    client_open(&other, 1, "board/b1");
    send_range(1, 3);
    send_range(2, 4);
    send_from("else", 3, 9);
    rig_run();
    expect(&client, "1 2 3 4 9 ");
    expect(&other, "1 2 3 4 9 ");
    cr_assert_eq(rig_stats().messages_repeated, 4, "two on each worker");
    cr_assert_eq(rig_stats().messages_pushed, 10);
    client_close(&other);
    end();
}

/* contract 2.4: somebody writes bodies with another's name and the sequences that it has not used yet */
Test(message_feed, forged_names_take_nothing_away_from_a_publisher)
{
    begin(&messages, 1);
    send_from("honest", 1, 1);
    for (unsigned i = 2; i <= 1000; i++)
        send_from("honest", i, 99); /* not by that publisher */
    rig_run();
    client.messages[0] = '\0';
    for (unsigned i = 2; i <= 40; i++)
        send_from("honest", i, (unsigned char)i);
    rig_run();
    expect_range(&client, "", 2, 40);
    /* Nor do those that are repeated show twice. */
    send_from("honest", 40, 40);
    rig_run();
    expect_range(&client, "", 2, 40);
    cr_assert_eq(rig_stats().messages_repeated, 1);
    end();
}

/* contract 2.4: many names cost no more than one */
Test(message_feed, flood_of_new_publishers_is_bounded)
{
    char name[32];
    begin(&messages, 1);
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "publisher-%u", i);
        send_from(name, 1, 1);
        if (i % 500 == 0)
            rig_run();
    }
    rig_run();
    const struct fr_dedup *dedup = &client.view.fanout->messages->dedup;
    cr_assert_eq(dedup->capacity, FR_DEDUP_MOST);
    cr_assert_eq(rig_stats().messages_lost, 0);
    end();
}

/* contract 5.5, 6.1 */
Test(message_feed, slow_stream_is_told_how_many_it_lost_and_goes_on_with_the_oldest_kept)
{
    begin(&(struct freshet_loader_options){.messages = true, .max_queued_messages = 8}, 1);
    client_open(&slow, 0, "board/b1");
    slow.blocked = true;
    for (unsigned i = 1; i <= 20; i++) {
        send_range(i, i);
        rig_run();
    }
    expect_range(&client, "", 1, 20);
    expect(&slow, "");
    client_take(&slow);
    expect_range(&slow, "{\"lost\":12} ", 13, 20);
    slow.blocked = false;
    send_range(21, 22);
    rig_run();
    expect_range(&slow, "{\"lost\":12} ", 13, 22);
    expect_range(&client, "", 1, 22);
    cr_assert_eq(rig_stats().messages_lost, 12);
    client_close(&slow);
    end();
}

Test(message_feed, slow_stream_within_its_bounds_loses_nothing)
{
    begin(&messages, 1);
    slow.blocked = false;
    client_open(&slow, 0, "board/b1");
    slow.blocked = true;
    send_range(1, 64);
    rig_run();
    client_take(&slow);
    expect_range(&slow, "", 1, 64);
    client_close(&slow);
    end();
}

/* contract 6.1: the bytes bound too, and the newest is kept whatever its size */
Test(message_feed, queue_is_bounded_in_bytes)
{
    begin(&(struct freshet_loader_options){.messages = true, .max_queued_bytes = 1}, 1);
    client_open(&slow, 0, "board/b1");
    slow.blocked = true;
    send_range(1, 5);
    rig_run();
    client_take(&slow);
    expect(&slow, "{\"lost\":4} 5 ");
    expect(&client, "1 2 3 4 5 ");
    client_close(&slow);
    end();
}

/* A burst that is longer than a stream's queue, before the worker has had a turn. */
Test(message_feed, stream_that_can_write_loses_nothing_of_a_burst)
{
    begin(&(struct freshet_loader_options){.messages = true, .max_queued_messages = 4}, 1);
    client_open(&other, 0, "board/b1");
    send_range(1, 600);
    rig_run();
    expect_range(&client, "", 1, 600);
    expect_range(&other, "", 1, 600);
    cr_assert_eq(rig_stats().messages_lost, 0);
    client_close(&other);
    end();
}

/* More views than a turn tells of news, and a burst meanwhile. */
Test(message_feed, burst_waits_until_all_streams_have_been_told)
{
    enum { CROWD = 1000 };
    struct client *crowd = calloc(CROWD, sizeof(*crowd));
    begin(&(struct freshet_loader_options){.messages = true, .max_queued_messages = 4}, 1);
    for (unsigned i = 0; i < CROWD; i++)
        client_open(&crowd[i], 0, "board/b1");
    for (unsigned i = 0; i < 25; i++) {
        send_range(1 + 4 * i, 4 + 4 * i);
        fr_worker_turn(rig.workers[0]);
    }
    rig_run();
    for (unsigned i = 0; i < CROWD; i++) {
        expect_range(&crowd[i], "", 1, 100);
        client_close(&crowd[i]);
    }
    free(crowd);
    end();
}

/* A worker that does not get round to it: what it could not keep is counted for each of its streams. */
Test(message_feed, more_than_a_worker_keeps_is_lost_and_told)
{
    begin(&messages, 1);
    send_range(1, 1100);
    rig_run();
    expect_range(&client, "{\"lost\":76} ", 77, 1100);
    cr_assert_eq(rig_stats().messages_lost, 76);
    end();
}

/* contract 6.1: the loader's bounds are the only ones, also above what a worker keeps by itself */
Test(message_feed, bound_above_what_a_worker_keeps_is_honoured_in_count)
{
    begin(&(struct freshet_loader_options){.messages = true, .max_queued_messages = 3000}, 1);
    client_open(&slow, 0, "board/b1");
    slow.blocked = true;
    send_range(1, 3000);
    rig_run();
    client_take(&slow);
    cr_assert_eq(rig_stats().messages_pushed, 6000);
    cr_assert_eq(rig_stats().messages_lost, 0);
    send_range(3001, 6000);
    rig_run();
    send_range(6001, 6001);
    rig_run();
    slow.messages[0] = '\0';
    client_take(&slow);
    cr_assert_eq(strncmp(slow.messages, "{\"lost\":1} 2 ", strlen("{\"lost\":1} 2 ")), 0, "%.40s",
                 slow.messages);
    cr_assert_eq(rig_stats().messages_lost, 1);
    client_close(&slow);
    end();
}

static void send_large(unsigned number)
{
    static char payload[60000], body[61000];
    size_t len;
    memset(payload, 'x', sizeof(payload));
    memcpy(payload, "\xda", 1); /* a text of so many bytes */
    payload[1] = (char)((sizeof(payload) - 3) >> 8);
    payload[2] = (char)(sizeof(payload) - 3);
    struct freshet_message message = {.publisher = freshet_span_text("somebody"),
                                      .sequence = number,
                                      .time_us = 1,
                                      .payload = freshet_span(payload, sizeof(payload))};
    cr_assert_eq(freshet_message_encode(&message, body, sizeof(body), &len), FRESHET_OK);
    send_body(freshet_span(body, len));
}

/* contract 6.1 */
Test(message_feed, bound_above_what_a_worker_keeps_is_honoured_in_bytes)
{
    begin(&(struct freshet_loader_options){.messages = true, .max_queued_bytes = 3 * 1024 * 1024}, 1);
    client_open(&slow, 0, "board/b1");
    slow.blocked = true;
    for (unsigned i = 1; i <= 50; i++)
        send_large(i);
    rig_run();
    client_take(&slow);
    cr_assert_eq(rig_stats().messages_pushed, 100);
    cr_assert_eq(rig_stats().messages_lost, 0);
    for (unsigned i = 51; i <= 110; i++)
        send_large(i);
    rig_run();
    client_take(&slow);
    cr_assert_eq(rig_stats().messages_lost, 2 * 60 - (rig_stats().messages_pushed - 100),
                 "what does not fit is lost and counted");
    cr_assert_eq(rig_stats().messages_lost % 2, 0,
                 "the same for both: it was the subscriber's bound, which is equal");
    client_close(&slow);
    end();
}

/* contract 6.1: a second loader of the topic may allow more */
Test(message_feed, largest_bound_of_a_topic_counts_for_what_waits_for_the_worker)
{
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(&messages);
    struct freshet_loader_options wide = {
        .name = "wide", .route = "wide/:id", .messages = true, .max_queued_messages = 2000};
    struct freshet_channel *channel;
    cr_assert_eq(freshet_channel_new(&channel, "board/:id", NULL), FRESHET_OK);
    wide.channel = channel;
    rig_add_loader(&wide);
    freshet_channel_destroy(channel);
    watch_topic();
    send_range(1, 5);
    client_open(&other, 0, "wide/b1");
    expect(&client, "1 2 3 4 5 ");
    send_range(6, 2005);
    rig_run();
    cr_assert_eq(rig_stats().messages_lost, 0);
    client_close(&other);
    end();
}

/* contract 4.1, 7.4 */
Test(message_feed, bus_gap_is_told_as_null)
{
    begin(&messages, 1);
    send_range(1, 2);
    rig_run();
    rig_bus_state(FRESHET_BUS_DOWN);
    rig_run();
    rig_pass_ms(100);
    rig_bus_state(FRESHET_BUS_PROVED);
    rig_acknowledge();
    send_range(3, 3);
    rig_run();
    expect(&client, "1 2 {\"lost\":null} 3 ");
    cr_assert_eq(client.errors, 0, "within the grace");
    end();
}

/* contract 3.4: somebody lost the names of what it published */
Test(message_feed, mark_everything_is_a_gap)
{
    begin(&messages, 1);
    rig.bus->sink.everything(rig.bus->sink.context);
    rig_run();
    expect(&client, "{\"lost\":null} ");
    end();
}

/* contract 4.1 */
Test(message_feed, says_that_the_bus_is_down_after_the_grace)
{
    begin(&messages, 1);
    rig_bus_state(FRESHET_BUS_DOWN);
    rig_run();
    rig_pass_ms(249);
    cr_assert_eq(client.errors, 0);
    rig_pass_ms(1);
    cr_assert_eq(client.errors, 1);
    cr_assert(client_has_error(&client, "bus-down"));
    client_open(&other, 0, "board/b1"); /* joins what is failing */
    cr_assert(client_has_error(&other, "bus-down"));
    rig_pass_ms(20000);
    cr_assert_eq(client.errors, 1);
    rig_bus_state(FRESHET_BUS_PROVED);
    rig_acknowledge();
    rig_run();
    expect(&client, "{\"lost\":null} ");
    expect(&other, "{\"lost\":null} ");
    client_close(&other);
    client_open(&other, 0, "board/b1");
    cr_assert_eq(other.errors, 0);
    expect(&other, "");
    client_close(&other);
    end();
}

/* contract 7.6 */
Test(message_feed, says_that_its_topic_is_forbidden)
{
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(&messages);
    client_open(&client, 0, "board/b1");
    rig.bus->sink.refused(rig.bus->sink.context, freshet_span_text("board/b1"), rig.bus->subscription,
                          freshet_span_text("NOPERM"));
    rig_run();
    cr_assert_eq(client.errors, 1);
    cr_assert(client_has_error(&client, "forbidden-topic"));
    rig_acknowledge();
    send_range(1, 1);
    rig_run();
    expect(&client, "{\"lost\":null} 1 ");
    cr_assert_eq(client.errors, 1);
    end();
}

/* A gap that a slow stream could not take in time is not told as a number. */
Test(message_feed, lost_bus_gap_stays_null)
{
    begin(&(struct freshet_loader_options){.messages = true, .max_queued_messages = 4}, 1);
    client_open(&slow, 0, "board/b1");
    slow.blocked = true;
    rig.bus->sink.everything(rig.bus->sink.context);
    rig_run();
    for (unsigned i = 1; i <= 10; i++) {
        send_range(i, i);
        rig_run();
    }
    client_take(&slow);
    expect(&slow, "{\"lost\":null} 7 8 9 10 ");
    for (unsigned i = 11; i <= 16; i++) {
        send_range(i, i);
        rig_run();
    }
    client_take(&slow);
    expect(&slow, "{\"lost\":null} 7 8 9 10 {\"lost\":2} 13 14 15 16 ");
    client_close(&slow);
    end();
}

Test(message_feed, stream_that_joins_gets_no_history)
{
    begin(&messages, 1);
    client_open(&slow, 0, "board/b1");
    slow.blocked = true;
    send_range(1, 3);
    rig_run();
    client_open(&other, 0, "board/b1");
    send_range(4, 5);
    rig_run();
    expect(&other, "4 5 ");
    client_take(&slow);
    expect(&slow, "1 2 3 4 5 ");
    client_close(&slow);
    client_close(&other);
    end();
}

/* Each worker has its own subscriber; one subscription serves both. */
Test(message_feed, streams_of_two_workers_see_the_same)
{
    begin(&messages, 2);
    client_open(&other, 1, "board/b1");
    cr_assert_eq(rig.bus->subscribes, 1);
    send_from("a", 1, 1);
    publish_number(2);
    send_from("a", 2, 3);
    send_echo();
    expect(&client, "1 3 2 ");
    expect(&other, "1 3 2 ");
    client_close(&client);
    send_from("a", 3, 4);
    rig_run();
    expect(&other, "1 3 2 4 ");
    client_close(&other);
    rig_end();
}

/* A loader of the same topic is not disturbed, and neither are the messages by its loads. */
Test(message_feed, lives_beside_a_loader_of_the_same_topic)
{
    struct freshet_channel *channel;
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(&messages);
    cr_assert_eq(freshet_channel_new(&channel, "board/:id", NULL), FRESHET_OK);
    rig_add_loader(&(struct freshet_loader_options){
        .name = "state", .route = "state/:id", .channel = channel, .shared = true});
    rig_add_loader(&(struct freshet_loader_options){
        .name = "again", .route = "again/:id", .channel = channel, .messages = true});
    freshet_channel_destroy(channel);
    watch_topic();
    client_open(&other, 0, "state/b1");
    rig_answer("one");
    client_open(&slow, 0, "again/b1");
    send_range(1, 1);
    rig_run();
    rig_answer("two");
    cr_assert(client_has(&other, "two"));
    publish_number(2);
    rig_answer("three");
    send_echo();
    cr_assert_eq(rig.load_count, 3);
    expect(&client, "1 2 ");
    expect(&slow, "1 2 ");
    expect(&other, "");
    client_close(&other);
    client_close(&slow);
    end();
}

/* contract 4.11 */
Test(message_feed, topic_lingers_and_everything_is_given_back)
{
    rig_begin((struct freshet_options){.linger_ms = 1000}, 1);
    rig_add_loader(&messages);
    client_open(&client, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    client_close(&client);
    cr_assert_eq(rig_stats().feeds, 0);
    send_range(1, 3); /* nobody collects them */
    rig_pass_ms(900);
    client_open(&client, 0, "board/b1");
    send_range(4, 4);
    rig_run();
    expect(&client, "4 ");
    cr_assert_eq(rig_stats().feeds, 1);
    client_close(&client);
    rig_pass_ms(1001);
    cr_assert_eq(rig.bus->subscribes, 1);
    cr_assert_eq(rig.bus->unsubscribes, 1);
    cr_assert_eq(rig_stats().topics, 0);
    rig_end();
}

/* Memory is used for those only who are behind. */
Test(message_feed, keeps_nothing_that_all_streams_have)
{
    begin(&messages, 1);
    client_open(&slow, 0, "board/b1");
    slow.blocked = true;
    const struct fr_message_ring *ring = &client.view.fanout->messages->ring;
    send_range(1, 5);
    rig_run();
    cr_assert_eq(ring->count, 5);
    client_take(&slow);
    cr_assert_eq(ring->count, 0);
    send_range(6, 9);
    rig_run();
    cr_assert_eq(ring->count, 4);
    client_close(&slow);
    cr_assert_eq(ring->count, 0);
    expect_range(&client, "", 1, 9);
    end();
}

Test(message_feed, numbers_may_pass_32_bits)
{
    begin(&(struct freshet_loader_options){.messages = true, .max_queued_messages = 4}, 1);
    struct fr_message_feed *feed = client.view.fanout->messages;
    feed->ring.last = feed->swept = UINT32_MAX - 5;
    client.view.message_seen = UINT32_MAX - 5;
    client_open(&slow, 0, "board/b1");
    slow.blocked = true;
    send_range(1, 12);
    rig_run();
    client_take(&slow);
    expect_range(&client, "", 1, 12);
    expect_range(&slow, "{\"lost\":8} ", 9, 12);
    client_close(&slow);
    end();
}

Test(message_feed, slow_stream_that_leaves_takes_its_backlog_with_it)
{
    begin(&messages, 1);
    client_open(&slow, 0, "board/b1");
    client_open(&other, 0, "board/b1");
    slow.blocked = other.blocked = true;
    send_range(1, 5);
    rig_run();
    client_close(&slow);
    client_take(&other);
    expect_range(&other, "", 1, 5);
    client_close(&other);
    send_range(6, 6);
    rig_run();
    expect_range(&client, "", 1, 6);
    end();
}

/* ---- guards and identities ---- */

static enum freshet_status tell_tenant(const struct freshet_request *request,
                                       struct freshet_identity *identity, struct freshet_refusal *refusal,
                                       void *user)
{
    struct freshet_span value;
    (void)refusal;
    (void)user;
    if (freshet_request_attribute(request, "tenant", &value) != FRESHET_OK)
        value = freshet_span_text("a");
    identity->len = (uint16_t)value.len;
    memcpy(identity->text, value.data, value.len);
    return FRESHET_OK;
}

/* A stream whose guard is out, with two messages that wait for it. */
static void begin_held_back(freshet_identity_cb identity)
{
    static const struct freshet_guard guard = {.guard = hold_guard};
    static struct visit visit;
    rig_begin((struct freshet_options){.guard_interval_ms = 1000}, 1);
    rig_add_loader(&(struct freshet_loader_options){
        .messages = true, .identity = identity, .use = &guard, .use_count = 1});
    visit_plain(&visit, &client, "board/b1");
    allow_last();
    rig_acknowledge();
    send_range(1, 1);
    rig_run();
    expect(&client, "{\"lost\":null} 1 ");
    rig_pass_ms(1001);
    send_range(2, 3);
    rig_run();
    expect(&client, "{\"lost\":null} 1 ");
}

/* contract 4.8 */
Test(message_feed, messages_wait_for_a_guard)
{
    begin_held_back(NULL);
    allow_last();
    send_range(4, 4);
    rig_run();
    expect(&client, "{\"lost\":null} 1 2 3 4 ");
    end();
}

/* contract 4.8: nothing of the old identity's feed is shown, and what it misses is told */
Test(message_feed, stream_that_moves_is_told_of_what_it_left)
{
    begin_held_back(tell_tenant);
    cr_assert_eq(freshet_check_set(last_check()->handle, "tenant", freshet_span_text("b")), FRESHET_OK);
    allow_last();
    cr_assert_eq(rig_stats().streams_moved, 1);
    expect(&client, "{\"lost\":null} 1 {\"lost\":null} ");
    send_range(4, 4);
    rig_run();
    expect(&client, "{\"lost\":null} 1 {\"lost\":null} 4 ");
    cr_assert_eq(rig_stats().feeds, 1);
    end();
}

/* contract 7.4, 4.8: with all of the old feed it moves, and what the bus brings meanwhile comes with the new
 * one, also if it is more than a queue holds */
Test(message_feed, stream_that_moves_gets_what_comes_meanwhile)
{
    static const struct freshet_guard guard = {.guard = hold_guard};
    static struct visit visit;
    rig_begin((struct freshet_options){.guard_interval_ms = 1000}, 1);
    rig_add_loader(&(struct freshet_loader_options){
        .messages = true, .max_queued_messages = 4, .identity = tell_tenant, .use = &guard, .use_count = 1});
    visit_plain(&visit, &client, "board/b1");
    allow_last();
    rig_acknowledge();
    rig_run();
    expect(&client, "{\"lost\":null} ");
    rig_pass_ms(1001);
    client_take(&client);
    rig_run();
    cr_assert_eq(freshet_check_set(last_check()->handle, "tenant", freshet_span_text("b")), FRESHET_OK);
    cr_assert_eq(freshet_check_allow(last_check()->handle), FRESHET_OK);
    send_range(1, 10);
    rig_run();
    cr_assert_eq(rig_stats().streams_moved, 1);
    expect_range(&client, "{\"lost\":null} ", 1, 10);
    end();
}

/* ---- limits and options ---- */

Test(message_feed, message_larger_than_a_snapshot_is_lost_and_told)
{
    char payload[200] = "\xc4\xc6";
    struct freshet_topic topic = rig_topic("board/b1");
    rig_begin((struct freshet_options){.max_snapshot_bytes = 100}, 1);
    rig_add_loader(&messages);
    client_open(&client, 0, "board/b1");
    cr_assert_eq(freshet_publish(rig.freshet, &topic, freshet_span(payload, sizeof(payload)), NULL, NULL),
                 FRESHET_OK);
    send_echo();
    send_range(1, 1);
    rig_run();
    expect(&client, "{\"lost\":1} 1 ");
    end();
}

/* contract 4 */
Test(message_feed, loader_has_either_load_or_messages)
{
    struct freshet_channel *channel;
    struct freshet_error error;
    rig_begin((struct freshet_options){0}, 1);
    cr_assert_eq(freshet_channel_new(&channel, "board/:id", NULL), FRESHET_OK);
    struct freshet_loader_options options = {.size = sizeof(options),
                                             .name = "chat",
                                             .route = "board/:id",
                                             .channel = channel,
                                             .load = rig_load,
                                             .messages = true};
    cr_assert_eq(freshet_loader_new(rig.freshet, &options, NULL, &error), FRESHET_INVALID);
    cr_assert_str_eq(error.text, "loader chat: messages are neither loaded nor cached");
    options.load = NULL;
    cr_assert_eq(freshet_loader_new(rig.freshet, &options, NULL, &error), FRESHET_OK);
    freshet_channel_destroy(channel);
    rig_end();
}
