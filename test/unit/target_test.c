#include <criterion/criterion.h>

#include "core/request/target.h"

static enum freshet_status cut(const char *mount, const char *target, struct fr_target *out)
{
    *out = (struct fr_target){{NULL, 0}, {NULL, 0}};
    return fr_target_cut(freshet_span_text(target), freshet_span_text(mount), out);
}

/* contract 4.10 */
Test(target, is_cut_below_the_mount_and_at_the_first_question_mark)
{
    static const struct {
        const char *mount, *target, *path, *query;
    } cases[] = {
        {"/live", "/live/board/b1", "/board/b1", ""},
        {"/live", "/live/board/b1?a=1&b=2", "/board/b1", "a=1&b=2"},
        {"/live", "/live?a=1", "", "a=1"},
        {"/live", "/live", "", ""},
        {"/live", "/live/", "/", ""},
        {"/live", "/live//x", "//x", ""},
        {"/live", "/live/x?", "/x", ""},
        {"/live", "/live/x??y?z", "/x", "?y?z"},
        {"/live", "/live/x?/../y", "/x", "/../y"},
        {"/live", "/live/x?%zz\x01\xff", "/x", "%zz\x01\xff"},
        {"/live", "/live/a%2Fb%2f..", "/a%2Fb%2f..", ""},
        {"/live", "/live/a%3Fb", "/a%3Fb", ""},
        {"/live", "/live/%252e%252e", "/%252e%252e", ""},
        {"/live", "/live/...", "/...", ""},
        {"/live", "/live/..a/.a/a.", "/..a/.a/a.", ""},
        {"/live", "/live/%C3%A9/\xc3\xa9", "/%C3%A9/\xc3\xa9", ""},
        {"", "/board", "/board", ""},
        {"", "?x", "", "x"},
        {"/a/b", "/a/b/c", "/c", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fr_target out;
        cr_assert_eq(cut(cases[i].mount, cases[i].target, &out), FRESHET_OK, "%s", cases[i].target);
        cr_assert(freshet_span_equal(out.path, freshet_span_text(cases[i].path)), "%s", cases[i].target);
        cr_assert(freshet_span_equal(out.query, freshet_span_text(cases[i].query)), "%s", cases[i].target);
    }
}

/* contract 4.10 */
Test(target, outside_of_the_mount_and_dots_are_not_found)
{
    static const char *const targets[] = {
        "",
        "/",
        "/liv",
        "/lives",
        "/livex/board",
        "/live%2Fboard",
        "/LIVE/x",
        "/%6cive/x",
        "/x/../live/x",
        "/live/.",
        "/live/..",
        "/live/../live/x",
        "/live/./x",
        "/live/x/..",
        "/live/%2e",
        "/live/%2E%2e",
        "/live/.%2E/x",
        "/live/%2e./x?q",
        "?/live/x",
        "/other/%zz",
        "/other/\x01",
        "//live/x",
        "*",
        "http://x/live/x",
    };
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        struct fr_target out;
        cr_assert_eq(cut("/live", targets[i], &out), FRESHET_NOT_FOUND, "%s", targets[i]);
        cr_assert_null(out.path.data);
    }
}

/* contract 4.10 */
Test(target, bad_bytes_below_the_mount_are_invalid)
{
    static const char *const targets[] = {
        "/live/%",          "/live/a%4",     "/live/%zz/x",   "/live/x/%gg",    "/live/%ff",
        "/live/\xff",       "/live/%c3/%a9", "/live/%c3?%a9", "/live/%00",      "/live/a%0Ab",
        "/live/a\tb",       "/live/%7f",     "/live/%c2%80",  "/live/\xc2\x9f", "/live/%ed%a0%80",
        "/live/%2e%2e/%zz", "/live/%zz/..",  "/live/./\x7f",  "/live/%c0%ae",   "/live/.%",
    };
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        struct fr_target out;
        cr_assert_eq(cut("/live", targets[i], &out), FRESHET_INVALID, "%s", targets[i]);
        cr_assert_null(out.path.data);
    }
}

/* contract 4.10: a byte of 0 does not end it */
Test(target, raw_nul_is_a_control_character)
{
    static const char target[] = "/live/a\0b";
    struct fr_target out;
    cr_assert_eq(fr_target_cut(freshet_span(target, sizeof(target) - 1), freshet_span_text("/live"), &out),
                 FRESHET_INVALID);
}
