#include "core/runtime/doubt.h"

#include "base/clock.h"

#define FIRST_PAUSE_US FR_US_PER_S

void fr_doubt_init(struct fr_doubt *doubt)
{
    *doubt = (struct fr_doubt){.told_us = INT64_MIN / 2, .pause_us = FIRST_PAUSE_US, .most_us = INT64_MAX};
    atomic_init(&doubt->due_us, INT64_MAX);
    pthread_mutex_init(&doubt->lock, NULL);
}

void fr_doubt_deinit(struct fr_doubt *doubt)
{
    pthread_mutex_destroy(&doubt->lock);
}

/* Under the lock, as the next. */
static void tell(struct fr_doubt *doubt, int64_t now_us, bool grows)
{
    int64_t doubled_us = doubt->pause_us > doubt->most_us / 2 ? doubt->most_us : 2 * doubt->pause_us;
    doubt->pause_us = grows ? doubled_us : FIRST_PAUSE_US;
    doubt->told_us = now_us;
}

static enum fr_doubt_answer answer(struct fr_doubt *doubt, int64_t now_us)
{
    if (atomic_load(&doubt->due_us) != INT64_MAX)
        return FR_DOUBT_WAITS;
    int64_t pause_us = doubt->pause_us < doubt->most_us ? doubt->pause_us : doubt->most_us;
    int64_t quiet_us = now_us - doubt->told_us;
    if (quiet_us < pause_us) {
        atomic_store(&doubt->due_us, doubt->told_us + pause_us);
        return FR_DOUBT_LATER;
    }
    tell(doubt, now_us, quiet_us < 2 * pause_us);
    return FR_DOUBT_TELL;
}

enum fr_doubt_answer fr_doubt_raise(struct fr_doubt *doubt, int64_t now_us)
{
    pthread_mutex_lock(&doubt->lock);
    enum fr_doubt_answer answered = answer(doubt, now_us);
    pthread_mutex_unlock(&doubt->lock);
    return answered;
}

bool fr_doubt_take(struct fr_doubt *doubt, int64_t now_us, bool early)
{
    if (atomic_load(&doubt->due_us) > (early ? INT64_MAX - 1 : now_us))
        return false;
    pthread_mutex_lock(&doubt->lock);
    int64_t due_us = atomic_load(&doubt->due_us);
    bool is_due = due_us != INT64_MAX && (early || due_us <= now_us);
    if (is_due) {
        tell(doubt, now_us, true);
        atomic_store(&doubt->due_us, INT64_MAX);
    }
    pthread_mutex_unlock(&doubt->lock);
    return is_due;
}
