#include "failing_memory.h"

#include "core/channel/channel.c"
#include "core/channel/pattern.c"
#include "core/channel/typed_channel.c"
#include "core/typed_publish.c"
#include <criterion/criterion.h>

FRESHET_CHANNEL(note, "note/:id", (param(id)), text(text));

Test(typed_memory, channel_says_when_there_is_no_memory)
{
    struct freshet_error error;
    struct note_topic topic;
    for (int left = 0; left < 2; left++) {
        allocations_left = left;
        cr_assert_null(note_channel(&error));
        cr_assert_str_eq(error.text, "out of memory");
        allocations_left = left;
        cr_assert_eq(note_key(&topic, "n1", &error), FRESHET_NO_MEMORY);
    }
    allocations_left = 2;
    cr_assert_eq(note_key(&topic, "n1", &error), FRESHET_OK);
    allocations_left = 0;
    cr_assert_eq(note_key(&topic, "n2", &error), FRESHET_OK);
    cr_assert_str_eq(topic.topic.text, "note/n2");
}

static void never(enum freshet_status status, int64_t receivers, void *user)
{
    (void)receivers;
    (void)user;
    cr_assert_fail("told of %d", (int)status);
}

/* As freshet_publish() has it: nobody is told of a publish that there was no memory for. */
Test(typed_memory, publish_says_when_there_is_no_memory)
{
    static char text[SMALL_PAYLOAD];
    struct freshet *freshet;
    struct note_topic topic;
    struct note_message message = {freshet_span(text, sizeof(text))};
    cr_assert_eq(freshet_new(&freshet, NULL, NULL), FRESHET_OK);
    cr_assert_eq(note_key(&topic, "n1", NULL), FRESHET_OK);
    allocations_left = 0;
    cr_assert_eq(note_publish(freshet, &topic, &message, never, NULL), FRESHET_NO_MEMORY);
    message.text.len = 10; /* small enough for the stack */
    cr_assert_eq(note_publish(freshet, &topic, &message, NULL, NULL), FRESHET_OK);
    allocations_left = -1;
    freshet_destroy(freshet, 1000);
}
