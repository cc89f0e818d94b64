/* Leads the links of a loop to the master that sentinels name, or to one of its replicas. It has one
 * connection to each sentinel, which listens to +switch-master there, and asks who is the master whenever a
 * link begins an attempt, and from time to time. Links on any other server than that are made to leave it,
 * whatever it says of itself. On the loop. */
#ifndef FR_REDIS_GUIDE_H
#define FR_REDIS_GUIDE_H

#include "base/list.h"
#include "bus/redis/link/config.h"
#include "bus/redis/link/link.h"
#include "bus/redis/proto/sentinels.h"

/* A question has three or four parts, sent at once: a connection that is subscribed may ask nothing else, so
 * it unsubscribes, asks, and subscribes again. A sentinel does all of it before it looks at anything else, so
 * no switch falls in between. */
enum fr_redis_guide_step {
    FR_REDIS_GUIDE_LISTENING = 0, /* nothing is unanswered */
    FR_REDIS_GUIDE_UNSUBSCRIBING,
    FR_REDIS_GUIDE_ASKING,
    FR_REDIS_GUIDE_LOOKING, /* for replicas, if one will do */
    FR_REDIS_GUIDE_SUBSCRIBING
};

struct fr_redis_guide_sentinel {
    struct fr_redis_guide *guide;
    unsigned place;
    enum fr_redis_guide_step step;
    bool is_believed; /* what it said in this question */
    char name[320];   /* for logs */
    struct fr_redis_link link;
};

struct fr_redis_guide {
    const struct fr_redis_config *config;
    const struct freshet_log *log;
    struct fr_redis_loop *loop;
    struct fr_list guided; /* links */
    bool replica_will_do;  /* links go to one that is in step, if there is one */
    struct fr_redis_sentinels known;
    struct fr_redis_guide_sentinel *sentinels; /* as many as the URL has */
    struct event *timer;
    char trouble[200]; /* why it knows no master; empty: no sentinel has answered */
};

/* For a URL of sentinels; all arguments outlive it. `replica_will_do`: its links only read.
 * FRESHET_NO_MEMORY; deinit cleans up in any case. */
enum freshet_status fr_redis_guide_init(struct fr_redis_guide *guide, const struct fr_redis_config *config,
                                        const struct freshet_log *log, struct fr_redis_loop *loop,
                                        bool replica_will_do);
/* Behind its links. A zeroed one is fine. */
void fr_redis_guide_deinit(struct fr_redis_guide *guide);
void fr_redis_guide_begin(struct fr_redis_guide *guide);

/* A link wants to know the master: fr_redis_link_go() follows. */
void fr_redis_guide_ask(struct fr_redis_guide *guide);
/* A link found no master at this address. */
void fr_redis_guide_blame(struct fr_redis_guide *guide, const struct fr_redis_address *address);
/* Why a link has waited in vain. */
const char *fr_redis_guide_trouble(const struct fr_redis_guide *guide);

#endif
