/* Which requests become streams, what their heads say, and how the others are refused. */
#include "h2o_rig.h"

#define REQUEST(line, headers) line " HTTP/1.1\r\nHost: x\r\n" headers "\r\n"
#define GET(path)              REQUEST("GET " path, "")

TestSuite(h2o_answers, .timeout = 60);

/* contract 5.1 */
Test(h2o_answers, stream_has_the_head_and_first_bytes_of_the_contract)
{
    struct freshet_h2o_header headers[] = {{"x-extra", "1"}, {"access-control-allow-origin", "*"}};
    rig_up(&(struct freshet_h2o_mount_options){.headers = headers,
                                               .header_count = 2,
                                               .heartbeat_ms = 12345,
                                               .retry_min_ms = 1000,
                                               .retry_max_ms = 1999},
           NULL);
    memset(headers, 0, sizeof(headers));
    struct rig_client *client = rig_get("/live/counter");
    rig_expect(client, "data: 0\n\n\r\n");
    cr_assert_eq(strncmp(client->in, "HTTP/1.1 200 OK\r\n", 17), 0);
    cr_assert_not_null(strstr(client->in, "\r\ncontent-type: text/event-stream; charset=utf-8\r\n"));
    cr_assert_not_null(strstr(client->in, "\r\ncache-control: no-store, no-transform\r\n"));
    cr_assert_not_null(strstr(client->in, "\r\nx-accel-buffering: no\r\n"));
    cr_assert_not_null(strstr(client->in, "\r\nx-content-type-options: nosniff\r\n"));
    cr_assert_not_null(strstr(client->in, "\r\nconnection: close\r\n"));
    cr_assert_not_null(strstr(client->in, "\r\ntransfer-encoding: chunked\r\n"));
    cr_assert_not_null(strstr(client->in, "\r\nx-extra: 1\r\naccess-control-allow-origin: *\r\n"));
    cr_assert_null(strstr(client->in, "erver:"));
    unsigned chunk, retry;
    char *body = strstr(client->in, "\r\n\r\n") + 4;
    cr_assert_eq(sscanf(body, "%x\r\n: freshet 1 heartbeat=12345\nretry: %u\n\n\r\n", &chunk, &retry), 2);
    cr_assert_eq(chunk, strlen(": freshet 1 heartbeat=12345\nretry: 1234\n\n"));
    cr_assert(retry >= 1000 && retry <= 1999);
    rig_hang_up(client);
    rig_down();
}

/* contract 5.4 */
Test(h2o_answers, retry_times_differ)
{
    rig_up(NULL, NULL);
    unsigned first = 0, different = 0;
    for (int i = 0; i < 10; i++) {
        struct rig_client *client = rig_get("/live/counter");
        rig_expect(client, "retry: ");
        rig_expect(client, "\n\n");
        unsigned retry = (unsigned)atoi(strstr(client->in, "retry: ") + 7);
        cr_assert(retry >= 500 && retry <= 3000);
        first = i == 0 ? retry : first;
        different += retry != first;
        rig_hang_up(client);
    }
    cr_assert_gt(different, 0);
    rig_down();
}

/* contract 5.3 */
Test(h2o_answers, client_that_holds_the_version_gets_a_comment)
{
    rig_up(NULL, NULL);
    struct rig_client *client = rig_get("/live/counter");
    rig_expect(client, "data: 0\n\n\r\n");
    char request[256];
    snprintf(request, sizeof(request), REQUEST("GET /live/counter", "Last-Event-ID: %.32s\r\n"),
             strstr(client->in, "id: ") + 4);
    rig_hang_up(client);
    client = rig_ask(request);
    rig_expect(client, "\r\n: unchanged\n");
    cr_assert_null(strstr(client->in, "data:"));
    rig_publish(7);
    rig_expect(client, "data: 7\n\n\r\n");
    rig_hang_up(client);
    rig_down();
}

