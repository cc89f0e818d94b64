#include "core/runtime/topics.h"

/* What the bus may bring to a topic while its worker is at something else, if no loader allows more. */
#define SUBSCRIBER_MESSAGES      1024
#define SUBSCRIBER_MESSAGE_BYTES (1024 * 1024)

/* Tells the bus, which may call back from within. With `order` held, so that the bus hears of one topic in
 * the order in which it changed, and without `lock`. */
static enum freshet_status subscribe(struct fr_topics *topics, struct fr_topic *topic,
                                     uint64_t subscription_id)
{
    return topics->bus->ops->subscribe(topics->bus, fr_topic_name(topic), subscription_id);
}

enum freshet_status fr_subscriber_enter(struct fr_topics *topics, struct fr_subscriber *subscriber,
                                        struct fr_topic *topic, enum fr_topic_state *state)
{
    enum freshet_status status = FRESHET_OK;
    pthread_mutex_lock(&topics->order);
    pthread_mutex_lock(&topics->lock);
    uint64_t wanted = 0;
    if (fr_list_is_empty(&topic->subscribers)) {
        topic->subscription_id = wanted = ++topics->subscription_ids;
        topic->state = FR_TOPIC_WAITING;
    }
    subscriber->topic = topic;
    fr_list_append(&topic->subscribers, &subscriber->link);
    pthread_mutex_unlock(&topics->lock);
    if (wanted != 0)
        status = subscribe(topics, topic, wanted);
    pthread_mutex_lock(&topics->lock);
    if (status != FRESHET_OK) {
        fr_list_remove(&subscriber->link);
        topic->subscription_id = 0;
        fr_bytes_release(subscriber->event.body);
        subscriber->event = (struct fr_event){0};
    }
    *state = topic->state;
    subscriber->event.state_changed = false;
    pthread_mutex_unlock(&topics->lock);
    pthread_mutex_unlock(&topics->order);
    return status;
}

bool fr_subscriber_leave(struct fr_topics *topics, struct fr_subscriber *subscriber)
{
    struct fr_topic *topic = subscriber->topic;
    pthread_mutex_lock(&topics->order);
    pthread_mutex_lock(&topics->lock);
    fr_list_remove(&subscriber->link);
    bool last = fr_list_is_empty(&topic->subscribers);
    if (last) {
        topic->subscription_id = 0;
        topic->state = FR_TOPIC_WAITING;
    }
    fr_bytes_release(subscriber->event.body);
    subscriber->event = (struct fr_event){0};
    fr_message_ring_clear(&subscriber->messages);
    bool posted = subscriber->posted;
    pthread_mutex_unlock(&topics->lock);
    if (last)
        topics->bus->ops->unsubscribe(topics->bus, fr_topic_name(topic));
    pthread_mutex_unlock(&topics->order);
    return posted;
}

struct fr_event fr_subscriber_read(struct fr_topics *topics, struct fr_subscriber *subscriber,
                                   enum fr_topic_state *state)
{
    pthread_mutex_lock(&topics->lock);
    struct fr_event event = subscriber->event;
    subscriber->event = (struct fr_event){0};
    subscriber->posted = false;
    *state = subscriber->topic->state;
    pthread_mutex_unlock(&topics->lock);
    return event;
}

void fr_subscriber_collect(struct fr_topics *topics, struct fr_subscriber *subscriber, uint32_t max_count,
                           size_t max_bytes)
{
    pthread_mutex_lock(&topics->lock);
    if (!subscriber->collects)
        fr_message_ring_init(&subscriber->messages, SUBSCRIBER_MESSAGES, SUBSCRIBER_MESSAGE_BYTES);
    fr_message_ring_widen(&subscriber->messages, max_count, max_bytes);
    subscriber->collects = true;
    atomic_store_explicit(&topics->collected, true, memory_order_relaxed);
    pthread_mutex_unlock(&topics->lock);
}

void fr_subscriber_collect_no_more(struct fr_topics *topics, struct fr_subscriber *subscriber)
{
    pthread_mutex_lock(&topics->lock);
    fr_message_ring_clear(&subscriber->messages);
    subscriber->collects = false;
    pthread_mutex_unlock(&topics->lock);
}

bool fr_subscriber_take_message(struct fr_topics *topics, struct fr_subscriber *subscriber,
                                struct fr_message_item *item)
{
    pthread_mutex_lock(&topics->lock);
    bool found = fr_message_ring_shift(&subscriber->messages, item);
    pthread_mutex_unlock(&topics->lock);
    return found;
}
