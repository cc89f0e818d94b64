#include "core/runtime/topics.h"

#include "base/clock.h"
#include "core/runtime/worker_internal.h"
#include <stdlib.h>
#include <string.h>

/* What the bus may bring to a topic while its worker is at something else, if no loader allows more. */
#define SEAT_MESSAGES      1024
#define SEAT_MESSAGE_BYTES (1024 * 1024)

enum freshet_status fr_topics_init(struct fr_topics *topics, struct fr_homes *homes)
{
    *topics = (struct fr_topics){.homes = homes};
    pthread_mutex_init(&topics->order, NULL);
    pthread_mutex_init(&topics->lock, NULL);
    return fr_map_init(&topics->map) ? FRESHET_OK : FRESHET_NO_MEMORY;
}

void fr_topics_deinit(struct fr_topics *topics)
{
    fr_map_deinit(&topics->map);
    pthread_mutex_destroy(&topics->lock);
    pthread_mutex_destroy(&topics->order);
}

struct freshet_span fr_topic_name(const struct fr_topic *topic)
{
    return topic->node.key;
}

static struct fr_topic *find(struct fr_topics *topics, struct freshet_span name)
{
    struct fr_map_node *node = fr_map_get(&topics->map, name);
    return node == NULL ? NULL : FR_CONTAINER(node, struct fr_topic, node);
}

/* What was loaded for the topic before is not known to be current any more. Under the lock. */
static void change(struct fr_topics *topics, struct fr_topic *topic)
{
    topic->change = ++topics->changes;
}

static struct fr_topic *new_topic(struct freshet_span name)
{
    struct fr_topic *topic = calloc(1, sizeof(*topic) + name.len + 1);
    if (topic == NULL)
        return NULL;
    memcpy(topic->name, name.data, name.len);
    topic->node.key = freshet_span(topic->name, name.len);
    fr_list_init(&topic->seats);
    atomic_init(&topic->streams, 0);
    return topic;
}

bool fr_topics_is_known(struct fr_topics *topics, struct freshet_span name)
{
    pthread_mutex_lock(&topics->lock);
    bool known = find(topics, name) != NULL;
    pthread_mutex_unlock(&topics->lock);
    return known;
}

bool fr_topics_permit(struct fr_topics *topics, struct freshet_span name, int64_t now_us)
{
    if (topics->new_per_s == 0)
        return true;
    pthread_mutex_lock(&topics->lock);
    bool permitted =
        find(topics, name) != NULL || fr_bucket_take(&topics->new_topics, topics->new_per_s, now_us);
    pthread_mutex_unlock(&topics->lock);
    return permitted;
}

enum freshet_status fr_topics_acquire(struct fr_topics *topics, struct freshet_span name,
                                      struct fr_topic **out)
{
    enum freshet_status status = FRESHET_OK;
    pthread_mutex_lock(&topics->lock);
    struct fr_topic *topic = find(topics, name);
    if (topic == NULL && topics->limit != 0 && topics->map.count >= topics->limit) {
        status = FRESHET_FULL;
    } else if (topic == NULL) {
        topic = new_topic(name);
        if (topic == NULL)
            status = FRESHET_NO_MEMORY;
        else
            fr_map_put(&topics->map, topic->node.key, &topic->node);
    }
    if (topic != NULL)
        topic->references++;
    pthread_mutex_unlock(&topics->lock);
    *out = topic;
    return status;
}

void fr_topics_release(struct fr_topics *topics, struct fr_topic *topic)
{
    pthread_mutex_lock(&topics->lock);
    bool last = --topic->references == 0;
    if (last)
        fr_map_remove(&topics->map, &topic->node);
    pthread_mutex_unlock(&topics->lock);
    if (!last)
        return;
    fr_homes_release(topics->homes, &topic->home);
    free(topic);
}

/* Under both locks when called; returns with `order` only, and with what the bus is to be told. */
static enum freshet_status subscribe(struct fr_topics *topics, struct fr_topic *topic, uint64_t subscription)
{
    return topics->bus->ops->subscribe(topics->bus, fr_topic_name(topic), subscription);
}

enum freshet_status fr_seat_take_place(struct fr_topics *topics, struct fr_seat *seat, struct fr_topic *topic,
                                       enum fr_topic_state *state)
{
    enum freshet_status status = FRESHET_OK;
    pthread_mutex_lock(&topics->order);
    pthread_mutex_lock(&topics->lock);
    uint64_t wanted = 0;
    if (fr_list_is_empty(&topic->seats)) {
        topic->subscription = wanted = ++topics->subscriptions;
        topic->state = FR_TOPIC_WAITING;
    }
    seat->topic = topic;
    fr_list_append(&topic->seats, &seat->link);
    pthread_mutex_unlock(&topics->lock);
    if (wanted != 0)
        status = subscribe(topics, topic, wanted);
    pthread_mutex_lock(&topics->lock);
    if (status != FRESHET_OK) {
        fr_list_remove(&seat->link);
        topic->subscription = 0;
        fr_bytes_release(seat->event.body);
        seat->event = (struct fr_event){0};
    }
    *state = topic->state;
    seat->event.state_changed = false;
    pthread_mutex_unlock(&topics->lock);
    pthread_mutex_unlock(&topics->order);
    return status;
}

