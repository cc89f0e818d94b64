#include <criterion/criterion.h>

#include "failing_memory.h"

#include "base/timers.c"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct fr_timers timers;
static struct fr_timer *expired[1024];
static size_t expired_count;

static bool is_set(const struct fr_timer *timer)
{
    return timer->place != 0;
}

static void note(struct fr_timer *timer)
{
    cr_assert_not(is_set(timer));
    expired[expired_count++] = timer;
}

static void set(struct fr_timer *timer, int64_t at_us)
{
    cr_assert(fr_timers_set(&timers, timer, at_us));
    cr_assert(is_set(timer));
}

static void finish(void)
{
    fr_timers_deinit(&timers);
}

TestSuite(timers, .fini = finish);

Test(timers, expire_in_order_when_due)
{
    static struct fr_timer all[1000];
    for (size_t i = 0; i < COUNT(all); i++) {
        all[i].expire = note;
        set(&all[i], (int64_t)(i * 7919 % COUNT(all)));
    }
    cr_assert_eq(fr_timers_next(&timers), 0);
    fr_timers_run(&timers, 499, SIZE_MAX);
    cr_assert_eq(expired_count, 500);
    cr_assert_eq(fr_timers_next(&timers), 500);
    fr_timers_run(&timers, 5000, SIZE_MAX);
    cr_assert_eq(expired_count, COUNT(all));
    for (size_t i = 1; i < COUNT(all); i++)
        cr_assert_leq(expired[i - 1]->at_us, expired[i]->at_us);
    cr_assert_eq(fr_timers_next(&timers), INT64_MAX);
}

Test(timers, move_when_set_again)
{
    struct fr_timer a = {.expire = note}, b = {.expire = note}, c = {.expire = note};
    set(&a, 10);
    set(&b, 20);
    set(&c, 30);
    set(&a, 40);
    set(&c, 5);
    cr_assert_eq(fr_timers_next(&timers), 5);
    fr_timers_run(&timers, 100, SIZE_MAX);
    cr_assert_eq(expired_count, 3);
    cr_assert(expired[0] == &c && expired[1] == &b && expired[2] == &a);
}

Test(timers, can_be_cancelled_anywhere)
{
    static struct fr_timer all[200];
    for (size_t i = 0; i < COUNT(all); i++) {
        all[i].expire = note;
        set(&all[i], (int64_t)(i * 37 % COUNT(all)));
    }
    for (size_t i = 0; i < COUNT(all); i += 2) {
        fr_timers_cancel(&timers, &all[i]);
        cr_assert_not(is_set(&all[i]));
        fr_timers_cancel(&timers, &all[i]);
    }
    fr_timers_run(&timers, 1000, SIZE_MAX);
    cr_assert_eq(expired_count, COUNT(all) / 2);
    for (size_t i = 1; i < expired_count; i++)
        cr_assert_lt(expired[i - 1]->at_us, expired[i]->at_us);
}

Test(timers, run_at_most_the_limit)
{
    struct fr_timer all[5] = {{0}};
    for (size_t i = 0; i < COUNT(all); i++) {
        all[i].expire = note;
        set(&all[i], 1);
    }
    fr_timers_run(&timers, 1, 2);
    cr_assert_eq(expired_count, 2);
    fr_timers_run(&timers, 1, 0);
    cr_assert_eq(expired_count, 2);
    fr_timers_run(&timers, 1, 99);
    cr_assert_eq(expired_count, 5);
}

static struct fr_timer other;

static void cancel_other(struct fr_timer *timer)
{
    note(timer);
    fr_timers_cancel(&timers, &other);
    fr_timers_cancel(&timers, timer);
}

Test(timers, an_expiring_one_may_cancel_another_that_is_due)
{
    struct fr_timer first = {.expire = cancel_other}, last = {.expire = note};
    other.expire = note;
    set(&first, 1);
    set(&other, 2);
    set(&last, 3);
    fr_timers_run(&timers, 10, SIZE_MAX);
    cr_assert_eq(expired_count, 2);
    cr_assert(expired[0] == &first && expired[1] == &last);
    cr_assert_not(is_set(&other));
}

static void set_again(struct fr_timer *timer)
{
    note(timer);
    set(timer, timer->at_us + 10);
}

Test(timers, an_expiring_one_may_set_itself)
{
    struct fr_timer timer = {.expire = set_again};
    set(&timer, 10);
    fr_timers_run(&timers, 45, SIZE_MAX);
    cr_assert_eq(expired_count, 4);
    cr_assert_eq(fr_timers_next(&timers), 50);
    fr_timers_cancel(&timers, &timer);
}

Test(timers, reserved_room_needs_no_memory)
{
    static struct fr_timer all[40];
    for (size_t i = 0; i < COUNT(all); i++)
        cr_assert(fr_timers_reserve(&timers));
    allocations_left = 0;
    for (size_t i = 0; i < COUNT(all); i++)
        set(&all[i], (int64_t)i);
    for (size_t i = 0; i < COUNT(all); i++) {
        fr_timers_cancel(&timers, &all[i]);
        fr_timers_unreserve(&timers);
    }
}

Test(timers, without_memory_a_timer_stays_as_it_was)
{
    static struct fr_timer all[64];
    allocations_left = 0;
    cr_assert_not(fr_timers_set(&timers, &all[0], 1));
    cr_assert_not(is_set(&all[0]));
    cr_assert_not(fr_timers_reserve(&timers));
    cr_assert_eq(timers.reserved, 0);
    allocations_left = 1;
    size_t count = 0;
    while (fr_timers_set(&timers, &all[count], 1))
        cr_assert_lt(++count, COUNT(all));
    cr_assert_gt(count, 0);
    cr_assert_not(is_set(&all[count]));
    set(&all[0], 7); /* moving needs no room */
    while (count > 0)
        fr_timers_cancel(&timers, &all[--count]);
    cr_assert_eq(fr_timers_next(&timers), INT64_MAX);
}
