#include "core/pool.h"

#include "base/clock.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

struct fr_pool {
    pthread_mutex_t lock;
    pthread_cond_t work;   /* for idle threads */
    pthread_cond_t exited; /* for fr_pool_stop */
    struct fr_job *first, **last;
    unsigned running; /* threads of the pool that have not ended */
    bool stopping;
    bool late; /* past the deadline of fr_pool_stop */
    bool stopped;
    atomic_uint references; /* the owner's and one for each thread */

    struct fr_mailbox callbacks;
    pthread_cond_t mail;
    bool has_mail; /* under `lock` */
};

static void release(struct fr_pool *pool)
{
    if (atomic_fetch_sub_explicit(&pool->references, 1, memory_order_acq_rel) != 1)
        return;
    fr_mailbox_deinit(&pool->callbacks);
    pthread_cond_destroy(&pool->mail);
    pthread_cond_destroy(&pool->exited);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static struct fr_job *next_job(struct fr_pool *pool)
{
    while (pool->first == NULL && !pool->stopping)
        pthread_cond_wait(&pool->work, &pool->lock);
    struct fr_job *job = pool->first;
    if (job == NULL)
        return NULL;
    pool->first = job->next;
    if (pool->first == NULL)
        pool->last = &pool->first;
    return job;
}

static void leave(struct fr_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->running--;
    pthread_cond_signal(&pool->exited);
    pthread_cond_signal(&pool->mail);
    pthread_mutex_unlock(&pool->lock);
    release(pool);
}

static void *work(void *argument)
{
    struct fr_pool *pool = argument;
    pthread_mutex_lock(&pool->lock);
    for (struct fr_job *job; (job = next_job(pool)) != NULL;) {
        bool abandoned = pool->stopping;
        pthread_mutex_unlock(&pool->lock);
        job->run(job, abandoned);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    leave(pool);
    return NULL;
}

static void *call_back(void *argument)
{
    struct fr_pool *pool = argument;
    pthread_mutex_lock(&pool->lock);
    /* Jobs that still run may publish. */
    while (!pool->stopping || pool->has_mail || (pool->running > 1 && !pool->late)) {
        if (!pool->has_mail) {
            pthread_cond_wait(&pool->mail, &pool->lock);
            continue;
        }
        pool->has_mail = false;
        pthread_mutex_unlock(&pool->lock);
        while (fr_mailbox_deliver(&pool->callbacks, SIZE_MAX))
            ;
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    leave(pool);
    return NULL;
}

static void wake(void *user)
{
    struct fr_pool *pool = user;
    pthread_mutex_lock(&pool->lock);
    pool->has_mail = true;
    pthread_cond_signal(&pool->mail);
    pthread_mutex_unlock(&pool->lock);
}

/* The application's signals belong to its own threads. */
static bool start(struct fr_pool *pool, void *(*main)(void *))
{
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&thread, NULL, main, pool) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!started)
        return false;
    pthread_detach(thread);
    atomic_fetch_add_explicit(&pool->references, 1, memory_order_relaxed);
    pthread_mutex_lock(&pool->lock);
    pool->running++;
    pthread_mutex_unlock(&pool->lock);
    return true;
}

enum freshet_status fr_pool_new(struct fr_pool **out, unsigned threads)
{
    struct fr_pool *pool = calloc(1, sizeof(*pool));
    *out = NULL;
    if (pool == NULL)
        return FRESHET_NO_MEMORY;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->mail, NULL);
    pthread_cond_init(&pool->exited, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pool->last = &pool->first;
    atomic_init(&pool->references, 1);
    fr_mailbox_init(&pool->callbacks, wake, pool);

    bool started = start(pool, call_back);
    for (unsigned i = 0; i < threads && started; i++)
        started = start(pool, work);
    if (!started) {
        fr_pool_destroy(pool);
        return FRESHET_SYSTEM;
    }
    *out = pool;
    return FRESHET_OK;
}

void fr_pool_run(struct fr_pool *pool, struct fr_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&pool->lock);
    bool stopping = pool->stopping;
    if (!stopping) {
        *pool->last = job;
        pool->last = &job->next;
        pthread_cond_signal(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
    if (stopping)
        job->run(job, true);
}

bool fr_pool_call_back(struct fr_pool *pool, struct fr_mail *mail)
{
    return fr_mailbox_post(&pool->callbacks, mail);
}

void fr_pool_stop(struct fr_pool *pool, int64_t deadline_us)
{
    if (pool->stopped)
        return;
    pool->stopped = true;
    struct timespec until = {deadline_us / FR_US_PER_S, deadline_us % FR_US_PER_S * 1000};
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->work);
    pthread_cond_broadcast(&pool->mail);
    while (pool->running > 0 && pthread_cond_timedwait(&pool->exited, &pool->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&pool->lock);
    fr_mailbox_close(&pool->callbacks); /* not under the lock, which `wake` takes */
    pthread_mutex_lock(&pool->lock);
    pool->late = true;
    pthread_cond_signal(&pool->mail);
    pthread_mutex_unlock(&pool->lock);
}

void fr_pool_destroy(struct fr_pool *pool)
{
    if (pool == NULL)
        return;
    fr_pool_stop(pool, INT64_MAX / 2);
    release(pool);
}
