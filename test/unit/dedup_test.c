/* Which messages have come before. */
#include "failing_memory.h"

#include "core/hub/dedup.c"

#undef malloc
#undef calloc
#undef realloc
#include <criterion/criterion.h>
#include <stdio.h>

static bool note(struct fr_dedup *dedup, unsigned number)
{
    char body[16];
    snprintf(body, sizeof(body), "body %u", number);
    return fr_dedup_note(dedup, freshet_span_text(body));
}

/* contract 3.4 */
Test(dedup, knows_what_came_in_any_order)
{
    struct fr_dedup repeats = {.hashes = NULL};
    static const unsigned order[] = {100, 99,  103, 3,    101, 200, 199, 1000, 64,
                                     63,  128, 127, 1001, 1,   2,   4,   5,    6};
    for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        cr_assert_not(note(&repeats, order[i]), "%u is new", order[i]);
        for (unsigned j = 0; j <= i; j++)
            cr_assert(note(&repeats, order[j]), "%u after %u", order[j], order[i]);
    }
    fr_dedup_deinit(&repeats);
}

/* contract 3.4: the last ones, and memory for no more */
Test(dedup, forgets_the_oldest)
{
    struct fr_dedup repeats = {.hashes = NULL};
    for (unsigned i = 0; i < 10 * FR_DEDUP_MOST; i++)
        cr_assert_not(note(&repeats, i));
    cr_assert_eq(repeats.capacity, FR_DEDUP_MOST);
    for (unsigned i = 9 * FR_DEDUP_MOST; i < 10 * FR_DEDUP_MOST; i++)
        cr_assert(note(&repeats, i), "%u", i);
    cr_assert_not(note(&repeats, 9 * FR_DEDUP_MOST - 1), "it had to go");
    fr_dedup_deinit(&repeats);
    cr_assert_null(repeats.hashes);
}

Test(dedup, without_memory_fewer_are_remembered_and_none_is_dropped)
{
    struct fr_dedup repeats = {.hashes = NULL};
    allocations_left = 0;
    cr_assert_not(note(&repeats, 1));
    cr_assert_not(note(&repeats, 1));
    allocations_left = -1;
    cr_assert_not(note(&repeats, 1));
    cr_assert(note(&repeats, 1));
    allocations_left = 0;
    for (unsigned i = 2; i < 40; i++)
        cr_assert_not(note(&repeats, i));
    cr_assert(note(&repeats, 39));
    cr_assert_not(note(&repeats, 1));
    allocations_left = -1;
    for (unsigned i = 50; i < 90; i++)
        cr_assert_not(note(&repeats, i));
    for (unsigned i = 50; i < 90; i++)
        cr_assert(note(&repeats, i));
    fr_dedup_deinit(&repeats);
}
