/* When a feed loads next and why, without a worker and without a clock. */
#include <criterion/criterion.h>

#include "core/hub/feed_plan.h"

#define MARK(cause) (1u << FRESHET_CAUSE_##cause)
#define NOW         1000000000
#define MS(number)  ((int64_t)(number)*FR_US_PER_MS)
#define AT_ONCE     INT64_MIN
#define NEVER       INT64_MAX

struct row {
    const char *name;
    struct fr_feed_facts facts;
    struct fr_feed_plan plan;
};

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct fr_feed_facts facts = rows[i].facts;
        facts.now_us = NOW;
        struct fr_feed_plan plan = fr_feed_plan_of(&facts);
        cr_expect_eq(plan.due_us, rows[i].plan.due_us, "%s: due at %lld", rows[i].name,
                     (long long)plan.due_us);
        cr_expect_eq(plan.cause, rows[i].plan.cause, "%s: for cause %d", rows[i].name, (int)plan.cause);
        cr_expect_eq(plan.held_back, rows[i].plan.held_back, "%s: held back %d", rows[i].name,
                     plan.held_back);
    }
}

#define CHECK(rows) check((rows), sizeof(rows) / sizeof((rows)[0]))
/* Of a feed that has loaded, whose topic is confirmed. */
#define FINE .topic = FR_TOPIC_CONFIRMED, .has_snapshot = true, .settle_us = NEVER

/* contract 4.4: several marks are one load, whose cause is the one that says most */
Test(feed_plan, cause_out_of_several_marks)
{
    static const struct row rows[] = {
        {"connect", {FINE, .marks = MARK(CONNECT)}, {AT_ONCE, FRESHET_CAUSE_CONNECT, false}},
        {"publish", {FINE, .marks = MARK(PUBLISH), .publishes = 1}, {AT_ONCE, FRESHET_CAUSE_PUBLISH, false}},
        {"gap", {FINE, .marks = MARK(GAP)}, {AT_ONCE, FRESHET_CAUSE_GAP, false}},
        {"retry", {FINE, .marks = MARK(RETRY)}, {AT_ONCE, FRESHET_CAUSE_RETRY, false}},
        {"settle", {FINE, .marks = MARK(SETTLE)}, {AT_ONCE, FRESHET_CAUSE_SETTLE, false}},
        {"first load, published to meanwhile",
         {.topic = FR_TOPIC_CONFIRMED, .marks = MARK(CONNECT) | MARK(PUBLISH), .publishes = 2},
         {AT_ONCE, FRESHET_CAUSE_CONNECT, false}},
        {"one who comes, and a publish",
         {FINE, .marks = MARK(CONNECT) | MARK(PUBLISH), .publishes = 1},
         {AT_ONCE, FRESHET_CAUSE_PUBLISH, false}},
        {"all",
         {FINE, .marks = MARK(GAP) | MARK(RETRY) | MARK(SETTLE) | MARK(PUBLISH), .publishes = 1},
         {AT_ONCE, FRESHET_CAUSE_PUBLISH, false}},
        {"gap before retry",
         {FINE, .marks = MARK(GAP) | MARK(RETRY) | MARK(CONNECT)},
         {AT_ONCE, FRESHET_CAUSE_GAP, false}},
        {"retry before settle",
         {FINE, .marks = MARK(RETRY) | MARK(SETTLE) | MARK(CONNECT)},
         {AT_ONCE, FRESHET_CAUSE_RETRY, false}},
        {"settle before one who comes",
         {FINE, .marks = MARK(SETTLE) | MARK(CONNECT)},
         {AT_ONCE, FRESHET_CAUSE_SETTLE, false}},
    };
    CHECK(rows);
}

/* contract 4.1, 4.12: what nothing has happened to looks again after settle_ms, or polls while the bus is
 * down */
Test(feed_plan, without_marks)
{
    static const struct row rows[] = {
        {"nothing to do", {FINE}, {NEVER, FRESHET_CAUSE_SETTLE, false}},
        {"settles",
         {.topic = FR_TOPIC_CONFIRMED, .settle_us = NOW + 5},
         {NOW + 5, FRESHET_CAUSE_SETTLE, false}},
        {"confirmed again, the error of the bus still shown",
         {FINE, .bus_error = true, .poll_us = NOW + 5},
         {NEVER, FRESHET_CAUSE_SETTLE, false}},
        {"in the grace",
         {.topic = FR_TOPIC_WAITING, .grace_end_us = NOW + 7, .settle_us = NOW - 1},
         {NOW + 7, FRESHET_CAUSE_GAP, false}},
        {"the acknowledgement is waited for as long as it takes",
         {.topic = FR_TOPIC_WAITING, .grace_end_us = NEVER},
         {NEVER, FRESHET_CAUSE_GAP, false}},
        {"polls",
         {.topic = FR_TOPIC_WAITING, .grace_end_us = NOW - 7, .bus_error = true, .poll_us = NOW + 9},
         {NOW + 9, FRESHET_CAUSE_GAP, false}},
        {"may not poll",
         {.topic = FR_TOPIC_WAITING, .grace_end_us = NOW - 7, .bus_error = true, .poll_us = NEVER},
         {NEVER, FRESHET_CAUSE_GAP, false}},
        {"refused, not told yet",
         {.topic = FR_TOPIC_REFUSED, .grace_end_us = NOW + 7},
         {AT_ONCE, FRESHET_CAUSE_GAP, false}},
        {"refused, polls",
         {.topic = FR_TOPIC_REFUSED, .bus_error = true, .poll_us = NOW + 9},
         {NOW + 9, FRESHET_CAUSE_GAP, false}},
        {"a failure without a mark delays nothing",
         {.topic = FR_TOPIC_CONFIRMED, .settle_us = NOW + 1, .failures = 3, .retry_us = NOW + 99},
         {NOW + 1, FRESHET_CAUSE_SETTLE, false}},
    };
    CHECK(rows);
}

