#include <criterion/criterion.h>

#include "failing_memory.h"

#include "base/bytes.c"
#include "core/message_ring.c"
#include "core/repeats.c"

#include <stdio.h>

/* Pushes a message of `len` bytes. */
static void push(struct fr_message_ring *ring, size_t len, bool is_gap)
{
    struct fr_bytes *bytes = fr_bytes_new(len);
    fr_message_ring_push(ring, bytes, is_gap);
    fr_bytes_release(bytes);
}

static uint64_t number_after(const struct fr_message_ring *ring, uint64_t seen)
{
    const struct fr_message_item *item = fr_message_ring_after(ring, seen);
    return item == NULL ? 0 : item->number;
}

Test(message_ring, gives_messages_by_number)
{
    struct fr_message_ring ring;
    fr_message_ring_init(&ring, 100, 1000);
    cr_assert_eq(number_after(&ring, 0), 0);
    for (int i = 0; i < 50; i++)
        push(&ring, 1, false);
    for (uint64_t i = 0; i < 50; i++)
        cr_assert_eq(number_after(&ring, i), i + 1);
    cr_assert_eq(number_after(&ring, 50), 0);
    fr_message_ring_clear(&ring);
    cr_assert_eq(number_after(&ring, 0), 0);
    push(&ring, 1, false);
    cr_assert_eq(number_after(&ring, 0), 51, "numbers run on");
    fr_message_ring_clear(&ring);
}

Test(message_ring, drops_the_oldest_over_its_count)
{
    struct fr_message_ring ring;
    fr_message_ring_init(&ring, 3, 1000);
    for (int i = 0; i < 1000; i++)
        push(&ring, 1, i == 2);
    cr_assert_eq(ring.count, 3);
    cr_assert_leq(ring.capacity, 8);
    cr_assert_eq(number_after(&ring, 0), 998);
    cr_assert_eq(ring.lost_gap, 3);
    fr_message_ring_clear(&ring);
    cr_assert_eq(ring.bytes, 0);
}

Test(message_ring, drops_the_oldest_over_its_bytes_but_never_the_newest)
{
    struct fr_message_ring ring;
    fr_message_ring_init(&ring, 100, 10);
    for (int i = 0; i < 4; i++)
        push(&ring, 4, false);
    cr_assert_eq(number_after(&ring, 0), 3);
    cr_assert_eq(ring.bytes, 8);
    push(&ring, 11, false);
    cr_assert_eq(number_after(&ring, 0), 5);
    cr_assert_eq(ring.count, 1);
    push(&ring, 1, false);
    cr_assert_eq(number_after(&ring, 0), 6);
    fr_message_ring_clear(&ring);
}

Test(message_ring, skipped_numbers_are_missing)
{
    struct fr_message_ring ring;
    struct fr_message_item item;
    fr_message_ring_init(&ring, 100, 1000);
    push(&ring, 1, false);
    fr_message_ring_skip(&ring, 10);
    push(&ring, 1, false);
    fr_message_ring_push(&ring, NULL, false);
    cr_assert_eq(number_after(&ring, 1), 12);
    cr_assert_eq(number_after(&ring, 12), 0);
    for (uint64_t number = 1; number <= 12; number += 11) {
        cr_assert(fr_message_ring_shift(&ring, &item));
        cr_assert_eq(item.number, number);
        fr_bytes_release(item.bytes);
    }
    cr_assert_not(fr_message_ring_shift(&ring, &item));
    cr_assert_eq(item.number, 13);
    fr_message_ring_clear(&ring);
}

Test(message_ring, gives_the_room_of_a_burst_back)
{
    struct fr_message_ring ring;
    struct fr_message_item item;
    fr_message_ring_init(&ring, 1000, 1000);
    for (int i = 0; i < 500; i++)
        push(&ring, 1, false);
    while (fr_message_ring_shift(&ring, &item))
        fr_bytes_release(item.bytes);
    cr_assert_null(ring.items);
    push(&ring, 1, false);
    cr_assert_eq(number_after(&ring, 0), 501);
    fr_message_ring_clear(&ring);
}

