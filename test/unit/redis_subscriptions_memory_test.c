/* Subscriptions without memory: nothing is lost, it goes out later. */
#include <criterion/criterion.h>

#include "failing_memory.h"

#include "bus/redis/proto/channel.c"
#include "bus/redis/proto/subscriptions.c"

#include <stdio.h>

enum { CHANNELS = 8, FORBIDDEN = 5, COMMANDS = 64 };

static struct fr_redis_subscriptions subs;
static unsigned subscribed, refused;
static struct {
    size_t count;
    char names[CHANNELS][8];
} sent[COMMANDS];
static unsigned sent_count, answered_count;

static bool on_send(void *user, enum fr_redis_verb verb, const struct freshet_span *channels,
                    size_t channel_count)
{
    (void)user, (void)verb;
    cr_assert_lt(sent_count, COMMANDS);
    sent[sent_count].count = channel_count;
    for (size_t i = 0; i < channel_count; i++)
        snprintf(sent[sent_count].names[i], 8, "%.*s", (int)channels[i].len, channels[i].data);
    sent_count++;
    return true;
}

static void on_subscribed(void *user, struct freshet_span channel, uint64_t subscription)
{
    (void)user, (void)channel, (void)subscription;
    subscribed++;
}

static void on_refused(void *user, struct freshet_span channel, uint64_t subscription,
                       struct freshet_span reason)
{
    (void)user, (void)channel, (void)reason;
    cr_assert_eq(subscription, FORBIDDEN);
    refused++;
}

static const struct fr_redis_subscriptions_owner owner = {
    .send = on_send, .subscribed = on_subscribed, .refused = on_refused};

static bool tell(enum fr_redis_push_kind kind, const char *text)
{
    struct fr_redis_push push = {
        .kind = kind, .channel = freshet_span_text(text), .body = freshet_span_text(text)};
    return fr_redis_subscriptions_take(&subs, &push, 0);
}

/* As Redis does: all or nothing. */
static void answer_oldest(void)
{
    unsigned at = answered_count++;
    bool forbidden = false;
    for (size_t i = 0; i < sent[at].count; i++)
        forbidden = forbidden || atoi(sent[at].names[i]) == FORBIDDEN;
    if (forbidden)
        cr_assert(tell(FR_REDIS_PUSH_ERROR, "NOPERM no"));
    for (size_t i = 0; !forbidden && i < sent[at].count; i++)
        cr_assert(tell(FR_REDIS_PUSH_SUBSCRIBED, sent[at].names[i]));
}

Test(redis_subscriptions_memory, makes_no_channel_without_memory)
{
    allocations_left = 0;
    cr_assert_null(fr_redis_channel_new(freshet_span_text("p"), freshet_span_text("x"), 1));
    allocations_left = -1;
}

/* contract 7.6, when memory fails for a while at every command and in the middle of the halving */
Test(redis_subscriptions_memory, finds_the_forbidden_channel_once_commands_can_be_made)
{
    char name[8];
    cr_assert(fr_redis_subscriptions_init(&subs, &owner));
    for (int i = 0; i < CHANNELS; i++) {
        snprintf(name, sizeof(name), "%d", i);
        fr_redis_subscriptions_add(
            &subs, fr_redis_channel_new(freshet_span(NULL, 0), freshet_span_text(name), (uint64_t)i));
    }
    fr_redis_subscriptions_linked(&subs);
    for (unsigned round = 0; subscribed + refused < CHANNELS; round++) {
        cr_assert_lt(round, 100);
        unsigned before = sent_count;
        allocations_left = 0;
        fr_redis_subscriptions_pump(&subs, 0);
        fr_redis_subscriptions_ping(&subs);
        cr_assert_eq(sent_count, before);
        allocations_left = -1;
        fr_redis_subscriptions_pump(&subs, 0);
        allocations_left = round < 3 ? 0 : -1;
        answer_oldest();
    }
    allocations_left = -1;
    cr_assert_eq(refused, 1);
    cr_assert_eq(subscribed, CHANNELS - 1);
    cr_assert_eq(answered_count, sent_count);
    cr_assert_eq(subs.command_count, 0);
    fr_redis_subscriptions_deinit(&subs);
}
