/* A subscribe link with lanes of a cluster, without a link: what is asked is written down, what Redis says is
 * scripted. */
#include "base/buffer.h"
#include "bus/redis/shard/hearing.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define NOW_US 1000000

struct fr_redis_shard {
    char unused;
};

static struct fr_redis_shard here, elsewhere;
static struct fr_redis_answers answers;
static struct fr_redis_lane lanes[2];
static struct fr_buffer sent, told;
static struct fr_redis_hearing hearing = {.answers = &answers, .is_sharded = true, .shard = &here};

static bool on_send(void *user, enum fr_redis_verb verb, const struct freshet_span *channels, size_t count)
{
    static const char *const verbs[] = {"SUB", "UNSUB", "PING"};
    struct fr_redis_lane *lane = user;
    fr_buffer_print(&sent, "%s", verbs[verb]);
    for (size_t i = 0; i < count; i++)
        fr_buffer_print(&sent, " %.*s", (int)channels[i].len, channels[i].data);
    fr_buffer_print(&sent, ";");
    cr_assert(fr_redis_answers_reserve(&answers));
    fr_redis_answers_add(&answers, &(struct fr_redis_awaited){.owner = lane,
                                                              .epoch = lane->epoch,
                                                              .count = count == 0 ? 1 : (uint32_t)count,
                                                              .kind = (int)verb});
    return true;
}

static void on_subscribed(void *user, struct freshet_span channel, uint64_t subscription)
{
    (void)user, (void)subscription;
    fr_buffer_print(&told, "+%.*s;", (int)channel.len, channel.data);
}

static void on_lost(void *user, struct freshet_span channel, uint64_t subscription)
{
    (void)user, (void)subscription;
    fr_buffer_print(&told, "-%.*s;", (int)channel.len, channel.data);
}

static void on_put_off(void *user, enum fr_redis_verb verb, struct freshet_span reason)
{
    (void)user, (void)verb;
    fr_buffer_print(&told, "?%.*s;", (int)reason.len, reason.data);
}

static void on_pinged(void *user, uint64_t number)
{
    (void)user, (void)number;
    fr_buffer_print(&told, "pong;");
}

static void set_up(void)
{
    for (int i = 0; i < 2; i++) {
        struct fr_redis_subscriptions_owner owner = {.user = &lanes[i],
                                                     .send = on_send,
                                                     .subscribed = on_subscribed,
                                                     .lost = on_lost,
                                                     .put_off = on_put_off,
                                                     .pinged = on_pinged};
        lanes[i] = (struct fr_redis_lane){.slot = (uint16_t)(100 + i), .shard = &here};
        cr_assert(fr_redis_subscriptions_init(&lanes[i].subscriptions, &owner));
        fr_redis_subscriptions_linked(&lanes[i].subscriptions);
    }
}

static void tear_down(void)
{
    for (int i = 0; i < 2; i++)
        fr_redis_subscriptions_deinit(&lanes[i].subscriptions);
    fr_redis_answers_deinit(&answers);
    fr_buffer_deinit(&sent);
    fr_buffer_deinit(&told);
}

TestSuite(redis_hearing, .init = set_up, .fini = tear_down);

/* Channels of lane 0 begin with a, those of lane 1 with b. */
static struct fr_redis_lane *lane_of(const char *channel)
{
    return &lanes[channel[0] == 'b'];
}

static void want(const char *channel)
{
    fr_redis_subscriptions_add(&lane_of(channel)->subscriptions,
                               fr_redis_channel_new(freshet_span(NULL, 0), freshet_span_text(channel), 1));
}

static void drop(const char *channel)
{
    fr_redis_subscriptions_remove(&lane_of(channel)->subscriptions, freshet_span_text(channel));
}

static void pump(void)
{
    for (int i = 0; i < 2; i++)
        fr_redis_subscriptions_pump(&lanes[i].subscriptions, NOW_US);
}

/* As the shard's lane leaves, and joins another one, or the same again. */
static void leave(int lane)
{
    lanes[lane].epoch++;
    lanes[lane].shard = NULL;
    fr_redis_subscriptions_lost(&lanes[lane].subscriptions);
}

static void join(int lane, struct fr_redis_shard *shard)
{
    lanes[lane].shard = shard;
    if (shard == &here)
        fr_redis_subscriptions_linked(&lanes[lane].subscriptions);
}

