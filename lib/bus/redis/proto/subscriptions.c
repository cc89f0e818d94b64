#include "bus/redis/proto/subscriptions.h"

#include "base/clock.h"
#include "base/log.h"
#include "bus/redis/proto/fault.h"
#include <stdlib.h>

#define MAX_UNANSWERED 64 /* unless it is set; halving a refused one may exceed it */
#define RETRY_US       (30 * (int64_t)FR_US_PER_S)
#define PUT_OFF_US     ((int64_t)FR_US_PER_S)

struct command {
    struct fr_list link;
    enum fr_redis_verb verb;
    uint64_t number;
    size_t count, answered;
    struct fr_redis_channel *channels[];
};

static void count(atomic_uint_fast64_t *gauge, int by)
{
    atomic_fetch_add_explicit(gauge, (uint64_t)(int64_t)by, memory_order_relaxed);
}

static bool is_wanted(const struct fr_redis_channel *channel)
{
    return channel->state < FR_REDIS_CHANNEL_LEAVING;
}

/* Enters a state: the one place that changes it, the lists and the gauges. */
static void enter(struct fr_redis_subscriptions *subs, struct fr_redis_channel *channel,
                  enum fr_redis_channel_state state)
{
    if (channel->state == FR_REDIS_CHANNEL_CONFIRMED)
        count(&subs->confirmed, -1);
    if (is_wanted(channel) != (state < FR_REDIS_CHANNEL_LEAVING))
        count(&subs->wanted, is_wanted(channel) ? -1 : 1);
    fr_list_remove(&channel->link);
    channel->state = state;
    if (state == FR_REDIS_CHANNEL_WAITING)
        fr_list_append(&subs->waiting, &channel->link);
    else if (state == FR_REDIS_CHANNEL_REFUSED)
        fr_list_append(&subs->refused, &channel->link);
    else if (state == FR_REDIS_CHANNEL_LEAVING)
        fr_list_append(&subs->leaving, &channel->link);
    else if (state == FR_REDIS_CHANNEL_CONFIRMED)
        count(&subs->confirmed, 1);
}

static void forget_if_idle(struct fr_redis_subscriptions *subs, struct fr_redis_channel *channel)
{
    if (channel->state != FR_REDIS_CHANNEL_LEFT || channel->references > 0)
        return;
    fr_map_remove(&subs->channels, &channel->node);
    free(channel);
}

bool fr_redis_subscriptions_init(struct fr_redis_subscriptions *subs,
                                 const struct fr_redis_subscriptions_owner *owner)
{
    *subs = (struct fr_redis_subscriptions){.owner = *owner, .subscribes_us = INT64_MIN};
    if (subs->owner.max_unanswered == 0)
        subs->owner.max_unanswered = MAX_UNANSWERED;
    fr_list_init(&subs->waiting);
    fr_list_init(&subs->refused);
    fr_list_init(&subs->leaving);
    fr_list_init(&subs->commands);
    return fr_map_init(&subs->channels);
}

static void drop_commands(struct fr_redis_subscriptions *subs)
{
    for (struct fr_list *link; (link = fr_list_shift(&subs->commands)) != NULL;) {
        struct command *command = FR_CONTAINER(link, struct command, link);
        for (size_t i = command->answered; i < command->count; i++)
            command->channels[i]->references--;
        free(command);
    }
    subs->command_count = 0;
}

void fr_redis_subscriptions_deinit(struct fr_redis_subscriptions *subs)
{
    if (subs->channels.buckets == NULL)
        return;
    drop_commands(subs);
    for (struct fr_map_node *node = fr_map_next(&subs->channels, NULL), *next; node != NULL; node = next) {
        next = fr_map_next(&subs->channels, node);
        free(FR_CONTAINER(node, struct fr_redis_channel, node));
    }
    fr_map_deinit(&subs->channels);
}

static struct fr_redis_channel *find(const struct fr_redis_subscriptions *subs, struct freshet_span name)
{
    struct fr_map_node *node = fr_map_get(&subs->channels, name);
    return node == NULL ? NULL : FR_CONTAINER(node, struct fr_redis_channel, node);
}

