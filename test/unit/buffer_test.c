#include <criterion/criterion.h>

#include "failing_memory.h"

#include "base/buffer.c"

static void expect_text(const struct fr_buffer *buffer, const char *text)
{
    cr_assert(freshet_span_equal(freshet_span(buffer->data, buffer->len), freshet_span_text(text)), "%.*s",
              (int)buffer->len, buffer->data);
}

Test(buffer, appends_prints_and_reserves)
{
    struct fr_buffer buffer = {0};
    fr_buffer_append(&buffer, freshet_span(NULL, 0));
    fr_buffer_append(&buffer, freshet_span_text("ab"));
    fr_buffer_print(&buffer, "%d-%s", 7, "x");
    expect_text(&buffer, "ab7-x");
    memcpy(fr_buffer_reserve(&buffer, 3), "abc", 3);
    buffer.len += 3;
    expect_text(&buffer, "ab7-xabc");
    fr_buffer_deinit(&buffer);
    cr_assert_null(buffer.data);
}

Test(buffer, grows_and_keeps_its_bytes)
{
    struct fr_buffer buffer = {0};
    for (int i = 0; i < 10000; i++)
        fr_buffer_print(&buffer, "%04d", i);
    cr_assert_eq(buffer.len, 40000);
    cr_assert_not(buffer.failed);
    for (int i = 0; i < 10000; i++) {
        char number[5];
        snprintf(number, sizeof(number), "%04d", i);
        cr_assert_arr_eq(buffer.data + 4 * i, number, 4);
    }
    fr_buffer_deinit(&buffer);
}

Test(buffer, stays_failed_after_an_allocation_failed)
{
    struct fr_buffer buffer = {0};
    fr_buffer_append(&buffer, freshet_span_text("kept"));
    allocations_left = 0;
    cr_assert_null(fr_buffer_reserve(&buffer, 1000));
    cr_assert(buffer.failed);
    allocations_left = -1;
    fr_buffer_append(&buffer, freshet_span_text("x"));
    fr_buffer_print(&buffer, "x");
    cr_assert_null(fr_buffer_reserve(&buffer, 1));
    cr_assert(buffer.failed);
    expect_text(&buffer, "kept");
    fr_buffer_deinit(&buffer);
    cr_assert_not(buffer.failed);
}

Test(buffer, refuses_lengths_that_would_overflow)
{
    struct fr_buffer buffer = {0};
    fr_buffer_append(&buffer, freshet_span_text("x"));
    cr_assert_null(fr_buffer_reserve(&buffer, SIZE_MAX));
    cr_assert(buffer.failed);
    fr_buffer_deinit(&buffer);
}
