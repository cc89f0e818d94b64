#include <criterion/criterion.h>

#include "failing_memory.h"

#include "core/channel/channel.c"
#include "core/channel/pattern.c"
#include "core/channel/pattern_match.c"

/* contract 1.3 */
Test(channel, gives_topics)
{
    struct freshet_channel *channel;
    struct freshet_error error;
    struct freshet_topic topic;
    struct freshet_param param = {"boardId", freshet_span_text("b/1")};
    cr_assert_eq(freshet_channel_new(&channel, "board/:boardId", &error), FRESHET_OK);
    cr_assert_str_eq(freshet_channel_name(channel), "board/:boardId");
    cr_assert_eq(freshet_channel_topic(channel, &param, 1, &topic, &error), FRESHET_OK);
    cr_assert_str_eq(topic.text, "board/b%2F1");
    cr_assert_eq(topic.len, 11);
    freshet_channel_destroy(channel);
}

/* contract 1.2, 1.4 */
Test(channel, refuses_with_a_reason)
{
    struct freshet_channel *channel;
    struct freshet_error error;
    struct freshet_topic topic;
    cr_assert_eq(freshet_channel_new(&channel, "board/:board-id", &error), FRESHET_INVALID);
    cr_assert_null(channel);
    cr_assert_not_null(strstr(error.text, ":board-id"));
    cr_assert_eq(freshet_channel_new(&channel, NULL, &error), FRESHET_INVALID);
    cr_assert_null(channel);
    cr_assert_eq(freshet_channel_new(&channel, "board/:boardId", &error), FRESHET_OK);
    cr_assert_eq(freshet_channel_topic(channel, NULL, 0, &topic, &error), FRESHET_INVALID);
    cr_assert_not_null(strstr(error.text, "\"boardId\""));
    freshet_channel_destroy(channel);
    freshet_channel_destroy(NULL);
}

Test(channel, says_when_there_is_no_memory)
{
    struct freshet_channel *channel;
    struct freshet_error error;
    for (int left = 0; left < 2; left++) {
        allocations_left = left;
        cr_assert_eq(freshet_channel_new(&channel, "board/:boardId", &error), FRESHET_NO_MEMORY);
        cr_assert_null(channel);
    }
    allocations_left = 2;
    cr_assert_eq(freshet_channel_new(&channel, "board/:boardId", &error), FRESHET_OK);
    struct fr_params *params;
    cr_assert_eq(fr_pattern_match(channel->pattern, freshet_span_text("/board/b1"), &params),
                 FRESHET_NO_MEMORY);
    cr_assert_null(params);
    freshet_channel_destroy(channel);
}
