#include "core/runtime/everything.h"

#include "base/clock.h"

#define FIRST_PAUSE_US FR_US_PER_S

void fr_everything_init(struct fr_everything *everything)
{
    *everything =
        (struct fr_everything){.told_us = INT64_MIN / 2, .pause_us = FIRST_PAUSE_US, .most_us = INT64_MAX};
    atomic_init(&everything->due_us, INT64_MAX);
    pthread_mutex_init(&everything->lock, NULL);
}

void fr_everything_deinit(struct fr_everything *everything)
{
    pthread_mutex_destroy(&everything->lock);
}

/* Under the lock, as the next. */
static void tell(struct fr_everything *everything, int64_t now_us, bool grows)
{
    int64_t doubled_us =
        everything->pause_us > everything->most_us / 2 ? everything->most_us : 2 * everything->pause_us;
    everything->pause_us = grows ? doubled_us : FIRST_PAUSE_US;
    everything->told_us = now_us;
}

static enum fr_everything_answer answer(struct fr_everything *everything, int64_t now_us)
{
    if (atomic_load(&everything->due_us) != INT64_MAX)
        return FR_EVERYTHING_WAITS;
    int64_t pause_us =
        everything->pause_us < everything->most_us ? everything->pause_us : everything->most_us;
    int64_t quiet_us = now_us - everything->told_us;
    if (quiet_us < pause_us) {
        atomic_store(&everything->due_us, everything->told_us + pause_us);
        return FR_EVERYTHING_LATER;
    }
    tell(everything, now_us, quiet_us < 2 * pause_us);
    return FR_EVERYTHING_TELL;
}

enum fr_everything_answer fr_everything_raise(struct fr_everything *everything, int64_t now_us)
{
    pthread_mutex_lock(&everything->lock);
    enum fr_everything_answer answered = answer(everything, now_us);
    pthread_mutex_unlock(&everything->lock);
    return answered;
}

bool fr_everything_take(struct fr_everything *everything, int64_t now_us, bool early)
{
    if (atomic_load(&everything->due_us) > (early ? INT64_MAX - 1 : now_us))
        return false;
    pthread_mutex_lock(&everything->lock);
    int64_t due_us = atomic_load(&everything->due_us);
    bool is_due = due_us != INT64_MAX && (early || due_us <= now_us);
    if (is_due) {
        tell(everything, now_us, true);
        atomic_store(&everything->due_us, INT64_MAX);
    }
    pthread_mutex_unlock(&everything->lock);
    return is_due;
}
