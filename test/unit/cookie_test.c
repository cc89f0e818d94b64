#include <criterion/criterion.h>

#include "core/request/cookie.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum freshet_status find(const char *header, const char *name, struct freshet_span *value)
{
    *value = freshet_span(NULL, 0);
    return fr_cookie_find(freshet_span_text(header), freshet_span_text(name), value);
}

Test(cookie, finds_the_value_of_the_first_of_a_name)
{
    static const struct {
        const char *header, *name, *value;
    } cases[] = {
        {"a=1", "a", "1"},
        {"a=1; b=2", "b", "2"},
        {"a=1;b=2", "b", "2"},
        {"a=1; a=2", "a", "1"},
        {" \t a=1 \t ;\tb = 2 ", "a", "1"},
        {" \t a=1 \t ;\tb = 2 ", "b", "2"},
        {"a=\"1\"", "a", "1"},
        {"a=\"\"", "a", ""},
        {"a= \"1\" ", "a", "1"},
        {"a=\"", "a", "\""},
        {"a=\"1", "a", "\"1"},
        {"a=1\"", "a", "1\""},
        {"a=\"\"1\"\"", "a", "\"1\""},
        {"a=\" 1 \"", "a", " 1 "},
        {"a=b=c==", "a", "b=c=="},
        {"a=", "a", ""},
        {"a=;b=2", "a", ""},
        {"junk; ;;a=1", "a", "1"},
        {"a; a=1", "a", "1"},
        {"b=\"x; a=1\"", "a", "1\""},
        {"=x; a=1", "", "x"},
        {"a=%41+", "a", "%41+"},
        {"a=\xc3\xa9\xff", "a", "\xc3\xa9\xff"},
        {"b=\x01; a=1", "a", "1"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct freshet_span value;
        cr_assert_eq(find(cases[i].header, cases[i].name, &value), FRESHET_OK, "%s", cases[i].header);
        cr_assert(freshet_span_equal(value, freshet_span_text(cases[i].value)), "%s: %.*s", cases[i].header,
                  (int)value.len, value.data);
        cr_assert(value.data >= cases[i].header &&
                  value.data + value.len <= cases[i].header + strlen(cases[i].header));
    }
}

Test(cookie, names_that_are_not_there_are_not_found)
{
    static const struct {
        const char *header, *name;
    } cases[] = {
        {"", "a"},        {"a", "a"},    {"a", ""},         {";;", ""},         {"A=1", "a"},
        {"aa=1", "a"},    {"a=1", "aa"}, {"b=a=1", "a"},    {"b=\"a=1\"", "a"}, {"a b=1", "a"},
        {"\"a\"=1", "a"}, {"$a=1", "a"}, {"b=1, a=2", "a"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct freshet_span value;
        cr_assert_eq(find(cases[i].header, cases[i].name, &value), FRESHET_NOT_FOUND, "%s", cases[i].header);
        cr_assert_null(value.data);
    }
}

Test(cookie, control_character_in_the_value_is_invalid)
{
    static const char *const headers[] = {"a=x\x01", "a=\x7f", "a=x\ty", "a=\"\t\"", "a=x\n; a=1"};
    for (size_t i = 0; i < COUNT(headers); i++) {
        struct freshet_span value;
        cr_assert_eq(find(headers[i], "a", &value), FRESHET_INVALID, "%s", headers[i]);
    }
    struct freshet_span value;
    cr_assert_eq(fr_cookie_find(freshet_span("a=x\0y", 5), freshet_span_text("a"), &value), FRESHET_INVALID);
}
