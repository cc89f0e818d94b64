/* What a subscribe link can hear, told apart: of plain pub/sub and of that of a cluster's shards. Pure. */
#ifndef FR_REDIS_PUSH_H
#define FR_REDIS_PUSH_H

#include <freshet/span.h>
#include <hiredis/hiredis.h>
#include <stdbool.h>

enum fr_redis_push_kind {
    FR_REDIS_PUSH_MESSAGE,
    FR_REDIS_PUSH_SUBSCRIBED,
    FR_REDIS_PUSH_UNSUBSCRIBED,
    FR_REDIS_PUSH_PONG,
    FR_REDIS_PUSH_ERROR,
    FR_REDIS_PUSH_OTHER
};

struct fr_redis_push {
    enum fr_redis_push_kind kind;
    struct freshet_span channel;
    struct freshet_span body; /* of a message; the text of an error */
    bool oversized;
};

/* Points into `reply`. */
struct fr_redis_push fr_redis_push_read(const redisReply *reply);

#endif