static enum fr_redis_heard hear(enum fr_redis_push_kind kind, const char *text)
{
    bool is_error = kind == FR_REDIS_PUSH_ERROR, is_pong = kind == FR_REDIS_PUSH_PONG;
    struct fr_redis_push push = {.kind = kind};
    if (is_error)
        push.body = freshet_span_text(text);
    else if (!is_pong)
        push.channel = freshet_span_text(text);
    return fr_redis_hearing_take(&hearing, &push, is_error || is_pong ? NULL : lane_of(text), NOW_US);
}

static void expect_well(enum fr_redis_push_kind kind, const char *text)
{
    cr_assert_eq(hear(kind, text), FR_REDIS_HEARD_WELL, "%s", text);
}

static void expect_astray(enum fr_redis_push_kind kind, const char *text, int lane)
{
    cr_assert_eq(hear(kind, text), FR_REDIS_HEARD_ASTRAY, "%s", text);
    cr_assert_eq(hearing.astray, &lanes[lane], "%s", text);
}

static void expect(struct fr_buffer *buffer, const char *text)
{
    cr_assert(freshet_span_equal(freshet_span(buffer->data, buffer->len), freshet_span_text(text)),
              "\"%.*s\" is not \"%s\"", (int)buffer->len, buffer->data, text);
    buffer->len = 0;
}

static void subscribe(const char *first, const char *second)
{
    want(first);
    want(second);
    pump();
    expect_well(FR_REDIS_PUSH_SUBSCRIBED, first);
    expect_well(FR_REDIS_PUSH_SUBSCRIBED, second);
    sent.len = told.len = 0;
}

/* In any order. */
static void expect_both_lost(void)
{
    cr_assert_eq(told.len, strlen("-a1;-a2;"));
    told.len = 0;
}

/* contract 7.9: no command names channels of two slots. */
Test(redis_hearing, each_command_names_channels_of_one_lane)
{
    want("a1");
    want("b1");
    want("a2");
    want("b2");
    pump();
    expect(&sent, "SUB a1 a2;SUB b1 b2;");
    expect_well(FR_REDIS_PUSH_SUBSCRIBED, "a1");
    expect_well(FR_REDIS_PUSH_SUBSCRIBED, "a2");
    expect_well(FR_REDIS_PUSH_SUBSCRIBED, "b1");
    expect_well(FR_REDIS_PUSH_SUBSCRIBED, "b2");
    expect(&told, "+a1;+a2;+b1;+b2;");
    cr_assert(fr_redis_answers_is_empty(&answers));
}

/* contract 7.9 */
Test(redis_hearing, an_unasked_farewell_sends_the_lane_astray)
{
    subscribe("a1", "a2");
    expect_astray(FR_REDIS_PUSH_UNSUBSCRIBED, "a1", 0);
    cr_assert_eq(hearing.redirect.kind, FR_REDIS_REDIRECT_NONE);
    leave(0);
    expect_both_lost();
    expect_well(FR_REDIS_PUSH_UNSUBSCRIBED, "a2");
    expect(&told, "");
}

/* contract 7.9: the farewell to a1 is unasked, though one was asked for; the answer to that is the error. */
Test(redis_hearing, an_unasked_farewell_is_never_taken_for_the_answer_that_matters)
{
    subscribe("a1", "a2");
    drop("a1");
    pump();
    expect(&sent, "UNSUB a1;");
    want("b1");
    pump();
    expect_well(FR_REDIS_PUSH_UNSUBSCRIBED, "a1"); /* nobody wants it: either way is fine */
    expect_astray(FR_REDIS_PUSH_UNSUBSCRIBED, "a2", 0);
    leave(0);
    expect_well(FR_REDIS_PUSH_ERROR, "MOVED 100 127.0.0.1:2"); /* of UNSUB a1, and not of SUB b1 */
    expect_well(FR_REDIS_PUSH_SUBSCRIBED, "b1");
    expect(&told, "-a2;+b1;");
    cr_assert(fr_redis_answers_is_empty(&answers));
}

/* contract 7.9 */
Test(redis_hearing, farewells_in_another_order_than_asked_are_unasked)
{
    subscribe("a1", "a2");
    want("a3");
    pump();
    expect_well(FR_REDIS_PUSH_SUBSCRIBED, "a3");
    drop("a1");
    drop("a2");
    pump();
    expect_astray(FR_REDIS_PUSH_UNSUBSCRIBED, "a3", 0);
    leave(0);
    expect_well(FR_REDIS_PUSH_UNSUBSCRIBED, "a2");
    expect_well(FR_REDIS_PUSH_UNSUBSCRIBED, "a1");
    expect_well(FR_REDIS_PUSH_ERROR, "MOVED 100 127.0.0.1:2");
    cr_assert(fr_redis_answers_is_empty(&answers));
}

