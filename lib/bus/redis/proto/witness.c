#include "bus/redis/proto/witness.h"

#include "base/clock.h"
#include "base/random.h"

#define EVERY_US        (2 * (int64_t)FR_US_PER_S)
#define MISSES_TO_LEAVE 2

void fr_redis_witness_init(struct fr_redis_witness *witness)
{
    *witness = (struct fr_redis_witness){.held_us = INT64_MIN};
}

void fr_redis_witness_linked(struct fr_redis_witness *witness, int64_t now_us)
{
    witness->accepted = witness->vouched = 0;
    witness->next_us = now_us;
}

void fr_redis_witness_accepted(struct fr_redis_witness *witness, uint64_t publish)
{
    witness->accepted = publish;
}

void fr_redis_witness_probed(struct fr_redis_witness *witness, uint64_t probe, uint64_t publishes)
{
    if (witness->state != FR_REDIS_WITNESS_LISTENING || witness->probe != 0)
        return;
    witness->probe = probe;
    witness->covers = publishes;
}

bool fr_redis_witness_probe_accepted(struct fr_redis_witness *witness, uint64_t probe)
{
    if (witness->state != FR_REDIS_WITNESS_LISTENING || witness->probe == 0 || probe < witness->probe ||
        witness->asked != 0)
        return false;
    witness->asked = witness->pings + 1;
    return true;
}

bool fr_redis_witness_is_doubtful(const struct fr_redis_witness *witness)
{
    return witness->accepted > witness->vouched;
}

bool fr_redis_witness_is_due(const struct fr_redis_witness *witness, int64_t now_us)
{
    return witness->state == FR_REDIS_WITNESS_ABSENT && fr_redis_witness_is_doubtful(witness) &&
           now_us >= witness->next_us;
}

void fr_redis_witness_begin(struct fr_redis_witness *witness, int64_t now_us)
{
    witness->state = FR_REDIS_WITNESS_COMING;
    witness->next_us = now_us + (int64_t)fr_random_jitter((uint64_t)EVERY_US);
}

void fr_redis_witness_up(struct fr_redis_witness *witness)
{
    witness->state = FR_REDIS_WITNESS_SPEAKING;
    witness->probe = witness->pings = witness->pongs = witness->asked = 0;
    witness->missed = 0;
}

void fr_redis_witness_answered(struct fr_redis_witness *witness, int64_t now_us)
{
    witness->state = FR_REDIS_WITNESS_ASKING;
    witness->answered_us = now_us;
}

void fr_redis_witness_subscribed(struct fr_redis_witness *witness)
{
    witness->state = FR_REDIS_WITNESS_LISTENING;
}

bool fr_redis_witness_heard(struct fr_redis_witness *witness, uint64_t probe)
{
    if (witness->probe == 0 || probe < witness->probe)
        return false;
    witness->vouched = witness->covers;
    return true;
}

void fr_redis_witness_pinged(struct fr_redis_witness *witness)
{
    witness->pings++;
}

bool fr_redis_witness_ponged(struct fr_redis_witness *witness)
{
    if (++witness->pongs != witness->asked)
        return false;
    witness->asked = 0;
    return ++witness->missed == MISSES_TO_LEAVE;
}

bool fr_redis_witness_has_doubts(const struct fr_redis_witness *witness)
{
    return witness->state == FR_REDIS_WITNESS_LISTENING && witness->missed > 0 && witness->asked == 0;
}

void fr_redis_witness_lost(struct fr_redis_witness *witness, int64_t now_us)
{
    if (witness->state == FR_REDIS_WITNESS_SPEAKING)
        witness->held_us = now_us;
    witness->state = FR_REDIS_WITNESS_COMING;
}

void fr_redis_witness_end(struct fr_redis_witness *witness)
{
    witness->state = FR_REDIS_WITNESS_ABSENT;
}

bool fr_redis_witness_excuses(const struct fr_redis_witness *witness, int64_t now_us, int64_t patience_us,
                              int64_t memory_us)
{
    switch (witness->state) {
    case FR_REDIS_WITNESS_ABSENT:
        break;
    case FR_REDIS_WITNESS_COMING:
        return now_us - memory_us < witness->held_us;
    case FR_REDIS_WITNESS_SPEAKING:
        return true;
    case FR_REDIS_WITNESS_ASKING:
    case FR_REDIS_WITNESS_LISTENING:
        return now_us - witness->answered_us < patience_us;
    }
    return false;
}
