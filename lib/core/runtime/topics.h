/* The topics that this freshet knows, shared by its workers: which are subscribed, and which workers want to
 * hear of their publishes. */
#ifndef FR_TOPICS_H
#define FR_TOPICS_H

#include "base/bucket.h"
#include "base/bytes.h"
#include "base/list.h"
#include "base/mailbox.h"
#include "base/map.h"
#include "core/runtime/homes.h"
#include "core/runtime/message_ring.h"
#include <freshet/bus.h>
#include <freshet/span.h>
#include <freshet/status.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fr_worker;
struct freshet_loader;

enum fr_topic_state {
    FR_TOPIC_WAITING = 0, /* no acknowledgement yet, or the link was lost since */
    FR_TOPIC_CONFIRMED,   /* every publish from here on is delivered */
    FR_TOPIC_REFUSED      /* the bus may not subscribe it; it goes on trying */
};

struct fr_topics {
    /* `order` is held around a change of what is wanted and the bus call that follows, so that these reach
     * the bus in one order; `lock` guards the rest and is never held while the bus or the application is
     * called. */
    pthread_mutex_t order;
    pthread_mutex_t lock;
    struct fr_map map;
    struct freshet_bus *bus;
    struct fr_homes *homes;    /* the freshet's */
    uint64_t subscription_ids; /* the last number given to a subscription */
    uint64_t changes;          /* the last number given to fr_topic.change or `doubted` */
    uint64_t doubted; /* the number of the newest doubt, which stands for those of all topics before it */
    unsigned limit;
    atomic_bool collected;       /* some subscriber has collected messages: else they need not be looked at */
    uint32_t new_per_s;          /* of new ones; 0: no limit */
    struct fr_bucket new_topics; /* under `lock` */
};

struct fr_topic {
    struct fr_map_node node;
    struct fr_list subscribers;
    struct fr_home home;      /* where its shared feeds live */
    unsigned references;      /* subscribers and fanouts */
    uint64_t subscription_id; /* 0: not wanted on the bus */
    enum fr_topic_state state;
    uint64_t change; /* a new number, never used before, with each mark and each confirmation */
    atomic_size_t streams;
    char name[];
};

/* What happened at a topic since its subscriber last heard of it. */
struct fr_event {
    uint64_t publishes;
    struct fr_bytes *body; /* of the newest publish */
    int64_t published_us;  /* wall clock of the oldest one; 0: unknown */
    bool gap;              /* publishes may have been lost */
    bool state_changed;
    bool retry;                                /* loads that have failed may go well now */
    const struct freshet_loader *retry_loader; /* with `retry`: those of this loader; NULL: of every one */
};

/* One worker's place at a topic. Embedded in what the worker keeps for the topic. */
struct fr_subscriber {
    struct fr_mail mail; /* posted when `event` is no longer empty; deliver with fr_subscriber_read() */
    struct fr_list link;
    struct fr_topic *topic;
    struct fr_worker *worker;
    struct fr_event event; /* under the lock */
    bool posted;           /* under the lock */
    /* Of those who push messages themselves: what came from the bus, as it came; an empty one is foreign. */
    struct fr_message_ring messages; /* under the lock */
    bool collects;                   /* under the lock */
};

/* Without limits, which may be set before the first topic. */
enum freshet_status fr_topics_init(struct fr_topics *topics, struct fr_homes *homes);
void fr_topics_deinit(struct fr_topics *topics);

/* Any thread. */
bool fr_topics_is_known(struct fr_topics *topics, struct freshet_span name);
/* Whether a stream may ask for this topic: it is known, or the limit of new ones leaves room, which
 * is then taken. Any thread. */
bool fr_topics_permit(struct fr_topics *topics, struct freshet_span name, int64_t now_us);

/* A reference to a topic, new or known. FRESHET_FULL, FRESHET_NO_MEMORY. Any thread. */
enum freshet_status fr_topics_acquire(struct fr_topics *topics, struct freshet_span name,
                                      struct fr_topic **out);
void fr_topics_release(struct fr_topics *topics, struct fr_topic *topic);
struct freshet_span fr_topic_name(const struct fr_topic *topic);

/* ---- one worker's place: core/runtime/subscriber.c ---- */

/* Takes a place; the first one subscribes. `subscriber` has worker and mail.deliver set. The topic's state is
 * returned now and later changes are told. The reference to the topic is the caller's. On failure it has no
 * place, but with `posted` its mail is in the mailbox all the same: it must stay until then. */
enum freshet_status fr_subscriber_enter(struct fr_topics *topics, struct fr_subscriber *subscriber,
                                        struct fr_topic *topic, enum fr_topic_state *state);
/* Gives it up; the last one unsubscribes. True: its mail is still in the mailbox, the subscriber must stay
 * until then. */
bool fr_subscriber_leave(struct fr_topics *topics, struct fr_subscriber *subscriber);
/* In the delivery of its mail: the event, whose body is the caller's now, and the topic's state. */
struct fr_event fr_subscriber_read(struct fr_topics *topics, struct fr_subscriber *subscriber,
                                   enum fr_topic_state *state);

/* From now on the subscriber keeps messages from the bus, each of which sends mail: as many as may come while
 * its worker is at something else, and not fewer than these. Called again it may keep more, and loses
 * nothing. */
void fr_subscriber_collect(struct fr_topics *topics, struct fr_subscriber *subscriber, uint32_t max_count,
                           size_t max_bytes);
void fr_subscriber_collect_no_more(struct fr_topics *topics, struct fr_subscriber *subscriber);
/* As fr_message_ring_shift(). */
bool fr_subscriber_take_message(struct fr_topics *topics, struct fr_subscriber *subscriber,
                                struct fr_message_item *item);

/* ---- what all of them hear ---- */

/* A message from the bus, own ones too: for those who collect; marks nothing. Any thread. */
void fr_topics_message(struct fr_topics *topics, struct freshet_span name, struct freshet_span body);
/* News of the bus or of this freshet's own publishes; any thread. */
void fr_topics_mark(struct fr_topics *topics, struct freshet_span name, struct freshet_span body,
                    int64_t published_us);
void fr_topics_confirm(struct fr_topics *topics, struct freshet_span name, uint64_t subscription_id);
void fr_topics_refuse(struct fr_topics *topics, struct freshet_span name, uint64_t subscription_id);
void fr_topics_lose(struct fr_topics *topics, struct freshet_span name, uint64_t subscription_id);
void fr_topics_all_lost(struct fr_topics *topics); /* no subscription_id is in force */
/* Any of them may have missed publishes: from now on nothing is known to be current, and those who show
 * something are told, which costs each a load. */
void fr_topics_all_marked(struct fr_topics *topics);
/* The two halves of it, in this order, for who tells later: a feed that has begun to load in between is not
 * asked to again. */
void fr_topics_doubt(struct fr_topics *topics);
void fr_topics_tell_doubt(struct fr_topics *topics);
/* Loads of these feeds that have failed are to be tried again. `name` empty: of all topics; `loader` NULL: of
 * all loaders. */
void fr_topics_retry(struct fr_topics *topics, struct freshet_span name, const struct freshet_loader *loader);
/* The number of a topic that is subscribed now; 0: it is not. While it stays the same, nothing was published
 * to the topic that this freshet has heard of, and nothing can have been missed. Any thread. */
uint64_t fr_topics_current(struct fr_topics *topics, struct freshet_span name);
size_t fr_topics_streams(struct fr_topics *topics, struct freshet_span name);
size_t fr_topics_count(struct fr_topics *topics);

#endif
