/* Replies of Redis from their bytes. */
#ifndef TEST_UNIT_REDIS_REPLY_H
#define TEST_UNIT_REDIS_REPLY_H

#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <string.h>

/* To be freed with freeReplyObject(). */
static inline redisReply *reply_of(const char *wire)
{
    void *reply = NULL;
    redisReader *reader = redisReaderCreate();
    redisReaderFeed(reader, wire, strlen(wire));
    cr_assert_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
    cr_assert_not_null(reply, "%s", wire);
    redisReaderFree(reader);
    return reply;
}

#endif
