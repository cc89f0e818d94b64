#include "bus/redis/proto/silence.h"

/* In parts of the time-out. It is looked at in each part, so the last one is left over for being in time. */
#define PARTS         16
#define ASK_AFTER     4
#define DOUBT_AFTER   10
#define GIVE_UP_AFTER 15

/* Whether so many parts have passed. */
static bool have_passed(const struct fr_redis_silence *silence, int64_t since_us, int64_t now_us,
                        int64_t parts)
{
    return now_us - since_us >= silence->timeout_us / PARTS * parts;
}

void fr_redis_silence_begin(struct fr_redis_silence *silence, int64_t timeout_us, int64_t now_us)
{
    *silence = (struct fr_redis_silence){.timeout_us = timeout_us, .heard_us = now_us, .asked_us = now_us};
}

void fr_redis_silence_heard(struct fr_redis_silence *silence, int64_t now_us)
{
    silence->heard_us = now_us;
}

int64_t fr_redis_silence_look_every_us(const struct fr_redis_silence *silence)
{
    return silence->timeout_us == INT64_MAX ? INT64_MAX : silence->timeout_us / PARTS;
}

enum fr_redis_silence_stage fr_redis_silence_look(struct fr_redis_silence *silence, int64_t now_us)
{
    if (!have_passed(silence, silence->heard_us, now_us, ASK_AFTER))
        return FR_REDIS_SILENCE_NONE;
    if (silence->asked_us <= silence->heard_us) {
        silence->asked_us = now_us;
        return FR_REDIS_SILENCE_TO_ASK;
    }
    /* It was asked in time, unless this thread stood still until then. */
    if (have_passed(silence, silence->heard_us, now_us, GIVE_UP_AFTER) &&
        have_passed(silence, silence->asked_us, now_us, DOUBT_AFTER))
        return FR_REDIS_SILENCE_OVER;
    return fr_redis_silence_is_short(silence, now_us) ? FR_REDIS_SILENCE_NONE : FR_REDIS_SILENCE_DOUBT;
}

bool fr_redis_silence_is_short(const struct fr_redis_silence *silence, int64_t now_us)
{
    return !have_passed(silence, silence->heard_us, now_us, DOUBT_AFTER);
}