Test(message_ring, without_memory_the_oldest_makes_room)
{
    struct fr_message_ring ring;
    struct fr_bytes *bytes = fr_bytes_new(1);
    fr_message_ring_init(&ring, 100, 1000);
    allocations_left = 0;
    fr_message_ring_push(&ring, bytes, true);
    cr_assert_eq(ring.count, 0);
    cr_assert_eq(ring.last, 1);
    cr_assert_eq(ring.lost_gap, 1, "the gap is remembered all the same");
    allocations_left = -1;
    for (int i = 0; i < 8; i++)
        fr_message_ring_push(&ring, bytes, false);
    allocations_left = 0;
    fr_message_ring_push(&ring, bytes, false);
    allocations_left = -1;
    cr_assert_eq(ring.count, 8);
    cr_assert_eq(number_after(&ring, 0), 3);
    cr_assert_eq(number_after(&ring, 9), 10);
    fr_message_ring_clear(&ring);
    fr_bytes_release(bytes);
}

/* ---- repeats ---- */

static bool note(struct fr_repeats *repeats, const char *publisher, uint64_t sequence)
{
    return fr_repeats_note(repeats, freshet_span_text(publisher), sequence);
}

Test(repeats, knows_what_came_in_any_order)
{
    struct fr_repeats repeats = {{NULL}};
    static const uint64_t order[] = {100, 99, 103, 3, 101, 200, 199, 1000, 64, 63, 128, 127, 1001};
    uint64_t highest = 0;
    for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        cr_assert_not(note(&repeats, "a", order[i]), "%u is new", (unsigned)order[i]);
        highest = order[i] > highest ? order[i] : highest;
        for (unsigned j = 0; j <= i; j++)
            cr_assert_eq(note(&repeats, "a", order[j]), highest - order[j] < FR_REPEATS_WINDOW, "%u with %u",
                         (unsigned)order[j], (unsigned)highest);
    }
    fr_repeats_deinit(&repeats);
}

/* Against a table of everything that ever came. */
Test(repeats, agrees_with_a_full_memory_within_the_window)
{
    enum { MOST = 20000 };
    static bool came[MOST + 200];
    struct fr_repeats repeats = {{NULL}};
    uint64_t highest = 0, random = 1;
    unsigned repeated = 0;
    for (unsigned i = 0; i < 30000; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t sequence = highest + (random >> 33) % 180, back = (random >> 45) % 1100;
        sequence = sequence > back ? sequence - back : sequence;
        if (sequence > MOST)
            break;
        bool known = sequence <= highest && highest - sequence >= FR_REPEATS_WINDOW;
        bool before = note(&repeats, "a", sequence);
        cr_assert_eq(before, !known && came[sequence], "%u at %u", (unsigned)sequence, (unsigned)highest);
        repeated += before;
        came[sequence] = true;
        highest = sequence > highest ? sequence : highest;
    }
    cr_assert_gt(repeated, 100);
    fr_repeats_deinit(&repeats);
}

Test(repeats, tells_publishers_apart_and_forgets_the_least_lately_heard)
{
    struct fr_repeats repeats = {{NULL}};
    char name[8];
    for (unsigned i = 0; i < FR_REPEATS_PUBLISHERS; i++) {
        snprintf(name, sizeof(name), "p%u", i);
        cr_assert_not(note(&repeats, name, 5));
    }
    cr_assert(note(&repeats, "p0", 5));
    cr_assert_not(note(&repeats, "one more", 5));
    cr_assert(note(&repeats, "p0", 5));
    cr_assert(note(&repeats, "p2", 5));
    cr_assert_not(note(&repeats, "p1", 5), "it had to go");
    fr_repeats_deinit(&repeats);
}

Test(repeats, largest_sequences_work)
{
    struct fr_repeats repeats = {{NULL}};
    cr_assert_not(note(&repeats, "a", 0));
    cr_assert(note(&repeats, "a", 0));
    cr_assert_not(note(&repeats, "a", UINT64_MAX - 1));
    cr_assert_not(note(&repeats, "a", UINT64_MAX));
    cr_assert(note(&repeats, "a", UINT64_MAX - 1));
    cr_assert(note(&repeats, "a", UINT64_MAX));
    cr_assert_not(note(&repeats, "a", UINT64_MAX - 70));
    fr_repeats_deinit(&repeats);
}

Test(repeats, without_memory_nothing_is_dropped)
{
    struct fr_repeats repeats = {{NULL}};
    allocations_left = 0;
    cr_assert_not(note(&repeats, "a", 1));
    cr_assert_not(note(&repeats, "a", 1));
    allocations_left = -1;
    cr_assert_not(note(&repeats, "a", 1));
    cr_assert(note(&repeats, "a", 1));
    fr_repeats_deinit(&repeats);
}
