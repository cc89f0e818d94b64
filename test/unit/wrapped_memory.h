/* Makes allocations of the whole program fail, and counts those that are not given back: the linker leads
 * malloc and its kin through here (test/CMakeLists.txt). */
#ifndef TEST_WRAPPED_MEMORY_H
#define TEST_WRAPPED_MEMORY_H

#include <criterion/criterion.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t most);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t most);
void __wrap_free(void *memory);

/* Of this thread: the pool's do not disturb the count. */
static _Thread_local long until_failure; /* 0: none fails */
static atomic_long live;

static inline bool may_allocate(void)
{
    return until_failure == 0 || --until_failure > 0;
}

static inline void *count(void *memory)
{
    atomic_fetch_add(&live, memory != NULL);
    return memory;
}

void *__wrap_malloc(size_t size)
{
    return may_allocate() ? count(__real_malloc(size)) : NULL;
}

void *__wrap_calloc(size_t items, size_t size)
{
    return may_allocate() ? count(__real_calloc(items, size)) : NULL;
}

void *__wrap_realloc(void *old, size_t size)
{
    if (!may_allocate())
        return NULL;
    return old == NULL ? count(__real_realloc(NULL, size)) : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    return may_allocate() ? count(__real_strdup(text)) : NULL;
}

char *__wrap_strndup(const char *text, size_t most)
{
    return may_allocate() ? count(__real_strndup(text, most)) : NULL;
}

void __wrap_free(void *memory)
{
    atomic_fetch_sub(&live, memory != NULL);
    __real_free(memory);
}

/* The last thread of the pool may still be on its way out. */
static inline void check_nothing_is_left(void)
{
    for (time_t until = time(NULL) + 10; atomic_load(&live) != 0 && time(NULL) < until;)
        sched_yield();
    cr_assert_eq(atomic_load(&live), 0, "%ld allocations are left", atomic_load(&live));
}

#endif
