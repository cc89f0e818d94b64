#include "bus/redis_probe.h"
#include <criterion/criterion.h>
#include <string.h>

static struct fr_redis_probe probe;

static void send_probe(char *body, size_t size)
{
    struct freshet_span text = fr_redis_probe_next(&probe);
    cr_assert_lt(text.len, size);
    memcpy(body, text.data, text.len);
    body[text.len] = '\0';
}

static bool take(const char *body, int64_t now_us)
{
    return fr_redis_probe_take(&probe, freshet_span_text(body), now_us);
}

/* contract 7.5 */
Test(redis_probe, counts_misses_in_a_row_until_one_comes_back)
{
    char body[32];
    fr_redis_probe_init(&probe);
    cr_assert_eq(probe.seen_us, -1);
    cr_assert(fr_redis_probe_check(&probe));
    for (unsigned missed = 1; missed <= 3; missed++) {
        send_probe(body, sizeof(body));
        cr_assert_not(fr_redis_probe_check(&probe));
        cr_assert_eq(probe.missed, missed);
    }
    cr_assert(take(body, 70));
    cr_assert_eq(probe.seen_us, 70);
    cr_assert_eq(probe.missed, 0);
    cr_assert(fr_redis_probe_check(&probe));
}

/* Deliveries that take longer than the interval are slow, not broken. */
Test(redis_probe, takes_one_that_comes_after_the_next_was_sent)
{
    char first[32], second[32], third[32];
    fr_redis_probe_init(&probe);
    send_probe(first, sizeof(first));
    cr_assert_not(fr_redis_probe_check(&probe));
    send_probe(second, sizeof(second));
    cr_assert(take(first, 15));
    cr_assert_eq(probe.missed, 0);
    cr_assert_not(fr_redis_probe_check(&probe));
    cr_assert_eq(probe.missed, 1);
    send_probe(third, sizeof(third));
    cr_assert(take(second, 25));
    cr_assert(take(third, 26));
    cr_assert_eq(probe.seen_us, 26);
    cr_assert(fr_redis_probe_check(&probe));
}

Test(redis_probe, takes_nothing_twice_and_nothing_strange)
{
    static const char *const strange[] = {"",   "0",  "2",  "-1", "+1",
                                          " 1", "1 ", "01", "x",  "18446744073709551617"};
    char body[32];
    fr_redis_probe_init(&probe);
    cr_assert_not(take("1", 1));
    send_probe(body, sizeof(body));
    for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++)
        cr_assert_not(take(strange[i], 1), "%s", strange[i]);
    cr_assert_eq(probe.seen_us, -1);
    cr_assert(take(body, 1));
    cr_assert_not(take(body, 2));
    cr_assert_eq(probe.seen_us, 1);
}

Test(redis_probe, takes_nothing_of_a_link_that_is_gone)
{
    char old[32], fresh[32];
    fr_redis_probe_init(&probe);
    send_probe(old, sizeof(old));
    fr_redis_probe_forget(&probe);
    cr_assert(fr_redis_probe_check(&probe));
    send_probe(fresh, sizeof(fresh));
    cr_assert_not(take(old, 1));
    cr_assert(take(fresh, 2));
}
