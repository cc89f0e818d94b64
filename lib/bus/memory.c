/* The bus inside this process. One lock per broker orders everything: publishes, subscriptions, the stop. So
 * each bus of a broker sees one and the same order, and subscribed() falls exactly between two publishes. */
#include "base/list.h"
#include "base/map.h"
#include <freshet/bus.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct freshet_memory_broker {
    pthread_mutex_t lock;
    unsigned references;  /* under the lock, as all that follows */
    struct fr_list buses; /* started, not stopped */
};

struct memory_bus {
    struct freshet_bus bus;
    struct freshet_memory_broker *broker;
    struct fr_list link; /* in the broker; unlinked: not running */
    struct fr_map topics;
    struct freshet_bus_sink sink;
};

struct memory_topic {
    struct fr_map_node node;
    char name[];
};

struct freshet_memory_broker *freshet_memory_broker_new(void)
{
    struct freshet_memory_broker *broker = calloc(1, sizeof(*broker));
    if (broker == NULL)
        return NULL;
    pthread_mutex_init(&broker->lock, NULL);
    fr_list_init(&broker->buses);
    broker->references = 1;
    return broker;
}

static void acquire_broker(struct freshet_memory_broker *broker)
{
    pthread_mutex_lock(&broker->lock);
    broker->references++;
    pthread_mutex_unlock(&broker->lock);
}

void freshet_memory_broker_release(struct freshet_memory_broker *broker)
{
    if (broker == NULL)
        return;
    pthread_mutex_lock(&broker->lock);
    unsigned left = --broker->references;
    pthread_mutex_unlock(&broker->lock);
    if (left > 0)
        return;
    pthread_mutex_destroy(&broker->lock);
    free(broker);
}

static struct memory_bus *memory_of(struct freshet_bus *bus)
{
    return FR_CONTAINER(bus, struct memory_bus, bus);
}

static bool is_running(const struct memory_bus *memory)
{
    return !fr_list_is_empty(&memory->link);
}

static enum freshet_status start(struct freshet_bus *bus, const struct freshet_bus_sink *sink,
                                 struct freshet_error *error)
{
    struct memory_bus *memory = memory_of(bus);
    (void)error;
    pthread_mutex_lock(&memory->broker->lock);
    memory->sink = *sink;
    fr_list_append(&memory->broker->buses, &memory->link);
    sink->state(sink->context, FRESHET_BUS_PROVED, freshet_span_text("in this process"));
    pthread_mutex_unlock(&memory->broker->lock);
    return FRESHET_OK;
}

static enum freshet_status add_topic(struct memory_bus *memory, struct freshet_span topic)
{
    if (!is_running(memory))
        return FRESHET_CLOSED;
    if (fr_map_get(&memory->topics, topic) != NULL)
        return FRESHET_OK;
    struct memory_topic *added = malloc(sizeof(*added) + topic.len);
    if (added == NULL)
        return FRESHET_NO_MEMORY;
    if (topic.len > 0)
        memcpy(added->name, topic.data, topic.len);
    fr_map_put(&memory->topics, freshet_span(added->name, topic.len), &added->node);
    return FRESHET_OK;
}

static enum freshet_status subscribe(struct freshet_bus *bus, struct freshet_span topic,
                                     uint64_t subscription)
{
    struct memory_bus *memory = memory_of(bus);
    pthread_mutex_lock(&memory->broker->lock);
    enum freshet_status status = add_topic(memory, topic);
    if (status == FRESHET_OK)
        memory->sink.subscribed(memory->sink.context, topic, subscription);
    pthread_mutex_unlock(&memory->broker->lock);
    return status;
}

static void unsubscribe(struct freshet_bus *bus, struct freshet_span topic)
{
    struct memory_bus *memory = memory_of(bus);
    pthread_mutex_lock(&memory->broker->lock);
    struct fr_map_node *node = fr_map_get(&memory->topics, topic);
    if (node != NULL) {
        fr_map_remove(&memory->topics, node);
        free(FR_CONTAINER(node, struct memory_topic, node));
    }
    pthread_mutex_unlock(&memory->broker->lock);
}