/* contract 5.1 */
Test(h2o_answers, other_methods_get_405_and_allow)
{
    rig_up(NULL, NULL);
    const char *methods[] = {"POST", "PUT", "DELETE", "PATCH", "FOO"};
    for (size_t i = 0; i < 5; i++) {
        char request[128];
        snprintf(request, sizeof(request), "%s /live/counter HTTP/1.1\r\nHost: x\r\n\r\n", methods[i]);
        struct rig_client *client = rig_ask(request);
        rig_expect(client, "{\"code\":\"method-not-allowed\"}");
        cr_assert_eq(strncmp(client->in, "HTTP/1.1 405 ", 13), 0);
        cr_assert_not_null(strstr(client->in, "\r\nallow: GET\r\n"));
        cr_assert_not_null(strstr(client->in, "\r\ncontent-type: application/json\r\n"));
        rig_hang_up(client);
    }
    rig_check(REQUEST("HEAD /live/counter", ""), "HTTP/1.1 405 ", "\r\n\r\n");
    rig_down();
}

/* contract 5.1 */
Test(h2o_answers, accept_without_event_streams_gets_406)
{
    rig_up(NULL, NULL);
    const char *refused[] = {"application/json",      "text/html, application/xml;q=0.9",
                             "text/event-stream;q=0", "text/event-stream; q=0.000, */*",
                             "text/*;q=0, */*;q=1",   "text/event-streams"};
    const char *accepted[] = {"text/event-stream",
                              "TEXT/Event-Stream",
                              "text/*",
                              "*/*",
                              "",
                              "text/html , */*;q=0.1",
                              "*/*;q=0, text/event-stream",
                              "text/event-stream;charset=utf-8;q=0.5"};
    char request[256];
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        snprintf(request, sizeof(request), REQUEST("GET /live/counter", "Accept: %s\r\n"), refused[i]);
        rig_check(request, "HTTP/1.1 406 ", "{\"code\":\"not-acceptable\"}");
    }
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        snprintf(request, sizeof(request), REQUEST("GET /live/counter", "Accept: %s\r\n"), accepted[i]);
        rig_check(request, "HTTP/1.1 200 ", "data: 0\n\n");
    }
    rig_check(REQUEST("GET /live/counter", "Accept: text/html\r\nAccept: text/event-stream\r\n"),
              "HTTP/1.1 200 ", "data: 0\n\n");
    rig_down();
}

/* contract 5.1 */
Test(h2o_answers, request_body_gets_400_and_close)
{
    rig_up(NULL, NULL);
    struct rig_client *client =
        rig_ask(REQUEST("GET /live/counter", "Content-Length: 3\r\n") "abc" GET("/live/counter"));
    rig_expect_end(client);
    cr_assert_eq(strncmp(client->in, "HTTP/1.1 400 ", 13), 0);
    cr_assert_not_null(strstr(client->in, "{\"code\":\"request-body\"}"));
    cr_assert_not_null(strstr(client->in, "\r\nConnection: close\r\n"));
    rig_hang_up(client);
    client = rig_ask(REQUEST("GET /live/counter", "Transfer-Encoding: chunked\r\n") "1\r\na\r\n0\r\n\r\n");
    rig_expect_end(client);
    cr_assert_eq(strncmp(client->in, "HTTP/1.1 400 ", 13), 0);
    rig_hang_up(client);
    client = rig_ask(REQUEST("POST /live/counter", "Content-Length: 1\r\n") "a");
    rig_expect_end(client);
    cr_assert_eq(strncmp(client->in, "HTTP/1.1 405 ", 13), 0);
    rig_hang_up(client);
    rig_check(REQUEST("GET /live/counter", "Content-Length: 0\r\n"), "HTTP/1.1 200 ", "data: 0\n\n");
    rig_down();
}

