#include "core/guard/check.h"

#include "base/log.h"
#include "core/load/loader.h"
#include "core/runtime/context.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fr_handles table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void release(struct fr_check *check)
{
    if (!fr_refcount_release(&check->references))
        return;
    fr_attribute_release(check->before);
    fr_attribute_release(check->found);
    fr_request_copy_release(check->request_copy);
    fr_params_release(check->params);
    fr_loader_release(check->loader);
    fr_worker_release(check->worker);
    free(check->verdict.location);
    free(check);
}

static struct fr_check *new_check(const struct fr_check_subject *subject, const struct freshet_guard *guard)
{
    struct fr_check *check = calloc(1, sizeof(*check));
    if (check == NULL)
        return NULL;
    fr_refcount_init(&check->references);
    atomic_init(&check->dropped, false);
    check->worker = fr_worker_acquire(subject->worker);
    check->guard = *guard;
    check->loader = fr_loader_acquire(subject->loader);
    check->request_copy = fr_request_copy_acquire(subject->request_copy);
    check->params = fr_params_acquire(subject->params);
    check->before = fr_attribute_acquire(subject->before);
    check->found = fr_attribute_acquire(subject->before);
    check->request = (struct freshet_request){.request_copy = check->request_copy,
                                              .params = check->params,
                                              .route = check->loader->route,
                                              .not_named = fr_loader_complain,
                                              .user = check->loader,
                                              .attributes = check->before};
    return check;
}

static struct freshet_check public_handle(const struct fr_check *check)
{
    return (struct freshet_check){.generation = check->handle.generation, .slot = check->handle.slot};
}

static void call(struct fr_check *check)
{
    check->guard.guard(public_handle(check), &check->request, check->guard.user);
}

/* Clients that come and go faster than guards answer leave no work behind. */
static void call_pool(struct fr_job *job, bool abandoned)
{
    struct fr_check *check = FR_CONTAINER(job, struct fr_check, job);
    if (abandoned || atomic_load(&check->dropped))
        freshet_check_fail(public_handle(check));
    else
        call(check);
    release(check);
}

struct fr_check *fr_check_start(const struct fr_check_subject *subject, const struct freshet_guard *guard,
                                void (*answered)(struct fr_check *check, void *user), void *user)
{
    struct fr_check *check = new_check(subject, guard);
    if (check == NULL)
        return NULL;
    check->answered = answered;
    check->user = user;
    if (!fr_handles_add(&table, check, &check->handle)) {
        release(check);
        return NULL;
    }
    /* The application's and the call's: it may look at the request after its answer. */
    fr_refcount_acquire(&check->references);
    fr_refcount_acquire(&check->references);
    fr_count(&check->worker->counters.guards, 1);
    if (guard->on_pool) {
        check->job.run = call_pool;
        check->job.limited = true;
        fr_pool_run(check->worker->freshet->pool, &check->job);
    } else {
        call(check);
        release(check);
    }
    return check;
}

void fr_check_drop(struct fr_check *check)
{
    check->answered = NULL;
    atomic_store(&check->dropped, true);
    release(check);
}

static void deliver(struct fr_mail *mail)
{
    struct fr_check *check = FR_CONTAINER(mail, struct fr_check, mail);
    if (check->answered != NULL)
        check->answered(check, check->user);
    release(check); /* the application's */
}

/* Under the table's lock. */
static struct fr_check *find(struct freshet_check check)
{
    struct fr_check *found = fr_handles_find(&table, (struct fr_handle){check.generation, check.slot});
    /* In a child of fork() nobody waits for the checks of its parent. */
    return found == NULL || fr_freshet_check(found->worker->freshet) != FRESHET_OK ? NULL : found;
}

void fr_check_keep_table(void)
{
    fr_forks_keep(&table.lock);
}

/* Takes `location` over. */
static enum freshet_status finish(struct freshet_check handle, enum fr_verdict_kind kind, int status,
                                  const char *code, char *location)
{
    pthread_mutex_lock(&table.lock);
    struct fr_check *check = find(handle);
    bool refused = false, taken = check != NULL && !atomic_load(&check->dropped);
    if (check != NULL) {
        fr_handles_remove(&table, check->handle);
        check->verdict = (struct fr_verdict){.kind = kind, .status = status, .location = location};
        snprintf(check->verdict.code, sizeof(check->verdict.code), "%s", code);
        check->mail.deliver = deliver;
        refused = !fr_mailbox_post(&check->worker->mailbox, &check->mail);
    }
    pthread_mutex_unlock(&table.lock);
    if (check == NULL)
        free(location);
    if (refused) /* its worker has left */
        release(check);
    return taken ? FRESHET_OK : FRESHET_STALE;
}

enum freshet_status freshet_check_allow(struct freshet_check check)
{
    return finish(check, FR_VERDICT_ALLOW, 0, "", NULL);
}

enum freshet_status freshet_check_deny(struct freshet_check check, int status, const char *code)
{
    bool final = status >= 400 && status <= 499;
    return finish(check, FR_VERDICT_DENY, final ? status : 403, fr_code_is_valid(code) ? code : "refused",
                  NULL);
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
        return finish(check, FR_VERDICT_UNKNOWN, 0, "no-memory", NULL);
    return finish(check, FR_VERDICT_REDIRECT, 0, "redirect", copy);
}

enum freshet_status freshet_check_fail(struct freshet_check check)
{
    return finish(check, FR_VERDICT_UNKNOWN, 0, "guard-failed", NULL);
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
    struct fr_check *check = find(handle);
    if (check != NULL && !atomic_load(&check->dropped)) {
        added->next = check->found;
        check->found = added;
        added = NULL;
        status = FRESHET_OK;
    }
    pthread_mutex_unlock(&table.lock);
    fr_attribute_release(added);
    return status;
}

void fr_check_revoke_all(const struct freshet *freshet)
{
    pthread_mutex_lock(&table.lock);
    for (uint32_t i = 0; i < table.capacity; i++) {
        struct fr_check *check = table.slots[i].entry;
        if (check == NULL || check->worker->freshet != freshet)
            continue;
        fr_handles_remove(&table, check->handle);
        release(check); /* the application's; every worker has dropped its own */
    }
    fr_handles_trim(&table);
    pthread_mutex_unlock(&table.lock);
}
