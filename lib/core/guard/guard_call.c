#include "core/guard/guard_call.h"

#include "base/log.h"
#include "core/load/loader.h"
#include "core/runtime/context.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fr_handles table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void release(struct fr_guard_call *call)
{
    if (!fr_refcount_release(&call->references))
        return;
    fr_attribute_release(call->before);
    fr_attribute_release(call->found);
    fr_request_copy_release(call->request_copy);
    fr_params_release(call->params);
    fr_loader_release(call->loader);
    fr_worker_release(call->worker);
    free(call->verdict.location);
    free(call);
}

static struct fr_guard_call *new_call(const struct fr_guard_call_subject *subject,
                                      const struct freshet_guard *guard)
{
    struct fr_guard_call *call = calloc(1, sizeof(*call));
    if (call == NULL)
        return NULL;
    fr_refcount_init(&call->references);
    atomic_init(&call->dropped, false);
    call->worker = fr_worker_acquire(subject->worker);
    call->guard = *guard;
    call->loader = fr_loader_acquire(subject->loader);
    call->request_copy = fr_request_copy_acquire(subject->request_copy);
    call->params = fr_params_acquire(subject->params);
    call->before = fr_attribute_acquire(subject->before);
    call->found = fr_attribute_acquire(subject->before);
    call->request = fr_loader_request(call->loader, call->request_copy, call->params, call->before);
    return call;
}

static struct freshet_check public_handle(const struct fr_guard_call *call)
{
    return (struct freshet_check){.generation = call->handle.generation, .slot = call->handle.slot};
}

static void run(struct fr_guard_call *call)
{
    call->guard.guard(public_handle(call), &call->request, call->guard.user);
}

/* Clients that come and go faster than guards answer leave no work behind. */
static void call_pool(struct fr_job *job, bool abandoned)
{
    struct fr_guard_call *call = FR_CONTAINER(job, struct fr_guard_call, job);
    if (abandoned || atomic_load(&call->dropped))
        freshet_check_fail(public_handle(call));
    else
        run(call);
    release(call);
}

struct fr_guard_call *fr_guard_call_start(const struct fr_guard_call_subject *subject,
                                          const struct freshet_guard *guard,
                                          void (*answered)(struct fr_guard_call *call, void *user),
                                          void *user)
{
    struct fr_guard_call *call = new_call(subject, guard);
    if (call == NULL)
        return NULL;
    call->answered = answered;
    call->user = user;
    if (!fr_handles_add(&table, call, &call->handle)) {
        release(call);
        return NULL;
    }
    /* The application's and the call's: it may look at the request after its answer. */
    fr_refcount_acquire(&call->references);
    fr_refcount_acquire(&call->references);
    fr_count(&call->worker->counters.guards, 1);
    if (guard->on_pool) {
        call->job.run = call_pool;
        call->job.limited = true;
        fr_pool_run(call->worker->freshet->pool, &call->job);
    } else {
        run(call);
        release(call);
    }
    return call;
}

void fr_guard_call_drop(struct fr_guard_call *call)
{
    call->answered = NULL;
    atomic_store(&call->dropped, true);
    release(call);
}

static void deliver(struct fr_mail *mail)
{
    struct fr_guard_call *call = FR_CONTAINER(mail, struct fr_guard_call, mail);
    if (call->answered != NULL)
        call->answered(call, call->user);
    release(call); /* the application's */
}

/* Under the table's lock. */
static struct fr_guard_call *find(struct freshet_check check)
{
    struct fr_guard_call *found = fr_handles_find(&table, (struct fr_handle){check.generation, check.slot});
    /* In a child of fork() nobody waits for the checks of its parent. */
    return found == NULL || fr_freshet_check(found->worker->freshet) != FRESHET_OK ? NULL : found;
}

void fr_guard_call_keep_table(void)
{
    fr_forks_keep(&table.lock);
}

