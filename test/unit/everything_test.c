#include "base/clock.h"
#include "core/runtime/everything.h"
#include <criterion/criterion.h>

static struct fr_everything everything;
static int64_t now_us;

static void begin(void)
{
    fr_everything_init(&everything);
    everything.most_us = 5 * FR_US_PER_S;
    now_us = 100 * FR_US_PER_S;
}

static enum fr_everything_answer raise_after_ms(int64_t ms)
{
    now_us += ms * FR_US_PER_MS;
    return fr_everything_raise(&everything, now_us);
}

/* contract 2.4 */
Test(everything, is_told_at_once_and_those_that_follow_together)
{
    begin();
    cr_assert_eq(raise_after_ms(0), FR_EVERYTHING_TELL);
    cr_assert_eq(raise_after_ms(10), FR_EVERYTHING_LATER);
    cr_assert_eq(everything.due_us, 101 * FR_US_PER_S);
    cr_assert_eq(raise_after_ms(10), FR_EVERYTHING_WAITS);
    cr_assert_not(fr_everything_take(&everything, now_us, false));
    now_us = everything.due_us;
    cr_assert(fr_everything_take(&everything, now_us, false));
    cr_assert_not(fr_everything_take(&everything, now_us, false), "once");
    cr_assert_eq(everything.due_us, INT64_MAX);
    fr_everything_deinit(&everything);
}

/* contract 2.4: without end, it costs what a bus costs that is down */
Test(everything, flood_is_told_of_more_and_more_rarely)
{
    unsigned told = 0;
    begin();
    for (int64_t end_us = now_us + 60 * FR_US_PER_S; now_us < end_us;) {
        told += raise_after_ms(1) == FR_EVERYTHING_TELL;
        told += fr_everything_take(&everything, now_us, false);
    }
    cr_assert_eq(told, 14, "at 0, 1, 3, 7, 12 s and every 5 s from there: %u", told);
    /* After a while without, the next is told at once, and the pause is short again. */
    cr_assert_eq(raise_after_ms(20000),
                 everything.due_us == INT64_MAX ? FR_EVERYTHING_TELL : FR_EVERYTHING_WAITS);
    fr_everything_take(&everything, now_us, false);
    cr_assert_eq(raise_after_ms(20000), FR_EVERYTHING_TELL);
    cr_assert_eq(raise_after_ms(1), FR_EVERYTHING_LATER);
    cr_assert_eq(everything.due_us, now_us + 999 * FR_US_PER_MS);
    fr_everything_deinit(&everything);
}

/* contract 2.4: also a flood that leaves a little more than the pause in between */
Test(everything, slow_flood_is_slowed_down_too)
{
    unsigned told = 0;
    begin();
    for (unsigned i = 0; i < 50; i++) {
        told += raise_after_ms(1200) == FR_EVERYTHING_TELL;
        told += fr_everything_take(&everything, now_us, false);
    }
    cr_assert_leq(told, 16, "%u in a minute", told);
    fr_everything_deinit(&everything);
}

Test(everything, worker_that_leaves_tells_early)
{
    begin();
    cr_assert_not(fr_everything_take(&everything, now_us, true), "nothing waits");
    raise_after_ms(0);
    raise_after_ms(1);
    cr_assert(fr_everything_take(&everything, now_us, true));
    cr_assert_not(fr_everything_take(&everything, now_us, true));
    fr_everything_deinit(&everything);
}
