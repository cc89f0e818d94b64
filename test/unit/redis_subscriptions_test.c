/* A scripted Redis: what the module sends, and what it makes of each answer. */
#include "base/buffer.h"
#include "base/clock.h"
#include "bus/redis/proto/subscriptions.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define LATER (31 * (int64_t)FR_US_PER_S)

static struct fr_redis_subscriptions subs;
static struct fr_buffer sent, told;
static bool broken;
static const char *const verbs[] = {"SUBSCRIBE", "UNSUBSCRIBE", "PING"};

static bool on_send(void *user, enum fr_redis_verb verb, const struct freshet_span *channels, size_t count)
{
    (void)user;
    if (broken)
        return false;
    fr_buffer_print(&sent, "%s", verbs[verb]);
    for (size_t i = 0; i < count; i++)
        fr_buffer_print(&sent, " %.*s", (int)channels[i].len, channels[i].data);
    fr_buffer_print(&sent, ";");
    return true;
}

static void on_subscribed(void *user, struct freshet_span channel, uint64_t subscription)
{
    (void)user;
    fr_buffer_print(&told, "%.*s=%d;", (int)channel.len, channel.data, (int)subscription);
}

static void on_refused(void *user, struct freshet_span channel, uint64_t subscription,
                       struct freshet_span reason)
{
    (void)user;
    (void)reason;
    fr_buffer_print(&told, "%.*s!%d;", (int)channel.len, channel.data, (int)subscription);
}

static void on_put_off(void *user, enum fr_redis_verb verb, struct freshet_span reason)
{
    (void)user;
    fr_buffer_print(&told, "%s?%.*s;", verbs[verb], (int)reason.len, reason.data);
}

static void on_pinged(void *user, uint64_t number)
{
    (void)user;
    fr_buffer_print(&told, "PING#%d;", (int)number);
}

static void set_up(void)
{
    struct fr_redis_subscriptions_owner owner = {.send = on_send,
                                                 .subscribed = on_subscribed,
                                                 .refused = on_refused,
                                                 .put_off = on_put_off,
                                                 .pinged = on_pinged};
    cr_assert(fr_redis_subscriptions_init(&subs, &owner));
}

static void tear_down(void)
{
    fr_redis_subscriptions_deinit(&subs);
    fr_buffer_deinit(&sent);
    fr_buffer_deinit(&told);
}

static void add(const char *name, uint64_t subscription)
{
    fr_redis_subscriptions_add(
        &subs, fr_redis_channel_new(freshet_span(NULL, 0), freshet_span_text(name), subscription));
}

static void drop(const char *name)
{
    fr_redis_subscriptions_remove(&subs, freshet_span_text(name));
}

static void pump(int64_t now_us)
{
    fr_redis_subscriptions_pump(&subs, now_us);
}

static bool answer(enum fr_redis_push_kind kind, const char *text)
{
    struct fr_redis_push push = {.kind = kind};
    push.channel = push.body = freshet_span_text(text);
    return fr_redis_subscriptions_take(&subs, &push, 0);
}

static bool acknowledge(const char *name)
{
    return answer(FR_REDIS_PUSH_SUBSCRIBED, name);
}

static void expect(struct fr_buffer *buffer, const char *text)
{
    cr_assert(freshet_span_equal(freshet_span(buffer->data, buffer->len), freshet_span_text(text)),
              "\"%.*s\" is not \"%s\"", (int)buffer->len, buffer->data, text);
    buffer->len = 0;
}

TestSuite(redis_subscriptions, .init = set_up, .fini = tear_down);

Test(redis_subscriptions, sends_nothing_without_a_link_and_all_in_one_batch_with_it)
{
    add("a", 1);
    add("b", 2);
    pump(0);
    expect(&sent, "");
    fr_redis_subscriptions_linked(&subs);
    pump(0);
    expect(&sent, "SUBSCRIBE a b;");
    cr_assert(acknowledge("a"));
    cr_assert(acknowledge("b"));
    expect(&told, "a=1;b=2;");
    cr_assert_eq(subs.confirmed, 2);
    cr_assert(fr_redis_subscriptions_is_confirmed(&subs, freshet_span_text("a")));
}

/* contract 4.11 */
Test(redis_subscriptions, counts_acknowledgements_by_command_and_not_by_name)
{
    fr_redis_subscriptions_linked(&subs);
    add("a", 1);
    pump(0);
    drop("a");
    pump(0);
    add("a", 2);
    pump(0);
    expect(&sent, "SUBSCRIBE a;UNSUBSCRIBE a;SUBSCRIBE a;");
    cr_assert(acknowledge("a"));
    expect(&told, "");
    cr_assert_eq(subs.confirmed, 0);
    cr_assert(answer(FR_REDIS_PUSH_UNSUBSCRIBED, "a"));
    cr_assert(acknowledge("a"));
    expect(&told, "a=2;");
    cr_assert_eq(subs.channels.count, 1);
}