/* Takes the verdict's location over. */
static enum freshet_status finish(struct freshet_check handle, struct fr_verdict verdict)
{
    pthread_mutex_lock(&table.lock);
    struct fr_guard_call *call = find(handle);
    bool refused = false, taken = call != NULL && !atomic_load(&call->dropped);
    if (call != NULL) {
        fr_handles_remove(&table, call->handle);
        call->verdict = verdict;
        call->mail.deliver = deliver;
        refused = !fr_mailbox_post(&call->worker->mailbox, &call->mail);
    }
    pthread_mutex_unlock(&table.lock);
    if (call == NULL)
        free(verdict.location);
    if (refused) /* its worker has left */
        release(call);
    return taken ? FRESHET_OK : FRESHET_STALE;
}

enum freshet_status freshet_check_allow(struct freshet_check check)
{
    return finish(check, (struct fr_verdict){.kind = FR_VERDICT_ALLOW});
}

enum freshet_status freshet_check_allow_for(struct freshet_check check, uint32_t for_ms)
{
    if (for_ms == 0)
        return FRESHET_INVALID;
    return finish(
        check, (struct fr_verdict){.kind = FR_VERDICT_ALLOW, .for_ms = for_ms == FRESHET_NEVER ? 0 : for_ms});
}

enum freshet_status freshet_check_deny(struct freshet_check check, int status, const char *code)
{
    bool final = status >= 400 && status <= 499;
    struct fr_verdict verdict = {.kind = FR_VERDICT_DENY, .status = final ? status : 403};
    snprintf(verdict.code, sizeof(verdict.code), "%s", fr_code_is_valid(code) ? code : "refused");
    return finish(check, verdict);
}

static bool is_location(const char *location)
{
    if (location == NULL || location[0] == '\0' || strlen(location) > FR_MOST_LOCATION_BYTES)
        return false;
    for (const char *c = location; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            return false;
    return true;
}

enum freshet_status freshet_check_redirect(struct freshet_check check, const char *location)
{
    if (!is_location(location))
        return FRESHET_INVALID;
    char *copy = strdup(location);
    if (copy == NULL)
        return finish(check, (struct fr_verdict){.kind = FR_VERDICT_UNKNOWN, .code = "no-memory"});
    return finish(check,
                  (struct fr_verdict){.kind = FR_VERDICT_REDIRECT, .code = "redirect", .location = copy});
}

enum freshet_status freshet_check_fail(struct freshet_check check)
{
    return finish(check, (struct fr_verdict){.kind = FR_VERDICT_UNKNOWN, .code = "guard-failed"});
}

enum freshet_status freshet_check_set(struct freshet_check handle, const char *name,
                                      struct freshet_span value)
{
    enum freshet_status status = FRESHET_STALE;
    if (name == NULL || (value.data == NULL && value.len > 0))
        return FRESHET_INVALID;
    struct fr_attribute *added = fr_attribute_new(NULL, freshet_span_text(name), value);
    if (added == NULL)
        return FRESHET_NO_MEMORY;
    pthread_mutex_lock(&table.lock);
    struct fr_guard_call *call = find(handle);
    if (call != NULL && !atomic_load(&call->dropped)) {
        added->next = call->found;
        call->found = added;
        added = NULL;
        status = FRESHET_OK;
    }
    pthread_mutex_unlock(&table.lock);
    fr_attribute_release(added);
    return status;
}

void fr_guard_call_revoke_all(const struct freshet *freshet)
{
    pthread_mutex_lock(&table.lock);
    for (uint32_t i = 0; i < table.capacity; i++) {
        struct fr_guard_call *call = table.slots[i].entry;
        if (call == NULL || call->worker->freshet != freshet)
            continue;
        fr_handles_remove(&table, call->handle);
        release(call); /* the application's; every worker has dropped its own */
    }
    fr_handles_trim(&table);
    pthread_mutex_unlock(&table.lock);
}
