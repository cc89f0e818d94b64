/* The way of an answer of the data link to whoever asked, and the bounds on what is asked and answered. */
#ifndef FR_REDIS_DATA_RESULT_H
#define FR_REDIS_DATA_RESULT_H

#include <freshet/redis.h>
#include <hiredis/hiredis.h>

/* What the results of one link share; they may outlive the link. */
struct fr_redis_results;

/* `freshet` as in the options of the link. NULL: no memory. */
struct fr_redis_results *fr_redis_results_new(struct freshet *freshet, uint32_t max_count,
                                              uint32_t max_bytes);
/* Waits until the callback thread has run the results that it was given. Nothing is told afterwards. NULL is
 * fine. */
void fr_redis_results_close(struct fr_redis_results *results);
/* How many there are now. Any thread. */
uint64_t fr_redis_results_count(const struct fr_redis_results *results);

/* One result that is owed. */
struct fr_redis_result;

/* Who is told; each may be NULL. */
struct fr_redis_asker {
    freshet_redis_reply_cb reply;
    freshet_redis_settled_cb settled;
    void *user;
};

/* For the calling thread, which the result goes back to. It counts with `bytes`, and its reply's from when
 * there is one, until all is told. FRESHET_FULL, FRESHET_NO_MEMORY. */
enum freshet_status fr_redis_result_new(struct fr_redis_result **out, struct fr_redis_results *results,
                                        size_t bytes, const struct fr_redis_asker *asker);
/* Sees to it that `reply` runs, here if there is no freshet. Copies `reply`, which goes with FRESHET_OK only.
 * `over`: takes `result`, and `settled` runs too; else fr_redis_result_settle() has to follow. Any thread. */
void fr_redis_result_tell(struct fr_redis_result *result, enum freshet_status status, const redisReply *reply,
                          bool over);
/* Hands `settled` on, as late, to the thread that it belongs to. Takes `result`. */
void fr_redis_result_settle(struct fr_redis_result *result);
/* Nobody is told. */
void fr_redis_result_drop(struct fr_redis_result *result);

#endif
