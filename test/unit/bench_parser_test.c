/* bench/: HTTP answers and event streams, cut at any byte. */
#include "../../bench/tool/options/rule.c"
#include "../../bench/tool/wire/http.c"
#include "../../bench/tool/wire/sse.c"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* What came out of a stream, as text that can be compared. */
static char seen[8192];

static void note_event(const struct sse_event *event, void *user)
{
    char number[32] = "-";
    (void)user;
    if (event->has_number)
        sprintf(number, "%lu", event->number);
    size_t len = strlen(seen);
    snprintf(seen + len, sizeof(seen) - len, "%s/%s/%u ", event->name, number, event->data_len);
}

/* Feeds `text` in pieces that each end at one of the `cuts` (ascending). */
static void feed_sse(const char *rule_text, const char *text, size_t len, const size_t *cuts,
                     size_t cut_count)
{
    struct sse_parser parser = {0};
    struct rule rule;
    size_t from = 0;
    seen[0] = '\0';
    cr_assert(rule_parse(&rule, rule_text), "%s", rule_text);
    for (size_t i = 0; i <= cut_count; i++) {
        size_t to = i < cut_count ? cuts[i] : len;
        char *piece = malloc(to - from + 1); /* of its own, so that reading past its end is seen */
        memcpy(piece, text + from, to - from);
        sse_feed(&parser, &rule, piece, to - from, note_event, NULL);
        free(piece);
        from = to;
    }
}

/* Whole, one byte at a time, and with every pair of cuts. */
static void check_sse(const char *rule, const char *text, const char *expected)
{
    size_t len = strlen(text), cuts[512];
    cr_assert_lt(len, 512);
    feed_sse(rule, text, len, NULL, 0);
    cr_assert_str_eq(seen, expected, "whole, %s: %s, not %s", text, seen, expected);
    for (size_t i = 0; i < len; i++)
        cuts[i] = i;
    feed_sse(rule, text, len, cuts, len);
    cr_assert_str_eq(seen, expected, "by bytes, %s: %s, not %s", text, seen, expected);
    for (size_t a = 0; a <= len; a++) {
        for (size_t b = a; b <= len; b++) {
            feed_sse(rule, text, len, (size_t[]){a, b}, 2);
            cr_assert_str_eq(seen, expected, "cut at %zu and %zu, %s: %s, not %s", a, b, text, seen,
                             expected);
        }
    }
}

Test(bench_sse, reads_events_whatever_their_line_ends)
{
    check_sse("first", "data: 7\n\ndata:8\n\n", "/7/1 /8/1 ");
    check_sse("first", "data: 7\r\n\r\ndata:8\r\n\r\n", "/7/1 /8/1 ");
    check_sse("first", "data: 7\r\rdata:8\r\r", "/7/1 /8/1 ");
    check_sse("first", "data: 7\r\n\ndata: 8\n\r\n", "/7/1 /8/1 ");
}

Test(bench_sse, passes_over_comments_and_what_has_no_data)
{
    check_sse("first", ": 5\n\nretry: 3\n\nid: 4\n\nevent: x\n\n:\n\ndata: 9\n\n", "/9/1 ");
    check_sse("first", "dat: 1\n\ndatas: 1\n\ndata2: 1\n\nevents: 1\ndata: 9\n\n", "/9/1 ");
    check_sse("first", "data: 1\n", "");
}

Test(bench_sse, keeps_name_and_size_of_the_event)
{
    check_sse("first", "event: end\ndata: {\"n\":12}\n\ndata: 1\n\n", "end/12/8 /1/1 ");
    check_sse("first", "event: a\nevent: b\ndata: 1\n\n", "b/1/1 ");
    check_sse("none", "event: 12345678901234567890123456\ndata: x\n\n", "12345678901234567890123/-/1 ");
    check_sse("none", "data: ab\ndata:  c\ndata\ndata:\n\n", "/-/7 ");
}

Test(bench_sse, does_not_join_numbers_over_lines)
{
    check_sse("first", "data: 1\ndata: 2\n\n", "/1/3 ");
    check_sse("after:ab", "data: a\ndata: b5\n\n", "/-/4 ");
    check_sse("after:s", "data: s\ndata: 5\n\n", "/-/3 ");
}

Test(bench_sse, finds_the_number_by_the_rule)
{
    check_sse("first", "data: a-12b34\n\n", "/12/7 ");
    check_sse("after:\"n\":", "data: {\"m\":1,\"n\": 42,\"n\":5}\n\n", "/42/21 ");
    check_sse("after:aab", "data: aaab3\n\n", "/3/5 ");
    check_sse("after:abab", "data: ababab7 abab8\n\n", "/7/13 ");
    check_sse("after:s", "data: sss4\n\n", "/4/4 ");
    check_sse("after:n=", "data: n=x n=6\n\n", "/6/7 ");
    check_sse("after:1:", "data: 1:1:1:9\n\n", "/1/7 ");
    check_sse("after:n", "data: none\n\n", "/-/4 ");
    check_sse("none", "data: 5\n\n", "/-/1 ");
    check_sse("id:first", "id: 31:0\ndata: 5\n\ndata: 6\n\n", "/31/1 /-/1 ");
    check_sse("id:after:-", "data: 5\nid: 7-8\n\n", "/8/1 ");
    check_sse("first", "data: 99999999999999999999999\n\n", "/18446744073709551615/23 ");
}

