/* A worker's interest in a topic: from the first stream until the topic has lingered without any. */
#ifndef FR_WATCH_H
#define FR_WATCH_H

#include "base/list.h"
#include "base/map.h"
#include "base/timers.h"
#include "core/topics.h"
#include "core/worker_internal.h"
#include <stdbool.h>
#include <stdint.h>

struct fr_watch {
    struct fr_map_node node;
    struct fr_seat seat;
    struct fr_worker *worker;
    struct fr_topic *topic;
    struct fr_list feeds;
    struct fr_list unreached;   /* those that `event` has not been delivered to yet */
    struct fr_list in_delivery; /* in worker->deliveries while there are some */
    struct fr_event event;
    bool mail_waits;              /* more came meanwhile: the seat is read when all are reached */
    struct fr_list message_feeds; /* fr_message_feed.in_watch */
    uint64_t messages_taken;      /* number of the one taken from the seat last */
    unsigned audience;            /* feeds with streams */
    struct fr_timer linger;       /* runs while there is no audience */
    enum fr_topic_state state;
    int64_t unconfirmed_us; /* since when the subscription is not in force */
    bool left;              /* waits for its last mail */
};

/* Finds or makes the watch. */
enum freshet_status fr_watch_get(struct fr_worker *worker, struct fr_topic *topic, struct fr_watch **out);
/* One of its feeds has streams, or has none any more. */
void fr_watch_gain(struct fr_watch *watch);
void fr_watch_lose(struct fr_watch *watch);
/* A message feed comes or goes; with the first one the seat begins to collect, with the last one it ends. */
void fr_watch_add_messages(struct fr_watch *watch, struct fr_list *in_watch);
void fr_watch_remove_messages(struct fr_watch *watch, struct fr_list *in_watch);
/* Hands messages that wait at the seat to the message feeds, as long as all of them have room. */
void fr_watch_pull(struct fr_watch *watch);
/* Until when a missing acknowledgement is waited for. */
int64_t fr_watch_grace_end_us(const struct fr_watch *watch);
/* Begins to linger: it was got, but nothing came of it. */
void fr_watch_linger(struct fr_watch *watch);
/* Until when what loses its last stream now is kept. */
int64_t fr_watch_linger_end_us(const struct fr_watch *watch);
/* Goes on with deliveries to many feeds, at most `limit` of them; true: there are more. */
bool fr_watch_sweep(struct fr_worker *worker, size_t limit);
/* Ends all watches with their feeds: the worker leaves. */
void fr_watch_end_all(struct fr_worker *worker);

#endif
