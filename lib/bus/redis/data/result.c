#include "bus/redis/data/result.h"

#include "base/list.h"
#include "base/refcount.h"
#include "bus/redis/proto/reply.h"
#include "core/runtime/context.h"
#include "core/runtime/worker_internal.h"
#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>

struct fr_redis_results {
    struct freshet *freshet;
    uint64_t max_count, max_bytes;
    atomic_uint_fast64_t count, bytes; /* of those that are not over; any thread */
    struct fr_refcount references;     /* the link's and one of each result */
    struct fr_mail last;               /* behind all others on the callback thread */
    sem_t last_came;
};

/* Two things happen to it, maybe on two threads at once, if its worker leaves in between: its reply is told,
 * and the command is over. The second of them settles it. */
struct fr_redis_result {
    struct fr_mail mail, settled;
    atomic_uint happened; /* how many of the two have */
    bool late;            /* it was over only after its reply was told */
    struct fr_redis_results *results;
    struct fr_worker *worker; /* the one that asked, with a reference; NULL: another thread did */
    size_t bytes;
    struct fr_redis_asker asker;
    enum freshet_status status;
    struct freshet_redis_reply *reply;
};

static void release(struct fr_redis_results *results)
{
    if (!fr_refcount_release(&results->references))
        return;
    sem_destroy(&results->last_came);
    free(results);
}

static void acquire(struct fr_redis_results *results)
{
    fr_refcount_acquire(&results->references);
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
    fr_refcount_init(&results->references);
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

uint64_t fr_redis_results_count(const struct fr_redis_results *results)
{
    return atomic_load_explicit(&results->count, memory_order_relaxed);
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

static bool is_second(struct fr_redis_result *result)
{
    return atomic_fetch_add_explicit(&result->happened, 1, memory_order_acq_rel) == 1;
}

static void settle(struct fr_redis_result *result)
{
    if (result->asker.settled != NULL)
        result->asker.settled(result->late, result->asker.user);
    free_result(result);
}

/* On the thread that the result belongs to. The callback may ask again: if the command is over, its place is
 * free by then. */
static void run(struct fr_redis_result *result)
{
    bool over = atomic_load_explicit(&result->happened, memory_order_acquire) == 1;
    if (over)
        leave(result->results, result->bytes);
    if (result->asker.reply != NULL)
        result->asker.reply(result->status, result->reply, result->asker.user);
    if (!is_second(result))
        return;
    if (!over)
        leave(result->results, result->bytes);
    settle(result);
}

static void run_settled(struct fr_redis_result *result)
{
    if (!is_second(result))
        return;
    leave(result->results, result->bytes);
    settle(result);
}

static void deliver(struct fr_mail *mail)
{
    run(FR_CONTAINER(mail, struct fr_redis_result, mail));
}

static void deliver_settled(struct fr_mail *mail)
{
    run_settled(FR_CONTAINER(mail, struct fr_redis_result, settled));
}

enum freshet_status fr_redis_result_new(struct fr_redis_result **out, struct fr_redis_results *results,
                                        size_t bytes, const struct fr_redis_asker *asker)
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
                                       .settled.deliver = deliver_settled,
                                       .results = results,
                                       .worker = worker == NULL ? NULL : fr_worker_acquire(worker),
                                       .bytes = bytes,
                                       .asker = *asker};
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

/* False: this thread has to do it. No worker asked, or it has left: then it goes to the callback thread,
 * which takes mail until the freshet is being destroyed, and links are to be destroyed before; even so
 * nothing gets lost. */
static bool post(struct fr_redis_result *result, struct fr_mail *mail)
{
    struct freshet *freshet = result->results->freshet;
    if (result->worker != NULL && fr_mailbox_post(&result->worker->mailbox, mail))
        return true;
    return freshet != NULL && fr_pool_call_back(freshet->pool, mail);
}

void fr_redis_result_tell(struct fr_redis_result *result, enum freshet_status status, const redisReply *reply,
                          bool over)
{
    bool wanted = result->asker.reply != NULL;
    result->status = status == FRESHET_OK && wanted ? take_reply(result, reply) : status;
    result->late = !over;
    if (over)
        atomic_store_explicit(&result->happened, 1, memory_order_relaxed);
    bool for_nobody = !wanted && (!over || result->asker.settled == NULL);
    if (for_nobody || !post(result, &result->mail))
        run(result);
}

void fr_redis_result_settle(struct fr_redis_result *result)
{
    if (result->asker.settled == NULL || !post(result, &result->settled))
        run_settled(result);
}

void fr_redis_result_drop(struct fr_redis_result *result)
{
    leave(result->results, result->bytes);
    free_result(result);
}
