/* Makes allocations of the sources included after it fail on demand: include this, then the .c file under
 * test. Its objects are then not taken from the library. */
#ifndef TEST_FAILING_MEMORY_H
#define TEST_FAILING_MEMORY_H

#include <stdbool.h>
#include <stdlib.h>

/* How many allocations still succeed; below 0: all. */
static int allocations_left = -1;

static bool may_allocate(void)
{
    if (allocations_left == 0)
        return false;
    allocations_left -= allocations_left > 0;
    return true;
}

static inline void *test_malloc(size_t size)
{
    return may_allocate() ? malloc(size) : NULL;
}

static inline void *test_calloc(size_t count, size_t size)
{
    return may_allocate() ? calloc(count, size) : NULL;
}

static inline void *test_realloc(void *old, size_t size)
{
    return may_allocate() ? realloc(old, size) : NULL;
}

#define malloc  test_malloc
#define calloc  test_calloc
#define realloc test_realloc

#endif
