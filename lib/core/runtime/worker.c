#include "core/runtime/worker.h"

#include "base/clock.h"
#include "core/runtime/context.h"
#include "core/runtime/worker_internal.h"
#include <assert.h>
#include <stdlib.h>

/* How much of each kind of work one turn does before the loop sees to its sockets. */
#define SLICE         32
#define TURN_SLICES   8
#define TURN_SLICE_US (2 * FR_US_PER_MS)
#define TURN_PIECES   256

static _Thread_local struct fr_worker *workers_here;

struct fr_worker *fr_worker_acquire(struct fr_worker *worker)
{
    fr_refcount_acquire(&worker->references);
    return worker;
}

void fr_worker_release(struct fr_worker *worker)
{
    if (!fr_refcount_release(&worker->references))
        return;
    fr_mailbox_deinit(&worker->mailbox);
    fr_map_deinit(&worker->subscriptions);
    fr_map_deinit(&worker->feeds);
    fr_map_deinit(&worker->fanouts);
    fr_timers_deinit(&worker->timers);
    free(worker);
}

struct fr_worker *fr_worker_here(const struct freshet *freshet)
{
    struct fr_worker *worker = workers_here;
    while (worker != NULL && worker->freshet != freshet)
        worker = worker->here;
    return worker;
}

bool fr_worker_is_here(const struct fr_worker *worker)
{
    const struct fr_worker *here = workers_here;
    while (here != NULL && here != worker)
        here = here->here;
    return here != NULL;
}

static void wake_host(void *user)
{
    struct fr_worker *worker = user;
    worker->host.wake(worker->host.user);
}

static void take_nudge(struct fr_mail *mail)
{
    struct fr_worker *worker = FR_CONTAINER(mail, struct fr_worker, nudge);
    atomic_store(&worker->nudged, false);
}

void fr_worker_nudge(struct fr_worker *worker)
{
    if (!atomic_exchange(&worker->nudged, true))
        fr_mailbox_post(&worker->mailbox, &worker->nudge); /* refused: it has left */
}

enum freshet_status fr_worker_new(struct fr_worker **out, struct freshet *freshet,
                                  const struct fr_worker_host *host)
{
    *out = NULL;
    if (fr_freshet_check(freshet) != FRESHET_OK || atomic_load(&freshet->closing))
        return FRESHET_CLOSED;
    struct fr_worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL)
        return FRESHET_NO_MEMORY;
    worker->freshet = freshet;
    worker->host = *host;
    fr_refcount_init(&worker->references);
    fr_mailbox_init(&worker->mailbox, wake_host, worker);
    atomic_init(&worker->nudged, false);
    worker->nudge.deliver = take_nudge;
    fr_list_init(&worker->homes);
    fr_list_init(&worker->tasks);
    fr_list_init(&worker->residents);
    fr_list_init(&worker->visitors);
    if (!fr_map_init(&worker->subscriptions) || !fr_map_init(&worker->feeds) ||
        !fr_map_init(&worker->fanouts)) {
        fr_worker_release(worker);
        return FRESHET_NO_MEMORY;
    }
    fr_freshet_set_serving(freshet);
    worker->here = workers_here;
    workers_here = worker;
    fr_homes_enter(&freshet->homes, worker);
    *out = worker;
    return FRESHET_OK;
}

/* In small slices until the time is up: a load on the loop may take a millisecond. True: there is more. */
static bool run_slices(struct fr_worker *worker, bool (*slice)(struct fr_worker *worker))
{
    int64_t end_us = fr_worker_now_us(worker) + TURN_SLICE_US;
    for (int i = 0; i < TURN_SLICES; i++) {
        if (!slice(worker))
            return false;
        if (fr_worker_now_us(worker) >= end_us)
            return true;
    }
    return true;
}

static bool deliver_mail(struct fr_worker *worker)
{
    return fr_mailbox_deliver(&worker->mailbox, SLICE);
}

static bool expire_timers(struct fr_worker *worker)
{
    fr_timers_run(&worker->timers, fr_worker_now_us(worker), SLICE);
    return fr_timers_next(&worker->timers) <= fr_worker_now_us(worker);
}

void fr_worker_queue(struct fr_worker *worker, struct fr_task *task)
{
    if (fr_list_is_empty(&task->link))
        fr_list_append(&worker->tasks, &task->link);
}

/* One after the other, each a slice, until the time is up or enough is done. */
static void run_tasks(struct fr_worker *worker)
{
    int64_t end_us = fr_worker_now_us(worker) + TURN_SLICE_US;
    size_t left = TURN_PIECES;
    for (struct fr_list *link; left > 0 && (link = fr_list_shift(&worker->tasks)) != NULL;) {
        struct fr_task *task = FR_CONTAINER(link, struct fr_task, link);
        size_t done = task->run(task, left);
        left -= done == 0 ? 1 : done;
        if (fr_worker_now_us(worker) >= end_us)
            return;
    }
}

/* Whichever worker comes by first tells the feeds of all. */
static void tell_doubt(struct fr_worker *worker, bool early)
{
    if (fr_everything_take(&worker->freshet->everything, fr_worker_now_us(worker), early))
        fr_topics_tell_doubt(&worker->freshet->topics);
}

int64_t fr_worker_turn(struct fr_worker *worker)
{
    tell_doubt(worker, false);
    bool more = run_slices(worker, deliver_mail);
    more |= run_slices(worker, expire_timers);
    run_tasks(worker);
    return more ? INT64_MIN : fr_worker_next(worker);
}

int64_t fr_worker_next(const struct fr_worker *worker)
{
    if (worker->mailbox.taken != NULL || !fr_list_is_empty(&worker->tasks))
        return INT64_MIN;
    int64_t timer_us = fr_timers_next(&worker->timers),
            doubt_us = atomic_load(&worker->freshet->everything.due_us);
    return timer_us < doubt_us ? timer_us : doubt_us;
}

static void leave_thread(struct fr_worker *worker)
{
    struct fr_worker **link = &workers_here;
    while (*link != worker)
        link = &(*link)->here;
    *link = worker->here;
}

/* In one step, so that no counter ever goes back. */
static void leave_counters(struct fr_worker *worker)
{
    struct freshet *freshet = worker->freshet;
    pthread_mutex_lock(&freshet->homes.lock);
    fr_list_remove(&worker->link);
    fr_counters_add(&worker->counters, &freshet->left);
    pthread_mutex_unlock(&freshet->homes.lock);
}

static void end_all(struct fr_list *residents)
{
    while (!fr_list_is_empty(residents)) {
        struct fr_resident *resident = FR_CONTAINER(residents->next, struct fr_resident, link);
        resident->end(resident);
    }
}

void fr_worker_leave(struct fr_worker *worker)
{
    if (worker == NULL)
        return;
    end_all(&worker->visitors);
    assert(worker->views == 0 && "drain comes first");
    tell_doubt(worker, true); /* this may be the one that was to see to it */
    fr_homes_leave(&worker->freshet->homes, worker);
    end_all(&worker->residents);
    fr_mailbox_close(&worker->mailbox);
    while (fr_mailbox_deliver(&worker->mailbox, SIZE_MAX))
        ;
    leave_thread(worker);
    leave_counters(worker);
    fr_worker_release(worker);
}

int64_t fr_worker_now_us(const struct fr_worker *worker)
{
    return fr_freshet_now_us(worker->freshet);
}

struct fr_counters *fr_worker_counters(struct fr_worker *worker)
{
    return &worker->counters;
}

const struct freshet_log *fr_worker_log(const struct fr_worker *worker)
{
    return fr_freshet_log(worker->freshet);
}
