/* Numbers that nobody can mistake for another's. */
#include "base/random.h"
#include <criterion/criterion.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child draws first. */
static uint64_t draw_in_child(void)
{
    int ends[2];
    uint64_t number = 0;
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        number = fr_random();
        _exit(write(ends[1], &number, sizeof(number)) == sizeof(number) ? 0 : 1);
    }
    cr_assert_eq(read(ends[0], &number, sizeof(number)), sizeof(number));
    cr_assert_eq(waitpid(child, NULL, 0), child);
    close(ends[0]);
    close(ends[1]);
    return number;
}

/* contract 2.1: the id of a publisher is its own, though servers fork their workers */
Test(random, children_of_one_process_draw_different_numbers)
{
    fr_random(); /* it has begun */
    uint64_t first = draw_in_child(), second = draw_in_child(), own = fr_random();
    cr_assert(first != second && first != own && second != own);
}
