/* Results of the data link without memory. */
#include <criterion/criterion.h>

#include "failing_memory.h"
#include <stdio.h>

#include "bus/redis_data_result.c"
#include "bus/redis_reply.c"

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

static const redisReply text = {.type = REDIS_REPLY_STRING, .str = "value", .len = 5};

static struct fr_redis_result *make(struct fr_redis_results *results)
{
    struct fr_redis_result *result;
    cr_assert_eq(fr_redis_result_new(&result, results, 10, on_reply, NULL), FRESHET_OK);
    return result;
}

/* One is let in: its place is given back, however it ends. */
Test(redis_data_result_memory, is_told_without_its_reply)
{
    struct fr_redis_result *other;
    struct fr_redis_results *results = fr_redis_results_new(NULL, 1, 1000);
    struct fr_redis_result *result = make(results);
    cr_assert_eq(fr_redis_result_new(&other, results, 10, on_reply, NULL), FRESHET_FULL);
    allocations_left = 0;
    fr_redis_result_tell(result, FRESHET_OK, &text);
    allocations_left = -1;
    cr_assert_eq(calls, 1);
    cr_assert_eq(last_status, FRESHET_NO_MEMORY);
    cr_assert_not(with_reply);
    fr_redis_result_tell(make(results), FRESHET_OK, &text);
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
    cr_assert_eq(fr_redis_result_new(&result, results, 10, on_reply, NULL), FRESHET_NO_MEMORY);
    cr_assert_null(result);
    allocations_left = -1;
    fr_redis_result_tell(make(results), FRESHET_CLOSED, NULL);
    cr_assert_eq(calls, 1);
    cr_assert_eq(last_status, FRESHET_CLOSED);
    cr_assert_not(with_reply);
    fr_redis_results_close(results);
    fr_redis_results_close(NULL);
}