static int64_t deliver(struct freshet_memory_broker *broker, struct freshet_span topic,
                       struct freshet_span body)
{
    int64_t receivers = 0;
    for (struct fr_list *at = broker->buses.next; at != &broker->buses; at = at->next) {
        struct memory_bus *memory = FR_CONTAINER(at, struct memory_bus, link);
        if (fr_map_get(&memory->topics, topic) == NULL)
            continue;
        memory->sink.message(memory->sink.context, topic, body, false);
        receivers++;
    }
    return receivers;
}

static enum freshet_status publish(struct freshet_bus *bus, struct freshet_span topic,
                                   struct freshet_span body, bool signal, void *token)
{
    struct memory_bus *memory = memory_of(bus);
    (void)signal;
    pthread_mutex_lock(&memory->broker->lock);
    bool running = is_running(memory);
    if (running) {
        int64_t receivers = deliver(memory->broker, topic, body);
        memory->sink.published(memory->sink.context, token, FRESHET_OK, receivers);
    }
    pthread_mutex_unlock(&memory->broker->lock);
    return running ? FRESHET_OK : FRESHET_CLOSED;
}

static void read_stats(struct freshet_bus *bus, struct freshet_bus_stats *stats)
{
    struct memory_bus *memory = memory_of(bus);
    pthread_mutex_lock(&memory->broker->lock);
    bool running = is_running(memory);
    *stats = (struct freshet_bus_stats){
        .state = running ? FRESHET_BUS_PROVED : FRESHET_BUS_DOWN,
        .probe_age_ms = running ? 0 : -1,
        .subscriptions = memory->topics.count,
        .confirmed = running ? memory->topics.count : 0,
    };
    pthread_mutex_unlock(&memory->broker->lock);
}

static void stop(struct freshet_bus *bus, uint64_t deadline_ms)
{
    struct memory_bus *memory = memory_of(bus);
    (void)deadline_ms;
    pthread_mutex_lock(&memory->broker->lock);
    fr_list_remove(&memory->link);
    pthread_mutex_unlock(&memory->broker->lock);
}

static void destroy(struct freshet_bus *bus)
{
    struct memory_bus *memory = memory_of(bus);
    stop(bus, 0);
    for (struct fr_map_node *node = fr_map_next(&memory->topics, NULL), *next; node != NULL; node = next) {
        next = fr_map_next(&memory->topics, node);
        free(FR_CONTAINER(node, struct memory_topic, node));
    }
    fr_map_deinit(&memory->topics);
    freshet_memory_broker_release(memory->broker);
    free(memory);
}

static const struct freshet_bus_ops memory_ops = {
    .start = start,
    .subscribe = subscribe,
    .unsubscribe = unsubscribe,
    .publish = publish,
    .stats = read_stats,
    .stop = stop,
    .destroy = destroy,
};

enum freshet_status freshet_memory_bus_new(struct freshet_bus **out, struct freshet_memory_broker *broker)
{
    if (out == NULL)
        return FRESHET_INVALID;
    *out = NULL;
    struct memory_bus *memory = calloc(1, sizeof(*memory));
    if (memory == NULL)
        return FRESHET_NO_MEMORY;
    memory->bus.ops = &memory_ops;
    fr_list_init(&memory->link);
    if (!fr_map_init(&memory->topics))
        goto fail;
    memory->broker = broker == NULL ? freshet_memory_broker_new() : broker;
    if (memory->broker == NULL)
        goto fail;
    if (broker != NULL)
        acquire_broker(broker);
    *out = &memory->bus;
    return FRESHET_OK;
fail:
    fr_map_deinit(&memory->topics);
    free(memory);
    return FRESHET_NO_MEMORY;
}

void freshet_bus_destroy(struct freshet_bus *bus)
{
    if (bus != NULL && bus->ops != NULL)
        bus->ops->destroy(bus);
}
