#include "core/hub/subscription.h"

#include "base/clock.h"
#include "core/runtime/context.h"
#include <assert.h>
#include <stdlib.h>

/* Listeners that a delivery reaches before others have their turn. */
#define SLICE 32

static struct fr_topics *topics_of(const struct fr_subscription *subscription)
{
    return &subscription->worker->freshet->topics;
}

/* The one place that frees it. It has no place at its topic any more, but as long as its mail is in the
 * mailbox it has to stay: then this is called again with the mail. */
static void retire(struct fr_subscription *subscription, bool mail_is_out)
{
    subscription->life = FR_SUBSCRIPTION_LEFT;
    if (mail_is_out)
        return;
    if (subscription->topic != NULL)
        fr_topics_release(topics_of(subscription), subscription->topic);
    free(subscription);
}

static struct fr_listener *listener_of(struct fr_list *link)
{
    return FR_CONTAINER(link, struct fr_listener, link);
}

void fr_subscription_listen(struct fr_subscription *subscription, struct fr_listener *listener)
{
    fr_list_append(&subscription->listeners, &listener->link);
}

void fr_subscription_unlisten(struct fr_listener *listener)
{
    fr_list_remove(&listener->link);
}

static bool has_room(const struct fr_subscription *subscription)
{
    const struct fr_list *all = &subscription->collectors;
    for (struct fr_list *link = all->next; link != all; link = link->next)
        if (!listener_of(link)->type->has_room(listener_of(link)))
            return false;
    return !fr_list_is_empty(all);
}

void fr_subscription_pull(struct fr_subscription *subscription)
{
    struct fr_list *all = &subscription->collectors;
    for (bool found = true; found && has_room(subscription);) {
        struct fr_message_item item;
        found = fr_subscriber_take_message(topics_of(subscription), &subscription->subscriber, &item);
        uint64_t lost = item.number - subscription->messages_taken - (found ? 1 : 0);
        subscription->messages_taken = item.number;
        for (struct fr_list *link = all->next; link != all; link = link->next)
            listener_of(link)->type->message(listener_of(link), item.bytes, lost);
        fr_bytes_release(item.bytes);
    }
}

void fr_subscription_collect(struct fr_subscription *subscription, struct fr_listener *listener,
                             const struct fr_message_ring *bounds)
{
    if (fr_list_is_empty(&subscription->collectors))
        subscription->messages_taken = 0;
    fr_subscriber_collect(topics_of(subscription), &subscription->subscriber, bounds->max_count,
                          bounds->max_bytes);
    fr_list_append(&subscription->collectors, &listener->link);
    fr_subscription_gain(subscription);
}

void fr_subscription_uncollect(struct fr_subscription *subscription, struct fr_listener *listener)
{
    fr_list_remove(&listener->link);
    if (fr_list_is_empty(&subscription->collectors))
        fr_subscriber_collect_no_more(topics_of(subscription), &subscription->subscriber);
    else
        fr_subscription_pull(subscription); /* the others may have waited for it */
    fr_subscription_lose(subscription);
}

static void tell_collectors(struct fr_subscription *subscription)
{
    struct fr_list *all = &subscription->collectors;
    for (struct fr_list *link = all->next; link != all; link = link->next)
        listener_of(link)->type->event(listener_of(link), &subscription->event);
    fr_subscription_pull(subscription);
}

static void read_subscriber(struct fr_subscription *subscription)
{
    enum fr_topic_state before = subscription->state;
    subscription->life = FR_SUBSCRIPTION_LIVE;
    subscription->event =
        fr_subscriber_read(topics_of(subscription), &subscription->subscriber, &subscription->state);
    if (before == FR_TOPIC_CONFIRMED && subscription->state != FR_TOPIC_CONFIRMED)
        subscription->unconfirmed_us = fr_worker_now_us(subscription->worker);
    if (subscription->event.state_changed && subscription->state == FR_TOPIC_CONFIRMED)
        subscription->event.gap = true; /* what was published before the acknowledgement did not come */
    fr_list_splice(&subscription->unreached, &subscription->listeners);
    tell_collectors(subscription);
}

/* Delivers to at most `limit` listeners; to how many. */
static size_t reach(struct fr_subscription *subscription, size_t limit)
{
    struct fr_list *link;
    size_t reached = 0;
    for (; reached < limit && (link = fr_list_shift(&subscription->unreached)) != NULL; reached++) {
        fr_list_append(&subscription->listeners, link);
        listener_of(link)->type->event(listener_of(link), &subscription->event);
    }
    return reached;
}

/* All have heard of it: forgets it. False: some have not. */
static bool finish_event(struct fr_subscription *subscription)
{
    if (!fr_list_is_empty(&subscription->unreached))
        return false;
    fr_bytes_release(subscription->event.body);
    subscription->event.body = NULL;
    return true;
}

static bool is_in_delivery(const struct fr_subscription *subscription)
{
    return !fr_list_is_empty(&subscription->delivery.link);
}

/* Everything that the listeners of a topic wait for passes here. A topic may have thousands of feeds of one
 * connection each: they are reached in slices, and others have their turn in between. */
static void deliver_news(struct fr_mail *mail)
{
    struct fr_subscription *subscription = FR_CONTAINER(mail, struct fr_subscription, subscriber.mail);
    if (subscription->life == FR_SUBSCRIPTION_LEFT) {
        retire(subscription, false);
    } else if (is_in_delivery(subscription)) {
        subscription->life = FR_SUBSCRIPTION_BUSY;
    } else {
        read_subscriber(subscription);
        reach(subscription, SLICE);
        if (!finish_event(subscription))
            fr_worker_queue(subscription->worker, &subscription->delivery);
    }
}

