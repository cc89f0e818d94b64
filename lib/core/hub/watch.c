#include "core/hub/watch.h"

#include "base/clock.h"
#include "core/runtime/context.h"
#include <assert.h>
#include <stdlib.h>

/* Listeners that a delivery reaches before others have their turn. */
#define SLICE 32

static struct fr_topics *topics_of(const struct fr_watch *watch)
{
    return &watch->worker->freshet->topics;
}

static void free_watch(struct fr_watch *watch)
{
    fr_topics_release(topics_of(watch), watch->topic);
    free(watch);
}

static struct fr_listener *listener_of(struct fr_list *link)
{
    return FR_CONTAINER(link, struct fr_listener, link);
}

void fr_watch_listen(struct fr_watch *watch, struct fr_listener *listener)
{
    fr_list_append(&watch->listeners, &listener->link);
}

void fr_watch_unlisten(struct fr_listener *listener)
{
    fr_list_remove(&listener->link);
}

static bool has_room(const struct fr_watch *watch)
{
    const struct fr_list *all = &watch->collectors;
    for (struct fr_list *link = all->next; link != all; link = link->next)
        if (!listener_of(link)->type->has_room(listener_of(link)))
            return false;
    return !fr_list_is_empty(all);
}

void fr_watch_pull(struct fr_watch *watch)
{
    struct fr_list *all = &watch->collectors;
    for (bool found = true; found && has_room(watch);) {
        struct fr_message_item item;
        found = fr_subscriber_take_message(topics_of(watch), &watch->subscriber, &item);
        uint64_t lost = item.number - watch->messages_taken - (found ? 1 : 0);
        watch->messages_taken = item.number;
        for (struct fr_list *link = all->next; link != all; link = link->next)
            listener_of(link)->type->message(listener_of(link), item.bytes, lost);
        fr_bytes_release(item.bytes);
    }
}

void fr_watch_collect(struct fr_watch *watch, struct fr_listener *listener,
                      const struct fr_message_ring *bounds)
{
    if (fr_list_is_empty(&watch->collectors))
        watch->messages_taken = 0;
    fr_subscriber_collect(topics_of(watch), &watch->subscriber, bounds->max_count, bounds->max_bytes);
    fr_list_append(&watch->collectors, &listener->link);
    fr_watch_gain(watch);
}

void fr_watch_uncollect(struct fr_watch *watch, struct fr_listener *listener)
{
    fr_list_remove(&listener->link);
    if (fr_list_is_empty(&watch->collectors))
        fr_subscriber_collect_no_more(topics_of(watch), &watch->subscriber);
    else
        fr_watch_pull(watch); /* the others may have waited for it */
    fr_watch_lose(watch);
}

static void tell_collectors(struct fr_watch *watch)
{
    struct fr_list *all = &watch->collectors;
    for (struct fr_list *link = all->next; link != all; link = link->next)
        listener_of(link)->type->event(listener_of(link), &watch->event);
    fr_watch_pull(watch);
}

static void read_subscriber(struct fr_watch *watch)
{
    enum fr_topic_state before = watch->state;
    watch->mail_waits = false;
    watch->event = fr_subscriber_read(topics_of(watch), &watch->subscriber, &watch->state);
    if (before == FR_TOPIC_CONFIRMED && watch->state != FR_TOPIC_CONFIRMED)
        watch->unconfirmed_us = fr_worker_now_us(watch->worker);
    if (watch->event.state_changed && watch->state == FR_TOPIC_CONFIRMED)
        watch->event.gap = true; /* what was published before the acknowledgement did not come */
    fr_list_splice(&watch->unreached, &watch->listeners);
    tell_collectors(watch);
}

/* Delivers to at most `limit` listeners; to how many. */
static size_t reach(struct fr_watch *watch, size_t limit)
{
    struct fr_list *link;
    size_t reached = 0;
    for (; reached < limit && (link = fr_list_shift(&watch->unreached)) != NULL; reached++) {
        fr_list_append(&watch->listeners, link);
        listener_of(link)->type->event(listener_of(link), &watch->event);
    }
    return reached;
}

/* All have heard of it: forgets it. False: some have not. */
static bool finish_event(struct fr_watch *watch)
{
    if (!fr_list_is_empty(&watch->unreached))
        return false;
    fr_bytes_release(watch->event.body);
    watch->event.body = NULL;
    return true;
}

static bool is_in_delivery(const struct fr_watch *watch)
{
    return !fr_list_is_empty(&watch->delivery.link);
}

/* Everything that the listeners of a topic wait for passes here. A topic may have thousands of feeds of one
 * connection each: they are reached in slices, and others have their turn in between. */
static void deliver_news(struct fr_mail *mail)
{
    struct fr_watch *watch = FR_CONTAINER(mail, struct fr_watch, subscriber.mail);
    if (watch->left) {
        free_watch(watch);
    } else if (is_in_delivery(watch)) {
        watch->mail_waits = true;
    } else {
        read_subscriber(watch);
        reach(watch, SLICE);
        if (!finish_event(watch))
            fr_worker_queue(watch->worker, &watch->delivery);
    }
}

