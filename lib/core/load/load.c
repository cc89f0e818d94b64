#include "core/load/load.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/load/loader.h"
#include "core/runtime/context.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOP_HOLD_US (50 * FR_US_PER_MS)

static struct fr_handles table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void release(struct fr_load *load)
{
    if (!fr_refcount_release(&load->references))
        return;
    fr_bytes_release(load->message);
    fr_attribute_release(load->attributes);
    fr_bytes_release(load->bytes);
    fr_feed_key_release(load->key);
    fr_worker_release(load->worker);
    free(load);
}

static void acquire(struct fr_load *load)
{
    fr_refcount_acquire(&load->references);
}

/* Under the table's lock. */
static struct fr_load *look_up(struct freshet_load handle)
{
    struct fr_load *load = fr_handles_find(&table, (struct fr_handle){handle.generation, handle.slot});
    /* In a child of fork() nobody waits for the loads of its parent. */
    return load == NULL || fr_freshet_check(load->worker->freshet) != FRESHET_OK ? NULL : load;
}

void fr_load_keep_table(void)
{
    fr_forks_keep(&table.lock);
}

static struct freshet_load public_handle(const struct fr_load *load)
{
    return (struct freshet_load){.generation = load->handle.generation, .slot = load->handle.slot};
}

struct fr_load *fr_load_new(struct fr_worker *worker, struct fr_feed_key *key,
                            const struct fr_load_events *events, void *owner)
{
    struct fr_load *load = calloc(1, sizeof(*load));
    if (load == NULL)
        return NULL;
    fr_refcount_init(&load->references);
    atomic_init(&load->cancelled, false);
    atomic_init(&load->abandoned, false);
    atomic_init(&load->called_us, 0);
    fr_list_init(&load->place);
    load->worker = fr_worker_acquire(worker);
    load->key = fr_feed_key_acquire(key);
    load->events = events;
    load->owner = owner;
    load->state = FR_LOAD_WAITING;
    load->max_snapshot_bytes = worker->freshet->options.max_snapshot_bytes;
    return load;
}

static struct fr_gate *gate(const struct fr_load *load)
{
    return &load->key->loader->gate;
}

bool fr_load_enter(struct fr_load *load)
{
    return fr_gate_enter(gate(load), &load->place, fr_loader_shares(load->key->loader));
}

static void deliver_grant(struct fr_mail *mail)
{
    struct fr_load *load = FR_CONTAINER(mail, struct fr_load, mail);
    if (load->owner != NULL) {
        load->events->granted(load->owner);
        return;
    }
    fr_gate_leave(gate(load));
    release(load);
}

void fr_load_grant(struct fr_list *place)
{
    struct fr_load *load = FR_CONTAINER(place, struct fr_load, place);
    load->mail.deliver = deliver_grant;
    bool posted = fr_mailbox_post(&load->worker->mailbox, &load->mail);
    assert(posted && "a worker gives up what waits at gates before it closes its mailbox");
    (void)posted;
}

static void call_loop(struct fr_load *load)
{
    const struct freshet_loader *loader = load->key->loader;
    int64_t begin = fr_worker_now_us(load->worker);
    atomic_store_explicit(&load->called_us, begin, memory_order_relaxed);
    loader->options.load(public_handle(load), &load->context, loader->options.user);
    int64_t held = fr_worker_now_us(load->worker) - begin;
    if (held <= LOOP_HOLD_US)
        return;
    fr_count(&load->worker->counters.loop_holds, 1);
    fr_log(fr_freshet_log(load->worker->freshet), FRESHET_LOG_WARN, "loader %s held its loop for %lld ms",
           loader->name, (long long)(held / FR_US_PER_MS));
}

/* The time that a loader has runs from here. */
static void call_blocking(struct fr_load *load)
{
    const struct freshet_loader_options *options = &load->key->loader->options;
    int64_t now_us = fr_worker_now_us(load->worker);
    if (options->timeout_ms != 0)
        load->context.deadline_us = now_us + (int64_t)options->timeout_ms * FR_US_PER_MS;
    atomic_store_explicit(&load->called_us, now_us, memory_order_relaxed);
    options->load(public_handle(load), &load->context, options->user);
}

static void call_pool(struct fr_job *job, bool abandoned)
{
    struct fr_load *load = FR_CONTAINER(job, struct fr_load, job);
    if (abandoned)
        freshet_load_fail(public_handle(load), "closed", NULL);
    else
        call_blocking(load);
    release(load);
}