bool fr_seat_leave(struct fr_topics *topics, struct fr_seat *seat)
{
    struct fr_topic *topic = seat->topic;
    pthread_mutex_lock(&topics->order);
    pthread_mutex_lock(&topics->lock);
    fr_list_remove(&seat->link);
    bool last = fr_list_is_empty(&topic->seats);
    if (last) {
        topic->subscription = 0;
        topic->state = FR_TOPIC_WAITING;
    }
    fr_bytes_release(seat->event.body);
    seat->event = (struct fr_event){0};
    fr_message_ring_clear(&seat->messages);
    bool posted = seat->posted;
    pthread_mutex_unlock(&topics->lock);
    if (last)
        topics->bus->ops->unsubscribe(topics->bus, fr_topic_name(topic));
    pthread_mutex_unlock(&topics->order);
    return posted;
}

struct fr_event fr_seat_read(struct fr_topics *topics, struct fr_seat *seat, enum fr_topic_state *state)
{
    pthread_mutex_lock(&topics->lock);
    struct fr_event event = seat->event;
    seat->event = (struct fr_event){0};
    seat->posted = false;
    *state = seat->topic->state;
    pthread_mutex_unlock(&topics->lock);
    return event;
}

/* Under the lock. Only the first news since the seat last read sends mail. */
static void tell(struct fr_seat *seat)
{
    if (!seat->posted)
        seat->posted = fr_mailbox_post(&seat->worker->mailbox, &seat->mail);
}

static void tell_all(struct fr_topic *topic, void (*note)(struct fr_event *event))
{
    for (struct fr_list *link = topic->seats.next; link != &topic->seats; link = link->next) {
        struct fr_seat *seat = FR_CONTAINER(link, struct fr_seat, link);
        note(&seat->event);
        tell(seat);
    }
}

static void note_state(struct fr_event *event)
{
    event->state_changed = true;
}

static void note_gap(struct fr_event *event)
{
    event->gap = true;
}

static void note_publish(struct fr_event *event, struct fr_bytes *body, int64_t published_us)
{
    event->publishes++;
    if (event->published_us == 0)
        event->published_us = published_us;
    fr_bytes_release(event->body);
    event->body = body == NULL ? NULL : fr_bytes_acquire(body);
}

void fr_topics_mark(struct fr_topics *topics, struct freshet_span name, struct freshet_span body,
                    int64_t published_us)
{
    pthread_mutex_lock(&topics->lock);
    struct fr_topic *topic = find(topics, name);
    if (topic != NULL)
        change(topics, topic);
    if (topic != NULL && !fr_list_is_empty(&topic->seats)) {
        /* Without memory for the copy the mark still counts; the load then sees no message. */
        struct fr_bytes *copy = fr_bytes_copy(body);
        for (struct fr_list *link = topic->seats.next; link != &topic->seats; link = link->next) {
            struct fr_seat *seat = FR_CONTAINER(link, struct fr_seat, link);
            note_publish(&seat->event, copy, published_us);
            tell(seat);
        }
        fr_bytes_release(copy);
    }
    pthread_mutex_unlock(&topics->lock);
}

void fr_seat_collect(struct fr_topics *topics, struct fr_seat *seat, uint32_t max_count, size_t max_bytes)
{
    pthread_mutex_lock(&topics->lock);
    if (!seat->collects)
        fr_message_ring_init(&seat->messages, SEAT_MESSAGES, SEAT_MESSAGE_BYTES);
    fr_message_ring_widen(&seat->messages, max_count, max_bytes);
    seat->collects = true;
    atomic_store_explicit(&topics->collected, true, memory_order_relaxed);
    pthread_mutex_unlock(&topics->lock);
}

void fr_seat_collect_no_more(struct fr_topics *topics, struct fr_seat *seat)
{
    pthread_mutex_lock(&topics->lock);
    fr_message_ring_clear(&seat->messages);
    seat->collects = false;
    pthread_mutex_unlock(&topics->lock);
}

bool fr_seat_take_message(struct fr_topics *topics, struct fr_seat *seat, struct fr_message_item *item)
{
    pthread_mutex_lock(&topics->lock);
    bool found = fr_message_ring_shift(&seat->messages, item);
    pthread_mutex_unlock(&topics->lock);
    return found;
}

