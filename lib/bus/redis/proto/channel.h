/* A channel that is, or was, wanted on a subscribe link: what proto/subscriptions knows of it. */
#ifndef FR_REDIS_CHANNEL_H
#define FR_REDIS_CHANNEL_H

#include "base/list.h"
#include "base/map.h"
#include <freshet/span.h>
#include <stdbool.h>
#include <stdint.h>

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

/* Unlinked and not yet known; any thread. NULL: no memory. */
struct fr_redis_channel *fr_redis_channel_new(struct freshet_span prefix, struct freshet_span name,
                                              uint64_t subscription);
struct freshet_span fr_redis_channel_name(const struct fr_redis_channel *channel);

#endif