/* contract 4.10 */
Test(h2o_answers, paths_are_taken_raw)
{
    rig_up(NULL, NULL);
    rig_check(GET("/live/board/b1?x=/../"), "HTTP/1.1 200 ", "data: 0\n\n");
    rig_check(GET("/live/board/%62%2F1"), "HTTP/1.1 200 ", "data: 0\n\n");
    const char *missing[] = {"/zzz/%2e%2e/live/board/b1",
                             "/live%2Fboard/b1",
                             "/live/../live/counter",
                             "/live/board/..",
                             "/live/board/%2E%2e",
                             "/live/board/.",
                             "/live/./counter",
                             "/%6cive/counter",
                             "/live/.%2E"};
    char request[256];
    for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
        snprintf(request, sizeof(request), REQUEST("GET %s", ""), missing[i]);
        struct rig_client *client = rig_ask(request);
        rig_expect(client, "\r\n\r\n");
        cr_assert_eq(strncmp(client->in, "HTTP/1.1 404 ", 13), 0, "%s: %s", missing[i], client->in);
        rig_hang_up(client);
    }
    const char *bad[] = {"/live/board/%", "/live/board/%zz", "/live/board/%ff", "/live/board/a%0Ab",
                         "/live/nothing/%00"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(request, sizeof(request), REQUEST("GET %s", ""), bad[i]);
        rig_check(request, "HTTP/1.1 400 ", "{\"code\":\"bad-path\"}");
    }
    rig_down();
}

/* contract 4.10 */
Test(h2o_answers, without_a_route_the_next_handler_has_its_turn)
{
    rig_up(NULL, NULL);
    rig_check(GET("/live"), "HTTP/1.1 200 ", "\r\n\r\nnext");
    rig_check(GET("/live/"), "HTTP/1.1 200 ", "\r\n\r\nnext");
    rig_check(GET("/live/board/b1/tasks"), "HTTP/1.1 200 ", "\r\n\r\nnext");
    rig_check(REQUEST("POST /live/other", ""), "HTTP/1.1 200 ", "\r\n\r\nnext");
    rig_down();
}

/* contract 4.10, 5.1: a browser's side tells freshet's own word from a proxy's by it */
Test(h2o_answers, without_a_route_and_a_next_handler_the_answer_is_json)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "OPTIONS", "FOO"};
    static const char *const targets[] = {"/live",          "/live/",        "/live?v=2",
                                          "/live?",         "/live/nothing", "/live/counter/1",
                                          "/live/counter/", "/live//counter"};
    rig.alone = true;
    rig_up(NULL, NULL);
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        char request[128];
        for (size_t j = 0; j < sizeof(methods) / sizeof(methods[0]); j++) {
            snprintf(request, sizeof(request), REQUEST("%s %s", ""), methods[j], targets[i]);
            struct rig_client *client = rig_ask(request);
            rig_expect(client, "\r\n\r\n{\"code\":\"not-found\"}");
            cr_assert_eq(strncmp(client->in, "HTTP/1.1 404 ", 13), 0, "%s: %s", request, client->in);
            cr_assert_not_null(strstr(client->in, "\r\ncontent-type: application/json\r\n"), "%s",
                               client->in);
            rig_hang_up(client);
        }
        snprintf(request, sizeof(request), REQUEST("HEAD %s", "Connection: close\r\n"), targets[i]);
        struct rig_client *client = rig_ask(request);
        rig_expect_end(client);
        cr_assert_eq(strncmp(client->in, "HTTP/1.1 404 ", 13), 0, "%s: %s", request, client->in);
        cr_assert_eq(strcmp(client->in + client->len - 4, "\r\n\r\n"), 0, "%s", client->in);
        rig_hang_up(client);
    }
    cr_assert_eq(rig_stats().streams_opened, 0);
    rig_down();
}

/* contract 5.1 */
Test(h2o_answers, application_refuses_for_good_with_its_code)
{
    rig_up(NULL, NULL);
    rig_check(GET("/live/refused"), "HTTP/1.1 451 ", "{\"code\":\"not-here\"}");
    cr_assert_eq(rig_stats().streams_denied, 1);
    cr_assert_eq(rig_stats().streams_opened, 0);
    cr_assert_eq(rig_stats().streams, 0);
    rig_down();
}