/* contract 4.1: no load before the acknowledgement or the end of the grace */
Test(feed_plan, marks_wait_for_the_acknowledgement)
{
    static const struct row rows[] = {
        {"waits",
         {.topic = FR_TOPIC_WAITING, .grace_end_us = NOW + 7, .marks = MARK(CONNECT)},
         {NOW + 7, FRESHET_CAUSE_CONNECT, false}},
        {"has waited",
         {.topic = FR_TOPIC_WAITING, .grace_end_us = NOW - 7, .marks = MARK(CONNECT)},
         {NOW - 7, FRESHET_CAUSE_CONNECT, false}},
        {"is refused",
         {.topic = FR_TOPIC_REFUSED, .grace_end_us = NOW + 7, .marks = MARK(CONNECT)},
         {AT_ONCE, FRESHET_CAUSE_CONNECT, false}},
        {"a mark does not wait for the next poll",
         {.topic = FR_TOPIC_REFUSED, .marks = MARK(GAP), .bus_error = true, .poll_us = NOW + 9},
         {AT_ONCE, FRESHET_CAUSE_GAP, false}},
    };
    CHECK(rows);
}

/* contract 4.5: news cut the back-off short, to 250 ms from the failure */
Test(feed_plan, after_failures)
{
    static const struct row rows[] = {
        {"backs off",
         {FINE, .marks = MARK(RETRY), .failures = 9, .failed_us = NOW, .retry_us = NOW + MS(30000)},
         {NOW + MS(30000), FRESHET_CAUSE_RETRY, false}},
        {"one who comes waits, too",
         {FINE, .marks = MARK(RETRY) | MARK(CONNECT), .failures = 1, .retry_us = NOW + MS(200)},
         {NOW + MS(200), FRESHET_CAUSE_RETRY, false}},
        {"publish",
         {FINE, .marks = MARK(RETRY) | MARK(PUBLISH), .publishes = 1, .failures = 9,
          .failed_us = NOW - MS(100), .retry_us = NOW + MS(30000)},
         {NOW + MS(150), FRESHET_CAUSE_PUBLISH, false}},
        {"gap",
         {FINE, .marks = MARK(RETRY) | MARK(GAP), .failures = 9, .failed_us = NOW,
          .retry_us = NOW + MS(30000)},
         {NOW + MS(250), FRESHET_CAUSE_GAP, false}},
        {"the grace is longer",
         {.topic = FR_TOPIC_WAITING,
          .grace_end_us = NOW + MS(400),
          .marks = MARK(RETRY),
          .failures = 1,
          .retry_us = NOW + MS(200)},
         {NOW + MS(400), FRESHET_CAUSE_RETRY, false}},
        {"the grace is shorter",
         {.topic = FR_TOPIC_WAITING,
          .grace_end_us = NOW + MS(100),
          .marks = MARK(RETRY),
          .failures = 1,
          .retry_us = NOW + MS(200)},
         {NOW + MS(200), FRESHET_CAUSE_RETRY, false}},
    };
    CHECK(rows);
}

/* contract 4.7: from the begin of a load to the next one, whatever it is for */
Test(feed_plan, keeps_to_min_interval)
{
    static const struct row rows[] = {
        {"the first load",
         {FINE, .marks = MARK(PUBLISH), .publishes = 1, .min_interval_us = MS(500)},
         {AT_ONCE, FRESHET_CAUSE_PUBLISH, false}},
        {"no interval",
         {FINE, .marks = MARK(PUBLISH), .publishes = 1, .began_us = NOW},
         {AT_ONCE, FRESHET_CAUSE_PUBLISH, false}},
        {"publish too early",
         {FINE, .marks = MARK(PUBLISH), .publishes = 1, .began_us = NOW - MS(100),
          .min_interval_us = MS(500)},
         {NOW + MS(400), FRESHET_CAUSE_INTERVAL, true}},
        {"just in time",
         {FINE, .marks = MARK(PUBLISH), .publishes = 1, .began_us = NOW - MS(500),
          .min_interval_us = MS(500)},
         {NOW, FRESHET_CAUSE_PUBLISH, false}},
        {"it has waited",
         {FINE, .marks = MARK(PUBLISH), .publishes = 1, .held_back = true, .began_us = NOW - MS(500),
          .min_interval_us = MS(500)},
         {NOW, FRESHET_CAUSE_INTERVAL, true}},
        {"a gap holds no publish back",
         {FINE, .marks = MARK(GAP), .began_us = NOW - MS(100), .min_interval_us = MS(500)},
         {NOW + MS(400), FRESHET_CAUSE_GAP, false}},
        {"a poll keeps to it",
         {.topic = FR_TOPIC_REFUSED,
          .bus_error = true,
          .poll_us = NOW + MS(10),
          .began_us = NOW,
          .min_interval_us = MS(500)},
         {NOW + MS(500), FRESHET_CAUSE_GAP, false}},
        {"where none is wanted there is none",
         {FINE, .began_us = NOW, .min_interval_us = MS(500)},
         {NEVER, FRESHET_CAUSE_SETTLE, false}},
        {"what waits for longer is not held back by it",
         {FINE, .marks = MARK(RETRY) | MARK(PUBLISH), .publishes = 1, .failures = 1, .failed_us = NOW,
          .began_us = NOW, .min_interval_us = MS(200)},
         {NOW + MS(250), FRESHET_CAUSE_PUBLISH, false}},
    };
    CHECK(rows);
}
