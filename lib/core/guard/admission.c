#include "core/guard/admission.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "core/load/loader.h"
#include "core/load/route_guards.h"
#include "core/runtime/context.h"
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT_MS 5000
#define RETRY_FIRST_US     (250 * FR_US_PER_MS)
#define RETRY_MOST_US      (30 * FR_US_PER_S)

static void ask_next(struct fr_admission *admission);

static struct fr_timers *timers(const struct fr_admission *admission)
{
    return &admission->worker->timers;
}

static int64_t now_us(const struct fr_admission *admission)
{
    return fr_worker_now_us(admission->worker);
}

/* ---- which guards ---- */

/* As many as there can be. */
static size_t count_most(const struct freshet *freshet, const struct freshet_loader *loader,
                         const struct fr_guards *mount)
{
    size_t count = mount->count + loader->guard_count;
    for (const struct fr_list *link = freshet->route_guards.next; link != &freshet->route_guards;
         link = link->next)
        count += FR_CONTAINER(link, struct fr_route_guards, link)->count;
    return count;
}

static void add(struct fr_admission *admission, const struct freshet_guard *guards, size_t count)
{
    if (count > 0)
        memcpy(admission->guards + admission->guard_count, guards, count * sizeof(*guards));
    admission->guard_count += count;
}

static enum freshet_status add_route(struct fr_admission *admission, const struct fr_route_guards *route,
                                     struct freshet_span raw_path)
{
    struct fr_params *params;
    enum freshet_status status = fr_pattern_match(route->pattern, raw_path, &params);
    fr_params_release(params);
    if (status == FRESHET_OK)
        add(admission, route->guards, route->count);
    return status == FRESHET_NOT_FOUND ? FRESHET_OK : status;
}

/* Mount, routes, loader. What cannot be told from the path must not let it pass. */
static enum freshet_status collect(struct fr_admission *admission, const struct freshet *freshet,
                                   const struct freshet_loader *loader, struct freshet_span raw_path,
                                   const struct fr_guards *mount)
{
    enum freshet_status status = FRESHET_OK;
    const struct fr_list *all = &freshet->route_guards;
    add(admission, mount->guards, mount->count);
    for (const struct fr_list *link = all->next; link != all && status == FRESHET_OK; link = link->next)
        status = add_route(admission, FR_CONTAINER(link, struct fr_route_guards, link), raw_path);
    add(admission, loader->guards, loader->guard_count);
    return status;
}

/* ---- the chain ---- */

static void cancel(struct fr_admission *admission)
{
    fr_timers_cancel(timers(admission), &admission->timer);
    if (admission->call != NULL)
        fr_guard_call_drop(admission->call);
    admission->call = NULL;
}

static void decide(struct fr_admission *admission, const struct fr_verdict *verdict)
{
    admission->decided(admission, verdict);
}

static int64_t interval_us(const struct fr_admission *admission)
{
    uint32_t interval_ms = admission->worker->freshet->options.guard_interval_ms;
    return interval_ms == FRESHET_NEVER ? FR_ADMISSION_FOREVER_US : (int64_t)interval_ms * FR_US_PER_MS;
}

/* The chain has allowed it until the first of its guards says no more. */
static void note_allowed(struct fr_admission *admission, uint32_t for_ms)
{
    int64_t until_us = now_us(admission) + (int64_t)for_ms * FR_US_PER_MS;
    if (for_ms != 0 && until_us < admission->until_us)
        admission->until_us = until_us;
}

static void enter_admitted(struct fr_admission *admission)
{
    int64_t interval_end_us = now_us(admission) + interval_us(admission);
    admission->state = FR_ADMISSION_ADMITTED;
    admission->fresh_until_us = admission->until_us < interval_end_us ? admission->until_us : interval_end_us;
    admission->failures = 0;
    fr_attribute_release(admission->attributes);
    admission->attributes = admission->finding;
    admission->finding = NULL;
    decide(admission, &(struct fr_verdict){.kind = FR_VERDICT_ALLOW});
}

static void enter_over(struct fr_admission *admission, const struct fr_verdict *verdict)
{
    admission->state = FR_ADMISSION_OVER;
    decide(admission, verdict);
}

static void enter_delayed(struct fr_admission *admission)
{
    int64_t delay_us = (int64_t)fr_backoff(RETRY_FIRST_US, RETRY_MOST_US, admission->failures++);
    admission->state = FR_ADMISSION_DELAYED;
    fr_timers_set(timers(admission), &admission->timer, now_us(admission) + delay_us);
}

/* The guard has not decided. */
static void fail(struct fr_admission *admission, const char *code)
{
    struct fr_verdict unknown = {.kind = FR_VERDICT_UNKNOWN};
    fr_count(&admission->worker->counters.guards_failed, 1);
    if (admission->opened) {
        enter_delayed(admission);
        return;
    }
    memcpy(unknown.code, code, strlen(code) + 1);
    enter_over(admission, &unknown);
}

