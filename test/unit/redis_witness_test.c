#include "base/clock.h"
#include "bus/redis/proto/witness.h"
#include <criterion/criterion.h>

#define LATER (3 * (int64_t)FR_US_PER_S)

static struct fr_redis_witness witness;

static void set_up(void)
{
    fr_redis_witness_init(&witness);
    fr_redis_witness_linked(&witness, 0);
}

static void come(int64_t now_us)
{
    fr_redis_witness_begin(&witness, now_us);
    fr_redis_witness_up(&witness);
    fr_redis_witness_answered(&witness, now_us);
    fr_redis_witness_subscribed(&witness);
}

/* A probe behind so many publishes, which is accepted. Whether the witness is to be asked. */
static bool probe(uint64_t number, uint64_t publishes)
{
    fr_redis_witness_probed(&witness, number, publishes);
    bool asks = fr_redis_witness_probe_accepted(&witness, number);
    if (asks)
        fr_redis_witness_pinged(&witness);
    return asks;
}

TestSuite(redis_witness, .init = set_up);

/* contract 7.4: without a publish there is no doubt */
Test(redis_witness, is_made_only_for_a_doubt)
{
    cr_assert_not(fr_redis_witness_is_doubtful(&witness));
    cr_assert_not(fr_redis_witness_is_due(&witness, LATER));
    fr_redis_witness_accepted(&witness, 1);
    cr_assert(fr_redis_witness_is_doubtful(&witness));
    cr_assert(fr_redis_witness_is_due(&witness, 0));
    fr_redis_witness_begin(&witness, 0);
    cr_assert_not(fr_redis_witness_is_due(&witness, LATER), "one at a time");
}

/* contract 7.4 */
Test(redis_witness, vouches_for_what_was_published_before_the_first_probe_that_it_can_hear)
{
    fr_redis_witness_accepted(&witness, 2);
    cr_assert_not(probe(6, 2), "nobody is there");
    come(0);
    cr_assert_not(fr_redis_witness_heard(&witness, 6), "that was sent before it listened");
    cr_assert(probe(7, 3));
    fr_redis_witness_accepted(&witness, 3);
    fr_redis_witness_probed(&witness, 8, 5);
    fr_redis_witness_accepted(&witness, 4);
    cr_assert(fr_redis_witness_heard(&witness, 8));
    cr_assert(fr_redis_witness_is_doubtful(&witness), "4 came after the probe that is sure");
    fr_redis_witness_end(&witness);
    cr_assert_not(fr_redis_witness_is_due(&witness, FR_US_PER_S));
    cr_assert(fr_redis_witness_is_due(&witness, LATER));
    come(LATER);
    probe(9, 4);
    cr_assert(fr_redis_witness_heard(&witness, 9));
    cr_assert_not(fr_redis_witness_is_doubtful(&witness));
}

/* An answer that comes after the probe was heard is to a publish before it. */
Test(redis_witness, vouches_for_what_is_accepted_later_but_was_sent_before)
{
    fr_redis_witness_accepted(&witness, 1);
    come(0);
    probe(1, 3);
    cr_assert(fr_redis_witness_heard(&witness, 1));
    fr_redis_witness_accepted(&witness, 3);
    cr_assert_not(fr_redis_witness_is_doubtful(&witness));
}

/* contract 7.5: the answer to what was asked later comes first, twice */
Test(redis_witness, finds_the_link_elsewhere_after_two_probes_that_do_not_come)
{
    come(0);
    cr_assert(probe(1, 0));
    cr_assert_not(fr_redis_witness_has_doubts(&witness));
    cr_assert_not(fr_redis_witness_ponged(&witness));
    cr_assert(fr_redis_witness_has_doubts(&witness), "the next probe does not wait for its time");
    cr_assert(probe(2, 0));
    cr_assert_not(fr_redis_witness_has_doubts(&witness));
    cr_assert(fr_redis_witness_ponged(&witness));
}

Test(redis_witness, does_not_count_an_answer_to_what_was_asked_before_the_probe)
{
    come(0);
    fr_redis_witness_pinged(&witness); /* it was silent */
    cr_assert(probe(1, 0));
    cr_assert_not(fr_redis_witness_ponged(&witness));
    cr_assert_eq(witness.missed, 0);
    cr_assert_not(fr_redis_witness_ponged(&witness));
    cr_assert_eq(witness.missed, 1);
}

/* Between nodes a delivery may take a moment longer than an answer. */
Test(redis_witness, takes_a_probe_that_comes_after_the_answer)
{
    fr_redis_witness_accepted(&witness, 1);
    come(0);
    probe(1, 1);
    cr_assert_not(fr_redis_witness_ponged(&witness));
    cr_assert(fr_redis_witness_heard(&witness, 1));
    cr_assert_not(fr_redis_witness_is_doubtful(&witness));
}

/* contract 7.3, 7.5: a second opinion on a silent command link */
Test(redis_witness, excuses_a_silent_link_while_its_own_publish_waits_too)
{
    enum { PATIENCE = 10, MEMORY = 100 };
    cr_assert_not(fr_redis_witness_excuses(&witness, 0, PATIENCE, MEMORY), "nobody says so");
    fr_redis_witness_begin(&witness, 0);
    cr_assert_not(fr_redis_witness_excuses(&witness, 0, PATIENCE, MEMORY), "it cannot connect");
    fr_redis_witness_up(&witness);
    cr_assert(fr_redis_witness_excuses(&witness, 50, PATIENCE, MEMORY));
    /* It is silent, too, and is made again. */
    fr_redis_witness_lost(&witness, 1000);
    cr_assert(fr_redis_witness_excuses(&witness, 1000 + MEMORY - 1, PATIENCE, MEMORY));
    cr_assert_not(fr_redis_witness_excuses(&witness, 1000 + MEMORY, PATIENCE, MEMORY));
    fr_redis_witness_up(&witness);
    cr_assert(fr_redis_witness_excuses(&witness, 2000, PATIENCE, MEMORY));
    /* Answers to both may be on their way. */
    fr_redis_witness_answered(&witness, 3000);
    cr_assert(fr_redis_witness_excuses(&witness, 3000 + PATIENCE - 1, PATIENCE, MEMORY));
    cr_assert_not(fr_redis_witness_excuses(&witness, 3000 + PATIENCE, PATIENCE, MEMORY));
    fr_redis_witness_lost(&witness, 5000);
    cr_assert_not(fr_redis_witness_excuses(&witness, 5000, PATIENCE, MEMORY));
}

/* What a former link accepted is the mark's business. */
Test(redis_witness, begins_anew_with_a_new_command_link)
{
    fr_redis_witness_accepted(&witness, 5);
    fr_redis_witness_begin(&witness, 0);
    fr_redis_witness_end(&witness);
    fr_redis_witness_linked(&witness, 1);
    cr_assert_not(fr_redis_witness_is_doubtful(&witness));
    fr_redis_witness_accepted(&witness, 1);
    cr_assert(fr_redis_witness_is_due(&witness, 1), "at once: its first publish may be the mark");
}