/* contract 5.2, 6.5 */
Test(h2o_answers, over_the_limit_is_a_stream_that_ends_and_comes_back)
{
    rig_up(NULL, &(struct freshet_options){.max_streams = 1});
    struct rig_client *first = rig_get("/live/counter");
    rig_expect(first, "data: 0\n\n");
    struct rig_client *second = rig_get("/live/counter");
    rig_expect_end(second);
    cr_assert_eq(strncmp(second->in, "HTTP/1.1 200 ", 13), 0);
    cr_assert_not_null(strstr(second->in, "\r\ncontent-type: text/event-stream; charset=utf-8\r\n"));
    unsigned retry, again;
    char *body = strstr(second->in, "\r\n\r\n") + 4;
    cr_assert_eq(sscanf(body, "retry: %u\n\nevent: end\ndata: {\"code\":\"max-streams\",\"retry_ms\":%u}\n\n",
                        &retry, &again),
                 2, "%s", body);
    cr_assert(retry == again && retry >= 500 && retry <= 3000);
    cr_assert_eq(rig_stats().streams_refused, 1);
    cr_assert_eq(rig_stats().streams_opened, 1);
    rig_hang_up(second);
    rig_hang_up(first);
    RIG_WAIT(rig_stats().streams == 0);
    rig_check(GET("/live/counter"), "HTTP/1.1 200 ", "data: 0\n\n");
    rig_down();
}

/* contract 5.2 */
Test(h2o_answers, over_the_limit_can_be_503)
{
    rig_up(&(struct freshet_h2o_mount_options){.refuse_with_503 = true,
                                               .retry_min_ms = 1500,
                                               .retry_max_ms = 1500},
           &(struct freshet_options){.max_topics = 1});
    struct rig_client *first = rig_get("/live/counter");
    rig_expect(first, "data: 0\n\n");
    struct rig_client *second = rig_get("/live/board/b1");
    rig_expect_end(second);
    cr_assert_eq(strncmp(second->in, "HTTP/1.1 503 ", 13), 0);
    cr_assert_not_null(strstr(second->in, "\r\nretry-after: 2\r\n"));
    cr_assert_not_null(strstr(second->in, "{\"code\":\"max-topics\"}"));
    cr_assert_eq(rig_stats().streams, 1);
    rig_hang_up(second);
    rig_hang_up(first);
    rig_down();
}

Test(h2o_answers, context_that_has_not_joined_refuses_and_says_so_once)
{
    rig.join = false;
    rig_up(NULL, NULL);
    rig_check(GET("/live/counter"), "HTTP/1.1 200 ", "\"code\":\"not-ready\"");
    rig_check(GET("/live/counter"), "HTTP/1.1 200 ", "\"code\":\"not-ready\"");
    cr_assert_eq(rig_stats().streams_refused, 2);
    cr_assert_eq(rig.logged, 1, "%s", rig.log);
    rig_down();
}

/* contract 5.6 */
Test(h2o_answers, http_1_0_gets_a_body_that_ends_with_the_connection)
{
    rig_up(NULL, NULL);
    struct rig_client *client = rig_ask("GET /live/counter HTTP/1.0\r\n\r\n");
    rig_expect(client, "data: 0\n\n");
    cr_assert_null(strstr(client->in, "chunked"));
    cr_assert_not_null(strstr(client->in, "\r\n\r\n: freshet 1 heartbeat=15000\nretry: "));
    cr_assert_not_null(strstr(client->in, "\n\nid: "));
    rig_drain(5000, 0);
    rig_expect_end(client);
    const char *end = "event: end\ndata: {\"code\":\"going-away\",\"retry_ms\":0}\n\n";
    cr_assert_eq(strcmp(client->in + client->len - strlen(end), end), 0, "%s", client->in);
    rig_hang_up(client);
    rig_down();
}