Test(bench_rule, refuses_what_is_none)
{
    struct rule rule;
    char longest[80] = "after:";
    memset(longest + 6, 'x', 63);
    cr_assert(rule_parse(&rule, longest));
    memset(longest + 6, 'x', 64);
    cr_assert_not(rule_parse(&rule, longest));
    static const char *const wrong[] = {"", "after:", "second", "id:", "id:after:", "firstly", "after"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_not(rule_parse(&rule, wrong[i]), "%s", wrong[i]);
}

/* ---- HTTP ---- */

/* Answers the body, then the state, then what was not taken. */
static void feed_http(const char *text, size_t len, const size_t *cuts, size_t cut_count)
{
    struct http_parser parser;
    size_t from = 0;
    char *out = seen;
    http_reset(&parser);
    for (size_t i = 0; i <= cut_count; i++) {
        size_t to = i < cut_count ? cuts[i] : len;
        while (from < to && parser.state != HTTP_DONE && parser.state != HTTP_BROKEN) {
            const char *body;
            size_t body_len, took = http_read(&parser, text + from, to - from, &body, &body_len);
            cr_assert_gt(took, 0);
            if (body_len > 0) {
                memcpy(out, body, body_len);
                out += body_len;
            }
            from += took;
        }
    }
    sprintf(out, "|%u%s%s%s|%s", parser.status, parser.closes ? " closes" : "",
            parser.state == HTTP_DONE ? " done" : "", parser.state == HTTP_BROKEN ? " broken" : "",
            parser.state == HTTP_BROKEN ? "" : text + from);
}

static void check_http(const char *text, const char *expected)
{
    size_t len = strlen(text), cuts[512];
    cr_assert_lt(len, 512);
    feed_http(text, len, NULL, 0);
    cr_assert_str_eq(seen, expected, "whole, %s: %s, not %s", text, seen, expected);
    for (size_t i = 0; i < len; i++)
        cuts[i] = i;
    feed_http(text, len, cuts, len);
    cr_assert_str_eq(seen, expected, "by bytes, %s: %s, not %s", text, seen, expected);
    for (size_t a = 0; a <= len; a++) {
        for (size_t b = a; b <= len; b++) {
            feed_http(text, len, (size_t[]){a, b}, 2);
            cr_assert_str_eq(seen, expected, "cut at %zu and %zu, %s: %s", a, b, text, seen);
        }
    }
}

Test(bench_http, reads_bodies_of_every_framing)
{
    check_http("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP", "hello|200 done|HTTP");
    check_http("HTTP/1.1 204 No Content\r\n\r\nHTTP", "|204 done|HTTP");
    check_http("HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\nx", "|200 done|x");
    check_http("HTTP/1.1 200 OK\r\n\r\nall of it", "all of it|200 closes|");
    check_http("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx", "x|200 closes done|");
    check_http("HTTP/1.0 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\nx", "x|200 done|");
    check_http("HTTP/1.1 200 OK\r\nConnection: Close\r\ncontent-length: 1\r\n\r\nx", "x|200 closes done|");
}

Test(bench_http, reads_chunks)
{
    check_http("HTTP/1.1 200 OK\r\nTransfer-Encoding: "
               "chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\nrest",
               "abc0123456789|200 done|rest");
    check_http("HTTP/1.1 200 OK\r\ntransfer-encoding:chunked\r\n\r\n1\r\na\r\n0\r\nx: y\r\nz: 1\r\n\r\n",
               "a|200 done|");
    check_http("HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n1\na\n0\n\n", "a|200 done|");
    check_http("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab", "ab|200|");
}

Test(bench_http, passes_over_interim_answers_and_long_lines)
{
    char text[400];
    check_http("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 1\r\n\r\nx",
               "x|201 done|");
    snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nx: %0200d\r\ncontent-length: 2\r\n\r\nok", 0);
    check_http(text, "ok|200 done|");
    for (int fill = 50; fill < 70; fill++) {
        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nx:%0*d\r\ncontent-length: 2\r\n\r\nok", fill, 0);
        feed_http(text, strlen(text), NULL, 0);
        cr_assert_str_eq(seen, "ok|200 done|");
    }
}

Test(bench_http, stops_at_what_is_not_http)
{
    check_http("SSH-2.0-OpenSSH\r\n", "|0 broken|");
    check_http("HTTP/1.1 2x0 OK\r\n", "|2 broken|");
    check_http("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz", "|200 broken|");
    check_http("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\r\n", "|200 broken|");
    check_http("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc", "a|200 broken|");
    check_http("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n", "|200 broken|");
    check_http("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", "|200 broken|");
}

Test(bench_http, knows_an_event_stream_by_its_type)
{
    struct http_parser parser;
    static const char *const types[] = {"text/event-stream", "text/event-stream; charset=utf-8",
                                        "Text/Event-Stream"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        char text[200];
        const char *body;
        size_t body_len;
        http_reset(&parser);
        sprintf(text, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\n", types[i]);
        cr_assert_eq(http_read(&parser, text, strlen(text), &body, &body_len), strlen(text));
        cr_assert(http_head_is_read(&parser) && parser.is_event_stream, "%s", types[i]);
    }
}

static enum http_coding coding_in(const char *header)
{
    struct http_parser parser;
    char text[128];
    const char *body;
    size_t body_len;
    snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n%s\r\ncontent-length: 1\r\n\r\nx", header);
    http_reset(&parser);
    http_read(&parser, text, strlen(text), &body, &body_len);
    return parser.coding;
}

Test(bench_http, tells_how_a_body_is_packed)
{
    cr_assert_eq(coding_in("x: y"), HTTP_PLAIN);
    cr_assert_eq(coding_in("Content-Encoding: identity"), HTTP_PLAIN);
    cr_assert_eq(coding_in("Content-Encoding: GZIP"), HTTP_GZIP);
    cr_assert_eq(coding_in("content-encoding:br"), HTTP_OTHER);
}
