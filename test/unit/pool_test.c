/* The pool's end, on real threads. */
#include "core/runtime/pool.h"

#include "base/clock.h"
#include "base/list.h"
#include "wait.h"
#include <criterion/criterion.h>
#include <sched.h>
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

static sem_t go_on, limited_ran, free_ran;
static atomic_uint limited_in, most_in;

static void block_limited(struct fr_job *job, bool abandoned)
{
    (void)job;
    (void)abandoned;
    unsigned in = atomic_fetch_add(&limited_in, 1) + 1;
    if (in > atomic_load(&most_in))
        atomic_store(&most_in, in);
    sem_post(&begun);
    wait_for(&go_on);
    atomic_fetch_sub(&limited_in, 1);
    sem_post(&limited_ran);
}

static void post_free(struct fr_job *job, bool abandoned)
{
    (void)job;
    (void)abandoned;
    sem_post(&free_ran);
}

/* contract 4.7, 4.8: guards that block never hold all of the pool, however many wait */
Test(pool, limited_jobs_leave_a_thread_to_others)
{
    enum { THREADS = 3, JOBS = 20 };
    struct fr_job jobs[JOBS], other = {.run = post_free};
    sem_t *all[] = {&begun, &go_on, &limited_ran, &free_ran};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        sem_init(all[i], 0, 0);
    cr_assert_eq(fr_pool_new(&pool, THREADS), FRESHET_OK);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct fr_job){.run = block_limited, .limited = true};
        fr_pool_run(pool, &jobs[i]);
    }
    cr_assert(wait_for(&begun));
    cr_assert(wait_for(&begun));
    fr_pool_run(pool, &other);
    cr_assert(wait_for(&free_ran), "the third thread is free for it");
    for (int i = 0; i < JOBS; i++)
        sem_post(&go_on);
    for (int i = 0; i < JOBS; i++)
        cr_assert(wait_for(&limited_ran));
    cr_assert_leq(atomic_load(&most_in), THREADS - 1);
    fr_pool_destroy(pool);
}

static atomic_uint left;

static void count_abandoned(struct fr_job *job, bool abandoned)
{
    (void)job;
    atomic_fetch_add(&left, abandoned);
    if (abandoned)
        return;
    sem_post(&begun);
    wait_for(&go_on);
}

/* contract 6.4: those that wait for a place are abandoned too, each once */
Test(pool, stops_with_limited_jobs_waiting)
{
    enum { JOBS = 5 };
    struct fr_job jobs[JOBS];
    sem_init(&begun, 0, 0);
    sem_init(&go_on, 0, 0);
    cr_assert_eq(fr_pool_new(&pool, 1), FRESHET_OK);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct fr_job){.run = count_abandoned, .limited = true};
        fr_pool_run(pool, &jobs[i]);
    }
    cr_assert(wait_for(&begun));
    fr_pool_stop(pool, fr_clock_monotonic_us()); /* the one that runs is not waited for */
    sem_post(&go_on);
    fr_pool_destroy(pool);
    for (time_t until = time(NULL) + DEADLINE_S; atomic_load(&left) < JOBS - 1 && time(NULL) < until;)
        sched_yield();
    cr_assert_eq(atomic_load(&left), JOBS - 1);
}

static struct fr_job *ran_in_order[3];
static atomic_uint ran_count;

static void note_order(struct fr_job *job, bool abandoned)
{
    (void)abandoned;
    ran_in_order[atomic_fetch_add(&ran_count, 1)] = job;
    sem_post(&free_ran);
}

/* contract 7.4: loads of shared feeds after a gap, whichever loader they are of */
Test(pool, urgent_jobs_come_before_others)
{
    struct fr_job blocking = {.run = block_limited}, plain = {.run = note_order};
    struct fr_job first = {.run = note_order, .urgent = true}, second = first;
    sem_init(&begun, 0, 0);
    sem_init(&go_on, 0, 0);
    sem_init(&limited_ran, 0, 0);
    sem_init(&free_ran, 0, 0);
    cr_assert_eq(fr_pool_new(&pool, 1), FRESHET_OK);
    fr_pool_run(pool, &blocking);
    cr_assert(wait_for(&begun));
    fr_pool_run(pool, &plain);
    fr_pool_run(pool, &first);
    fr_pool_run(pool, &second);
    sem_post(&go_on);
    for (int i = 0; i < 3; i++)
        cr_assert(wait_for(&free_ran));
    cr_assert(ran_in_order[0] == &first && ran_in_order[1] == &second && ran_in_order[2] == &plain);
    fr_pool_destroy(pool);
}
