/* Requests that two readers may end in different places: refused on every path, whoever serves it. */
#include "h2o_rig.h"

#define SMUGGLED "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

TestSuite(h2o_entrance, .timeout = 60);

static atomic_uint smuggled;

static int on_smuggled(h2o_handler_t *self, h2o_req_t *req)
{
    atomic_fetch_add(&smuggled, 1);
    return rig_next_handler(self, req);
}

static void add_paths(h2o_hostconf_t *host)
{
    h2o_create_handler(h2o_config_register_path(host, "/smuggled", 0), sizeof(h2o_handler_t))->on_req =
        on_smuggled;
    h2o_create_handler(h2o_config_register_path(host, "/other", 0), sizeof(h2o_handler_t))->on_req =
        rig_next_handler;
    freshet_h2o_serve_script(h2o_config_register_path(host, "/scripts", 0));
}

static void up(void)
{
    rig.add_paths = add_paths;
    rig_up(NULL, NULL);
}

static const char *const targets[] = {"/live",
                                      "/live/",
                                      "/live/counter",
                                      "/live/board/b1",
                                      "/live/nothing",
                                      "/live/%zz",
                                      "/live/..",
                                      "/live?v=/counter~",
                                      "/other",
                                      "/scripts/freshet.js",
                                      "/scripts/nothing",
                                      "/nowhere"};
static const char *const methods[] = {"GET", "POST", "OPTIONS", "HEAD"};

static unsigned count(const char *text, const char *part)
{
    unsigned found = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        found++;
    return found;
}

/* One answer, with this status, then the end; what came behind it was not taken for a request. */
static void check_one_answer(const char *request, const char *status)
{
    struct rig_client *client = rig_ask(request);
    rig_expect_end(client);
    cr_assert_eq(strncmp(client->in, "HTTP/1.1 ", 9), 0, "%s\n%s", request, client->in);
    cr_assert_eq(strncmp(client->in + 9, status, strlen(status)), 0, "%s\n%s", request, client->in);
    cr_assert_eq(count(client->in, "HTTP/1.1 "), 1, "%s\n%s", request, client->in);
    rig_hang_up(client);
    cr_assert_eq(atomic_load(&smuggled), 0, "%s", request);
}

/* `headers` has a number for the length of `body`. */
static void check_everywhere(const char *version, const char *headers, const char *body)
{
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        for (size_t j = 0; j < sizeof(methods) / sizeof(methods[0]); j++) {
            char request[1024], lines[256];
            snprintf(lines, sizeof(lines), headers, (int)strlen(body), (int)strlen(body));
            snprintf(request, sizeof(request),
                     "%s %s HTTP/%s\r\nHost: x\r\nConnection: keep-alive\r\n%s\r\n%s", methods[j], targets[i],
                     version, lines, body);
            check_one_answer(request, "400 ");
        }
    }
}

