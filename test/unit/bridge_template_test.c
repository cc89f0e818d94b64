/* Values filled into URLs, paths and words, with hostile ones. */
#include "../../bridge/config/arena.c"
#include "../../bridge/load/template.c"
#include <criterion/criterion.h>

static struct arena arena;

static void teardown(void)
{
    arena_free(&arena);
}

TestSuite(bridge_template, .fini = teardown);

/* {id} is what the test says; {path} has three values; {none} is not there. */
static const char *id;

static bool find(void *user, const char *name, size_t index, struct freshet_span *value)
{
    static const char *const parts[] = {"a", "b/c", "d"};
    (void)user;
    if (strcmp(name, "id") == 0 && index == 0)
        *value = freshet_span_text(id);
    else if (strcmp(name, "path") == 0 && index < 3)
        *value = freshet_span_text(parts[index]);
    else
        return false;
    return true;
}

static char *filled;

static enum template_result fill(enum template_kind kind, const char *text, const char *value)
{
    const char *why = "";
    size_t len;
    const struct template *template = template_new(&arena, kind, text, &why);
    cr_assert_not_null(template, "%s: %s", text, why);
    id = value;
    free(filled);
    return template_fill(template, find, NULL, &filled, &len);
}

#define FILLS(kind, text, value, wanted)                                                                     \
    do {                                                                                                     \
        cr_assert_eq(fill(kind, text, value), TEMPLATE_FILLED);                                              \
        cr_assert_str_eq(filled, wanted);                                                                    \
    } while (0)

/* contract 10.3 */
Test(bridge_template, value_in_a_url_can_not_leave_its_segment)
{
    FILLS(TEMPLATE_URL, "http://h:1/o/{id}", "7", "http://h:1/o/7");
    FILLS(TEMPLATE_URL, "http://h:1/o/{id}/x", "a/b?c=d#e&f", "http://h:1/o/a%2Fb%3Fc%3Dd%23e%26f/x");
    FILLS(TEMPLATE_URL, "http://h:1/o/{id}", "\r\nHost: evil %2e @\\\xc3\xa9",
          "http://h:1/o/%0D%0AHost%3A%20evil%20%252e%20%40%5C%C3%A9");
    FILLS(TEMPLATE_URL, "http://h:1/o/{id}.json", "..", "http://h:1/o/...json");
    FILLS(TEMPLATE_URL, "http://h:1/o?x={id}&y", "..&y=2", "http://h:1/o?x=..%26y%3D2&y");
    FILLS(TEMPLATE_URL, "http://h:1/o?x={id}", "", "http://h:1/o?x=");
    FILLS(TEMPLATE_URL, "http://h:1/o?x=/{id}/", "..", "http://h:1/o?x=/../");
}

/* contract 10.3 */
Test(bridge_template, value_that_would_name_another_place_is_refused)
{
    static const char *const dots[] = {".", ".."};
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(fill(TEMPLATE_URL, "http://h:1/o/{id}", dots[i]), TEMPLATE_BAD);
        cr_assert_eq(fill(TEMPLATE_URL, "http://h:1/o/{id}/x", dots[i]), TEMPLATE_BAD);
        cr_assert_eq(fill(TEMPLATE_URL, "http://h:1/o/{id}?y", dots[i]), TEMPLATE_BAD);
        cr_assert_eq(fill(TEMPLATE_FILE, "/var/{id}", dots[i]), TEMPLATE_BAD);
    }
    cr_assert_eq(fill(TEMPLATE_URL, "http://h:1/o/{id}{id}", "."), TEMPLATE_BAD);
    cr_assert_eq(fill(TEMPLATE_URL, "http://h:1/o/.{id}", "."), TEMPLATE_BAD);
    cr_assert_eq(fill(TEMPLATE_URL, "http://h:1/o/{id}", ""), TEMPLATE_MISSING);
    cr_assert_eq(fill(TEMPLATE_FILE, "/var/{id}", ""), TEMPLATE_MISSING);
    cr_assert_eq(fill(TEMPLATE_URL, "http://h:1/o/{none}", ""), TEMPLATE_MISSING);
    cr_assert_eq(fill(TEMPLATE_WORD, "{none}", ""), TEMPLATE_MISSING);
    cr_assert_null(filled);
}

