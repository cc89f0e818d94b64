#include "bus/redis/proto/answers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 16 /* a power of two, as every room */

void fr_redis_answers_deinit(struct fr_redis_answers *answers)
{
    free(answers->ring);
    *answers = (struct fr_redis_answers){0};
}

static struct fr_redis_awaited *at(const struct fr_redis_answers *answers, size_t place)
{
    return &answers->ring[(answers->first + place) & (answers->room - 1)];
}

bool fr_redis_answers_reserve(struct fr_redis_answers *answers)
{
    if (answers->count < answers->room)
        return true;
    size_t room = answers->room == 0 ? FIRST_ROOM : answers->room * 2;
    struct fr_redis_awaited *ring = malloc(room * sizeof(*ring));
    if (ring == NULL)
        return false;
    for (size_t i = 0; i < answers->count; i++)
        ring[i] = *at(answers, i);
    free(answers->ring);
    *answers = (struct fr_redis_answers){.ring = ring, .room = room, .count = answers->count};
    return true;
}

void fr_redis_answers_add(struct fr_redis_answers *answers, const struct fr_redis_awaited *awaited)
{
    assert(answers->count < answers->room && awaited->count > 0);
    *at(answers, answers->count++) = *awaited;
}

void fr_redis_answers_add_one(struct fr_redis_answers *answers, const struct fr_redis_awaited *awaited)
{
    assert(awaited->count == 1);
    struct fr_redis_awaited *newest = answers->count == 0 ? NULL : at(answers, answers->count - 1);
    if (newest != NULL && newest->owner == awaited->owner && newest->epoch == awaited->epoch &&
        newest->kind == awaited->kind && newest->number == awaited->number && newest->count < UINT32_MAX)
        newest->count++;
    else
        fr_redis_answers_add(answers, awaited);
}

const struct fr_redis_awaited *fr_redis_answers_next(const struct fr_redis_answers *answers)
{
    return answers->count == 0 ? NULL : at(answers, 0);
}

void fr_redis_answers_finish(struct fr_redis_answers *answers)
{
    assert(answers->count > 0);
    answers->first = (answers->first + 1) & (answers->room - 1);
    answers->count--;
}

void fr_redis_answers_take(struct fr_redis_answers *answers)
{
    assert(answers->count > 0);
    if (--at(answers, 0)->count == 0)
        fr_redis_answers_finish(answers);
}

void fr_redis_answers_clear(struct fr_redis_answers *answers)
{
    answers->first = answers->count = 0;
}
