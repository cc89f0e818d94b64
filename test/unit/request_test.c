/* What is kept of a request, and how callbacks ask it. */
#include "failing_memory.h"

#include "core/request/request.c"

#undef malloc
#undef calloc
#undef realloc
#include <criterion/criterion.h>

static struct fr_request_copy *request_copy;
static struct freshet_span value;

static enum freshet_status keep_query_of(const char *query)
{
    struct fr_request_view request_view = {.path = freshet_span_text("/board/b1"),
                                           .query = freshet_span_text(query)};
    return fr_request_copy_new(&request_copy, &request_view);
}

static void add_header(struct fr_request_view *request_view, const char *name, const char *text)
{
    request_view->headers[request_view->header_count++] =
        (struct fr_field){freshet_span_text(name), freshet_span_text(text)};
}

static bool is(enum freshet_status status, const char *text)
{
    return status == FRESHET_OK && freshet_span_equal(value, freshet_span_text(text));
}

/* contract 4.1, 4.4 */
Test(request, query_is_decoded_and_repeated_names_are_counted)
{
    cr_assert_eq(keep_query_of("a=1&b=x+y%20z&&a=%C3%A9&flag&=nameless&a=&a%3D=q"), FRESHET_OK);
    struct freshet_request request = {.request_copy = request_copy};
    cr_assert(is(freshet_request_query(&request, "a", 0, &value), "1"));
    cr_assert(is(freshet_request_query(&request, "a", 1, &value), "\xc3\xa9"));
    cr_assert(is(freshet_request_query(&request, "a", 2, &value), ""));
    cr_assert_eq(freshet_request_query(&request, "a", 3, &value), FRESHET_NOT_FOUND);
    cr_assert_eq(value.len, 0);
    cr_assert(is(freshet_request_query(&request, "b", 0, &value), "x y z"));
    cr_assert(is(freshet_request_query(&request, "flag", 0, &value), ""));
    cr_assert(is(freshet_request_query(&request, "", 0, &value), "nameless"));
    cr_assert(is(freshet_request_query(&request, "a=", 0, &value), "q"));
    cr_assert_eq(freshet_request_query(&request, "A", 0, &value), FRESHET_NOT_FOUND);
    fr_request_copy_release(request_copy);
}

/* contract 4.10: outside input that is not text is refused, whoever would have looked at it */
Test(request, bad_query_is_invalid)
{
    static const char *const bad[] = {"a=%", "a=%2", "a=%zz", "ok=1&b=%ff", "%c0%80=1", "a=%ed%a0%80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(keep_query_of(bad[i]), FRESHET_INVALID, "%s", bad[i]);
        cr_assert_null(request_copy);
    }
}

/* contract 6.1: what is kept of a request is bounded */
Test(request, query_and_headers_together_have_a_limit)
{
    static char query[FR_REQUEST_MOST_BYTES + 2], header[FR_REQUEST_MOST_BYTES + 1];
    memset(query, 'q', FR_REQUEST_MOST_BYTES);
    cr_assert_eq(keep_query_of(query), FRESHET_OK);
    fr_request_copy_release(request_copy);
    query[FR_REQUEST_MOST_BYTES] = 'q';
    cr_assert_eq(keep_query_of(query), FRESHET_TOO_LARGE);

    struct fr_request_view request_view = {.query = freshet_span_text("a=1")};
    memset(header, 'h', FR_REQUEST_MOST_BYTES - strlen("a=1") - strlen("x"));
    add_header(&request_view, "x", header);
    cr_assert_eq(fr_request_copy_new(&request_copy, &request_view), FRESHET_OK);
    fr_request_copy_release(request_copy);
    request_view.query = freshet_span_text("a=12");
    cr_assert_eq(fr_request_copy_new(&request_copy, &request_view), FRESHET_TOO_LARGE);
    cr_assert_null(request_copy);
}

