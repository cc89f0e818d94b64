/* Which channels are wanted, which are in force, and which commands are unanswered. Pure: no socket, no
 * clock. Commands are counted, not names: an acknowledgement belongs to the oldest command, so one of an
 * earlier SUBSCRIBE never passes for that of a later one. */
#ifndef FR_REDIS_SUBSCRIPTIONS_H
#define FR_REDIS_SUBSCRIPTIONS_H

#include "base/list.h"
#include "base/map.h"
#include "bus/redis/proto/push.h"
#include <freshet/span.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FR_REDIS_BATCH 100 /* channels of one command */

/* In a cluster SSUBSCRIBE and SUNSUBSCRIBE. */
enum fr_redis_verb { FR_REDIS_SUBSCRIBE, FR_REDIS_UNSUBSCRIBE, FR_REDIS_PING };

enum fr_redis_channel_state {
    FR_REDIS_CHANNEL_WAITING = 0, /* wanted; a SUBSCRIBE is to be sent */
    FR_REDIS_CHANNEL_ASKED,       /* wanted; it is unanswered */
    FR_REDIS_CHANNEL_CONFIRMED,
    FR_REDIS_CHANNEL_REFUSED, /* wanted; to be tried alone, later */
    FR_REDIS_CHANNEL_LEAVING, /* an UNSUBSCRIBE is to be sent */
    FR_REDIS_CHANNEL_LEFT     /* it is unanswered, or nothing is to be sent */
};

struct fr_redis_channel {
    struct fr_map_node node;
    struct fr_list link; /* by state: waiting, refused, leaving; otherwise unlinked */
    enum fr_redis_channel_state state;
    unsigned references;   /* unanswered commands that name it */
    uint64_t subscription; /* given back with each confirmation */
    uint64_t command;      /* the newest that names it */
    int64_t retry_us;      /* of REFUSED */
    bool told_refused;     /* on this link, for this subscription */
    char name[];
};

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

/* Unlinked and not yet known; any thread. NULL: no memory. */
struct fr_redis_channel *fr_redis_channel_new(struct freshet_span prefix, struct freshet_span name,
                                              uint64_t subscription);
struct freshet_span fr_redis_channel_name(const struct fr_redis_channel *channel);

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