static size_t deliver_slice(struct fr_task *task, size_t limit)
{
    struct fr_subscription *subscription = FR_CONTAINER(task, struct fr_subscription, delivery);
    size_t reached = reach(subscription, limit < SLICE ? limit : SLICE);
    bool done = finish_event(subscription);
    if (done && subscription->life == FR_SUBSCRIPTION_BUSY) {
        read_subscriber(subscription);
        done = finish_event(subscription);
    }
    fr_subscription_pull(subscription); /* no mail came for what has arrived meanwhile */
    if (!done)
        fr_worker_queue(subscription->worker, &subscription->delivery);
    return reached;
}

static void end_subscription(struct fr_subscription *subscription)
{
    struct fr_worker *worker = subscription->worker;
    assert(fr_list_is_empty(&subscription->collectors) && "they go with their last stream");
    fr_list_splice(&subscription->listeners, &subscription->unreached);
    fr_list_remove(&subscription->delivery.link);
    fr_bytes_release(subscription->event.body);
    while (!fr_list_is_empty(&subscription->listeners))
        listener_of(subscription->listeners.next)->type->ended(listener_of(subscription->listeners.next));
    fr_timers_cancel(&worker->timers, &subscription->linger);
    fr_timers_unreserve(&worker->timers);
    fr_map_remove(&worker->subscriptions, &subscription->node);
    fr_list_remove(&subscription->resident.link);
    bool unread = fr_subscriber_leave(topics_of(subscription), &subscription->subscriber);
    retire(subscription, unread && subscription->life != FR_SUBSCRIPTION_BUSY);
}

static void linger_over(struct fr_timer *timer)
{
    end_subscription(FR_CONTAINER(timer, struct fr_subscription, linger));
}

static void worker_leaves(struct fr_resident *resident)
{
    end_subscription(FR_CONTAINER(resident, struct fr_subscription, resident));
}

static struct fr_subscription *make_subscription(struct fr_worker *worker)
{
    struct fr_subscription *subscription = calloc(1, sizeof(*subscription));
    if (subscription == NULL || !fr_timers_reserve(&worker->timers)) {
        free(subscription);
        return NULL;
    }
    fr_list_init(&subscription->listeners);
    fr_list_init(&subscription->unreached);
    fr_list_init(&subscription->delivery.link);
    fr_list_init(&subscription->collectors);
    subscription->delivery.run = deliver_slice;
    subscription->worker = worker;
    subscription->subscriber.worker = worker;
    subscription->subscriber.mail.deliver = deliver_news;
    subscription->linger.expire = linger_over;
    subscription->resident.end = worker_leaves;
    subscription->unconfirmed_us = fr_worker_now_us(worker);
    return subscription;
}

static enum freshet_status new_subscription(struct fr_worker *worker, struct fr_topic *topic,
                                            struct fr_subscription **out)
{
    struct fr_topics *topics = &worker->freshet->topics;
    struct fr_subscription *subscription = make_subscription(worker);
    if (subscription == NULL)
        return FRESHET_NO_MEMORY;
    enum freshet_status status = fr_topics_acquire(topics, fr_topic_name(topic), &subscription->topic);
    if (status == FRESHET_OK)
        status =
            fr_subscriber_enter(topics, &subscription->subscriber, subscription->topic, &subscription->state);
    if (status != FRESHET_OK) {
        fr_timers_unreserve(&worker->timers);
        retire(subscription, subscription->subscriber.posted); /* somebody may have published meanwhile */
        return status;
    }
    fr_map_put(&worker->subscriptions, fr_topic_name(subscription->topic), &subscription->node);
    fr_list_append(&worker->residents, &subscription->resident.link);
    *out = subscription;
    return FRESHET_OK;
}

enum freshet_status fr_subscription_get(struct fr_worker *worker, struct fr_topic *topic,
                                        struct fr_subscription **out)
{
    struct fr_map_node *node = fr_map_get(&worker->subscriptions, fr_topic_name(topic));
    if (node == NULL)
        return new_subscription(worker, topic, out);
    *out = FR_CONTAINER(node, struct fr_subscription, node);
    return FRESHET_OK;
}

void fr_subscription_gain(struct fr_subscription *subscription)
{
    subscription->audience++;
    fr_timers_cancel(&subscription->worker->timers, &subscription->linger);
}

void fr_subscription_lose(struct fr_subscription *subscription)
{
    if (--subscription->audience == 0)
        fr_subscription_linger(subscription);
}

int64_t fr_subscription_grace_end_us(const struct fr_subscription *subscription)
{
    uint32_t grace_ms = subscription->worker->freshet->options.subscribe_grace_ms;
    return grace_ms == FRESHET_NEVER ? INT64_MAX
                                     : subscription->unconfirmed_us + (int64_t)grace_ms * FR_US_PER_MS;
}

int64_t fr_subscription_linger_end_us(const struct fr_subscription *subscription)
{
    uint32_t linger_ms = subscription->worker->freshet->options.linger_ms;
    int64_t linger_us = linger_ms == FRESHET_NEVER ? 0 : (int64_t)linger_ms * FR_US_PER_MS;
    return fr_worker_now_us(subscription->worker) + linger_us;
}

void fr_subscription_linger(struct fr_subscription *subscription)
{
    fr_timers_set(&subscription->worker->timers, &subscription->linger,
                  fr_subscription_linger_end_us(subscription));
}
