/* What is known from sentinels: which of them to ask next, who they say is the master, whom to believe. Pure:
 * no socket, no clock.
 *
 * Somebody wants to know, and a round begins: the sentinel at the front is asked, and the next one if that
 * has no answer in a moment. The first that answers ends the round and moves to the front. One whose answer
 * led to no master moves to the back.
 *
 * All of them tell at once when they have heard of a switch. That is newer than what one says that has not
 * heard of it, which may be cut off from the others together with the old master: an answer that names the
 * master that was left counts only if more than half of all give it. */
#ifndef FR_REDIS_SENTINELS_H
#define FR_REDIS_SENTINELS_H

#include "bus/redis/proto/address.h"
#include "bus/redis/proto/url.h"
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

enum fr_redis_sentinel_state {
    FR_REDIS_SENTINEL_AWAY = 0, /* no connection */
    FR_REDIS_SENTINEL_RESTING,  /* may be asked */
    FR_REDIS_SENTINEL_ASKED,
    FR_REDIS_SENTINEL_DONE /* has answered in this round */
};

struct fr_redis_sentinel {
    enum fr_redis_sentinel_state state;
    int64_t asked_us;
    bool names_left; /* its answer in this round: the master that was left */
};

struct fr_redis_sentinels {
    struct fr_redis_sentinel all[FR_REDIS_MAX_ADDRESSES];
    unsigned order[FR_REDIS_MAX_ADDRESSES]; /* the front first */
    unsigned count;
    bool is_round;                   /* somebody wants to know */
    struct fr_redis_address master;  /* port 0: not known */
    struct fr_redis_address left;    /* by the last switch that was told of; port 0: none was */
    unsigned informant;              /* who named the master */
    struct fr_redis_address target;  /* where links are to be: the master, or one of its replicas */
    struct fr_redis_address avoided; /* a replica where nobody was, the last time; port 0: none */
    int64_t next_us;                 /* the next round for its own sake; INT64_MAX: none */
    int64_t every_us, patience_us;
};

/* `every_us`: a round is made so often, though nobody wants to know; INT64_MAX: none. `patience_us`: how long
 * before the next one is asked. */
void fr_redis_sentinels_init(struct fr_redis_sentinels *sentinels, unsigned count, int64_t every_us,
                             int64_t patience_us);

/* Its connection is up, and it was asked; or that is gone. */
void fr_redis_sentinels_came(struct fr_redis_sentinels *sentinels, unsigned place, int64_t now_us);
void fr_redis_sentinels_went(struct fr_redis_sentinels *sentinels, unsigned place);

/* Somebody wants to know who is the master. */
void fr_redis_sentinels_want(struct fr_redis_sentinels *sentinels);
/* The one to ask now, which then counts as asked; -1: none. */
int fr_redis_sentinels_next(struct fr_redis_sentinels *sentinels, int64_t now_us);
/* When to call next() again, though nothing has happened; INT64_MAX: not. */
int64_t fr_redis_sentinels_wake_us(const struct fr_redis_sentinels *sentinels);

/* One says that this is the master. False: the round goes on, or there is none. */
bool fr_redis_sentinels_answer(struct fr_redis_sentinels *sentinels, unsigned place,
                               const struct fr_redis_address *master, int64_t now_us);
/* The sentinel at this place knows of no such master, or may not say. */
void fr_redis_sentinels_refuse(struct fr_redis_sentinels *sentinels, unsigned place);
/* The sentinel at this place has told that the master is another one now. */
void fr_redis_sentinels_switch(struct fr_redis_sentinels *sentinels, unsigned place,
                               const struct fr_redis_address *from, const struct fr_redis_address *to,
                               int64_t now_us);
/* Behind a believed answer or a switch: links are to be at one of these replicas, or at the master if there
 * is none. One that serves them goes on doing so; else the one that `pick` chooses, so that readers are
 * spread; but not one where nobody was, until the sentinels have noticed that, too, and name it again. True:
 * it is another place than before. */
bool fr_redis_sentinels_aim(struct fr_redis_sentinels *sentinels, const struct fr_redis_address *replicas,
                            unsigned count, unsigned pick);
/* There was nobody at this address, or no master. */
void fr_redis_sentinels_blame(struct fr_redis_sentinels *sentinels, const struct fr_redis_address *address);

/* ---- what they say ---- */

/* The answer to SENTINEL GET-MASTER-ADDR-BY-NAME. False: it names none. */
bool fr_redis_sentinel_read(const redisReply *reply, struct fr_redis_address *master);
/* The answer to SENTINEL REPLICAS: those that are in step with their master, at most `max`; how many. */
unsigned fr_redis_sentinel_read_replicas(const redisReply *reply, struct fr_redis_address *replicas,
                                         unsigned max);
/* The body of a message on +switch-master. False: it is about another name, or is none. */
bool fr_redis_sentinel_read_switch(struct freshet_span body, struct freshet_span name,
                                   struct fr_redis_address *from, struct fr_redis_address *to);

#endif
