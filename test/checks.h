/* What programs with a main() of their own hold to be true: counted, and told to test/run at the end. */
#ifndef TEST_CHECKS_H
#define TEST_CHECKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

static atomic_uint checks_passed, checks_failed;

/* Any thread. */
static inline void check(bool right, const char *what)
{
    atomic_fetch_add(right ? &checks_passed : &checks_failed, 1);
    if (!right)
        fprintf(stderr, "failed: %s\n", what);
}

/* The last line of the program; answers its exit status. */
static inline int checks_end(void)
{
    unsigned passed = atomic_load(&checks_passed), failed = atomic_load(&checks_failed);
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

#endif