/* contract 5.6 */
Test(h2o_answers, http_2_is_off_on_clear_connections)
{
    rig_up(NULL, NULL);
    struct rig_client *client = rig_ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    rig_expect_end(client);
    cr_assert_eq(strncmp(client->in, "HTTP/1.1 400 ", 13), 0);
    rig_hang_up(client);
    rig_check(REQUEST("GET /live/counter", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                                           "HTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
              "HTTP/1.1 200 ", "data: 0\n\n");
    rig_down();
}

/* contract 5.6 */
Test(h2o_answers, http_2_that_the_application_asked_for_gets_505)
{
    rig_up(NULL, NULL);
    rig.config.http1.upgrade_to_http2 = 1;
    /* The preface, empty settings, and GET /live/counter from the static table, :path as a literal. */
    static const char request[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                  "\0\0\0\4\0\0\0\0\0"
                                  "\0\0\x14\1\5\0\0\0\1\x82\x86\x44\x0d/live/counter\x41\x01x";
    struct rig_client *client = rig_connect_to(0, 0);
    cr_assert_eq(send(client->fd, request, sizeof(request) - 1, 0), (ssize_t)sizeof(request) - 1);
    int64_t until_ms = rig_now_ms() + RIG_DEADLINE_MS;
    static const char option[] = "http1.upgrade_to_http2";
    while (memmem(client->in, client->len, option, strlen(option)) == NULL && rig_read(client, until_ms))
        ;
    cr_assert_not_null(memmem(client->in, client->len, option, strlen(option)));
    cr_assert_not_null(memmem(client->in, client->len, "505", 3));
    cr_assert_eq(rig_stats().streams_opened, 0);
    rig_hang_up(client);
    rig_down();
}

Test(h2o_answers, mount_says_which_option_is_wrong)
{
    struct freshet_error error;
    struct freshet_options options = {.size = sizeof(options)};
    cr_assert_eq(freshet_new(&rig.freshet, &options, &error), FRESHET_OK);
    h2o_config_init(&rig.config);
    h2o_hostconf_t *host =
        h2o_config_register_host(&rig.config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/live", 0);
    struct freshet_h2o_mount_options mount = {.size = 3};
    cr_assert_eq(freshet_h2o_mount(rig.freshet, path, &mount, &error), FRESHET_INVALID);
    cr_assert_not_null(strstr(error.text, "size"));
    mount = (struct freshet_h2o_mount_options){.size = sizeof(mount), .retry_min_ms = 9, .retry_max_ms = 8};
    cr_assert_eq(freshet_h2o_mount(rig.freshet, path, &mount, &error), FRESHET_INVALID);
    cr_assert_not_null(strstr(error.text, "retry_max_ms"));
    const struct freshet_h2o_header bad[] = {
        {"x a", "1"}, {"X-A", "1"}, {"x", "a\r\nb"}, {"content-length", "1"}, {NULL, "1"}, {"x", NULL}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        mount =
            (struct freshet_h2o_mount_options){.size = sizeof(mount), .headers = &bad[i], .header_count = 1};
        cr_assert_eq(freshet_h2o_mount(rig.freshet, path, &mount, &error), FRESHET_INVALID);
        cr_assert_not_null(strstr(error.text, "headers[0]"));
    }
    cr_assert_eq(path->handlers.size, 0);
    h2o_config_dispose(&rig.config);
    freshet_destroy(rig.freshet, 1000);
}

static enum freshet_status second_status;
static struct freshet_h2o_worker *second_worker = (void *)&second_worker;
static struct freshet_error second_error;

static void *join_twice(void *user)
{
    struct rig_worker worker = {0};
    struct freshet_error error;
    h2o_loop_t *loop = h2o_evloop_create();
    h2o_context_init(&worker.context, loop, &rig.config);
    cr_assert_eq(freshet_h2o_worker_join(rig.freshet, &worker.context, &worker.worker, &error), FRESHET_OK);
    second_status = freshet_h2o_worker_join(rig.freshet, &worker.context, &second_worker, &second_error);
    freshet_h2o_worker_drain(worker.worker, 1000, 0, rig_on_drained, &worker);
    while (!atomic_load(&worker.drained))
        h2o_evloop_run(loop, 10);
    rig_dispose(&worker, loop);
    return user;
}

Test(h2o_answers, context_joins_once)
{
    rig.join = false;
    rig_up(NULL, NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, join_twice, NULL);
    pthread_join(thread, NULL);
    cr_assert_eq(second_status, FRESHET_CONFLICT);
    cr_assert_null(second_worker);
    cr_assert_not_null(strstr(second_error.text, "joined before"));
    rig_down();
}