Test(redis_subscriptions, forgets_a_channel_when_its_unsubscribe_is_through)
{
    fr_redis_subscriptions_linked(&subs);
    add("a", 1);
    pump(0);
    cr_assert(acknowledge("a"));
    drop("a");
    drop("a");
    drop("unknown");
    pump(0);
    expect(&sent, "SUBSCRIBE a;UNSUBSCRIBE a;");
    cr_assert_eq(subs.wanted, 0);
    cr_assert_eq(subs.confirmed, 0);
    cr_assert_eq(subs.channels.count, 1);
    cr_assert(answer(FR_REDIS_PUSH_UNSUBSCRIBED, "a"));
    cr_assert_eq(subs.channels.count, 0);
    pump(0);
    expect(&sent, "");
}

Test(redis_subscriptions, drops_what_was_never_sent_without_a_word)
{
    fr_redis_subscriptions_linked(&subs);
    add("a", 1);
    drop("a");
    pump(0);
    expect(&sent, "");
    cr_assert_eq(subs.channels.count, 0);
}

/* contract 7.4 */
Test(redis_subscriptions, asks_for_everything_again_after_a_loss)
{
    fr_redis_subscriptions_linked(&subs);
    add("a", 1);
    add("b", 2);
    pump(0);
    cr_assert(acknowledge("a"));
    drop("b");
    pump(0);
    fr_redis_subscriptions_lost(&subs);
    cr_assert_eq(subs.confirmed, 0);
    cr_assert_eq(subs.channels.count, 1);
    expect(&told, "a=1;");
    sent.len = 0;
    pump(0);
    expect(&sent, "");
    fr_redis_subscriptions_linked(&subs);
    pump(0);
    expect(&sent, "SUBSCRIBE a;");
    cr_assert(acknowledge("a"));
    expect(&told, "a=1;");
}

/* contract 7.6 */
Test(redis_subscriptions, halves_a_refused_batch_until_the_channel_is_found)
{
    fr_redis_subscriptions_linked(&subs);
    add("a", 1);
    add("b", 2);
    add("x", 3);
    add("c", 4);
    pump(0);
    expect(&sent, "SUBSCRIBE a b x c;");
    cr_assert(answer(FR_REDIS_PUSH_ERROR, "NOPERM"));
    expect(&sent, "SUBSCRIBE a b;SUBSCRIBE x c;");
    cr_assert(acknowledge("a"));
    cr_assert(acknowledge("b"));
    cr_assert(answer(FR_REDIS_PUSH_ERROR, "NOPERM"));
    expect(&sent, "SUBSCRIBE x;SUBSCRIBE c;");
    cr_assert(answer(FR_REDIS_PUSH_ERROR, "NOPERM"));
    cr_assert(acknowledge("c"));
    expect(&told, "a=1;b=2;x!3;c=4;");

    /* Alone and later; told once; in force when it comes through. */
    pump(0);
    expect(&sent, "");
    pump(LATER);
    expect(&sent, "SUBSCRIBE x;");
    cr_assert(answer(FR_REDIS_PUSH_ERROR, "NOPERM"));
    expect(&told, "");
    add("d", 5);
    pump(2 * LATER);
    expect(&sent, "SUBSCRIBE d;SUBSCRIBE x;");
    cr_assert(acknowledge("d"));
    cr_assert(acknowledge("x"));
    expect(&told, "d=5;x=3;");
}

Test(redis_subscriptions, tries_a_refused_channel_alone_after_a_loss)
{
    fr_redis_subscriptions_linked(&subs);
    add("x", 1);
    pump(0);
    cr_assert(answer(FR_REDIS_PUSH_ERROR, "NOPERM"));
    add("a", 2);
    fr_redis_subscriptions_lost(&subs);
    fr_redis_subscriptions_linked(&subs);
    sent.len = 0;
    pump(0);
    expect(&sent, "SUBSCRIBE a;SUBSCRIBE x;");
    cr_assert(acknowledge("a"));
    cr_assert(answer(FR_REDIS_PUSH_ERROR, "NOPERM"));
    expect(&told, "x!1;a=2;x!1;");
}

Test(redis_subscriptions, leaves_out_of_the_halves_what_is_no_longer_wanted)
{
    fr_redis_subscriptions_linked(&subs);
    add("a", 1);
    add("b", 2);
    add("x", 3);
    pump(0);
    drop("a");
    cr_assert(answer(FR_REDIS_PUSH_ERROR, "NOPERM"));
    expect(&sent, "SUBSCRIBE a b x;SUBSCRIBE b;SUBSCRIBE x;");
}

Test(redis_subscriptions, says_break_to_answers_that_do_not_fit)
{
    fr_redis_subscriptions_linked(&subs);
    cr_assert_not(acknowledge("nothing asked"));
    cr_assert_not(answer(FR_REDIS_PUSH_PONG, ""));
    cr_assert_not(answer(FR_REDIS_PUSH_ERROR, "NOPERM"));
    cr_assert_not(answer(FR_REDIS_PUSH_OTHER, ""));
    add("a", 1);
    pump(0);
    cr_assert_not(acknowledge("b"));
    cr_assert_not(answer(FR_REDIS_PUSH_UNSUBSCRIBED, "a"));
    cr_assert_not(answer(FR_REDIS_PUSH_ERROR, "NOAUTH Authentication required."));
    cr_assert_not(answer(FR_REDIS_PUSH_ERROR, "MOVED 1 host:1"));
}

