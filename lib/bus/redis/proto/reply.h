/* A reply of hiredis as the program sees it. */
#ifndef FR_REDIS_REPLY_H
#define FR_REDIS_REPLY_H

#include <freshet/redis.h>
#include <hiredis/hiredis.h>

/* One allocation of *bytes that holds all of it, to be freed with free(). A reply that the guard has cut
 * becomes one error that says so. NULL: no memory. */
struct freshet_redis_reply *fr_redis_reply_copy(const redisReply *reply, size_t *bytes);

#endif