void fr_redis_subscriptions_add(struct fr_redis_subscriptions *subs, struct fr_redis_channel *added)
{
    struct fr_redis_channel *channel = find(subs, fr_redis_channel_name(added));
    if (channel == NULL) {
        channel = added;
        fr_map_put(&subs->channels, fr_redis_channel_name(added), &added->node);
    } else {
        channel->subscription = added->subscription;
        channel->told_refused = false;
        free(added);
    }
    enter(subs, channel, FR_REDIS_CHANNEL_WAITING);
}

void fr_redis_subscriptions_remove(struct fr_redis_subscriptions *subs, struct freshet_span name)
{
    struct fr_redis_channel *channel = find(subs, name);
    if (channel == NULL || !is_wanted(channel))
        return;
    /* One that Redis never heard of on this link needs no farewell. */
    bool known =
        subs->linked && !subs->keeps && channel->state != FR_REDIS_CHANNEL_REFUSED && channel->command > 0;
    enter(subs, channel, known ? FR_REDIS_CHANNEL_LEAVING : FR_REDIS_CHANNEL_LEFT);
    forget_if_idle(subs, channel);
}

bool fr_redis_subscriptions_is_wanted(const struct fr_redis_subscriptions *subs, struct freshet_span name)
{
    const struct fr_redis_channel *channel = find(subs, name);
    return channel != NULL && is_wanted(channel);
}

bool fr_redis_subscriptions_is_confirmed(const struct fr_redis_subscriptions *subs, struct freshet_span name)
{
    const struct fr_redis_channel *channel = find(subs, name);
    return channel != NULL && channel->state == FR_REDIS_CHANNEL_CONFIRMED;
}

void fr_redis_subscriptions_linked(struct fr_redis_subscriptions *subs)
{
    subs->linked = true;
}

void fr_redis_subscriptions_lost(struct fr_redis_subscriptions *subs)
{
    subs->linked = subs->keeps = false;
    subs->subscribes_us = INT64_MIN;
    drop_commands(subs);
    for (struct fr_map_node *node = fr_map_next(&subs->channels, NULL), *next; node != NULL; node = next) {
        next = fr_map_next(&subs->channels, node);
        struct fr_redis_channel *channel = FR_CONTAINER(node, struct fr_redis_channel, node);
        channel->command = 0;
        channel->told_refused = false;
        channel->retry_us = INT64_MIN;
        if (channel->state == FR_REDIS_CHANNEL_CONFIRMED && subs->owner.lost != NULL)
            subs->owner.lost(subs->owner.user, fr_redis_channel_name(channel), channel->subscription);
        if (!is_wanted(channel))
            enter(subs, channel, FR_REDIS_CHANNEL_LEFT);
        else if (channel->state != FR_REDIS_CHANNEL_REFUSED)
            enter(subs, channel, FR_REDIS_CHANNEL_WAITING);
        forget_if_idle(subs, channel);
    }
}

/* Sends one command for `count` channels and remembers it. */
static bool issue(struct fr_redis_subscriptions *subs, enum fr_redis_verb verb,
                  struct fr_redis_channel **channels, size_t channel_count)
{
    struct freshet_span names[FR_REDIS_BATCH] = {{NULL, 0}};
    struct command *command = malloc(sizeof(*command) + channel_count * sizeof(*channels));
    for (size_t i = 0; i < channel_count; i++)
        names[i] = fr_redis_channel_name(channels[i]);
    if (command == NULL || !subs->owner.send(subs->owner.user, verb, names, channel_count)) {
        free(command);
        return false;
    }
    *command = (struct command){.verb = verb, .number = ++subs->last_command, .count = channel_count};
    fr_list_init(&command->link);
    fr_list_append(&subs->commands, &command->link);
    subs->command_count++;
    for (size_t i = 0; i < channel_count; i++) {
        command->channels[i] = channels[i];
        channels[i]->references++;
        channels[i]->command = command->number;
        enter(subs, channels[i], verb == FR_REDIS_SUBSCRIBE ? FR_REDIS_CHANNEL_ASKED : FR_REDIS_CHANNEL_LEFT);
    }
    return true;
}

