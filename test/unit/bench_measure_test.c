/* bench/: the schedule, and what a delivery says, as bench/README.md defines it. */
#include "../../bench/tool/measure/clock.h"
#include "../../bench/tool/measure/histogram.c"
#include "../../bench/tool/measure/measure.c"
#include "../../bench/tool/measure/plan.c"
#include <criterion/criterion.h>
#include <stdlib.h>

static uint64_t first[3] = {1, 1, 101}, accepted[3], shown[3];
static struct shared shared;
static struct stream_stats *stats;
static struct measure measure;
static struct tracker tracker;
static const int64_t begin = 1000 * SECOND_NS;

/* 30 publishes a second over three topics: one each 100 ms for each of them, 20 in all. */
static void set_up(void)
{
    stats = calloc(1, sizeof(*stats));
    shared = (struct shared){.accepted = accepted, .shown = shown, .control.phase = PHASE_PUBLISH};
    shared.plan = (struct plan){
        .begin_ns = begin, .measure_ns = begin, .rate = 30, .count = 60, .topics = 3, .first = first};
    measure = (struct measure){.shared = &shared, .stats = stats, .kind = NUMBER_SEQ};
    tracker = (struct tracker){0};
    memset(accepted, 0, sizeof(accepted));
    memset(shown, 0, sizeof(shown));
}

static void tear_down(void)
{
    free(stats);
}

TestSuite(bench_plan, .init = set_up, .fini = tear_down);
TestSuite(bench_measure, .init = set_up, .fini = tear_down);

static int64_t ms(int64_t time)
{
    return begin + time * MS_NS;
}

Test(bench_plan, counts_what_is_due)
{
    cr_assert_eq(plan_due(&shared.plan, begin - 1), 0);
    cr_assert_eq(plan_due(&shared.plan, begin), 1);
    cr_assert_eq(plan_due(&shared.plan, ms(34)), 2);
    cr_assert_eq(plan_due(&shared.plan, ms(100)), 4);
    cr_assert_eq(plan_due(&shared.plan, ms(99999)), 60);
    for (uint64_t i = 0; i < 60; i++) {
        cr_assert_eq(plan_due(&shared.plan, plan_time(&shared.plan, i)), i + 1, "%lu", i);
        cr_assert_eq(plan_due(&shared.plan, plan_time(&shared.plan, i) - 1), i, "%lu", i);
    }
}

Test(bench_plan, finds_the_publish_of_a_number)
{
    uint64_t publish;
    for (uint64_t i = 0; i < 60; i++) {
        cr_assert(
            plan_find(&shared.plan, plan_topic(&shared.plan, i), plan_number(&shared.plan, i), &publish));
        cr_assert_eq(publish, i);
    }
    cr_assert_not(plan_find(&shared.plan, 0, 0, &publish));
    cr_assert_not(plan_find(&shared.plan, 0, 21, &publish));
    cr_assert_not(plan_find(&shared.plan, 2, 100, &publish));
    cr_assert_not(plan_find(&shared.plan, 0, UINT64_MAX, &publish));
}

Test(bench_plan, knows_the_newest_number_of_a_topic)
{
    cr_assert_eq(plan_newest(&shared.plan, 0, begin - 1), 0);
    cr_assert_eq(plan_newest(&shared.plan, 0, begin), 1);
    cr_assert_eq(plan_newest(&shared.plan, 1, begin), 0);
    cr_assert_eq(plan_newest(&shared.plan, 2, ms(170)), 102);
    cr_assert_eq(plan_newest(&shared.plan, 2, ms(99999)), 120);
}

static void deliver(uint64_t number, int64_t at_ms)
{
    measure_event(&measure, &tracker, 0, true, number, ms(at_ms));
}

/* A snapshot of before. */
static void begin_with(uint64_t number)
{
    shared.plan.begin_ns = 0;
    measure_event(&measure, &tracker, 0, true, number, ms(-500));
    shared.plan.begin_ns = begin;
}

Test(bench_measure, a_delivery_answers_every_planned_publish_up_to_its_number)
{
    begin_with(0);
    deliver(1, 5);   /* planned at 0 */
    deliver(4, 310); /* 2, 3, 4: planned at 100, 200, 300 */
    cr_assert_eq(stats->latency.count, 4);
    cr_assert_eq(stats->latency.sum, (5 + 210 + 110 + 10) * (uint64_t)MS_NS);
    cr_assert_eq(stats->gaps, 1);
    cr_assert_eq(stats->skipped, 2);
    cr_assert_eq(stats->deliveries, 3);
}

Test(bench_measure, lost_numbers_are_not_answered)
{
    measure.skips_are_lost = true;
    begin_with(0);
    deliver(4, 310);
    cr_assert_eq(stats->latency.count, 1);
    cr_assert_eq(stats->latency.sum, 10 * (uint64_t)MS_NS);
    cr_assert_eq(stats->skipped, 3);
}

Test(bench_measure, duplicates_and_disorder_are_counted_and_answer_nothing)
{
    begin_with(0);
    deliver(2, 105);
    deliver(2, 106);
    deliver(1, 107);
    deliver(3, 205);
    cr_assert_eq(stats->duplicates, 1);
    cr_assert_eq(stats->disordered, 1);
    cr_assert_eq(stats->latency.count, 3);
}

