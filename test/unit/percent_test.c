#include <criterion/criterion.h>

#include "base/percent.h"
#include <stdio.h>

#define SPAN(text) freshet_span((text), sizeof(text) - 1)

/* Reads `text` into `decoded`, each character in brackets; what it ended with. */
static enum freshet_status read_all(struct freshet_span text, bool plus_is_space, char decoded[128])
{
    struct fr_percent reader;
    struct freshet_span character;
    enum freshet_status status;
    size_t len = 0;
    fr_percent_init(&reader, text, plus_is_space);
    while ((status = fr_percent_next(&reader, &character)) == FRESHET_OK)
        len += (size_t)snprintf(decoded + len, 128 - len, "[%.*s]", (int)character.len, character.data);
    decoded[len] = '\0';
    return status;
}

Test(percent, reads_one_character_at_a_time)
{
    char decoded[128];
    cr_assert_eq(read_all(SPAN("a%20+%c3%A9\xc3\xa9%F0%9F\x98%80\xe2\x82\xac%2525"), false, decoded),
                 FRESHET_NOT_FOUND);
    cr_assert_str_eq(decoded, "[a][ ][+][\xc3\xa9][\xc3\xa9][\xf0\x9f\x98\x80][\xe2\x82\xac][%][2][5]");
}

Test(percent, plus_is_a_space_where_asked_for)
{
    char decoded[128];
    cr_assert_eq(read_all(SPAN("a+b%2Bc"), true, decoded), FRESHET_NOT_FOUND);
    cr_assert_str_eq(decoded, "[a][ ][b][+][c]");
}

Test(percent, empty_text_has_no_character)
{
    char decoded[128];
    cr_assert_eq(read_all(freshet_span(NULL, 0), false, decoded), FRESHET_NOT_FOUND);
    cr_assert_str_eq(decoded, "");
}

Test(percent, refuses_bad_escapes_and_what_is_no_utf_8)
{
    static const char *const bad[] = {
        "%",    "%a",  "%zz",    "%4",     "%%41",         "aaaa%g1",   "%ff",          "%c3", "\xc3",
        "%c3a", "%80", "%c0%af", "%e2%82", "\xed\xa0\x80", "%ed%b0%80", "%f4%90%80%80", "%+1", "% 1"};
    char decoded[128];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_eq(read_all(freshet_span_text(bad[i]), false, decoded), FRESHET_INVALID, "\"%s\"", bad[i]);
}

Test(percent, escape_is_not_read_past_the_end)
{
    char decoded[128];
    cr_assert_eq(read_all(freshet_span("a%41", 3), false, decoded), FRESHET_INVALID);
}