/* The first of a list, up to a batch; false: nothing could be sent. */
static bool issue_list(struct fr_redis_subscriptions *subs, enum fr_redis_verb verb, struct fr_list *list)
{
    struct fr_redis_channel *channels[FR_REDIS_BATCH];
    size_t channel_count = 0;
    for (struct fr_list *at = list->next; at != list && channel_count < FR_REDIS_BATCH; at = at->next)
        channels[channel_count++] = FR_CONTAINER(at, struct fr_redis_channel, link);
    return channel_count > 0 && issue(subs, verb, channels, channel_count);
}

static bool issue_retry(struct fr_redis_subscriptions *subs, int64_t now_us)
{
    if (fr_list_is_empty(&subs->refused))
        return false;
    struct fr_redis_channel *channel = FR_CONTAINER(subs->refused.next, struct fr_redis_channel, link);
    return channel->retry_us <= now_us && issue(subs, FR_REDIS_SUBSCRIBE, &channel, 1);
}

void fr_redis_subscriptions_pump(struct fr_redis_subscriptions *subs, int64_t now_us)
{
    bool asks = now_us >= subs->subscribes_us;
    while (subs->linked && subs->command_count < subs->owner.max_unanswered)
        if (!(asks && issue_list(subs, FR_REDIS_SUBSCRIBE, &subs->waiting)) &&
            !issue_list(subs, FR_REDIS_UNSUBSCRIBE, &subs->leaving) && !(asks && issue_retry(subs, now_us)))
            return;
}

uint64_t fr_redis_subscriptions_ping(struct fr_redis_subscriptions *subs)
{
    return issue(subs, FR_REDIS_PING, NULL, 0) ? subs->last_command : 0;
}

static struct command *oldest(const struct fr_redis_subscriptions *subs)
{
    return fr_list_is_empty(&subs->commands) ? NULL : FR_CONTAINER(subs->commands.next, struct command, link);
}

static void finish(struct fr_redis_subscriptions *subs, struct command *command)
{
    fr_list_remove(&command->link);
    subs->command_count--;
    free(command);
}

static bool acknowledge(struct fr_redis_subscriptions *subs, enum fr_redis_verb verb,
                        struct freshet_span name)
{
    struct command *command = oldest(subs);
    if (command == NULL || command->verb != verb ||
        !freshet_span_equal(fr_redis_channel_name(command->channels[command->answered]), name))
        return false;
    struct fr_redis_channel *channel = command->channels[command->answered++];
    channel->references--;
    if (verb == FR_REDIS_SUBSCRIBE && channel->state == FR_REDIS_CHANNEL_ASKED &&
        channel->command == command->number) {
        enter(subs, channel, FR_REDIS_CHANNEL_CONFIRMED);
        subs->owner.subscribed(subs->owner.user, fr_redis_channel_name(channel), channel->subscription);
    }
    forget_if_idle(subs, channel);
    if (command->answered == command->count)
        finish(subs, command);
    return true;
}

static void refuse(struct fr_redis_subscriptions *subs, struct fr_redis_channel *channel,
                   struct freshet_span reason, int64_t now_us)
{
    channel->retry_us = now_us + RETRY_US;
    enter(subs, channel, FR_REDIS_CHANNEL_REFUSED);
    if (!channel->told_refused)
        subs->owner.refused(subs->owner.user, fr_redis_channel_name(channel), channel->subscription, reason);
    channel->told_refused = true;
}

static void ask_again(struct fr_redis_subscriptions *subs, struct fr_redis_channel **channels,
                      size_t channel_count)
{
    if (issue(subs, FR_REDIS_SUBSCRIBE, channels, channel_count))
        return;
    for (size_t i = 0; i < channel_count; i++)
        enter(subs, channels[i], FR_REDIS_CHANNEL_WAITING);
}

/* One of them is forbidden, and all were refused: finds out which, one half at a time. */
static void halve(struct fr_redis_subscriptions *subs, struct fr_redis_channel **channels,
                  size_t channel_count, struct freshet_span reason, int64_t now_us)
{
    size_t half = channel_count / 2;
    if (channel_count == 1) {
        refuse(subs, channels[0], reason, now_us);
    } else if (channel_count > 1) {
        ask_again(subs, channels, half);
        ask_again(subs, channels + half, channel_count - half);
    }
}

