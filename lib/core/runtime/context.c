#include "core/runtime/context.h"

#include "base/log.h"
#include "core/runtime/worker_internal.h"

int64_t fr_freshet_now_us(const struct freshet *freshet)
{
    return freshet->now_us(freshet->now_user);
}

void fr_freshet_set_clock(struct freshet *freshet, int64_t (*now_us)(void *user), void *user)
{
    freshet->now_us = now_us;
    freshet->now_user = user;
}

const struct freshet_log *fr_freshet_log(const struct freshet *freshet)
{
    return &freshet->log;
}

struct fr_counters *fr_freshet_counters(struct freshet *freshet)
{
    struct fr_worker *worker = fr_worker_here(freshet);
    return worker == NULL ? &freshet->counters : &worker->counters;
}

enum freshet_status fr_freshet_check_for(const struct freshet *freshet, const char *what,
                                         struct freshet_error *error)
{
    enum freshet_status status = fr_freshet_check(freshet);
    if (status == FRESHET_INVALID)
        fr_fail(error, status, "%s: freshet is NULL", what);
    else if (status != FRESHET_OK)
        fr_fail(error, status, "%s: this process is a fork of the one that made the freshet", what);
    return status;
}

enum freshet_status fr_freshet_may_add(const struct freshet *freshet, const char *what,
                                       struct freshet_error *error)
{
    if (!atomic_load(&freshet->serving))
        return FRESHET_OK;
    return fr_fail(error, FRESHET_CONFLICT,
                   "%.100s: a worker has joined this freshet; loaders and guards of routes are added before",
                   what);
}

void fr_freshet_set_serving(struct freshet *freshet)
{
    pthread_mutex_lock(&freshet->lock);
    atomic_store(&freshet->serving, true);
    pthread_mutex_unlock(&freshet->lock);
}
