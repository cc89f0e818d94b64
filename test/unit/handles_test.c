/* Handles that outlive what they name. */
#include "failing_memory.h"

#include "core/runtime/handles.c"

#undef malloc
#undef calloc
#undef realloc
#include <criterion/criterion.h>

#define MANY 1000

static struct fr_handles table = {.lock = PTHREAD_MUTEX_INITIALIZER};
static int entries[MANY];
static struct fr_handle handles[MANY];

static void add(size_t i)
{
    cr_assert(fr_handles_add(&table, &entries[i], &handles[i]));
}

/* contract 4.4 */
Test(handles, removed_one_is_stale_though_its_slot_is_used_again)
{
    add(0);
    add(1);
    cr_assert_eq(fr_handles_find(&table, handles[0]), &entries[0]);
    cr_assert_eq(fr_handles_find(&table, handles[1]), &entries[1]);
    fr_handles_remove(&table, handles[0]);
    cr_assert_null(fr_handles_find(&table, handles[0]));
    add(2);
    cr_assert_eq(handles[2].slot, handles[0].slot);
    cr_assert_gt(handles[2].generation, handles[1].generation);
    cr_assert_null(fr_handles_find(&table, handles[0]));
    cr_assert_eq(fr_handles_find(&table, handles[2]), &entries[2]);
    fr_handles_remove(&table, handles[1]);
    fr_handles_remove(&table, handles[2]);
    fr_handles_trim(&table);
}

/* contract 4.4: a handle that was made up is as good as one that is over */
Test(handles, unknown_ones_are_stale)
{
    cr_assert_null(fr_handles_find(&table, (struct fr_handle){0, 0}));
    add(0);
    cr_assert_null(fr_handles_find(&table, (struct fr_handle){0, 0}));
    cr_assert_null(fr_handles_find(&table, (struct fr_handle){0, 5}));
    cr_assert_null(fr_handles_find(&table, (struct fr_handle){handles[0].generation, UINT32_MAX}));
    cr_assert_null(fr_handles_find(&table, (struct fr_handle){handles[0].generation + 1, handles[0].slot}));
    fr_handles_remove(&table, handles[0]);
    fr_handles_trim(&table);
}

static void check_all(void)
{
    unsigned used = 0;
    for (size_t i = 0; i < MANY; i++) {
        void *entry = fr_handles_find(&table, handles[i]);
        cr_assert(entry == NULL || entry == &entries[i]);
        used += entry != NULL;
    }
    cr_assert_eq(used, table.used);
}

/* contract 4.4 */
Test(handles, grow_and_are_found_whatever_comes_and_goes)
{
    for (size_t i = 0; i < MANY; i++)
        add(i);
    check_all();
    cr_assert_eq(table.used, MANY);
    for (size_t round = 0; round < 5; round++) {
        for (size_t i = round; i < MANY; i += 2 + round)
            fr_handles_remove(&table, handles[i]);
        check_all();
        for (size_t i = round; i < MANY; i += 2 + round)
            add(i);
        check_all();
        cr_assert_eq(table.used, MANY);
        cr_assert_leq(table.capacity, 2 * MANY);
    }
    for (size_t i = 0; i < MANY; i++)
        fr_handles_remove(&table, handles[i]);
    check_all();
    fr_handles_trim(&table);
}

/* contract 4.4: generations never repeat, though the memory is given back */
Test(handles, trim_gives_an_empty_table_back_and_old_ones_stay_stale)
{
    add(0);
    struct fr_handle old = handles[0];
    fr_handles_trim(&table);
    cr_assert_eq(fr_handles_find(&table, old), &entries[0]);
    fr_handles_remove(&table, old);
    fr_handles_trim(&table);
    cr_assert_eq(table.capacity, 0);
    cr_assert_null(fr_handles_find(&table, old));
    add(1);
    cr_assert_gt(handles[1].generation, old.generation);
    cr_assert_null(fr_handles_find(&table, old));
    fr_handles_remove(&table, handles[1]);
    fr_handles_trim(&table);
}

/* contract 4.4 */
Test(handles, without_memory_the_others_stay)
{
    size_t count = 0;
    while (count < FIRST_CAPACITY)
        add(count++);
    allocations_left = 0;
    cr_assert(!fr_handles_add(&table, &entries[count], &handles[count]));
    allocations_left = -1;
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(fr_handles_find(&table, handles[i]), &entries[i]);
    add(count);
    for (size_t i = 0; i <= count; i++)
        fr_handles_remove(&table, handles[i]);
    fr_handles_trim(&table);
}
