#include "base/buffer.h"
#include "bus/redis/proto/resp_limit.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct fr_resp_limit_limits pushes = {.max_elements = 16, .max_bytes = 100, .max_body = 1000};

static void take(void *user, struct freshet_span piece)
{
    fr_buffer_append(user, piece);
}

/* What reaches the reader of `text` fed in pieces of `step` bytes; false: broken. */
static bool feed(const struct fr_resp_limit_limits *limits, struct freshet_span text, size_t step,
                 struct fr_buffer *out)
{
    struct fr_resp_limit guard;
    fr_resp_limit_init(&guard, limits);
    for (size_t at = 0; at < text.len; at += step) {
        size_t len = text.len - at < step ? text.len - at : step;
        if (!fr_resp_limit_feed(&guard, freshet_span(text.data + at, len), take, out)) {
            cr_assert_not_null(guard.error);
            return false;
        }
    }
    return true;
}

static void expect(const struct fr_resp_limit_limits *limits, struct freshet_span text,
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

static void expect_broken(const struct fr_resp_limit_limits *limits, const char *text)
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

/* contract 2.2: what counts is the whole of a reply, which the reader keeps until it is complete */
Test(redis_guard, bounds_a_reply_as_a_whole_however_it_is_nested)
{
    /* Seventeen elements in three arrays; a hundred and one bytes in three strings, a line among them. */
    expect_broken(&pushes, "*8\r\n*8\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n*1\r\n");
    char text[512];
    int len = snprintf(text, sizeof(text), "*3\r\n$50\r\n%050d\r\n", 0);
    snprintf(text + len, sizeof(text) - (size_t)len, "+%0100d\r\n$15\r\n", 0);
    expect_broken(&pushes, text);
    /* The next reply begins anew. */
    struct fr_buffer many = {0};
    for (int i = 0; i < 5; i++)
        fr_buffer_print(&many, "*2\r\n*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n$90\r\n%090d\r\n", 0);
    expect(&pushes, freshet_span(many.data, many.len), freshet_span(many.data, many.len));
    fr_buffer_deinit(&many);
}

/* A body of its own bound does not count among the strings. */
Test(redis_guard, counts_a_message_body_apart)
{
    struct fr_buffer text = {0};
    fr_buffer_print(&text, "*3\r\n$7\r\nmessage\r\n$93\r\n%093d\r\n$1000\r\n%01000d\r\n", 0, 0);
    expect(&pushes, freshet_span(text.data, text.len), freshet_span(text.data, text.len));
    text.len = 0;
    fr_buffer_print(&text, "*3\r\n$8\r\nsmessage\r\n$92\r\n%092d\r\n$1000\r\n%01000d\r\n", 0, 0);
    expect(&pushes, freshet_span(text.data, text.len), freshet_span(text.data, text.len));
    text.len = 0;
    fr_buffer_print(&text, "*3\r\n$7\r\nmessage\r\n$94\r\n");
    fr_buffer_append(&text, freshet_span("", 1));
    expect_broken(&pushes, text.data);
    fr_buffer_deinit(&text);
}

Test(redis_guard, breaks_on_lines_over_the_budget_of_a_reply)
{
    const struct fr_resp_limit_limits budget = {.max_reply = 1000};
    char text[2048];
    int len = snprintf(text, sizeof(text), "*3\r\n+%0500d\r\n", 0);
    snprintf(text + len, sizeof(text) - (size_t)len, "+%0500d\r\n", 0);
    expect_broken(&budget, text);
    /* Short ones are paid for with their element. */
    struct fr_buffer short_ones = {0};
    fr_buffer_print(&short_ones, "*15\r\n");
    for (int i = 0; i < 15; i++)
        fr_buffer_print(&short_ones, "+%040d\r\n", i);
    expect(&budget, freshet_span(short_ones.data, short_ones.len),
           freshet_span(short_ones.data, short_ones.len));
    fr_buffer_deinit(&short_ones);
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

static void expect_skipped_body(const char *before)
{
    static const char after[] = "*2\r\n$4\r\npong\r\n$0\r\n\r\n";
    struct fr_buffer text = {0}, wanted = {0};
    fr_buffer_print(&text, "%s$1001\r\n%01001d\r\n%s", before, 7, after);
    fr_buffer_print(&wanted, "%s$-1\r\n%s", before, after);
    expect(&pushes, freshet_span(text.data, text.len), freshet_span(wanted.data, wanted.len));
    fr_buffer_deinit(&text);
    fr_buffer_deinit(&wanted);
}

/* contract 7.9: a cluster calls it smessage. */
Test(redis_guard, skips_an_oversized_body_and_passes_nil)
{
    expect_skipped_body("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n");
    expect_skipped_body("*3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n");
}

Test(redis_guard, cuts_what_is_over_the_budget_of_a_reply)
{
    const struct fr_resp_limit_limits budget = {.max_reply = 1000};
    struct fr_buffer text = {0};
    fr_buffer_print(&text, "$1001\r\n%01001d\r\n*3\r\n:1\r\n$900\r\n%0900d\r\n:2\r\n*2\r\n:1\r\n*2\r\n*2\r\n",
                    0, 0);
    fr_buffer_print(&text, ":1\r\n$-1\r\n+a\r\n*16\r\n");
    for (int i = 0; i < 16; i++)
        fr_buffer_print(&text, "*1\r\n:%d\r\n", i);
    fr_buffer_print(&text, "+end\r\n");
    expect(&budget, freshet_span(text.data, text.len),
           freshet_span_text("-" FR_RESP_LIMIT_CUT "\r\n"
                             "*3\r\n:1\r\n-" FR_RESP_LIMIT_CUT "\r\n:2\r\n"
                             "*2\r\n:1\r\n*2\r\n*2\r\n:1\r\n$-1\r\n+a\r\n"
                             "-" FR_RESP_LIMIT_CUT "\r\n+end\r\n"));
    fr_buffer_deinit(&text);
    expect_broken(&budget, "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n");
}