/* Of the channels of a refused command, those that still count on it; the others let go of it. */
static size_t gather(struct fr_redis_subscriptions *subs, struct command *command,
                     struct fr_redis_channel **channels)
{
    size_t found = 0;
    for (size_t i = command->answered; i < command->count; i++) {
        struct fr_redis_channel *channel = command->channels[i];
        channel->references--;
        if (channel->state == FR_REDIS_CHANNEL_ASKED && channel->command == command->number)
            channels[found++] = channel;
        else
            forget_if_idle(subs, channel);
    }
    return found;
}

/* Not now. The link is good for what it has. */
static void put_off(struct fr_redis_subscriptions *subs, struct fr_redis_channel **channels,
                    size_t channel_count, struct freshet_span reason, int64_t now_us)
{
    subs->subscribes_us = now_us + PUT_OFF_US;
    for (size_t i = 0; i < channel_count; i++)
        enter(subs, channels[i], FR_REDIS_CHANNEL_WAITING);
    subs->owner.put_off(subs->owner.user, FR_REDIS_SUBSCRIBE, reason);
}

/* Asking again would be refused again. */
static void stop_unsubscribing(struct fr_redis_subscriptions *subs, struct freshet_span reason)
{
    if (!subs->keeps)
        subs->owner.put_off(subs->owner.user, FR_REDIS_UNSUBSCRIBE, reason);
    subs->keeps = true;
    while (!fr_list_is_empty(&subs->leaving)) {
        struct fr_redis_channel *channel = FR_CONTAINER(subs->leaving.next, struct fr_redis_channel, link);
        enter(subs, channel, FR_REDIS_CHANNEL_LEFT);
        forget_if_idle(subs, channel);
    }
}

static void finish_ping(struct fr_redis_subscriptions *subs, struct command *command)
{
    uint64_t number = command->number;
    finish(subs, command);
    subs->owner.pinged(subs->owner.user, number);
}

/* A refused SUBSCRIBE is refused as a whole. */
static void take_refusal(struct fr_redis_subscriptions *subs, enum fr_redis_fault fault,
                         struct freshet_span reason, int64_t now_us)
{
    struct command *command = oldest(subs);
    enum fr_redis_verb verb = command->verb;
    struct fr_redis_channel *channels[FR_REDIS_BATCH];
    size_t found = gather(subs, command, channels);
    finish(subs, command);
    if (verb == FR_REDIS_UNSUBSCRIBE)
        stop_unsubscribing(subs, reason);
    else if (fault == FR_REDIS_FAULT_FORBIDDEN)
        halve(subs, channels, found, reason, now_us);
    else
        put_off(subs, channels, found, reason, now_us);
}

static bool take_error(struct fr_redis_subscriptions *subs, struct freshet_span text, int64_t now_us)
{
    struct command *command = oldest(subs);
    enum fr_redis_fault fault = fr_redis_fault_of(text);
    /* A server that is busy is so for other connections too: this one has its subscriptions. */
    bool fatal = fr_redis_fault_ends_link(fault) && fault != FR_REDIS_FAULT_BUSY;
    if (command == NULL || fatal || (command->verb == FR_REDIS_SUBSCRIBE && fault == FR_REDIS_FAULT_CLUSTER))
        return false;
    if (command->verb == FR_REDIS_PING)
        finish_ping(subs, command);
    else
        take_refusal(subs, fault, text, now_us);
    return true;
}

bool fr_redis_subscriptions_take(struct fr_redis_subscriptions *subs, const struct fr_redis_push *push,
                                 int64_t now_us)
{
    struct command *command = oldest(subs);
    switch (push->kind) {
    case FR_REDIS_PUSH_SUBSCRIBED:
        return acknowledge(subs, FR_REDIS_SUBSCRIBE, push->channel);
    case FR_REDIS_PUSH_UNSUBSCRIBED:
        return acknowledge(subs, FR_REDIS_UNSUBSCRIBE, push->channel);
    case FR_REDIS_PUSH_PONG:
        if (command == NULL || command->verb != FR_REDIS_PING)
            return false;
        finish_ping(subs, command);
        return true;
    case FR_REDIS_PUSH_ERROR:
        return take_error(subs, push->body, now_us);
    case FR_REDIS_PUSH_MESSAGE:
    case FR_REDIS_PUSH_OTHER:
        break;
    }
    return false;
}