static size_t deliver_slice(struct fr_task *task, size_t limit)
{
    struct fr_watch *watch = FR_CONTAINER(task, struct fr_watch, delivery);
    size_t reached = reach(watch, limit < SLICE ? limit : SLICE);
    bool done = finish_event(watch);
    if (done && watch->mail_waits) {
        read_subscriber(watch);
        done = finish_event(watch);
    }
    fr_watch_pull(watch); /* no mail came for what has arrived meanwhile */
    if (!done)
        fr_worker_queue(watch->worker, &watch->delivery);
    return reached;
}

static void end_watch(struct fr_watch *watch)
{
    struct fr_worker *worker = watch->worker;
    assert(fr_list_is_empty(&watch->collectors) && "they go with their last stream");
    fr_list_splice(&watch->listeners, &watch->unreached);
    fr_list_remove(&watch->delivery.link);
    fr_bytes_release(watch->event.body);
    while (!fr_list_is_empty(&watch->listeners))
        listener_of(watch->listeners.next)->type->ended(listener_of(watch->listeners.next));
    fr_timers_cancel(&worker->timers, &watch->linger);
    fr_timers_unreserve(&worker->timers);
    fr_map_remove(&worker->watches, &watch->node);
    fr_list_remove(&watch->resident.link);
    watch->left = true;
    if (!fr_subscriber_leave(topics_of(watch), &watch->subscriber) || watch->mail_waits)
        free_watch(watch);
}

static void linger_over(struct fr_timer *timer)
{
    end_watch(FR_CONTAINER(timer, struct fr_watch, linger));
}

static void worker_leaves(struct fr_resident *resident)
{
    end_watch(FR_CONTAINER(resident, struct fr_watch, resident));
}

static enum freshet_status new_watch(struct fr_worker *worker, struct fr_topic *topic, struct fr_watch **out)
{
    struct fr_topics *topics = &worker->freshet->topics;
    struct fr_watch *watch = calloc(1, sizeof(*watch));
    enum freshet_status status = FRESHET_NO_MEMORY;
    if (watch == NULL)
        return status;
    fr_list_init(&watch->listeners);
    fr_list_init(&watch->unreached);
    fr_list_init(&watch->delivery.link);
    fr_list_init(&watch->collectors);
    watch->delivery.run = deliver_slice;
    watch->worker = worker;
    watch->subscriber.worker = worker;
    watch->subscriber.mail.deliver = deliver_news;
    watch->linger.expire = linger_over;
    watch->resident.end = worker_leaves;
    watch->unconfirmed_us = fr_worker_now_us(worker);
    if (!fr_timers_reserve(&worker->timers))
        goto fail;
    status = fr_topics_acquire(topics, fr_topic_name(topic), &watch->topic);
    if (status == FRESHET_OK)
        status = fr_subscriber_enter(topics, &watch->subscriber, watch->topic, &watch->state);
    if (status != FRESHET_OK) {
        fr_timers_unreserve(&worker->timers);
        watch->left = true;
        if (watch->subscriber.posted) /* somebody published meanwhile */
            return status;
        goto fail;
    }
    fr_map_put(&worker->watches, fr_topic_name(watch->topic), &watch->node);
    fr_list_append(&worker->residents, &watch->resident.link);
    *out = watch;
    return FRESHET_OK;

fail:
    if (watch->topic != NULL)
        fr_topics_release(topics, watch->topic);
    free(watch);
    return status;
}

enum freshet_status fr_watch_get(struct fr_worker *worker, struct fr_topic *topic, struct fr_watch **out)
{
    struct fr_map_node *node = fr_map_get(&worker->watches, fr_topic_name(topic));
    if (node == NULL)
        return new_watch(worker, topic, out);
    *out = FR_CONTAINER(node, struct fr_watch, node);
    return FRESHET_OK;
}

void fr_watch_gain(struct fr_watch *watch)
{
    watch->audience++;
    fr_timers_cancel(&watch->worker->timers, &watch->linger);
}

void fr_watch_lose(struct fr_watch *watch)
{
    if (--watch->audience == 0)
        fr_watch_linger(watch);
}

int64_t fr_watch_grace_end_us(const struct fr_watch *watch)
{
    uint32_t grace_ms = watch->worker->freshet->options.subscribe_grace_ms;
    return grace_ms == FRESHET_NEVER ? INT64_MAX : watch->unconfirmed_us + (int64_t)grace_ms * FR_US_PER_MS;
}

int64_t fr_watch_linger_end_us(const struct fr_watch *watch)
{
    uint32_t linger_ms = watch->worker->freshet->options.linger_ms;
    int64_t linger_us = linger_ms == FRESHET_NEVER ? 0 : (int64_t)linger_ms * FR_US_PER_MS;
    return fr_worker_now_us(watch->worker) + linger_us;
}

void fr_watch_linger(struct fr_watch *watch)
{
    fr_timers_set(&watch->worker->timers, &watch->linger, fr_watch_linger_end_us(watch));
}