Test(bridge_template, rest_parameter_has_slashes_in_paths_only)
{
    FILLS(TEMPLATE_URL, "http://h:1/{path}?p={path}", "", "http://h:1/a/b%2Fc/d?p=a%2Fb%2Fc%2Fd");
    FILLS(TEMPLATE_FILE, "/srv/{path}.json", "", "/srv/a/b%2Fc/d.json");
    FILLS(TEMPLATE_WORD, "key:{path}", "", "key:a/b/c/d");
}

/* contract 10.3 */
Test(bridge_template, word_holds_a_value_as_it_is)
{
    FILLS(TEMPLATE_WORD, "app:{id}:x", "a b\r\n\"c {id}", "app:a b\r\n\"c {id}:x");
    FILLS(TEMPLATE_WORD, "{{{id}}}:x", "7", "{7}:x");
    FILLS(TEMPLATE_WORD, "", "7", "");
}

static size_t count_slashes(const char *url)
{
    size_t count = 0;
    for (; *url != '\0' && *url != '?'; url++)
        count += *url == '/';
    return count;
}

/* contract 10.3: whatever the bytes are */
Test(bridge_template, no_bytes_change_the_shape_of_a_url)
{
    static const char hostile[] = "./\\?#&%=@:{}\r\n \t\"'<>;,\x01\x7f\x80\xff_1";
    unsigned seed = 7;
    for (int round = 0; round < 20000; round++) {
        char value[8];
        size_t len = 1 + (size_t)rand_r(&seed) % 7;
        for (size_t i = 0; i < len; i++)
            value[i] = hostile[(size_t)rand_r(&seed) % (sizeof(hostile) - 1)];
        value[len] = '\0';
        if (fill(TEMPLATE_URL, "http://h:1/a/{id}/b?c={id}&d", value) == TEMPLATE_BAD) {
            cr_assert(strcmp(value, ".") == 0 || strcmp(value, "..") == 0);
            continue;
        }
        cr_assert_eq(strncmp(filled, "http://h:1/a/", 13), 0);
        cr_assert_eq(count_slashes(filled), 5);
        const char *query = strchr(filled, '?');
        cr_assert_eq(strncmp(query - 2, "/b?c=", 5), 0, "%s", filled);
        cr_assert_eq(strspn(query, "?c=d&%-_.!~*'()0123456789ABCDEF"), strlen(query), "%s", filled);
        cr_assert_str_eq(strchr(query, '&'), "&d");
    }
}

Test(bridge_template, too_long_a_value_is_refused)
{
    static char value[TEMPLATE_MAX_BYTES + 1];
    memset(value, 'x', sizeof(value) - 1);
    cr_assert_eq(fill(TEMPLATE_WORD, "{id}", value), TEMPLATE_FILLED);
    cr_assert_eq(fill(TEMPLATE_WORD, "y{id}", value), TEMPLATE_BAD);
}

Test(bridge_template, texts_that_are_not_right_are_refused_and_say_why)
{
    static const struct {
        enum template_kind kind;
        const char *text, *why;
    } wrong[] = {
        {TEMPLATE_URL, "ftp://h/x", "begins with http"},
        {TEMPLATE_URL, "http://", "begins with http"},
        {TEMPLATE_URL, "http:///x", "begins with http"},
        {TEMPLATE_URL, "/orders/{id}", "begins with http"},
        {TEMPLATE_URL, "http://{id}/x", "written out"},
        {TEMPLATE_URL, "http://h:{id}", "written out"},
        {TEMPLATE_URL, "http://user:pass@h/x", "written out"},
        {TEMPLATE_URL, "http://h/a b", "no spaces"},
        {TEMPLATE_URL, "http://h/a#b", "no spaces"},
        {TEMPLATE_URL, "http://h/{id", "braces"},
        {TEMPLATE_URL, "http://h/id}", "braces"},
        {TEMPLATE_URL, "http://h/{}", "braces"},
        {TEMPLATE_URL, "http://h/{a b}", "no spaces"},
        {TEMPLATE_FILE, "var/{id}", "slash"},
        {TEMPLATE_WORD, "{i d}", "braces"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const char *why = "";
        cr_assert_null(template_new(&arena, wrong[i].kind, wrong[i].text, &why), "%s", wrong[i].text);
        cr_assert_not_null(strstr(why, wrong[i].why), "%s: %s", wrong[i].text, why);
    }
}
