#include <criterion/criterion.h>

#include "failing_memory.h"

#include "base/bytes.c"
#include "core/runtime/message_ring.c"

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
