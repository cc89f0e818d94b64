#include "bus/redis_data_result.h"

#include "base/list.h"
#include "bus/redis_reply.h"
#include "core/context.h"
#include "core/worker_internal.h"
#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>

struct fr_redis_results {
    struct freshet *freshet;
    uint64_t max_count, max_bytes;
    atomic_uint_fast64_t count, bytes; /* whose callback has not run; any thread */
    atomic_uint references;            /* the link's and one of each result */
    struct fr_mail last;               /* behind all others on the callback thread */
    sem_t last_came;
};

struct fr_redis_result {
    struct fr_mail mail;
    struct fr_redis_results *results;
    struct fr_worker *worker; /* that asked, with a reference; NULL: another thread */
    size_t bytes;
    freshet_redis_reply_cb callback;
    void *user;
    enum freshet_status status;
    struct freshet_redis_reply *reply;
};

static void release(struct fr_redis_results *results)
{
    if (atomic_fetch_sub_explicit(&results->references, 1, memory_order_acq_rel) != 1)
        return;
    sem_destroy(&results->last_came);
    free(results);
}

static void acquire(struct fr_redis_results *results)
{
    atomic_fetch_add_explicit(&results->references, 1, memory_order_relaxed);
}

static void deliver_last(struct fr_mail *mail)
{
    struct fr_redis_results *results = FR_CONTAINER(mail, struct fr_redis_results, last);
    sem_post(&results->last_came);
    release(results);
}

struct fr_redis_results *fr_redis_results_new(struct freshet *freshet, uint32_t max_count, uint32_t max_bytes)
{
    struct fr_redis_results *results = calloc(1, sizeof(*results));
    if (results == NULL)
        return NULL;
    results->freshet = freshet;
    results->max_count = max_count;
    results->max_bytes = max_bytes;
    results->last.deliver = deliver_last;
    atomic_init(&results->references, 1);
    sem_init(&results->last_came, 0, 0);
    return results;
}

void fr_redis_results_close(struct fr_redis_results *results)
{
    if (results == NULL)
        return;
    acquire(results);
    if (results->freshet != NULL && fr_pool_call_back(results->freshet->pool, &results->last)) {
        while (sem_wait(&results->last_came) != 0 && errno == EINTR)
            ;
    } else {
        release(results);
    }
    release(results);
}

static bool admit(struct fr_redis_results *results, size_t bytes)
{
    uint64_t count = atomic_fetch_add_explicit(&results->count, 1, memory_order_relaxed);
    uint64_t before = atomic_fetch_add_explicit(&results->bytes, bytes, memory_order_relaxed);
    return count < results->max_count && before + bytes <= results->max_bytes;
}

static void leave(struct fr_redis_results *results, size_t bytes)
{
    atomic_fetch_sub_explicit(&results->count, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&results->bytes, bytes, memory_order_relaxed);
}

static void free_result(struct fr_redis_result *result)
{
    if (result->worker != NULL)
        fr_worker_release(result->worker);
    release(result->results);
    free(result->reply);
    free(result);
}

/* On the thread that the result belongs to. The callback may ask again: its place is free by then. */
static void run(struct fr_redis_result *result)
{
    leave(result->results, result->bytes);
    result->callback(result->status, result->reply, result->user);
    free_result(result);
}

static void deliver(struct fr_mail *mail)
{
    run(FR_CONTAINER(mail, struct fr_redis_result, mail));
}

enum freshet_status fr_redis_result_new(struct fr_redis_result **out, struct fr_redis_results *results,
                                        size_t bytes, freshet_redis_reply_cb reply, void *user)
{
    *out = NULL;
    struct fr_redis_result *result = calloc(1, sizeof(*result));
    if (result == NULL)
        return FRESHET_NO_MEMORY;
    if (!admit(results, bytes)) {
        leave(results, bytes);
        free(result);
        return FRESHET_FULL;
    }
    acquire(results);
    struct fr_worker *worker = results->freshet == NULL ? NULL : fr_worker_here(results->freshet);
    *result = (struct fr_redis_result){.mail.deliver = deliver,
                                       .results = results,
                                       .worker = worker == NULL ? NULL : fr_worker_acquire(worker),
                                       .bytes = bytes,
                                       .callback = reply,
                                       .user = user};
    *out = result;
    return FRESHET_OK;
}

static enum freshet_status take_reply(struct fr_redis_result *result, const redisReply *reply)
{
    size_t bytes;
    result->reply = fr_redis_reply_copy(reply, &bytes);
    if (result->reply == NULL)
        return FRESHET_NO_MEMORY;
    result->bytes += bytes;
    atomic_fetch_add_explicit(&result->results->bytes, bytes, memory_order_relaxed);
    return FRESHET_OK;
}

void fr_redis_result_tell(struct fr_redis_result *result, enum freshet_status status, const redisReply *reply)
{
    struct freshet *freshet = result->results->freshet;
    result->status = status == FRESHET_OK ? take_reply(result, reply) : status;
    if (result->worker != NULL && fr_mailbox_post(&result->worker->mailbox, &result->mail))
        return;
    /* No worker asked, or it has left. The callback thread takes mail until the freshet is being destroyed,
     * and links are to be destroyed before; even so nothing gets lost. */
    if (freshet == NULL || !fr_pool_call_back(freshet->pool, &result->mail))
        run(result);
}

void fr_redis_result_drop(struct fr_redis_result *result)
{
    leave(result->results, result->bytes);
    free_result(result);
}
