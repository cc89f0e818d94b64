/* A worker's interest in a topic: from the first stream until the topic has lingered without any. What
 * happens at the topic is told to listeners, which both kinds of feeds embed. */
#ifndef FR_SUBSCRIPTION_H
#define FR_SUBSCRIPTION_H

#include "base/list.h"
#include "base/map.h"
#include "base/timers.h"
#include "core/runtime/topics.h"
#include "core/runtime/worker_internal.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct fr_listener;

struct fr_listener_type {
    /* Something has happened at the topic, or the state of its subscription has changed. */
    void (*event)(struct fr_listener *listener, const struct fr_event *event);
    /* The subscription ends: the listener has to go, and removes itself. */
    void (*ended)(struct fr_listener *listener);
    /* Writes itself as a row of a dump. */
    void (*describe)(const struct fr_listener *listener, FILE *file);
    /* Both are NULL but for listeners that take each message. Whether there is room for one more, so that no
     * stream loses an older one by it. */
    bool (*has_room)(const struct fr_listener *listener);
    /* The next message: its body as it came, empty if it was foreign. Before it `lost` others were lost; with
     * `body` NULL there is nothing behind these. */
    void (*message)(struct fr_listener *listener, const struct fr_bytes *body, uint64_t lost);
};

struct fr_listener {
    struct fr_list link; /* in the subscription */
    const struct fr_listener_type *type;
};

enum fr_subscription_life {
    FR_SUBSCRIPTION_LIVE = 0,
    FR_SUBSCRIPTION_BUSY, /* the subscriber's mail came while listeners were told of what was before it: is
                             read when all have been reached, and nothing is in the mailbox */
    FR_SUBSCRIPTION_LEFT  /* has no place at its topic any more, but its mail is still in the mailbox */
};

struct fr_subscription {
    enum fr_subscription_life life;
    struct fr_map_node node;     /* in worker->subscriptions */
    struct fr_resident resident; /* ends with its listeners when the worker leaves */
    struct fr_subscriber subscriber;
    struct fr_worker *worker;
    struct fr_topic *topic;
    struct fr_list listeners; /* without those that take each message */
    struct fr_list unreached; /* those that `event` has not been delivered to yet */
    struct fr_task delivery;  /* waits for its turn while there are some */
    struct fr_event event;
    struct fr_list collectors; /* listeners that take each message */
    uint64_t messages_taken;   /* number of the one taken from the subscriber last */
    unsigned audience;         /* feeds with streams */
    struct fr_timer linger;    /* runs while there is no audience */
    enum fr_topic_state state;
    int64_t unconfirmed_us; /* since when the subscription is not in force */
};

/* Finds or makes the subscription. */
enum freshet_status fr_subscription_get(struct fr_worker *worker, struct fr_topic *topic,
                                        struct fr_subscription **out);
/* One of its feeds has streams, or has none any more. */
void fr_subscription_gain(struct fr_subscription *subscription);
void fr_subscription_lose(struct fr_subscription *subscription);
/* A listener comes, or goes at any time. */
void fr_subscription_listen(struct fr_subscription *subscription, struct fr_listener *listener);
void fr_subscription_unlisten(struct fr_listener *listener);
/* A listener that takes each message comes, or goes. It counts as a feed with streams: with the first one the
 * subscriber begins to collect, with the last one it ends. What the listener may fall behind, the subscriber
 * can hold. */
void fr_subscription_collect(struct fr_subscription *subscription, struct fr_listener *listener,
                             const struct fr_message_ring *bounds);
void fr_subscription_uncollect(struct fr_subscription *subscription, struct fr_listener *listener);
/* Hands messages that wait at the subscriber on, as long as all who take them have room. */
void fr_subscription_pull(struct fr_subscription *subscription);
/* The time until which a missing acknowledgement is waited for. */
int64_t fr_subscription_grace_end_us(const struct fr_subscription *subscription);
/* Begins to linger: it was got for a feed, of which nothing came. */
void fr_subscription_linger(struct fr_subscription *subscription);
/* The time until which a feed is kept that loses its last stream now. */
int64_t fr_subscription_linger_end_us(const struct fr_subscription *subscription);

#endif
