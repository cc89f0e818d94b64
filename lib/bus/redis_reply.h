/* A reply of hiredis as the program sees it. */
#ifndef FR_REDIS_REPLY_H
#define FR_REDIS_REPLY_H

#include <freshet/redis.h>
#include <hiredis/hiredis.h>

/* Texts stay those of `reply`; the structs are one allocation, to be freed with free(). A reply that the
 * guard has cut becomes one error that says so. NULL: no memory. */
struct freshet_redis_reply *fr_redis_reply_convert(const redisReply *reply);

#endif