static void describe(struct fr_load *load, enum freshet_load_cause cause, uint64_t publishes,
                     struct fr_bytes *body)
{
    struct freshet_loader *loader = load->key->loader;
    load->message = body;
    load->context = (struct freshet_load_context){.loader = load->key->name,
                                                  .topic = load->key->topic,
                                                  .identity = load->key->identity,
                                                  .cause = cause,
                                                  .publishes = publishes,
                                                  .deadline_us = INT64_MAX,
                                                  .internal = load};
    if (load->key->request_copy != NULL) {
        load->request =
            fr_loader_request(loader, load->key->request_copy, load->key->params, load->attributes);
        load->context.request = &load->request;
    }
    if (loader->options.timeout_ms != 0)
        load->context.deadline_us = load->began_us + (int64_t)loader->options.timeout_ms * FR_US_PER_MS;
    /* What is not in our format is a signal: the message stays empty. */
    if (body != NULL)
        freshet_message_decode(body->span, &load->context.message);
}

bool fr_load_start(struct fr_load *load, enum freshet_load_cause cause, uint64_t publishes,
                   struct fr_bytes *body)
{
    load->began_us = fr_worker_now_us(load->worker);
    describe(load, cause, publishes, body);
    if (!fr_handles_add(&table, load, &load->handle)) {
        fr_bytes_release(body);
        load->message = NULL;
        return false;
    }
    load->state = FR_LOAD_RUNNING;
    acquire(load); /* the application's: until it answers */
    acquire(load); /* the call's: it may look at the context after its answer */
    fr_count(&load->worker->counters.loads, 1);
    fr_count(&load->worker->counters.loads_running, 1);
    if (load->key->loader->options.on_loop) {
        call_loop(load);
        release(load);
    } else {
        load->job.run = call_pool;
        /* What many look at is healed first. */
        load->job.urgent = cause == FRESHET_CAUSE_GAP && fr_loader_shares(load->key->loader);
        fr_pool_run(load->worker->freshet->pool, &load->job);
    }
    return true;
}

void fr_load_withdraw(struct fr_load *load)
{
    fr_gate_leave(gate(load));
    release(load);
}

void fr_load_abandon(struct fr_load *load)
{
    atomic_store(&load->abandoned, true);
    atomic_store_explicit(&load->cancelled, true, memory_order_relaxed);
    fr_count(&load->worker->counters.loads_abandoned, 1);
}

void fr_load_drop(struct fr_load *load)
{
    load->owner = NULL;
    atomic_store_explicit(&load->cancelled, true, memory_order_relaxed);
    if (load->state == FR_LOAD_WAITING) {
        /* Once it was let in, its grant is in the mail and frees it. */
        if (fr_gate_cancel(gate(load), &load->place))
            release(load);
    } else if (!atomic_load(&load->abandoned)) {
        fr_load_abandon(load);
    }
}

void fr_load_done(struct fr_load *load)
{
    release(load);
}

static void deliver_answer(struct fr_mail *mail)
{
    struct fr_load *load = FR_CONTAINER(mail, struct fr_load, mail);
    struct fr_counters *counters = &load->worker->counters;
    fr_count_down(&counters->loads_running);
    fr_histogram_add(&counters->load_time, fr_worker_now_us(load->worker) - load->began_us);
    if (!atomic_load(&load->abandoned)) {
        load->events->answered(load->owner, load);
        return;
    }
    fr_count(&counters->loads_late, 1);
    fr_count_down(&counters->loads_abandoned);
    if (load->owner != NULL)
        load->events->abandoned_ended(load->owner);
    release(load);
}

/* Its worker has left: nobody waits for it. Under the table's lock, so the freshet is alive. */
static void end_without_worker(struct fr_load *load)
{
    struct fr_counters *counters = fr_freshet_counters(load->worker->freshet);
    fr_count_down(&counters->loads_running);
    fr_count_down(&counters->loads_abandoned);
    fr_count(&counters->loads_late, 1);
}

struct answer {
    enum fr_load_outcome outcome;
    struct fr_bytes *bytes;
    const char *code, *text;
};

static void write_answer(struct fr_load *load, const struct answer *answer)
{
    load->outcome = answer->outcome;
    load->bytes = answer->bytes;
    snprintf(load->code, sizeof(load->code), "%s", answer->code == NULL ? "" : answer->code);
    snprintf(load->text, sizeof(load->text), "%s", answer->text == NULL ? "" : answer->text);
    if (answer->bytes != NULL && answer->bytes->span.len > load->max_snapshot_bytes)
        load->outcome = FR_OUTCOME_TOO_LARGE;
}

