/* Results of the data link without memory. */
#include <criterion/criterion.h>

#include "failing_memory.h"
#include <stdio.h>

#include "bus/redis/data/result.c"
#include "bus/redis/proto/reply.c"

static unsigned calls;
static enum freshet_status last_status;
static char last_text[64];
static bool with_reply;

static void on_reply(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    (void)user;
    calls++;
    last_status = status;
    with_reply = reply != NULL;
    last_text[0] = '\0';
    if (with_reply)
        snprintf(last_text, sizeof(last_text), "%.*s", (int)reply->text.len, reply->text.data);
}

static unsigned settled_early, settled_late;

static void on_settled(bool late, void *user)
{
    (void)user;
    settled_early += !late;
    settled_late += late;
}

static const struct fr_redis_asker asker = {.reply = on_reply, .settled = on_settled};
static const redisReply text = {.type = REDIS_REPLY_STRING, .str = "value", .len = 5};

static struct fr_redis_result *make(struct fr_redis_results *results)
{
    struct fr_redis_result *result;
    cr_assert_eq(fr_redis_result_new(&result, results, 10, &asker), FRESHET_OK);
    return result;
}

/* One is let in: its place is given back, however it ends. */
Test(redis_data_result_memory, is_told_without_its_reply)
{
    struct fr_redis_result *other;
    struct fr_redis_results *results = fr_redis_results_new(NULL, 1, 1000);
    struct fr_redis_result *result = make(results);
    cr_assert_eq(fr_redis_result_new(&other, results, 10, &asker), FRESHET_FULL);
    allocations_left = 0;
    fr_redis_result_tell(result, FRESHET_OK, &text, true);
    allocations_left = -1;
    cr_assert_eq(calls, 1);
    cr_assert_eq(last_status, FRESHET_NO_MEMORY);
    cr_assert_not(with_reply);
    fr_redis_result_tell(make(results), FRESHET_OK, &text, true);
    cr_assert_eq(calls, 2);
    cr_assert_eq(last_status, FRESHET_OK);
    cr_assert_str_eq(last_text, "value");
    fr_redis_result_drop(make(results));
    cr_assert_eq(calls, 2);
    fr_redis_result_drop(make(results));
    fr_redis_results_close(results);
}

Test(redis_data_result_memory, is_not_made_and_leaves_nothing)
{
    struct fr_redis_result *result;
    allocations_left = 0;
    cr_assert_null(fr_redis_results_new(NULL, 1, 1000));
    allocations_left = -1;
    struct fr_redis_results *results = fr_redis_results_new(NULL, 1, 1000);
    allocations_left = 0;
    cr_assert_eq(fr_redis_result_new(&result, results, 10, &asker), FRESHET_NO_MEMORY);
    cr_assert_null(result);
    allocations_left = -1;
    fr_redis_result_tell(make(results), FRESHET_CLOSED, NULL, true);
    cr_assert_eq(calls, 1);
    cr_assert_eq(last_status, FRESHET_CLOSED);
    cr_assert_not(with_reply);
    fr_redis_results_close(results);
    fr_redis_results_close(NULL);
}

/* contract 7.2 */
Test(redis_data_result_memory, counts_until_it_is_settled_and_is_settled_once)
{
    struct fr_redis_result *result, *other;
    struct fr_redis_results *results = fr_redis_results_new(NULL, 1, 1000);
    fr_redis_result_tell(make(results), FRESHET_OK, &text, true);
    cr_assert_eq(settled_early, 1);
    result = make(results);
    fr_redis_result_tell(result, FRESHET_UNAVAILABLE, NULL, false);
    cr_assert_eq(calls, 2);
    cr_assert_eq(settled_early + settled_late, 1, "not yet");
    cr_assert_eq(fr_redis_result_new(&other, results, 10, &asker), FRESHET_FULL);
    fr_redis_result_settle(result);
    cr_assert_eq(settled_late, 1);
    cr_assert_eq(settled_early, 1);
    cr_assert_eq(fr_redis_results_count(results), 0);
    fr_redis_result_drop(make(results));
    fr_redis_results_close(results);
}

/* contract 7.2 */
Test(redis_data_result_memory, may_be_for_nobody)
{
    static const struct fr_redis_asker nobody;
    struct fr_redis_result *result;
    struct fr_redis_results *results = fr_redis_results_new(NULL, 1, 1000);
    for (int late = 0; late < 2; late++) {
        cr_assert_eq(fr_redis_result_new(&result, results, 10, &nobody), FRESHET_OK);
        fr_redis_result_tell(result, late ? FRESHET_UNAVAILABLE : FRESHET_OK, late ? NULL : &text, !late);
        if (late)
            fr_redis_result_settle(result);
        cr_assert_eq(fr_redis_results_count(results), 0);
    }
    fr_redis_results_close(results);
}