void fr_topics_message(struct fr_topics *topics, struct freshet_span name, struct freshet_span body)
{
    struct fr_bytes *copy = NULL;
    /* What comes while the first seat begins to collect counts as having come before. */
    if (!atomic_load_explicit(&topics->collected, memory_order_relaxed))
        return;
    pthread_mutex_lock(&topics->lock);
    struct fr_topic *topic = find(topics, name);
    struct fr_list *seats = topic == NULL ? NULL : &topic->seats;
    for (struct fr_list *link = seats == NULL ? NULL : seats->next; link != seats; link = link->next) {
        struct fr_seat *seat = FR_CONTAINER(link, struct fr_seat, link);
        if (!seat->collects)
            continue;
        if (copy == NULL)
            copy = fr_bytes_copy(body);
        fr_message_ring_push(&seat->messages, copy, false);
        tell(seat);
    }
    fr_bytes_release(copy);
    pthread_mutex_unlock(&topics->lock);
}

static void change_state(struct fr_topics *topics, struct freshet_span name, uint64_t subscription,
                         enum fr_topic_state state)
{
    pthread_mutex_lock(&topics->lock);
    struct fr_topic *topic = find(topics, name);
    /* An answer to an earlier subscription says nothing about this one. */
    if (topic != NULL && topic->subscription == subscription && topic->state != state) {
        topic->state = state;
        change(topics, topic);
        tell_all(topic, note_state);
    }
    pthread_mutex_unlock(&topics->lock);
}

void fr_topics_confirm(struct fr_topics *topics, struct freshet_span name, uint64_t subscription)
{
    change_state(topics, name, subscription, FR_TOPIC_CONFIRMED);
}

void fr_topics_refuse(struct fr_topics *topics, struct freshet_span name, uint64_t subscription)
{
    change_state(topics, name, subscription, FR_TOPIC_REFUSED);
}

void fr_topics_all_lost(struct fr_topics *topics)
{
    pthread_mutex_lock(&topics->lock);
    for (struct fr_map_node *node = NULL; (node = fr_map_next(&topics->map, node)) != NULL;) {
        struct fr_topic *topic = FR_CONTAINER(node, struct fr_topic, node);
        topic->state = FR_TOPIC_WAITING;
        tell_all(topic, note_state);
    }
    pthread_mutex_unlock(&topics->lock);
}

void fr_topics_doubt(struct fr_topics *topics)
{
    pthread_mutex_lock(&topics->lock);
    topics->doubted = ++topics->changes;
    pthread_mutex_unlock(&topics->lock);
}

void fr_topics_all_marked(struct fr_topics *topics)
{
    pthread_mutex_lock(&topics->lock);
    for (struct fr_map_node *node = NULL; (node = fr_map_next(&topics->map, node)) != NULL;) {
        struct fr_topic *topic = FR_CONTAINER(node, struct fr_topic, node);
        tell_all(topic, note_gap);
    }
    pthread_mutex_unlock(&topics->lock);
}

/* Two loaders are not told apart from all. Under the lock. */
static void tell_retry(struct fr_topic *topic, const struct freshet_loader *loader)
{
    for (struct fr_list *link = topic->seats.next; link != &topic->seats; link = link->next) {
        struct fr_seat *seat = FR_CONTAINER(link, struct fr_seat, link);
        struct fr_event *event = &seat->event;
        event->retry_loader = event->retry && event->retry_loader != loader ? NULL : loader;
        event->retry = true;
        tell(seat);
    }
}

void fr_topics_retry(struct fr_topics *topics, struct freshet_span name, const struct freshet_loader *loader)
{
    struct fr_map_node *node = NULL;
    pthread_mutex_lock(&topics->lock);
    struct fr_topic *one = name.len == 0 ? NULL : find(topics, name);
    if (one != NULL)
        tell_retry(one, loader);
    while (name.len == 0 && (node = fr_map_next(&topics->map, node)) != NULL)
        tell_retry(FR_CONTAINER(node, struct fr_topic, node), loader);
    pthread_mutex_unlock(&topics->lock);
}

uint64_t fr_topics_current(struct fr_topics *topics, struct freshet_span name)
{
    pthread_mutex_lock(&topics->lock);
    struct fr_topic *topic = find(topics, name);
    uint64_t current = 0;
    if (topic != NULL && topic->state == FR_TOPIC_CONFIRMED)
        current = topic->change > topics->doubted ? topic->change : topics->doubted;
    pthread_mutex_unlock(&topics->lock);
    return current;
}

size_t fr_topics_streams(struct fr_topics *topics, struct freshet_span name)
{
    pthread_mutex_lock(&topics->lock);
    struct fr_topic *topic = find(topics, name);
    size_t streams = topic == NULL ? 0 : atomic_load_explicit(&topic->streams, memory_order_relaxed);
    pthread_mutex_unlock(&topics->lock);
    return streams;
}

size_t fr_topics_count(struct fr_topics *topics)
{
    pthread_mutex_lock(&topics->lock);
    size_t count = topics->map.count;
    pthread_mutex_unlock(&topics->lock);
    return count;
}