/* contract 6.1: each pair costs more than its bytes; those that are empty cost nothing */
Test(request, pairs_and_headers_have_a_limit_in_number)
{
    static char query[2 * FR_REQUEST_MOST_PAIRS + 8];
    for (size_t i = 0; i < FR_REQUEST_MOST_PAIRS; i++)
        memcpy(query + 2 * i, "a&", 2);
    cr_assert_eq(keep_query_of(query), FRESHET_OK);
    cr_assert_eq(request_copy->query_count, FR_REQUEST_MOST_PAIRS);
    fr_request_copy_release(request_copy);
    strcat(query, "a");
    cr_assert_eq(keep_query_of(query), FRESHET_TOO_LARGE);

    static char empty[FR_REQUEST_MOST_BYTES];
    memset(empty, '&', sizeof(empty) - 1);
    cr_assert_eq(keep_query_of(empty), FRESHET_OK);
    cr_assert_eq(request_copy->query_count, 0);
    fr_request_copy_release(request_copy);

    cr_assert_eq(fr_request_copy_new(&request_copy, &(struct fr_request_view){.too_many = true}),
                 FRESHET_TOO_LARGE);
}

/* contract 4.4 */
Test(request, headers_are_found_by_name_and_the_first_counts)
{
    struct fr_request_view request_view = {.path = freshet_span_text("/p"),
                                           .peer = freshet_span_text("127.0.0.1:5")};
    add_header(&request_view, "x-tenant", "one");
    add_header(&request_view, "accept-language", "de");
    add_header(&request_view, "x-tenant", "two");
    cr_assert_eq(fr_request_copy_new(&request_copy, &request_view), FRESHET_OK);
    memset(&request_view, 0xee, sizeof(request_view)); /* nothing is borrowed any more */
    struct freshet_request request = {.request_copy = request_copy};
    cr_assert(is(freshet_request_header(&request, "x-tenant", &value), "one"));
    cr_assert(is(freshet_request_header(&request, "accept-language", &value), "de"));
    value = freshet_request_path(&request);
    cr_assert(is(FRESHET_OK, "/p"));
    value = freshet_request_peer(&request);
    cr_assert(is(FRESHET_OK, "127.0.0.1:5"));
    fr_request_copy_release(request_copy);
}

/* contract 4.4: "not sent" and "nobody said that it would be asked for" are two things */
Test(request, headers_that_no_option_names_are_told_from_those_that_were_not_sent)
{
    struct fr_request_view request_view = {.header_count = 0};
    add_header(&request_view, "x-sent", "");
    request_view.headers[request_view.header_count++] =
        (struct fr_field){.name = freshet_span_text("x-not-sent")};
    request_view.headers[request_view.header_count++] =
        (struct fr_field){.name = freshet_span_text("cookie")};
    cr_assert_eq(fr_request_copy_new(&request_copy, &request_view), FRESHET_OK);
    struct freshet_request request = {.request_copy = request_copy};
    cr_assert(is(freshet_request_header(&request, "x-sent", &value), ""));
    cr_assert_eq(freshet_request_header(&request, "x-not-sent", &value), FRESHET_NOT_FOUND);
    cr_assert_eq(freshet_request_cookie(&request, "session", &value), FRESHET_NOT_FOUND);
    cr_assert_eq(freshet_request_header(&request, "x-other", &value), FRESHET_UNSUPPORTED);
    cr_assert_eq(freshet_request_header(&request, "X-Sent", &value), FRESHET_UNSUPPORTED);
    fr_request_copy_release(request_copy);
    cr_assert_eq(keep_query_of("a=1"), FRESHET_OK);
    request.request_copy = request_copy;
    cr_assert_eq(freshet_request_cookie(&request, "session", &value), FRESHET_UNSUPPORTED);
    cr_assert_eq(value.len, 0);
    fr_request_copy_release(request_copy);
}

/* contract 4.4 */
Test(request, cookies_are_found_in_any_cookie_header)
{
    struct fr_request_view request_view = {.header_count = 0};
    add_header(&request_view, "cookie", "a=1; session=\"quoted\"");
    add_header(&request_view, "x-other", "session=no");
    add_header(&request_view, "cookie", "b=2");
    cr_assert_eq(fr_request_copy_new(&request_copy, &request_view), FRESHET_OK);
    struct freshet_request request = {.request_copy = request_copy};
    cr_assert(is(freshet_request_cookie(&request, "session", &value), "quoted"));
    cr_assert(is(freshet_request_cookie(&request, "b", &value), "2"));
    cr_assert_eq(freshet_request_cookie(&request, "c", &value), FRESHET_NOT_FOUND);
    fr_request_copy_release(request_copy);
}