/* contract 5.1: no part of a body is ever run as a request */
Test(h2o_entrance, contradicting_lengths_are_refused_everywhere_and_end_the_connection)
{
    static const char *const contradictions[] = {
        "Content-Length: 0\r\nContent-Length: %d\r\n",
        "Content-Length: %d\r\nContent-Length: 0\r\n",
        "Content-Length: %d\r\nContent-Length: %d\r\n",
        "CONTENT-LENGTH:0\r\nX: y\r\ncontent-length:\t%d\r\n",
        "Content-Length: %d\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: %d\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "X: y\r\n Content-Length: %d\r\n",
        "X: y\r\n\tTransfer-Encoding: chunked\r\n",
        "Content-Length: 0\r\n %d\r\n",
    };
    up();
    for (size_t i = 0; i < sizeof(contradictions) / sizeof(contradictions[0]); i++) {
        check_everywhere("1.1", contradictions[i], SMUGGLED);
        check_everywhere("1.1", contradictions[i], "0\r\n\r\n" SMUGGLED);
    }
    check_everywhere("1.0", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n" SMUGGLED);
    cr_assert_eq(rig_stats().streams_opened, 0);
    rig_down();
}

/* contract 5.1: h2o refuses these by itself */
Test(h2o_entrance, lengths_that_are_none_are_refused_everywhere_and_end_the_connection)
{
    static const char *const bad[] = {
        "Content-Length: 0, %d\r\n",         "Content-Length: +%d\r\n",
        "Content-Length: -%d\r\n",           "Content-Length: %d \r\n",
        "Content-Length: 0x%d\r\n",          "Content-Length: \r\n",
        "Content-Length: %d %d\r\n",         "Content-Length : %d\r\n",
        "Content-Length: 1%d\v\r\n",         "Content-Length: 18446744073709551616\r\n",
        "Content-Length:\r\n %d\r\n",        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",   "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n"};
    up();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_everywhere("1.1", bad[i], SMUGGLED);
    rig_down();
}

/* contract 5.1: a proxy's connection is kept */
Test(h2o_entrance, a_body_of_one_plain_length_does_not_end_the_connection)
{
    up();
    struct rig_client *client = rig_connect_to(0, 0);
    static const char *const requests[] = {
        ("POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 35\r\n\r\n" SMUGGLED),
        "POST /other HTTP/1.1\r\nHost: x\r\ncontent-length:3\r\n\r\nabc",
        "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        "POST /live HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        "GET /scripts/freshet.js HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\nContent-Length: 0\r\n\r\n",
        "GET /other HTTP/1.1\r\nHost: x\r\n\r\n"};
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        rig_forget(client);
        rig_send(client, requests[i]);
        rig_expect(client, "\r\n\r\n");
        cr_assert_not_null(strstr(client->in, "\r\nConnection: keep-alive\r\n"), "%s\n%s", requests[i],
                           client->in);
    }
    cr_assert_eq(atomic_load(&smuggled), 0);
    rig_hang_up(client);
    rig_down();
}

/* contract 5.1: h2o reads these leniently; they are served, and nothing behind them is read */
Test(h2o_entrance, chunks_and_lines_without_a_carriage_return_end_the_connection)
{
    up();
    check_one_answer("POST /other HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "3\r\nabc\r\n0\r\n\r\n" SMUGGLED,
                     "200 ");
    check_one_answer("GET /other HTTP/1.1\r\nX: y\n\n" SMUGGLED, "200 ");
    check_one_answer("GET /other HTTP/1.1\nHost: x\r\n\r\n" SMUGGLED, "200 ");
    check_one_answer("\nGET /other HTTP/1.1\r\nHost: x\r\n\r\n" SMUGGLED, "200 ");
    check_one_answer("GET /nowhere HTTP/1.1\r\nX: y\nContent-Length: 0\r\n\r\n" SMUGGLED, "404 ");
    rig_down();
}

/* contract 5.1 */
Test(h2o_entrance, a_body_that_the_mount_has_no_use_for_ends_the_connection)
{
    up();
    check_one_answer("GET /live/counter HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" SMUGGLED,
                     "400 ");
    check_one_answer("POST /live/counter HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" SMUGGLED,
                     "405 ");
    rig_down();
}

/* A path whose handlers were there before the mount: it is checked once, before all of them. */
Test(h2o_entrance, is_the_first_handler_of_a_path_and_there_once)
{
    h2o_globalconf_t config;
    struct freshet_error error;
    h2o_hostconf_t *host = freshet_h2o_config_init(&config);
    cr_assert_eq(host->fallback_path.handlers.size, 1);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    h2o_handler_t *own = h2o_create_handler(path, sizeof(*own));
    cr_assert_eq(freshet_new(&rig.freshet, NULL, &error), FRESHET_OK);
    cr_assert_eq(freshet_h2o_mount(rig.freshet, path, NULL, &error), FRESHET_OK);
    freshet_h2o_serve_script(path);
    freshet_h2o_harden_paths(&config);
    freshet_h2o_harden(&config);
    cr_assert_eq(path->handlers.size, 4);
    cr_assert_eq(path->handlers.entries[1], own);
    cr_assert_eq(host->fallback_path.handlers.size, 1);
    freshet_destroy(rig.freshet, 1000);
    h2o_config_dispose(&config);
}
