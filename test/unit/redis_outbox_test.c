#include "base/buffer.h"
#include "bus/redis/proto/outbox.h"
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>

static struct fr_redis_outbox_room room = {.max_count = 4, .max_bytes = 1 << 20};
static struct fr_redis_outbox outbox;
static struct fr_buffer answered;

static void on_answer(void *user, void *token, enum freshet_status status, int64_t receivers)
{
    (void)user;
    fr_buffer_print(&answered, "%d:%d:%d;", (int)(intptr_t)token, (int)status, (int)receivers);
}

static void set_up(void)
{
    struct fr_redis_outbox_options options = {.room = &room,
                                              .verb = "PUBLISH",
                                              .max_age_us = 1000,
                                              .everything_channel = freshet_span_text("p:/everything"),
                                              .answer = on_answer};
    cr_assert(fr_redis_outbox_init(&outbox, &options));
}

static void tear_down(void)
{
    fr_redis_outbox_close(&outbox);
    cr_assert_eq(room.count, 0);
    cr_assert_eq(room.bytes, 0);
    fr_redis_outbox_deinit(&outbox);
    fr_buffer_deinit(&answered);
}

static bool add(const char *topic, const char *body, bool signal, intptr_t token, int64_t now_us)
{
    struct fr_redis_publish *publish =
        fr_redis_publish_new("PUBLISH", freshet_span_text("p:"), freshet_span_text(topic),
                             freshet_span_text(body), signal, (void *)token);
    if (fr_redis_outbox_admit(&room, publish)) {
        fr_redis_outbox_add(&outbox, publish, now_us);
        return true;
    }
    free(publish);
    return false;
}

static void expect_next(const char *wire)
{
    const struct fr_redis_publish *publish = fr_redis_outbox_next(&outbox);
    if (wire == NULL) {
        cr_assert_null(publish);
        return;
    }
    cr_assert_not_null(publish);
    cr_assert(freshet_span_equal(freshet_span(publish->wire, publish->wire_len), freshet_span_text(wire)),
              "%.*s", (int)publish->wire_len, publish->wire);
}

static void expect_answers(const char *text)
{
    cr_assert(freshet_span_equal(freshet_span(answered.data, answered.len), freshet_span_text(text)), "%.*s",
              (int)answered.len, answered.data);
    answered.len = 0;
}

#define WIRE(channel, body) "*3\r\n$7\r\nPUBLISH\r\n$3\r\n" channel "\r\n$1\r\n" body "\r\n"
#define MARK                "*3\r\n$7\r\nPUBLISH\r\n$13\r\np:/everything\r\n$0\r\n\r\n"

TestSuite(redis_outbox, .init = set_up, .fini = tear_down);

Test(redis_outbox, sends_in_order_and_answers_each_once)
{
    cr_assert(add("a", "1", false, 1, 0));
    cr_assert(add("b", "2", true, 2, 0));
    expect_next(WIRE("p:a", "1"));
    expect_next(WIRE("p:b", "2"));
    expect_next(NULL);
    cr_assert(fr_redis_outbox_answer(&outbox, FRESHET_OK, 5));
    cr_assert(fr_redis_outbox_answer(&outbox, FRESHET_REFUSED, -1));
    cr_assert_not(fr_redis_outbox_answer(&outbox, FRESHET_OK, 0));
    expect_answers("1:0:5;2:8:-1;");
}

/* contract 3.4 */
Test(redis_outbox, sends_again_what_was_not_answered_first_and_in_order)
{
    cr_assert(add("a", "1", false, 1, 0));
    cr_assert(add("b", "2", false, 2, 0));
    cr_assert(add("c", "3", false, 3, 0));
    expect_next(WIRE("p:a", "1"));
    expect_next(WIRE("p:b", "2"));
    cr_assert(fr_redis_outbox_answer(&outbox, FRESHET_OK, 1));
    fr_redis_outbox_lost(&outbox);
    cr_assert_eq(room.resent, 1);
    cr_assert(add("d", "4", false, 4, 0));
    expect_next(WIRE("p:b", "2"));
    expect_next(WIRE("p:c", "3"));
    expect_next(WIRE("p:d", "4"));
    for (int i = 0; i < 3; i++)
        cr_assert(fr_redis_outbox_answer(&outbox, FRESHET_OK, 0));
    expect_answers("1:0:1;2:0:0;3:0:0;4:0:0;");
}

/* contract 3.4: the newest body at the oldest place, and both tokens are answered */
Test(redis_outbox, queues_a_waiting_signal_once)
{
    cr_assert(add("a", "1", true, 1, 0));
    cr_assert(add("b", "2", true, 2, 0));
    cr_assert(add("a", "3", true, 3, 0));
    expect_next(WIRE("p:a", "3"));
    expect_next(WIRE("p:b", "2"));
    expect_next(NULL);
    cr_assert(add("a", "4", true, 4, 0));
    cr_assert(fr_redis_outbox_answer(&outbox, FRESHET_OK, 7));
    expect_answers("3:0:7;1:0:7;");
    expect_next(WIRE("p:a", "4"));
}

