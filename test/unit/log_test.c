#include <criterion/criterion.h>

#include "base/log.h"
#include <stdio.h>
#include <string.h>

static char last[1024];
static enum freshet_log_level last_level;
static int lines;

static void note(enum freshet_log_level level, const char *text, void *user)
{
    cr_assert_eq(user, &lines);
    last_level = level;
    snprintf(last, sizeof(last), "%s", text);
    lines++;
}

/* contract 8.2 */
Test(log, gives_lines_up_to_the_level)
{
    struct freshet_log log = {note, &lines, FRESHET_LOG_WARN};
    fr_log(&log, FRESHET_LOG_INFO, "no");
    fr_log(&log, FRESHET_LOG_DEBUG, "no");
    cr_assert_eq(lines, 0);
    fr_log(&log, FRESHET_LOG_WARN, "%s %d", "warn", 1);
    cr_assert_str_eq(last, "warn 1");
    cr_assert_eq(last_level, FRESHET_LOG_WARN);
    fr_log(&log, FRESHET_LOG_ERROR, "error");
    cr_assert_eq(lines, 2);
    cr_assert_eq(last_level, FRESHET_LOG_ERROR);
}

Test(log, level_0_means_info)
{
    struct freshet_log log = {note, &lines, 0};
    fr_log(&log, FRESHET_LOG_DEBUG, "no");
    fr_log(&log, FRESHET_LOG_INFO, "yes");
    cr_assert_eq(lines, 1);
    cr_assert_str_eq(last, "yes");
}

Test(log, without_a_sink_says_nothing)
{
    struct freshet_log log = {NULL, NULL, FRESHET_LOG_DEBUG};
    fr_log(&log, FRESHET_LOG_ERROR, "nobody hears");
}

Test(log, cuts_long_lines)
{
    struct freshet_log log = {note, &lines, 0};
    fr_log(&log, FRESHET_LOG_INFO, "%2000d", 1);
    cr_assert_eq(lines, 1);
    cr_assert_lt(strlen(last), 512);
}

Test(log, errors_carry_a_sentence_and_the_status)
{
    struct freshet_error error = {"old"};
    cr_assert_eq(fr_fail(&error, FRESHET_FULL, "%d is too many", 7), FRESHET_FULL);
    cr_assert_str_eq(error.text, "7 is too many");
    cr_assert_eq(fr_fail(NULL, FRESHET_STALE, "nobody reads"), FRESHET_STALE);
    fr_fail(&error, FRESHET_INVALID, "%1000d", 1);
    cr_assert_eq(strlen(error.text), sizeof(error.text) - 1);
}

static struct fr_escaped escape(const char *text)
{
    return fr_escape(freshet_span_text(text));
}

/* contract 8.2: bytes of clients */
Test(log, escapes_all_but_printable_ascii)
{
    cr_assert_str_eq(escape("plain text, ok?").text, "plain text, ok?");
    cr_assert_str_eq(escape("").text, "");
    cr_assert_str_eq(escape("a\nb\r\x1b[31m").text, "a\\x0ab\\x0d\\x1b[31m");
    cr_assert_str_eq(escape("\"\\").text, "\\x22\\x5c");
    cr_assert_str_eq(escape("\xc3\xa4\x7f").text, "\\xc3\\xa4\\x7f");
    cr_assert_str_eq(fr_escape(freshet_span("a\0b", 3)).text, "a\\x00b");
}

Test(log, shows_where_an_escaped_text_was_cut)
{
    char text[1000];
    for (int fill = 0; fill < 2; fill++) {
        memset(text, fill == 0 ? 'x' : '\n', sizeof(text));
        for (size_t len = 1; len <= sizeof(text); len++) {
            struct fr_escaped escaped = fr_escape(freshet_span(text, len));
            size_t whole = len * (fill == 0 ? 1 : 4), out = strlen(escaped.text);
            cr_assert_lt(out, sizeof(escaped.text));
            if (out != whole)
                cr_assert_str_eq(escaped.text + out - 3, "...", "%zu bytes", len);
        }
    }
}
