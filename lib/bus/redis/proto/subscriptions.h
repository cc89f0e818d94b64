/* Which channels are wanted, which are in force, and which commands are unanswered. Pure: no socket, no
 * clock. Commands are counted, not names: an acknowledgement belongs to the oldest command, so one of an
 * earlier SUBSCRIBE never passes for that of a later one. */
#ifndef FR_REDIS_SUBSCRIPTIONS_H
#define FR_REDIS_SUBSCRIPTIONS_H

#include "base/list.h"
#include "base/map.h"
#include "bus/redis/proto/channel.h"
#include "bus/redis/proto/push.h"
#include <freshet/span.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FR_REDIS_BATCH 100 /* channels of one command */

/* In a cluster SSUBSCRIBE and SUNSUBSCRIBE. */
enum fr_redis_verb { FR_REDIS_SUBSCRIBE, FR_REDIS_UNSUBSCRIBE, FR_REDIS_PING };

struct fr_redis_subscriptions_owner {
    void *user;
    /* Commands; 0: a default. While so many are unanswered, channels gather for the next one. */
    unsigned max_unanswered;
    /* Send it now; a PING has no channels. False: not possible; nothing was sent and the link is about to
     * break. */
    bool (*send)(void *user, enum fr_redis_verb verb, const struct freshet_span *channels, size_t count);
    void (*subscribed)(void *user, struct freshet_span channel, uint64_t subscription);
    /* It was in force and is so no more; subscribed() follows if it comes through again. NULL: nobody asks.
     */
    void (*lost)(void *user, struct freshet_span channel, uint64_t subscription);
    void (*refused)(void *user, struct freshet_span channel, uint64_t subscription,
                    struct freshet_span reason);
    /* An error that is not about the link: a SUBSCRIBE that is sent again in a second; or UNSUBSCRIBE, whose
     * channels Redis then keeps until the link ends. */
    void (*put_off)(void *user, enum fr_redis_verb verb, struct freshet_span reason);
    /* The PING of this number is answered, and what Redis delivered before it has come. */
    void (*pinged)(void *user, uint64_t number);
};

struct fr_redis_subscriptions {
    struct fr_redis_subscriptions_owner owner;
    struct fr_map channels;
    struct fr_list waiting, refused, leaving;
    struct fr_list commands; /* unanswered, oldest first */
    unsigned command_count;
    uint64_t last_command;
    bool linked;
    bool keeps;            /* may not unsubscribe on this link: Redis keeps what is not wanted any more */
    int64_t subscribes_us; /* no SUBSCRIBE before */
    atomic_uint_fast64_t wanted, confirmed; /* any thread reads */
};

/* False: no memory. */
bool fr_redis_subscriptions_init(struct fr_redis_subscriptions *subscriptions,
                                 const struct fr_redis_subscriptions_owner *owner);
/* A zeroed one is fine. */
void fr_redis_subscriptions_deinit(struct fr_redis_subscriptions *subscriptions);

/* Wants a channel, which is taken over. Nothing is sent before the next pump. */
void fr_redis_subscriptions_add(struct fr_redis_subscriptions *subscriptions,
                                struct fr_redis_channel *channel);
void fr_redis_subscriptions_remove(struct fr_redis_subscriptions *subscriptions, struct freshet_span name);
bool fr_redis_subscriptions_is_wanted(const struct fr_redis_subscriptions *subscriptions,
                                      struct freshet_span name);
bool fr_redis_subscriptions_is_confirmed(const struct fr_redis_subscriptions *subscriptions,
                                         struct freshet_span name);

/* The link is up: everything wanted is to be sent. */
void fr_redis_subscriptions_linked(struct fr_redis_subscriptions *subscriptions);
/* It is gone, and every confirmation with it. */
void fr_redis_subscriptions_lost(struct fr_redis_subscriptions *subscriptions);
/* Sends what is to be sent, in batches, a bounded number unanswered. */
void fr_redis_subscriptions_pump(struct fr_redis_subscriptions *subscriptions, int64_t now_us);
/* Sends a PING, and says its number; 0: it was not sent. */
uint64_t fr_redis_subscriptions_ping(struct fr_redis_subscriptions *subscriptions);

/* Anything but a message. False: it does not fit, or is an error that concerns the link: break it. */
bool fr_redis_subscriptions_take(struct fr_redis_subscriptions *subscriptions,
                                 const struct fr_redis_push *push, int64_t now_us);

#endif
