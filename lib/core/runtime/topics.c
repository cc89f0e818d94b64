#include "core/runtime/topics.h"

#include "core/runtime/worker_internal.h"
#include <stdlib.h>
#include <string.h>

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
    fr_list_init(&topic->subscribers);
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

/* Under the lock. Only the first news since the subscriber last read sends mail. */
static void tell(struct fr_subscriber *subscriber)
{
    if (!subscriber->posted)
        subscriber->posted = fr_mailbox_post(&subscriber->worker->mailbox, &subscriber->mail);
}

static void tell_all(struct fr_topic *topic, void (*note)(struct fr_event *event))
{
    for (struct fr_list *link = topic->subscribers.next; link != &topic->subscribers; link = link->next) {
        struct fr_subscriber *subscriber = FR_CONTAINER(link, struct fr_subscriber, link);
        note(&subscriber->event);
        tell(subscriber);
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
    if (topic != NULL && !fr_list_is_empty(&topic->subscribers)) {
        /* Without memory for the copy the mark still counts; the load then sees no message. */
        struct fr_bytes *copy = fr_bytes_copy(body);
        for (struct fr_list *link = topic->subscribers.next; link != &topic->subscribers; link = link->next) {
            struct fr_subscriber *subscriber = FR_CONTAINER(link, struct fr_subscriber, link);
            note_publish(&subscriber->event, copy, published_us);
            tell(subscriber);
        }
        fr_bytes_release(copy);
    }
    pthread_mutex_unlock(&topics->lock);
}

void fr_topics_message(struct fr_topics *topics, struct freshet_span name, struct freshet_span body)
{
    struct fr_bytes *copy = NULL;
    /* What comes while the first subscriber begins to collect counts as having come before. */
    if (!atomic_load_explicit(&topics->collected, memory_order_relaxed))
        return;
    pthread_mutex_lock(&topics->lock);
    struct fr_topic *topic = find(topics, name);
    struct fr_list *subscribers = topic == NULL ? NULL : &topic->subscribers;
    for (struct fr_list *link = subscribers == NULL ? NULL : subscribers->next; link != subscribers;
         link = link->next) {
        struct fr_subscriber *subscriber = FR_CONTAINER(link, struct fr_subscriber, link);
        if (!subscriber->collects)
            continue;
        if (copy == NULL)
            copy = fr_bytes_copy(body);
        fr_message_ring_push(&subscriber->messages, copy, false);
        tell(subscriber);
    }
    fr_bytes_release(copy);
    pthread_mutex_unlock(&topics->lock);
}

static void change_state(struct fr_topics *topics, struct freshet_span name, uint64_t subscription_id,
                         enum fr_topic_state state)
{
    pthread_mutex_lock(&topics->lock);
    struct fr_topic *topic = find(topics, name);
    /* An answer to an earlier subscription_id says nothing about this one. */
    if (topic != NULL && topic->subscription_id == subscription_id && topic->state != state) {
        topic->state = state;
        change(topics, topic);
        tell_all(topic, note_state);
    }
    pthread_mutex_unlock(&topics->lock);
}

void fr_topics_confirm(struct fr_topics *topics, struct freshet_span name, uint64_t subscription_id)
{
    change_state(topics, name, subscription_id, FR_TOPIC_CONFIRMED);
}

void fr_topics_refuse(struct fr_topics *topics, struct freshet_span name, uint64_t subscription_id)
{
    change_state(topics, name, subscription_id, FR_TOPIC_REFUSED);
}

void fr_topics_lose(struct fr_topics *topics, struct freshet_span name, uint64_t subscription_id)
{
    change_state(topics, name, subscription_id, FR_TOPIC_WAITING);
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

void fr_topics_tell_doubt(struct fr_topics *topics)
{
    pthread_mutex_lock(&topics->lock);
    for (struct fr_map_node *node = NULL; (node = fr_map_next(&topics->map, node)) != NULL;) {
        struct fr_topic *topic = FR_CONTAINER(node, struct fr_topic, node);
        tell_all(topic, note_gap);
    }
    pthread_mutex_unlock(&topics->lock);
}

void fr_topics_all_marked(struct fr_topics *topics)
{
    fr_topics_doubt(topics);
    fr_topics_tell_doubt(topics);
}

/* An event has room for one loader: when a second one is back before it is read, it stands for all of them.
 * Under the lock. */
static void tell_retry(struct fr_topic *topic, const struct freshet_loader *loader)
{
    for (struct fr_list *link = topic->subscribers.next; link != &topic->subscribers; link = link->next) {
        struct fr_subscriber *subscriber = FR_CONTAINER(link, struct fr_subscriber, link);
        struct fr_event *event = &subscriber->event;
        event->retry_loader = event->retry && event->retry_loader != loader ? NULL : loader;
        event->retry = true;
        tell(subscriber);
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
