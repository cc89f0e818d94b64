#include "bus/redis/proto/probe.h"
#include <criterion/criterion.h>
#include <string.h>

#define IN_TIME 100

static struct fr_redis_probe probe;

static void set_up(void)
{
    fr_redis_probe_init(&probe, IN_TIME);
}

/* Sends the next one at `now_us` and returns its number. */
static uint64_t send_probe(int64_t now_us)
{
    uint64_t number;
    cr_assert(fr_redis_probe_read(fr_redis_probe_next(&probe, now_us), &number));
    cr_assert_eq(number, probe.sent);
    return number;
}

TestSuite(redis_probe, .init = set_up);

/* contract 7.5: not answered is no miss: the server is slow, or holds it back */
Test(redis_probe, tells_a_held_one_from_one_that_does_not_come)
{
    cr_assert_eq(fr_redis_probe_state(&probe), FR_REDIS_PROBE_BACK);
    uint64_t number = send_probe(0);
    cr_assert_eq(fr_redis_probe_state(&probe), FR_REDIS_PROBE_HELD);
    fr_redis_probe_accept(&probe, number);
    cr_assert_eq(fr_redis_probe_state(&probe), FR_REDIS_PROBE_ACCEPTED);
    cr_assert(fr_redis_probe_take(&probe, number, 50));
    cr_assert_eq(fr_redis_probe_state(&probe), FR_REDIS_PROBE_BACK);
    cr_assert_eq(probe.seen_us, 50);
}

/* contract 7.5 */
Test(redis_probe, counts_misses_in_a_row_until_one_comes_back)
{
    uint64_t number = 0;
    cr_assert_eq(probe.seen_us, -1);
    for (unsigned missed = 1; missed <= 3; missed++) {
        number = send_probe(missed);
        fr_redis_probe_accept(&probe, number);
        cr_assert_not(fr_redis_probe_check(&probe, number));
        cr_assert_eq(probe.missed, missed);
    }
    cr_assert(fr_redis_probe_take(&probe, number, 70));
    cr_assert_eq(probe.seen_us, 70);
    cr_assert_eq(probe.missed, 0);
    cr_assert(fr_redis_probe_check(&probe, number));
}

/* One may be delivered before its answer comes on the other link. */
Test(redis_probe, takes_an_answer_that_comes_after_the_delivery)
{
    uint64_t first = send_probe(0);
    cr_assert(fr_redis_probe_take(&probe, first, 1));
    uint64_t second = send_probe(2);
    fr_redis_probe_accept(&probe, first);
    cr_assert_eq(fr_redis_probe_state(&probe), FR_REDIS_PROBE_HELD);
    fr_redis_probe_accept(&probe, second);
    cr_assert_eq(fr_redis_probe_state(&probe), FR_REDIS_PROBE_ACCEPTED);
}

/* Deliveries that take long are slow, not broken; but what is true now they do not prove. */
Test(redis_probe, is_not_proved_by_one_that_comes_too_late)
{
    uint64_t number = send_probe(0);
    probe.late = probe.wanted = true;
    cr_assert(fr_redis_probe_take(&probe, number, IN_TIME + 1));
    cr_assert_eq(probe.missed, 0);
    cr_assert_eq(probe.seen_us, -1);
    cr_assert_eq(fr_redis_probe_state(&probe), FR_REDIS_PROBE_BACK);
    number = send_probe(200);
    cr_assert_not(probe.late);
    cr_assert_not(probe.wanted);
    cr_assert(fr_redis_probe_take(&probe, number, 200 + IN_TIME));
    cr_assert_eq(probe.seen_us, 200 + IN_TIME);
}

Test(redis_probe, takes_nothing_twice_and_nothing_strange)
{
    static const char *const strange[] = {"",   "0",  "witness", "-1", "+1",
                                          " 1", "1 ", "01",      "x",  "18446744073709551617"};
    uint64_t number;
    cr_assert_not(fr_redis_probe_take(&probe, 1, 1));
    number = send_probe(0);
    cr_assert_not(fr_redis_probe_take(&probe, number + 1, 1));
    cr_assert(fr_redis_probe_take(&probe, number, 1));
    cr_assert_not(fr_redis_probe_take(&probe, number, 2));
    cr_assert_eq(probe.seen_us, 1);
    for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++)
        cr_assert_not(fr_redis_probe_read(freshet_span_text(strange[i]), &number), "%s", strange[i]);
}

Test(redis_probe, takes_nothing_of_a_link_that_is_gone)
{
    uint64_t old = send_probe(0);
    fr_redis_probe_reset(&probe);
    cr_assert_eq(fr_redis_probe_state(&probe), FR_REDIS_PROBE_BACK);
    uint64_t fresh = send_probe(1);
    cr_assert_not(fr_redis_probe_take(&probe, old, 1));
    cr_assert_eq(probe.seen_us, -1);
    cr_assert(fr_redis_probe_take(&probe, fresh, 2));
}
