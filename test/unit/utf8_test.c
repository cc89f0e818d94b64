/* Well-formed text, wherever in it the characters stand that are not ASCII: it is read in pieces. */
#include "base/utf8.h"
#include <criterion/criterion.h>
#include <string.h>

#define MOST 20

/* `piece` at each place of ASCII text of each length. */
static void expect_everywhere(const char *piece, bool valid)
{
    char text[MOST + 8];
    size_t piece_len = strlen(piece);
    for (size_t len = 0; len <= MOST; len++) {
        for (size_t at = 0; at <= len; at++) {
            memset(text, 'x', sizeof(text));
            memcpy(text + at, piece, piece_len);
            cr_assert_eq(fr_utf8_valid(freshet_span(text, len + piece_len)), valid, "at %zu of %zu", at, len);
        }
    }
}

Test(utf8, takes_characters_of_every_length_at_every_place)
{
    expect_everywhere("", true);
    expect_everywhere("\x7f", true);
    expect_everywhere("\xc2\x80", true);
    expect_everywhere("\xed\x9f\xbf", true);
    expect_everywhere("\xf4\x8f\xbf\xbf", true);
}

Test(utf8, refuses_what_is_not_well_formed_at_every_place)
{
    expect_everywhere("\x80", false);
    expect_everywhere("\xff", false);
    expect_everywhere("\xc1\xbf", false);         /* overlong */
    expect_everywhere("\xe0\x9f\xbf", false);     /* overlong */
    expect_everywhere("\xed\xa0\x80", false);     /* a surrogate */
    expect_everywhere("\xf4\x90\x80\x80", false); /* past U+10FFFF */
    expect_everywhere("\xe2\x82", false);         /* cut off, by ASCII or the end */
}

Test(utf8, reads_no_byte_behind_the_end)
{
    cr_assert(fr_utf8_valid(freshet_span("", 0)));
    cr_assert_not(fr_utf8_valid(freshet_span("xxxxxxx\xc3\xa4", 8)));
    cr_assert(fr_utf8_valid(freshet_span("xxxxxxxx\xff", 8)));
}
