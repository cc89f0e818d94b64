/* What a publish costs in allocations does not depend on how many look on: frames are made once, and a view
 * owns nothing of its own. */
#include "core_rig.h"
#include "wrapped_memory.h"
#include <limits.h>

static const struct freshet_loader_options shared = {.shared = true};
static struct client clients[RIG_MAX];

/* Allocations of this thread from the publish to the last view. `until_failure` counts down and is too large
 * to end. */
static long allocations_of_a_publish(const char *text, int views)
{
    until_failure = LONG_MAX;
    rig_publish("board/b1");
    rig_answer(text);
    long made = LONG_MAX - until_failure;
    until_failure = 0;
    for (int i = 0; i < views; i++)
        cr_assert(client_has(&clients[i], text));
    return made;
}

static long allocations_with(int views)
{
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(&shared);
    client_open(&clients[0], 0, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_answer("zero");
    for (int i = 1; i < views; i++)
        client_open(&clients[i], 0, "board/b1");
    allocations_of_a_publish("one", views); /* tables grow to their size */
    long made = allocations_of_a_publish("two", views);
    for (int i = 0; i < views; i++)
        client_close(&clients[i]);
    rig_end();
    return made;
}

Test(fan_memory, a_delivery_allocates_nothing)
{
    long one = allocations_with(1), many = allocations_with(60);
    cr_assert_gt(one, 0, "is malloc wrapped?");
    cr_assert_eq(many, one, "%ld allocations for one view, %ld for 60", one, many);
}