static void on_guard_answered(struct fr_guard_call *call, void *user)
{
    struct fr_admission *admission = user;
    struct fr_verdict verdict = call->verdict;
    fr_timers_cancel(timers(admission), &admission->timer);
    fr_attribute_release(admission->finding);
    admission->finding = fr_attribute_acquire(call->found);
    admission->call = NULL;
    call->verdict.location = NULL;
    fr_guard_call_drop(call);
    if (verdict.kind == FR_VERDICT_ALLOW)
        note_allowed(admission, verdict.for_ms);
    if (verdict.kind == FR_VERDICT_ALLOW && admission->next < admission->guard_count)
        ask_next(admission);
    else if (verdict.kind == FR_VERDICT_ALLOW)
        enter_admitted(admission);
    else if (verdict.kind == FR_VERDICT_UNKNOWN)
        fail(admission, verdict.code);
    else
        enter_over(admission, &verdict);
    free(verdict.location);
}

static void ask_next(struct fr_admission *admission)
{
    const struct freshet_guard *guard = &admission->guards[admission->next++];
    uint32_t timeout_ms = guard->timeout_ms == 0 ? DEFAULT_TIMEOUT_MS : guard->timeout_ms;
    int64_t timeout_us = (int64_t)timeout_ms * FR_US_PER_MS;
    admission->state = FR_ADMISSION_CHECKING;
    if (timeout_ms != FRESHET_NEVER)
        fr_timers_set(timers(admission), &admission->timer, now_us(admission) + timeout_us);
    struct fr_guard_call_subject subject = {.worker = admission->worker,
                                            .loader = admission->loader,
                                            .request_copy = admission->request_copy,
                                            .params = admission->params,
                                            .before = admission->finding};
    admission->call = fr_guard_call_start(&subject, guard, on_guard_answered, admission);
    if (admission->call == NULL) /* never decided within a call that came from outside */
        fr_timers_set(timers(admission), &admission->timer, now_us(admission));
}

static void run(struct fr_admission *admission)
{
    fr_timers_cancel(timers(admission), &admission->timer);
    fr_attribute_release(admission->finding);
    admission->finding = NULL;
    admission->next = 0;
    admission->until_us = FR_ADMISSION_FOREVER_US;
    ask_next(admission);
}

void fr_admission_run(struct fr_admission *admission)
{
    if (admission->state == FR_ADMISSION_NEW || admission->state == FR_ADMISSION_ADMITTED)
        run(admission);
}

static void expire(struct fr_timer *timer)
{
    struct fr_admission *admission = FR_CONTAINER(timer, struct fr_admission, timer);
    if (admission->state != FR_ADMISSION_CHECKING) {
        run(admission);
        return;
    }
    const char *code = admission->call == NULL ? "no-memory" : "guard-timeout";
    cancel(admission);
    fail(admission, code);
}

bool fr_admission_is_fresh(const struct fr_admission *admission)
{
    return admission->state == FR_ADMISSION_ADMITTED && now_us(admission) <= admission->fresh_until_us;
}

void fr_admission_open(struct fr_admission *admission, bool at_intervals)
{
    int64_t next_us = at_intervals ? admission->fresh_until_us : admission->until_us;
    admission->opened = true;
    if (next_us < FR_ADMISSION_FOREVER_US)
        fr_timers_set(timers(admission), &admission->timer, next_us);
}

/* With its guards; NULL: there are none. */
static enum freshet_status make(struct fr_admission **out, const struct freshet *freshet,
                                const struct freshet_loader *loader, struct freshet_span raw_path,
                                const struct fr_guards *mount)
{
    enum freshet_status status = FRESHET_OK;
    struct fr_admission *admission = NULL;
    size_t most = count_most(freshet, loader, mount);
    if (most > 0) {
        admission = calloc(1, sizeof(*admission) + most * sizeof(struct freshet_guard));
        status = admission == NULL ? FRESHET_NO_MEMORY : collect(admission, freshet, loader, raw_path, mount);
    }
    if (status != FRESHET_OK || (admission != NULL && admission->guard_count == 0)) {
        free(admission);
        admission = NULL;
    }
    *out = admission;
    return status;
}

enum freshet_status fr_admission_new(struct fr_admission **out, struct fr_worker *worker,
                                     struct freshet_loader *loader, struct freshet_span raw_path,
                                     struct fr_params *params, const struct fr_guards *mount)
{
    struct fr_admission *admission;
    enum freshet_status status = make(&admission, worker->freshet, loader, raw_path, mount);
    *out = NULL;
    if (admission == NULL)
        return status;
    if (!fr_timers_reserve(&worker->timers)) {
        free(admission);
        return FRESHET_NO_MEMORY;
    }
    admission->worker = worker;
    admission->loader = fr_loader_acquire(loader);
    admission->params = fr_params_acquire(params);
    admission->timer.expire = expire;
    *out = admission;
    return FRESHET_OK;
}

void fr_admission_destroy(struct fr_admission *admission)
{
    if (admission == NULL)
        return;
    cancel(admission);
    fr_timers_unreserve(timers(admission));
    fr_attribute_release(admission->attributes);
    fr_attribute_release(admission->finding);
    fr_request_copy_release(admission->request_copy);
    fr_params_release(admission->params);
    fr_loader_release(admission->loader);
    free(admission);
}