/* contract 4.10 */
Test(request, parameters_are_those_of_the_route)
{
    struct fr_pattern *route;
    struct fr_params *params;
    cr_assert_eq(fr_pattern_new(&route, "file/:drive/:path*", NULL), FRESHET_OK);
    cr_assert_eq(fr_pattern_match(route, freshet_span_text("/file/d%20e/a/b"), &params), FRESHET_OK);
    struct freshet_request request = {.params = params, .route = route};
    cr_assert(is(freshet_request_param(&request, "drive", 0, &value), "d e"));
    cr_assert(is(freshet_request_param(&request, "path", 1, &value), "b"));
    cr_assert_eq(freshet_request_param(&request, "path", 2, &value), FRESHET_NOT_FOUND);
    cr_assert_eq(freshet_request_param(&request, "file", 0, &value), FRESHET_NOT_FOUND);
    /* Nothing else was kept. */
    cr_assert_eq(freshet_request_query(&request, "a", 0, &value), FRESHET_NOT_FOUND);
    cr_assert_eq(freshet_request_header(&request, "a", &value), FRESHET_NOT_FOUND);
    cr_assert_eq(freshet_request_cookie(&request, "a", &value), FRESHET_NOT_FOUND);
    cr_assert_eq(freshet_request_path(&request).len, 0);
    fr_params_release(params);
    fr_pattern_destroy(route);
}

/* contract 4.3: a shared or grouped load has no request, and the accessors say so */
Test(request, none_is_an_error)
{
    cr_assert_eq(freshet_request_param(NULL, "a", 0, &value), FRESHET_INVALID);
    cr_assert_eq(freshet_request_query(NULL, "a", 0, &value), FRESHET_INVALID);
    cr_assert_eq(freshet_request_header(NULL, "a", &value), FRESHET_INVALID);
    cr_assert_eq(freshet_request_cookie(NULL, "a", &value), FRESHET_INVALID);
    cr_assert_eq(freshet_request_attribute(NULL, "a", &value), FRESHET_INVALID);
    cr_assert_eq(freshet_request_path(NULL).len, 0);
    cr_assert_eq(freshet_request_peer(NULL).len, 0);
}

static struct fr_attribute *found(struct fr_attribute *next, const char *name, const char *text)
{
    return fr_attribute_new(next, freshet_span_text(name), freshet_span_text(text));
}

/* contract 4.8: what guards found; a chain that goes on does not change what an earlier one shows */
Test(request, newest_attribute_of_a_name_counts)
{
    struct fr_attribute *first = found(NULL, "user", "ann");
    struct fr_attribute *both = found(found(fr_attribute_acquire(first), "role", ""), "user", "bob");
    struct freshet_request before = {.attributes = first}, after = {.attributes = both};
    cr_assert(is(freshet_request_attribute(&before, "user", &value), "ann"));
    cr_assert_eq(freshet_request_attribute(&before, "role", &value), FRESHET_NOT_FOUND);
    cr_assert(is(freshet_request_attribute(&after, "user", &value), "bob"));
    cr_assert(is(freshet_request_attribute(&after, "role", &value), ""));
    fr_attribute_release(first);
    cr_assert(is(freshet_request_attribute(&after, "user", &value), "bob"));
    fr_attribute_release(both);
}

/* contract 4.8 */
Test(request, without_memory_nothing_is_kept_and_nothing_leaks)
{
    struct fr_attribute *first = found(NULL, "user", "ann");
    allocations_left = 0;
    cr_assert_eq(keep_query_of("a=1"), FRESHET_NO_MEMORY);
    cr_assert_null(request_copy);
    cr_assert_null(found(first, "role", "x")); /* has released `first` */
    allocations_left = -1;
}
