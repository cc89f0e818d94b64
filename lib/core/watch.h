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
    bool mail_waits;        /* more came meanwhile: the seat is read when all are reached */
    unsigned audience;      /* feeds with streams */
    struct fr_timer linger; /* runs while there is no audience */
    enum fr_topic_state state;
    int64_t unconfirmed_us; /* since when the subscription is not in force */
    bool left;              /* waits for its last mail */
};

/* Finds or makes the watch. */
enum freshet_status fr_watch_get(struct fr_worker *worker, struct fr_topic *topic, struct fr_watch **out);
/* One of its feeds has streams, or has none any more. */
void fr_watch_gain(struct fr_watch *watch);
void fr_watch_lose(struct fr_watch *watch);
/* Begins to linger: it was got, but nothing came of it. */
void fr_watch_linger(struct fr_watch *watch);
/* Until when what loses its last stream now is kept. */
int64_t fr_watch_linger_end_us(const struct fr_watch *watch);
/* Goes on with deliveries to many feeds, at most `limit` of them; true: there are more. */
bool fr_watch_sweep(struct fr_worker *worker, size_t limit);
/* Ends all watches with their feeds: the worker leaves. */
void fr_watch_end_all(struct fr_worker *worker);

#endif
