/* The pool's end, on real threads. */
#include "core/pool.h"

#include "base/clock.h"
#include "base/list.h"
#include "wait.h"
#include <criterion/criterion.h>
#include <stdatomic.h>

static struct fr_pool *pool;
static sem_t begun, ran;
static atomic_bool abandoned_seen;
static atomic_uint delivered;

static void probe(struct fr_job *job, bool abandoned)
{
    (void)job;
    atomic_store(&abandoned_seen, abandoned);
    sem_post(&ran);
}

static void deliver_last(struct fr_mail *mail)
{
    (void)mail;
    atomic_fetch_add(&delivered, 1);
}

static struct fr_mail last = {.deliver = deliver_last};

/* A callback may publish again. */
static void deliver_first(struct fr_mail *mail)
{
    (void)mail;
    atomic_fetch_add(&delivered, 1);
    cr_assert(fr_pool_call_back(pool, &last));
}

/* Runs on until the pool is being stopped, then asks for a callback. */
static void call_back_when_stopping(struct fr_job *job, bool abandoned)
{
    static struct fr_job probing = {.run = probe};
    static struct fr_mail first = {.deliver = deliver_first};
    (void)job;
    (void)abandoned;
    sem_post(&begun);
    while (!atomic_load(&abandoned_seen)) {
        fr_pool_run(pool, &probing);
        wait_for(&ran);
    }
    cr_assert(fr_pool_call_back(pool, &first));
}

/* contract 3.2: results of publishes by loads that a destroy waits for, and by callbacks, are told */
Test(pool, calls_back_for_jobs_that_end_while_it_stops)
{
    struct fr_job job = {.run = call_back_when_stopping};
    sem_init(&begun, 0, 0);
    sem_init(&ran, 0, 0);
    cr_assert_eq(fr_pool_new(&pool, 2), FRESHET_OK);
    fr_pool_run(pool, &job);
    cr_assert(wait_for(&begun));
    fr_pool_stop(pool, fr_clock_monotonic_us() + (int64_t)DEADLINE_S * FR_US_PER_S);
    cr_assert_eq(atomic_load(&delivered), 2);
    cr_assert(!fr_pool_call_back(pool, &last));
    fr_pool_destroy(pool);
}
