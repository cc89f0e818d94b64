#include <criterion/criterion.h>

#include "base/clock.h"
#include "core/runtime/counters.h"
#include <pthread.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* contract 8.1 */
Test(counters, histogram_buckets_count_up_to_64_us_times_a_power_of_two)
{
    static const struct {
        int64_t us;
        unsigned bucket;
    } cases[] = {
        {-5, 0},
        {0, 0},
        {1, 0},
        {64, 0},
        {65, 1},
        {128, 1},
        {129, 2},
        {256, 2},
        {257, 3},
        {INT64_C(64) << 18, 18},
        {(INT64_C(64) << 18) + 1, 19},
        {INT64_C(64) << 19, 19},
        {INT64_MAX, 19},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fr_counters counters = {0};
        struct freshet_stats stats = {0};
        fr_histogram_add(&counters.load_time, cases[i].us);
        fr_counters_add(&counters, &stats);
        cr_expect_eq(stats.load_time.buckets[cases[i].bucket], 1, "%lld us", (long long)cases[i].us);
        cr_expect_eq(stats.load_time.count, 1);
        cr_expect_eq(stats.load_time.sum_us, (uint64_t)(cases[i].us < 0 ? 0 : cases[i].us));
        cr_expect_eq(stats.write_time.count, 0);
    }
}

/* contract 2.4: anybody may write any time into a body */
Test(counters, times_that_cannot_be_are_not_measured)
{
    static const int64_t away_s[] = {-86500, 86500};
    struct fr_counters counters = {0};
    struct freshet_stats stats = {0};
    uint64_t now_us = (uint64_t)fr_clock_wall_us();
    for (size_t i = 0; i < COUNT(away_s); i++)
        fr_histogram_add_since(&counters.publish_to_push, now_us + (uint64_t)(away_s[i] * FR_US_PER_S));
    fr_histogram_add_since(&counters.publish_to_push, 0);
    fr_histogram_add_since(&counters.publish_to_push, 1);
    fr_histogram_add_since(&counters.publish_to_push, UINT64_MAX);
    fr_histogram_add_since(&counters.publish_to_push, INT64_MAX);
    fr_counters_add(&counters, &stats);
    cr_assert_eq(stats.publish_to_push.count, 0);
    fr_histogram_add_since(&counters.publish_to_push, now_us - 1000);
    fr_histogram_add_since(&counters.publish_to_push, now_us + FR_US_PER_S);
    fr_counters_add(&counters, &stats);
    cr_assert_eq(stats.publish_to_push.count, 2);
    cr_assert_lt(stats.publish_to_push.sum_us, 100 * FR_US_PER_S);
}

Test(counters, sets_add_up)
{
    struct fr_counters worker = {0}, others = {0};
    struct freshet_stats stats = {.streams = 1, .loads = 2};
    fr_count(&worker.loads, 3);
    fr_count(&others.loads, 4);
    fr_count(&others.gaps, 5);
    fr_count(&worker.streams_closed[FRESHET_CLOSE_NO_MEMORY], 6);
    fr_histogram_add(&worker.publish_to_push, 100);
    fr_histogram_add(&others.publish_to_push, 1000);
    /* Opened here, closed there. */
    fr_count(&worker.streams, 2);
    fr_count_down(&others.streams);
    fr_counters_add(&worker, &stats);
    fr_counters_add(&others, &stats);
    cr_expect_eq(stats.loads, 9);
    cr_expect_eq(stats.gaps, 5);
    cr_expect_eq(stats.streams, 2);
    cr_expect_eq(stats.streams_closed[FRESHET_CLOSE_NO_MEMORY], 6);
    cr_expect_eq(stats.publish_to_push.count, 2);
    cr_expect_eq(stats.publish_to_push.sum_us, 1100);
}

/* Every counter and gauge by its name: none is forgotten or mistaken for another. */
Test(counters, each_is_added_to_its_own_field)
{
    struct fr_counters counters = {0};
    struct freshet_stats stats = {0};
    uint64_t next = 1;
#define X(name) fr_count(&counters.name, next++);
    FR_COUNTERS(X)
    X(streams)
    X(feeds)
    X(loads_running)
    X(loads_abandoned)
#undef X
    fr_counters_add(&counters, &stats);
    next = 1;
#define X(name) cr_expect_eq(stats.name, next++, #name);
    FR_COUNTERS(X)
    X(streams)
    X(feeds)
    X(loads_running)
    X(loads_abandoned)
#undef X
}

static void *count_many(void *user)
{
    struct fr_counters *counters = user;
    for (int i = 0; i < 10000; i++) {
        fr_count(&counters->messages, 1);
        fr_histogram_add(&counters->write_time, i);
    }
    return NULL;
}

Test(counters, threads_lose_nothing)
{
    struct fr_counters counters = {0};
    struct freshet_stats stats = {0};
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT(threads); i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, count_many, &counters), 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    fr_counters_add(&counters, &stats);
    cr_assert_eq(stats.messages, 40000);
    cr_assert_eq(stats.write_time.count, 40000);
    cr_assert_eq(stats.write_time.sum_us, UINT64_C(4) * 9999 * 10000 / 2);
}