Test(bench_measure, the_first_event_of_a_connection_may_repeat)
{
    begin_with(0);
    deliver(1, 5);
    tracker.is_first = true;
    deliver(1, 50);
    cr_assert_eq(stats->duplicates, 0);
    tracker.is_first = true;
    deliver(0, 60);
    cr_assert_eq(stats->disordered, 1);
}

Test(bench_measure, a_client_that_comes_back_is_owed_what_it_missed)
{
    begin_with(0);
    deliver(1, 5);
    tracker.is_first = true; /* the connection broke in between */
    deliver(6, 505);
    cr_assert_eq(stats->latency.count, 6);
}

Test(bench_measure, a_new_client_is_owed_what_is_above_its_first_snapshot)
{
    deliver(3, 250);
    cr_assert_eq(stats->latency.count, 0);
    deliver(4, 301);
    cr_assert_eq(stats->latency.count, 1);
    cr_assert_eq(stats->gaps, 0);
}

Test(bench_measure, a_client_without_snapshot_is_owed_what_is_planned_from_then_on)
{
    measure_joined(&measure, &tracker, 0, ms(250)); /* 3 was planned at 200 */
    deliver(5, 410);
    cr_assert_eq(stats->latency.count, 2);
    cr_assert_eq(stats->latency.sum, (110 + 10) * (uint64_t)MS_NS);
}

Test(bench_measure, a_client_that_joined_before_the_begin_is_owed_the_first_publish)
{
    first[0] = 1000;
    shared.plan.begin_ns = 0;
    measure_event(&measure, &tracker, 0, false, 0, ms(-10)); /* state without a number */
    shared.plan.begin_ns = begin;
    deliver(1000, 3);
    first[0] = 1;
    cr_assert_eq(stats->unnumbered, 1);
    cr_assert_eq(stats->latency.count, 1);
    cr_assert_eq(stats->gaps, 0);
}

Test(bench_measure, numbers_beyond_the_plan_are_unplanned)
{
    begin_with(0);
    deliver(UINT64_MAX, 5);
    cr_assert_eq(stats->unplanned, 1);
    cr_assert_eq(stats->latency.count, 20);
}

Test(bench_measure, warm_up_is_not_measured)
{
    shared.plan.measure_ns = ms(150);
    begin_with(0);
    deliver(3, 201);
    cr_assert_eq(stats->latency.count, 1);
}

Test(bench_measure, slow_clients_are_counted_apart)
{
    tracker.is_slow = true;
    begin_with(0);
    deliver(1, 5);
    cr_assert_eq(stats->latency.count, 0);
    cr_assert_eq(stats->slow_latency.count, 1);
    cr_assert_eq(stats->slow_deliveries, 2);
}

Test(bench_measure, who_lacks_an_accepted_number_is_behind)
{
    begin_with(0);
    cr_assert_not(measure_is_behind(&measure, &tracker, 0));
    accepted[0] = 2;
    deliver(1, 5);
    cr_assert(measure_is_behind(&measure, &tracker, 0));
    deliver(2, 105);
    cr_assert_not(measure_is_behind(&measure, &tracker, 0));
}

Test(bench_measure, recovery_ends_with_what_was_accepted_before_the_mark)
{
    begin_with(0);
    deliver(1, 5);
    accepted[0] = 3;
    shared.control.mark_ns = ms(250);
    measure_mark(&measure, &tracker, 0, true);
    deliver(2, 260);
    cr_assert_eq(stats->recovery.count, 0);
    deliver(3, 280);
    cr_assert_eq(stats->recovery.count, 1);
    cr_assert_eq(stats->recovery.sum, 30 * (uint64_t)MS_NS);
    deliver(4, 301);
    cr_assert_eq(stats->recovery.count, 1);
}

Test(bench_measure, a_client_that_is_fresh_at_the_mark_has_nothing_to_recover)
{
    begin_with(0);
    deliver(3, 201);
    accepted[0] = 3;
    shared.control.mark_ns = ms(250);
    measure_mark(&measure, &tracker, 0, true);
    cr_assert_eq(stats->recovery.count, 1);
    cr_assert_eq(stats->recovery.sum, 0);
    measure_mark(&measure, &tracker, 0, false); /* without a connection it has */
    cr_assert(tracker.is_recovering);
}

Test(bench_measure, the_highest_number_shown_before_publishing_is_kept)
{
    shared.control.phase = PHASE_CONNECT;
    begin_with(7);
    cr_assert_eq(shown[0], 7);
}

Test(bench_measure, a_time_in_the_data_is_the_publish)
{
    measure.kind = NUMBER_TIME;
    measure.time_unit_ns = 1000;
    deliver((uint64_t)(wall_ns() / 1000) - 50000, 1);
    deliver((uint64_t)(wall_ns() / 1000) - 20000, 2);
    cr_assert_eq(stats->latency.count, 1);
    cr_assert(stats->latency.sum >= 20 * (uint64_t)MS_NS && stats->latency.sum < 10 * (uint64_t)SECOND_NS);
}