/* contract 3.5 */
Test(redis_outbox, moves_no_signal_over_a_payload_of_its_topic)
{
    cr_assert(add("a", "1", true, 1, 0));
    cr_assert(add("a", "2", false, 2, 0));
    cr_assert(add("a", "3", true, 3, 0));
    cr_assert(add("a", "4", true, 4, 0));
    expect_next(WIRE("p:a", "1"));
    expect_next(WIRE("p:a", "2"));
    expect_next(WIRE("p:a", "4"));
    expect_next(NULL);
}

/* contract 3.4 */
Test(redis_outbox, gives_signals_up_for_one_mark_and_keeps_payloads)
{
    cr_assert(add("a", "1", true, 1, 0));
    cr_assert(add("b", "2", false, 2, 0));
    cr_assert(add("c", "3", true, 3, 0));
    cr_assert(add("c", "4", true, 4, 0));
    cr_assert_not(add("d", "5", true, 5, 0));
    fr_redis_outbox_collapse(&outbox);
    expect_answers("1:0:-1;4:0:-1;3:0:-1;");
    cr_assert_eq(room.count, 1);
    fr_redis_outbox_collapse(&outbox);
    cr_assert_eq(room.collapsed, 2);
    expect_next(WIRE("p:b", "2"));
    expect_next(MARK);
    expect_next(NULL);
    cr_assert(fr_redis_outbox_answer(&outbox, FRESHET_OK, 1));
    cr_assert(fr_redis_outbox_answer(&outbox, FRESHET_OK, 1));
    expect_answers("2:0:1;");
    cr_assert(fr_redis_outbox_is_empty(&outbox));
}

Test(redis_outbox, sends_the_mark_again_if_signals_were_given_up_after_it_was_sent)
{
    fr_redis_outbox_collapse(&outbox);
    expect_next(MARK);
    fr_redis_outbox_collapse(&outbox);
    expect_next(NULL);
    cr_assert(fr_redis_outbox_answer(&outbox, FRESHET_OK, 1));
    expect_next(MARK);
    fr_redis_outbox_lost(&outbox);
    expect_next(MARK);
    cr_assert(fr_redis_outbox_answer(&outbox, FRESHET_OK, 1));
    expect_next(NULL);
    expect_answers("");
}

Test(redis_outbox, lets_nothing_wait_longer_than_its_age)
{
    cr_assert(add("a", "1", true, 1, 0));
    cr_assert(add("b", "2", false, 2, 10));
    cr_assert(add("c", "3", false, 3, 900));
    fr_redis_outbox_age(&outbox, 999);
    expect_answers("");
    fr_redis_outbox_age(&outbox, 1010);
    expect_answers("2:4:-1;1:0:-1;");
    expect_next(WIRE("p:c", "3"));
    expect_next(MARK);
    expect_next(NULL);
}

Test(redis_outbox, answers_all_when_it_is_closed)
{
    cr_assert(add("a", "1", true, 1, 0));
    cr_assert(add("b", "2", false, 2, 0));
    cr_assert(add("c", "3", true, 3, 0));
    cr_assert(add("c", "4", true, 4, 0));
    expect_next(WIRE("p:a", "1"));
    fr_redis_outbox_close(&outbox);
    expect_answers("1:10:-1;2:10:-1;4:10:-1;3:10:-1;");
}

Test(redis_outbox, bounds_count_and_bytes)
{
    for (intptr_t i = 0; i < 4; i++)
        cr_assert(add("a", "1", false, i, 0));
    cr_assert_not(add("a", "1", false, 9, 0));
    fr_redis_outbox_close(&outbox);
    room.max_bytes = 100;
    cr_assert_not(add("a", "1", false, 1, 0));
    cr_assert_eq(room.count, 0);
}

/* contract 7.4: what a lost link had accepted is in doubt */
Test(redis_outbox, owes_the_mark_once_and_before_what_waits)
{
    cr_assert(add("a", "1", false, 1, 0));
    fr_redis_outbox_owe_mark(&outbox);
    fr_redis_outbox_owe_mark(&outbox);
    cr_assert(fr_redis_outbox_owes_mark(&outbox));
    expect_next(MARK);
    expect_next(WIRE("p:a", "1"));
    expect_next(NULL);
    /* Again while it is out: that one came too early. */
    fr_redis_outbox_owe_mark(&outbox);
    cr_assert(fr_redis_outbox_answer(&outbox, FRESHET_OK, 1));
    expect_answers("");
    expect_next(MARK);
    cr_assert(fr_redis_outbox_answer(&outbox, FRESHET_OK, 1));
    expect_answers("1:0:1;");
    cr_assert(fr_redis_outbox_answer(&outbox, FRESHET_OK, 1));
    cr_assert_not(fr_redis_outbox_owes_mark(&outbox));
    cr_assert(fr_redis_outbox_is_empty(&outbox));
}
