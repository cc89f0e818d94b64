#include "base/buffer.h"
#include "bus/redis_guard.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const struct fr_redis_guard_limits pushes = {.max_elements = 16, .max_bulk = 100, .max_body = 1000};

static void take(void *user, struct freshet_span piece)
{
    fr_buffer_append(user, piece);
}

/* What reaches the reader of `text` fed in pieces of `step` bytes; false: broken. */
static bool feed(const struct fr_redis_guard_limits *limits, struct freshet_span text, size_t step,
                 struct fr_buffer *out)
{
    struct fr_redis_guard guard;
    fr_redis_guard_init(&guard, limits);
    for (size_t at = 0; at < text.len; at += step) {
        size_t len = text.len - at < step ? text.len - at : step;
        if (!fr_redis_guard_feed(&guard, freshet_span(text.data + at, len), take, out)) {
            cr_assert_not_null(guard.error);
            return false;
        }
    }
    return true;
}

static void expect(const struct fr_redis_guard_limits *limits, struct freshet_span text,
                   struct freshet_span wanted)
{
    for (size_t step = 1; step <= text.len; step++) {
        struct fr_buffer out = {0};
        cr_assert(feed(limits, text, step, &out));
        cr_assert(freshet_span_equal(freshet_span(out.data, out.len), wanted), "%zu: %.*s", step,
                  (int)out.len, out.data);
        fr_buffer_deinit(&out);
    }
}

static void expect_broken(const struct fr_redis_guard_limits *limits, const char *text)
{
    for (size_t step = 1; step <= strlen(text); step++) {
        struct fr_buffer out = {0};
        cr_assert_not(feed(limits, freshet_span_text(text), step, &out), "%s", text);
        fr_buffer_deinit(&out);
    }
}

Test(redis_guard, passes_good_replies_unchanged_however_they_are_cut)
{
    struct freshet_span good =
        freshet_span_text("+OK\r\n-ERR no\r\n:-12\r\n:0\r\n$-1\r\n$0\r\n\r\n*0\r\n*-1\r\n"
                          "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$4\r\n\r\n*9\r\n*2\r\n*1\r\n:1\r\n$1\r\n$\r\n");
    expect(&pushes, good, good);
}

/* contract 2.2 */
Test(redis_guard, breaks_on_an_announced_length_before_anything_reaches_the_reader)
{
    expect_broken(&pushes, "*400000000\r\n");
    expect_broken(&pushes, "*17\r\n");
    expect_broken(&pushes, "$101\r\n");
    expect_broken(&pushes, "*2\r\n$7\r\nmessage\r\n$5000\r\n");
    expect_broken(&pushes, "*3\r\n$8\r\npmessage\r\n$1\r\nc\r\n$1001\r\n");
    expect_broken(&pushes, "$99999999999999999999\r\n");
}

Test(redis_guard, breaks_on_what_is_not_resp)
{
    static const char *const bad[] = {
        "x",        "\r\n",         "$\r\n",       "$-2\r\n",
        "$1x\r\n",  "$3\r\nabcd",   "$1\r\na\n\n", "*-2\r\n",
        ":\r\n",    ":1 \r\n",      ":--1\r\n",    "$01\r\n",
        "$1\n\r\n", "%1\r\n+a\r\n", ":-0\r\n",     "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_broken(&pushes, bad[i]);
}

Test(redis_guard, skips_an_oversized_body_and_passes_nil)
{
    static const char before[] = "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n",
                      after[] = "*2\r\n$4\r\npong\r\n$0\r\n\r\n";
    struct fr_buffer text = {0}, wanted = {0};
    fr_buffer_print(&text, "%s$1001\r\n%01001d\r\n%s", before, 7, after);
    fr_buffer_print(&wanted, "%s$-1\r\n%s", before, after);
    expect(&pushes, freshet_span(text.data, text.len), freshet_span(wanted.data, wanted.len));
    fr_buffer_deinit(&text);
    fr_buffer_deinit(&wanted);
}

Test(redis_guard, cuts_what_is_over_the_budget_of_a_reply)
{
    const struct fr_redis_guard_limits budget = {.max_reply = 1000};
    struct fr_buffer text = {0};
    fr_buffer_print(&text, "$1001\r\n%01001d\r\n*3\r\n:1\r\n$900\r\n%0900d\r\n:2\r\n*2\r\n:1\r\n*2\r\n*2\r\n",
                    0, 0);
    fr_buffer_print(&text, ":1\r\n$-1\r\n+a\r\n*16\r\n");
    for (int i = 0; i < 16; i++)
        fr_buffer_print(&text, "*1\r\n:%d\r\n", i);
    fr_buffer_print(&text, "+end\r\n");
    expect(&budget, freshet_span(text.data, text.len),
           freshet_span_text("-" FR_REDIS_GUARD_CUT "\r\n"
                             "*3\r\n:1\r\n-" FR_REDIS_GUARD_CUT "\r\n:2\r\n"
                             "*2\r\n:1\r\n*2\r\n*2\r\n:1\r\n$-1\r\n+a\r\n"
                             "-" FR_REDIS_GUARD_CUT "\r\n+end\r\n"));
    fr_buffer_deinit(&text);
    expect_broken(&budget, "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n");
}