/* contract 7.9: the slot comes back at once, and what was asked before says nothing about now. */
Test(redis_hearing, answers_to_a_lane_that_left_are_nobodys_also_when_it_is_back)
{
    want("a1");
    pump();
    leave(0);
    join(0, &here);
    pump();
    expect(&sent, "SUB a1;SUB a1;");
    expect_well(FR_REDIS_PUSH_SUBSCRIBED, "a1"); /* to the first */
    expect(&told, "");
    expect_well(FR_REDIS_PUSH_SUBSCRIBED, "a1");
    expect(&told, "+a1;");
    cr_assert(fr_redis_answers_is_empty(&answers));
}

/* contract 7.9 */
Test(redis_hearing, an_unsubscribe_that_overtakes_the_subscribe_leaves_nothing_confirmed)
{
    want("a1");
    pump();
    drop("a1");
    pump();
    expect(&sent, "SUB a1;UNSUB a1;");
    want("a1");
    expect_well(FR_REDIS_PUSH_SUBSCRIBED, "a1");
    expect(&told, "");
    expect_well(FR_REDIS_PUSH_UNSUBSCRIBED, "a1");
    pump();
    expect_well(FR_REDIS_PUSH_SUBSCRIBED, "a1");
    expect(&told, "+a1;");
}

/* contract 7.9 */
Test(redis_hearing, a_refused_subscribe_says_where_the_slot_is)
{
    want("a1");
    want("b1");
    pump();
    expect_astray(FR_REDIS_PUSH_ERROR, "MOVED 100 10.0.0.2:7002", 0);
    cr_assert_eq(hearing.redirect.kind, FR_REDIS_REDIRECT_MOVED);
    cr_assert_str_eq(hearing.redirect.address.name, "10.0.0.2");
    leave(0);
    join(0, &elsewhere);
    expect_well(FR_REDIS_PUSH_SUBSCRIBED, "b1");
    expect(&told, "+b1;");
}

/* contract 7.9: a slot that is nobody's concerns its lane, and not the link. */
Test(redis_hearing, a_slot_of_nobody_is_astray_and_the_link_stays)
{
    want("a1");
    pump();
    expect_astray(FR_REDIS_PUSH_ERROR, "CLUSTERDOWN Hash slot not served", 0);
}

Test(redis_hearing, farewells_to_a_lane_that_is_elsewhere_are_no_news)
{
    subscribe("a1", "a2");
    leave(0);
    join(0, &elsewhere);
    expect_both_lost();
    expect_well(FR_REDIS_PUSH_UNSUBSCRIBED, "a1");
    expect_well(FR_REDIS_PUSH_UNSUBSCRIBED, "a2");
    expect(&told, "");
}

Test(redis_hearing, a_ping_is_answered_in_its_turn)
{
    want("a1");
    pump();
    cr_assert_neq(fr_redis_subscriptions_ping(&lanes[1].subscriptions), 0);
    cr_assert_eq(hear(FR_REDIS_PUSH_PONG, ""), FR_REDIS_HEARD_NONSENSE);
    expect_well(FR_REDIS_PUSH_SUBSCRIBED, "a1");
    expect_well(FR_REDIS_PUSH_PONG, "");
    expect(&told, "+a1;pong;");
}

Test(redis_hearing, what_nobody_asked_for_is_nonsense)
{
    cr_assert_eq(hear(FR_REDIS_PUSH_SUBSCRIBED, "a1"), FR_REDIS_HEARD_NONSENSE);
    cr_assert_eq(hear(FR_REDIS_PUSH_PONG, ""), FR_REDIS_HEARD_NONSENSE);
    cr_assert_eq(hear(FR_REDIS_PUSH_ERROR, "ERR what"), FR_REDIS_HEARD_NONSENSE);
    want("a1");
    pump();
    cr_assert_eq(hear(FR_REDIS_PUSH_ERROR, "NOAUTH Authentication required."), FR_REDIS_HEARD_NONSENSE);
}

/* A Redis that stands alone never says farewell unasked, and MOVED is for the link's owner to judge. */
Test(redis_hearing, outside_of_a_cluster_an_unasked_farewell_is_nonsense)
{
    subscribe("a1", "a2");
    hearing.is_sharded = false;
    cr_assert_eq(hear(FR_REDIS_PUSH_UNSUBSCRIBED, "a1"), FR_REDIS_HEARD_NONSENSE);
}
