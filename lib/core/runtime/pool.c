#include "core/runtime/pool.h"

#include "base/clock.h"
#include "base/refcount.h"
#include "base/thread.h"
#include <pthread.h>
#include <stdlib.h>

struct queue {
    struct fr_job *first, **last;
};

struct fr_pool {
    pthread_mutex_t lock;
    pthread_cond_t work;   /* for idle threads */
    pthread_cond_t exited; /* for fr_pool_stop */
    struct queue urgent, jobs;
    struct queue limited; /* wait until fewer of them are among `jobs` or run */
    unsigned limit, limited_in;
    unsigned running; /* threads of the pool that have not ended */
    bool stopping;
    bool late; /* past the deadline of fr_pool_stop */
    bool stopped;
    struct fr_refcount references; /* the owner's and one for each thread */

    struct fr_mailbox callbacks;
    pthread_cond_t mail;
    bool has_mail; /* under `lock` */
};

static void release(struct fr_pool *pool)
{
    if (!fr_refcount_release(&pool->references))
        return;
    fr_mailbox_deinit(&pool->callbacks);
    pthread_cond_destroy(&pool->mail);
    pthread_cond_destroy(&pool->exited);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static void init_queue(struct queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
}

static void append(struct queue *queue, struct fr_job *job)
{
    job->next = NULL;
    *queue->last = job;
    queue->last = &job->next;
}

/* NULL: empty. */
static struct fr_job *shift(struct queue *queue)
{
    struct fr_job *job = queue->first;
    if (job == NULL)
        return NULL;
    queue->first = job->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    return job;
}

/* Under the lock, as the next two. */
static void add_job(struct fr_pool *pool, struct fr_job *job)
{
    bool waits = job->limited && pool->limited_in >= pool->limit;
    append(waits ? &pool->limited : job->urgent ? &pool->urgent : &pool->jobs, job);
    if (waits)
        return;
    pool->limited_in += job->limited;
    pthread_cond_signal(&pool->work);
}

/* One of those that are limited has run: the next takes its place at the end of the queue. */
static void end_limited(struct fr_pool *pool)
{
    struct fr_job *next = shift(&pool->limited);
    pool->limited_in--;
    if (next != NULL)
        add_job(pool, next);
}

static struct fr_job *next_job(struct fr_pool *pool)
{
    while (pool->urgent.first == NULL && pool->jobs.first == NULL && !pool->stopping)
        pthread_cond_wait(&pool->work, &pool->lock);
    return shift(pool->urgent.first != NULL ? &pool->urgent : &pool->jobs);
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
        bool abandoned = pool->stopping, limited = job->limited;
        pthread_mutex_unlock(&pool->lock);
        job->run(job, abandoned);
        pthread_mutex_lock(&pool->lock);
        if (limited)
            end_limited(pool);
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

static bool start(struct fr_pool *pool, void *(*main)(void *))
{
    pthread_t thread;
    if (!fr_thread_start(&thread, main, pool))
        return false;
    pthread_detach(thread);
    fr_refcount_acquire(&pool->references);
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
    init_queue(&pool->urgent);
    init_queue(&pool->jobs);
    init_queue(&pool->limited);
    pool->limit = threads > 1 ? threads - 1 : 1;
    fr_refcount_init(&pool->references);
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
    pthread_mutex_lock(&pool->lock);
    bool stopping = pool->stopping;
    if (!stopping)
        add_job(pool, job);
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
    for (struct fr_job *job; (job = shift(&pool->limited)) != NULL;) {
        job->limited = false;
        append(&pool->jobs, job);
    }
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