Test(redis_subscriptions, matches_pongs_among_acknowledgements)
{
    fr_redis_subscriptions_linked(&subs);
    add("a", 1);
    pump(0);
    cr_assert_eq(fr_redis_subscriptions_ping(&subs), 2);
    add("b", 2);
    pump(0);
    cr_assert_not(answer(FR_REDIS_PUSH_PONG, ""));
    cr_assert(acknowledge("a"));
    cr_assert(answer(FR_REDIS_PUSH_PONG, ""));
    cr_assert(acknowledge("b"));
    expect(&told, "a=1;PING#2;b=2;");
}

/* contract 7.6: an error that is not about the link is an answer */
Test(redis_subscriptions, takes_any_error_but_of_the_login_for_the_answer_to_a_ping)
{
    static const char *const errors[] = {"MISCONF Redis is configured to save RDB snapshots, ...",
                                         "NOPERM this user has no permissions to run the 'ping' command",
                                         "BUSY Redis is busy running a script.", "WHO KNOWS"};
    fr_redis_subscriptions_linked(&subs);
    add("a", 1);
    pump(0);
    cr_assert(acknowledge("a"));
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        fr_redis_subscriptions_ping(&subs);
        cr_assert(answer(FR_REDIS_PUSH_ERROR, errors[i]), "%s", errors[i]);
    }
    cr_assert_eq(subs.command_count, 0);
    expect(&told, "a=1;PING#2;PING#3;PING#4;PING#5;");
    fr_redis_subscriptions_ping(&subs);
    cr_assert_not(answer(FR_REDIS_PUSH_ERROR, "NOAUTH Authentication required."));
}

/* contract 7.6 */
Test(redis_subscriptions, asks_again_later_for_what_is_refused_for_now_and_keeps_what_it_has)
{
    fr_redis_subscriptions_linked(&subs);
    add("a", 1);
    pump(0);
    cr_assert(acknowledge("a"));
    add("b", 2);
    add("c", 3);
    pump(0);
    cr_assert(answer(FR_REDIS_PUSH_ERROR, "BUSY Redis is busy running a script."));
    expect(&sent, "SUBSCRIBE a;SUBSCRIBE b c;");
    expect(&told, "a=1;SUBSCRIBE?BUSY Redis is busy running a script.;");
    pump(1);
    expect(&sent, "");
    drop("a");
    pump(1);
    expect(&sent, "UNSUBSCRIBE a;");
    cr_assert(answer(FR_REDIS_PUSH_UNSUBSCRIBED, "a"));
    pump(FR_US_PER_S);
    expect(&sent, "SUBSCRIBE b c;");
    cr_assert(acknowledge("b"));
    cr_assert(acknowledge("c"));
    expect(&told, "b=2;c=3;");
}

/* contract 7.6: without the right to unsubscribe, Redis keeps what is not wanted, and that is all */
Test(redis_subscriptions, asks_once_on_a_link_when_it_may_not_unsubscribe)
{
    fr_redis_subscriptions_linked(&subs);
    add("a", 1);
    add("b", 2);
    add("c", 3);
    pump(0);
    cr_assert(acknowledge("a"));
    cr_assert(acknowledge("b"));
    cr_assert(acknowledge("c"));
    expect(&told, "a=1;b=2;c=3;");
    drop("a");
    pump(0);
    drop("b");
    cr_assert(answer(FR_REDIS_PUSH_ERROR, "NOPERM"));
    expect(&sent, "SUBSCRIBE a b c;UNSUBSCRIBE a;");
    expect(&told, "UNSUBSCRIBE?NOPERM;");
    pump(0);
    drop("c");
    pump(0);
    expect(&sent, "");
    cr_assert_eq(subs.channels.count, 0);
    add("a", 4);
    pump(0);
    cr_assert(acknowledge("a"));
    expect(&told, "a=4;");
    fr_redis_subscriptions_lost(&subs);
    fr_redis_subscriptions_linked(&subs);
    pump(0);
    cr_assert(acknowledge("a"));
    drop("a");
    pump(0);
    expect(&sent, "SUBSCRIBE a;SUBSCRIBE a;UNSUBSCRIBE a;");
}

Test(redis_subscriptions, keeps_batches_and_unanswered_commands_bounded)
{
    char name[32];
    fr_redis_subscriptions_linked(&subs);
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        add(name, (uint64_t)i);
    }
    pump(0);
    cr_assert_eq(subs.command_count, 64);
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        cr_assert(acknowledge(name));
        pump(0);
    }
    cr_assert_eq(subs.confirmed, 20000);
    cr_assert_eq(subs.command_count, 0);
}

Test(redis_subscriptions, waits_on_when_nothing_can_be_sent)
{
    fr_redis_subscriptions_linked(&subs);
    broken = true;
    add("a", 1);
    pump(0);
    broken = false;
    pump(0);
    expect(&sent, "SUBSCRIBE a;");
}
