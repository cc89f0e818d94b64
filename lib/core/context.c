#include "core/context.h"

#include "core/worker_internal.h"

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
