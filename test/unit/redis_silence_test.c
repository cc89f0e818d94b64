#include "bus/redis/proto/silence.h"
#include <criterion/criterion.h>

#define TIMEOUT 16000 /* a part is 1000 */

static struct fr_redis_silence silence;

static void set_up(void)
{
    fr_redis_silence_begin(&silence, TIMEOUT, 0);
}

/* Looks as often as it asks for, from `from` on, and says when a stage came first; -1: it did not. */
static int64_t first(enum fr_redis_silence_stage stage, int64_t from, int64_t to)
{
    for (int64_t now = from; now <= to; now += fr_redis_silence_look_every_us(&silence))
        if (fr_redis_silence_look(&silence, now) == stage)
            return now;
    return -1;
}

TestSuite(redis_silence, .init = set_up);

/* contract 7.3: found within the time-out, wherever the looks fall */
Test(redis_silence, asks_early_and_gives_up_within_the_timeout)
{
    for (int64_t heard = 0; heard < 1000; heard += 111) {
        fr_redis_silence_begin(&silence, TIMEOUT, 0);
        fr_redis_silence_heard(&silence, heard);
        int64_t asked = first(FR_REDIS_SILENCE_TO_ASK, 1000, TIMEOUT);
        cr_assert(asked >= heard + 4000 && asked <= heard + 5000);
        cr_assert_eq(first(FR_REDIS_SILENCE_TO_ASK, asked + 1000, asked + 8000), -1, "once");
        int64_t over = first(FR_REDIS_SILENCE_OVER, asked + 1000, 2 * TIMEOUT);
        cr_assert(over > asked && over <= heard + TIMEOUT);
    }
}

/* contract 7.3: of the default of 5 s these are more than three */
Test(redis_silence, leaves_most_of_the_timeout_for_an_answer)
{
    int64_t asked = first(FR_REDIS_SILENCE_TO_ASK, 0, TIMEOUT);
    cr_assert_eq(first(FR_REDIS_SILENCE_OVER, asked + 1000, asked + TIMEOUT / 16 * 10), -1);
    fr_redis_silence_heard(&silence, asked + TIMEOUT / 16 * 10);
    cr_assert_eq(fr_redis_silence_look(&silence, asked + TIMEOUT / 16 * 10), FR_REDIS_SILENCE_NONE);
}

Test(redis_silence, doubts_after_more_than_half_and_before_it_gives_up)
{
    cr_assert(fr_redis_silence_is_short(&silence, 9999));
    cr_assert_not(fr_redis_silence_is_short(&silence, 10000));
    int64_t asked = first(FR_REDIS_SILENCE_TO_ASK, 0, TIMEOUT);
    cr_assert_eq(first(FR_REDIS_SILENCE_DOUBT, asked + 1000, TIMEOUT), 10000);
    cr_assert_eq(first(FR_REDIS_SILENCE_OVER, 11000, TIMEOUT), 15000);
}

/* contract 7.3: who stood still itself has asked nobody */
Test(redis_silence, asks_first_after_a_stall_of_its_own)
{
    int64_t now = 10 * TIMEOUT;
    cr_assert_eq(fr_redis_silence_look(&silence, now), FR_REDIS_SILENCE_TO_ASK);
    cr_assert_eq(fr_redis_silence_look(&silence, now + 9000), FR_REDIS_SILENCE_DOUBT);
    cr_assert_eq(fr_redis_silence_look(&silence, now + 10000), FR_REDIS_SILENCE_OVER);
}

Test(redis_silence, lasts_as_long_as_it_likes_without_a_timeout)
{
    fr_redis_silence_begin(&silence, INT64_MAX, 0);
    cr_assert_eq(fr_redis_silence_look_every_us(&silence), INT64_MAX);
    cr_assert_eq(fr_redis_silence_look(&silence, INT64_MAX / 16), FR_REDIS_SILENCE_NONE);
    cr_assert(fr_redis_silence_is_short(&silence, INT64_MAX / 16));
}
