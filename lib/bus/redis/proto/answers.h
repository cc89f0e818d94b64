/* Whose answer comes next on a connection. Redis answers in the order in which it was asked, and most answers
 * do not say to what; so every command leaves a note behind when it is sent. Pure.
 *
 * The commands of one connection have several owners, and an owner may leave the connection before it has its
 * answers, when its slot has moved to another server. They come all the same and are for nobody: that is what
 * the epoch is for, which the owner raises when it leaves. */
#ifndef FR_REDIS_ANSWERS_H
#define FR_REDIS_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fr_redis_awaited {
    void *owner;
    uint64_t number; /* what else the owner has to know */
    uint32_t epoch;  /* the owner's when it was sent */
    uint32_t count;  /* of answers that are still to come */
    int kind;        /* the connection's owner knows of what */
};

/* Zeroed: none. */
struct fr_redis_answers {
    struct fr_redis_awaited *ring;
    size_t room, first, count;
};

/* A zeroed one is fine. */
void fr_redis_answers_deinit(struct fr_redis_answers *answers);
/* Makes room for one more; false: no memory. */
bool fr_redis_answers_reserve(struct fr_redis_answers *answers);
/* Notes a command that is sent; there must be room. */
void fr_redis_answers_add(struct fr_redis_answers *answers, const struct fr_redis_awaited *awaited);
/* As fr_redis_answers_add(), for a command of one answer: if the newest note is like this one, that note
 * awaits one answer more. */
void fr_redis_answers_add_one(struct fr_redis_answers *answers, const struct fr_redis_awaited *awaited);
/* The oldest; NULL: nothing is awaited. Until the next call that adds. */
const struct fr_redis_awaited *fr_redis_answers_next(const struct fr_redis_answers *answers);
/* One answer of the oldest has come. */
void fr_redis_answers_take(struct fr_redis_answers *answers);
/* The oldest is over, whatever it still awaited. */
void fr_redis_answers_finish(struct fr_redis_answers *answers);
/* The connection is gone. */
void fr_redis_answers_clear(struct fr_redis_answers *answers);
static inline bool fr_redis_answers_is_empty(const struct fr_redis_answers *answers)
{
    return answers->count == 0;
}

#endif
