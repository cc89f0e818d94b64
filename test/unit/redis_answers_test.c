/* Whose answer comes next. */
#include "bus/redis/proto/answers.h"
#include <criterion/criterion.h>

static struct fr_redis_answers answers;
static char owners[2];

static struct fr_redis_awaited awaited(int owner, uint32_t epoch, uint32_t count)
{
    return (struct fr_redis_awaited){.owner = &owners[owner], .epoch = epoch, .count = count};
}

static void add_one(int owner, uint32_t epoch)
{
    struct fr_redis_awaited one = awaited(owner, epoch, 1);
    cr_assert(fr_redis_answers_reserve(&answers));
    fr_redis_answers_add_one(&answers, &one);
}

static void expect_next(int owner, uint32_t epoch)
{
    const struct fr_redis_awaited *next = fr_redis_answers_next(&answers);
    cr_assert_not_null(next);
    cr_assert_eq(next->owner, &owners[owner]);
    cr_assert_eq(next->epoch, epoch);
}

static void tear_down(void)
{
    fr_redis_answers_deinit(&answers);
}

TestSuite(redis_answers, .fini = tear_down);

Test(redis_answers, come_in_the_order_of_what_was_asked)
{
    for (uint32_t i = 0; i < 1000; i++)
        add_one((int)(i % 2), i);
    for (uint32_t i = 0; i < 1000; i++) {
        expect_next((int)(i % 2), i);
        fr_redis_answers_take(&answers);
    }
    cr_assert(fr_redis_answers_is_empty(&answers));
    cr_assert_null(fr_redis_answers_next(&answers));
}

Test(redis_answers, many_alike_take_no_more_room_than_one)
{
    for (int i = 0; i < 100000; i++)
        add_one(0, 7);
    add_one(0, 8);
    cr_assert_eq(answers.count, 2);
    for (int i = 0; i < 100000; i++) {
        expect_next(0, 7);
        fr_redis_answers_take(&answers);
    }
    expect_next(0, 8);
}

Test(redis_answers, an_error_ends_a_command_that_awaits_several)
{
    struct fr_redis_awaited batch = awaited(0, 1, 3);
    cr_assert(fr_redis_answers_reserve(&answers));
    fr_redis_answers_add(&answers, &batch);
    add_one(1, 1);
    fr_redis_answers_take(&answers);
    expect_next(0, 1);
    fr_redis_answers_finish(&answers);
    expect_next(1, 1);
}

Test(redis_answers, a_full_ring_grows_wherever_it_begins)
{
    for (uint32_t begin = 0; begin < 16; begin++) {
        for (uint32_t i = 0; i < begin; i++)
            add_one(0, i);
        for (uint32_t i = 0; i < begin; i++)
            fr_redis_answers_take(&answers);
        for (uint32_t i = 0; i < 40; i++)
            add_one(1, i);
        for (uint32_t i = 0; i < 40; i++) {
            expect_next(1, i);
            fr_redis_answers_take(&answers);
        }
        fr_redis_answers_deinit(&answers);
    }
}
