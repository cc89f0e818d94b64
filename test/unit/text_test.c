#include <criterion/criterion.h>

#include "base/text.h"

#define SPAN(text) freshet_span((text), sizeof(text) - 1)

Test(text, cuts_at_the_first_separator_or_takes_all)
{
    struct freshet_span rest = SPAN("a,b,,c"), empty = freshet_span(NULL, 0);
    cr_assert(freshet_span_equal(fr_text_cut(&rest, ','), SPAN("a")));
    cr_assert(freshet_span_equal(fr_text_cut(&rest, ','), SPAN("b")));
    cr_assert(freshet_span_equal(fr_text_cut(&rest, ','), SPAN("")));
    cr_assert(freshet_span_equal(fr_text_cut(&rest, ','), SPAN("c")));
    cr_assert_eq(rest.len, 0);
    cr_assert_eq(fr_text_cut(&empty, ',').len, 0);
}

Test(text, knows_how_a_text_begins)
{
    cr_assert(fr_text_begins(SPAN("MOVED 3 a:1"), "MOVED "));
    cr_assert(fr_text_begins(SPAN("MOVED"), "MOVED"));
    cr_assert(fr_text_begins(SPAN(""), ""));
    cr_assert_not(fr_text_begins(SPAN("MOVE"), "MOVED"));
    cr_assert_not(fr_text_begins(SPAN("moved"), "MOVED"));
}

static void expect_number(struct freshet_span digits, uint64_t max, uint64_t expected)
{
    uint64_t number = 77;
    cr_assert(fr_text_read_number(digits, max, &number), "%.*s", (int)digits.len, digits.data);
    cr_assert_eq(number, expected);
}

static void expect_none(struct freshet_span digits, uint64_t max)
{
    uint64_t number;
    cr_assert_not(fr_text_read_number(digits, max, &number), "%.*s", (int)digits.len, digits.data);
}

Test(text, reads_numbers_up_to_the_greatest)
{
    expect_number(SPAN("0"), 0, 0);
    expect_number(SPAN("00042"), 42, 42);
    expect_number(SPAN("65535"), UINT16_MAX, 65535);
    expect_number(SPAN("18446744073709551615"), UINT64_MAX, UINT64_MAX);
    expect_none(SPAN("1"), 0);
    expect_none(SPAN("43"), 42);
    expect_none(SPAN("65536"), UINT16_MAX);
    expect_none(SPAN("18446744073709551616"), UINT64_MAX);
    expect_none(SPAN("99999999999999999999999"), UINT64_MAX);
}

Test(text, takes_nothing_else_for_a_number)
{
    expect_none(SPAN(""), 9);
    expect_none(SPAN("-1"), 9);
    expect_none(SPAN("+1"), 9);
    expect_none(SPAN(" 1"), 9);
    expect_none(SPAN("1 "), 9);
    expect_none(SPAN("1\0"), 9);
    expect_none(SPAN("\xb1"), 9);
}
