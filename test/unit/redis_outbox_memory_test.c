/* The outbox without memory. */
#include <criterion/criterion.h>

#include "failing_memory.h"

#include "bus/redis/proto/outbox.c"

static unsigned answers;

static void on_answer(void *user, void *token, enum freshet_status status, int64_t receivers)
{
    (void)user, (void)token, (void)status, (void)receivers;
    answers++;
}

static struct fr_redis_outbox_room room = {.max_count = 100, .max_bytes = 1 << 20};
static const struct fr_redis_outbox_options options = {.room = &room,
                                                       .verb = "PUBLISH",
                                                       .max_age_us = 1000,
                                                       .everything_channel = {"p:/everything", 13},
                                                       .answer = on_answer};

static struct fr_redis_publish *make(const char *topic)
{
    return fr_redis_publish_new("PUBLISH", freshet_span_text("p:"), freshet_span_text(topic),
                                freshet_span_text("x"), true, NULL);
}

Test(redis_outbox_memory, is_not_made_without_memory_and_leaves_nothing)
{
    struct fr_redis_outbox outbox;
    allocations_left = 0;
    cr_assert_not(fr_redis_outbox_init(&outbox, &options));
    cr_assert_null(make("a"));
    allocations_left = -1;
    fr_redis_outbox_deinit(&outbox);
}

/* What a merged signal stands for is still answered, when its memory cannot even be made smaller. */
Test(redis_outbox_memory, merges_signals_without_memory)
{
    struct fr_redis_outbox outbox;
    struct fr_redis_publish *made[3];
    cr_assert(fr_redis_outbox_init(&outbox, &options));
    for (int i = 0; i < 3; i++) {
        made[i] = make("a");
        cr_assert(fr_redis_outbox_admit(&room, made[i]));
    }
    allocations_left = 0;
    for (int i = 0; i < 3; i++)
        fr_redis_outbox_add(&outbox, made[i], i);
    cr_assert_not_null(fr_redis_outbox_next(&outbox));
    cr_assert_null(fr_redis_outbox_next(&outbox));
    fr_redis_outbox_lost(&outbox);
    fr_redis_outbox_age(&outbox, 5000);
    cr_assert_eq(answers, 3);
    cr_assert_eq(room.count, 0);
    cr_assert_eq(room.bytes, 0);
    cr_assert(fr_redis_outbox_owes_mark(&outbox));
    fr_redis_outbox_close(&outbox);
    allocations_left = -1;
    fr_redis_outbox_deinit(&outbox);
    cr_assert_eq(answers, 3);
}