/* Takes a reference to the bytes over. FRESHET_OK: taken. FRESHET_TOO_LARGE: taken as a failure.
 * FRESHET_STALE: the load is over. */
static enum freshet_status finish(struct freshet_load handle, const struct answer *answer)
{
    enum freshet_status status = FRESHET_STALE;
    bool refused = false, written = false;
    pthread_mutex_lock(&table.lock);
    struct fr_load *load = look_up(handle);
    if (load != NULL) {
        fr_handles_remove(&table, load->handle);
        write_answer(load, answer);
        written = true;
        if (!atomic_load(&load->abandoned))
            status = load->outcome == FR_OUTCOME_TOO_LARGE ? FRESHET_TOO_LARGE : FRESHET_OK;
        fr_gate_leave(gate(load));
        load->mail.deliver = deliver_answer;
        refused = !fr_mailbox_post(&load->worker->mailbox, &load->mail);
        if (refused)
            end_without_worker(load);
    }
    pthread_mutex_unlock(&table.lock);
    if (!written)
        fr_bytes_release(answer->bytes);
    if (refused)
        release(load); /* what the owner's side would have released */
    if (load != NULL)
        release(load);
    return status;
}

static enum freshet_status finish_with(struct freshet_load handle, struct fr_bytes *bytes)
{
    if (bytes != NULL)
        return finish(handle, &(struct answer){.outcome = FR_OUTCOME_BYTES, .bytes = bytes});
    enum freshet_status status = finish(handle, &(struct answer){.outcome = FR_OUTCOME_NO_MEMORY});
    return status == FRESHET_OK ? FRESHET_NO_MEMORY : status;
}

/* What the application meant to answer cannot be known. */
static enum freshet_status finish_invalid(struct freshet_load handle)
{
    enum freshet_status status =
        finish(handle, &(struct answer){.outcome = FR_OUTCOME_FAILED, .code = "load-failed"});
    return status == FRESHET_OK ? FRESHET_INVALID : status;
}

enum freshet_status freshet_load_answer(struct freshet_load handle, struct freshet_span bytes)
{
    if (bytes.data == NULL && bytes.len > 0)
        return finish_invalid(handle);
    return finish_with(handle, fr_bytes_copy(bytes));
}

enum freshet_status freshet_load_give(struct freshet_load handle, struct freshet_span bytes,
                                      freshet_release_cb free_bytes, void *user)
{
    if (bytes.data == NULL && bytes.len > 0) {
        fr_bytes_release(fr_bytes_give(bytes, free_bytes, user));
        return finish_invalid(handle);
    }
    return finish_with(handle, fr_bytes_give(bytes, free_bytes, user));
}

enum freshet_status freshet_load_unchanged(struct freshet_load handle)
{
    return finish(handle, &(struct answer){.outcome = FR_OUTCOME_UNCHANGED});
}

enum freshet_status freshet_load_fail(struct freshet_load handle, const char *code, const char *message)
{
    return finish(handle, &(struct answer){.outcome = FR_OUTCOME_FAILED,
                                           .code = fr_code_is_valid(code) ? code : "load-failed",
                                           .text = message});
}

bool freshet_load_cancelled(struct freshet_load handle)
{
    pthread_mutex_lock(&table.lock);
    struct fr_load *load = look_up(handle);
    bool cancelled = load == NULL || atomic_load_explicit(&load->cancelled, memory_order_relaxed);
    pthread_mutex_unlock(&table.lock);
    return cancelled;
}

enum freshet_status freshet_load_param(const struct freshet_load_context *context, const char *name,
                                       size_t index, struct freshet_span *value)
{
    if (value == NULL)
        return FRESHET_INVALID;
    *value = freshet_span(NULL, 0);
    if (context == NULL || name == NULL)
        return FRESHET_INVALID;
    const struct fr_load *load = context->internal;
    return fr_param_find(load->key->params, load->key->loader->route, name, index, value);
}

void fr_load_revoke_all(const struct freshet *freshet)
{
    pthread_mutex_lock(&table.lock);
    for (uint32_t i = 0; i < table.capacity; i++) {
        struct fr_load *load = table.slots[i].entry;
        if (load == NULL || load->worker->freshet != freshet)
            continue;
        atomic_store_explicit(&load->cancelled, true, memory_order_relaxed);
        fr_handles_remove(&table, load->handle);
        release(load); /* the application's */
        release(load); /* the owner's: every worker has left */
    }
    fr_handles_trim(&table);
    pthread_mutex_unlock(&table.lock);
}
