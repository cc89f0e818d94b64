/* Pages of other origins. */
#include "h2o_rig.h"

#define ASK(line, headers) line " HTTP/1.1\r\nHost: x\r\n" headers "\r\n"
#define LISTED             "Origin: https://app.example\r\n"
#define ALLOWED                                                                                              \
    "\r\naccess-control-allow-origin: https://app.example\r\naccess-control-allow-credentials: true\r\n"

TestSuite(h2o_cors, .timeout = 60);

static void deny(struct freshet_check check, const struct freshet_request *request, void *user)
{
    (void)request;
    (void)user;
    freshet_check_deny(check, 401, "log-in");
}

static void redirect(struct freshet_check check, const struct freshet_request *request, void *user)
{
    (void)request;
    (void)user;
    freshet_check_redirect(check, "/log-in");
}

static void add_guarded(const char *name, freshet_guard_cb guard)
{
    struct freshet_guard guards[] = {{.guard = guard}};
    struct freshet_loader_options options = {.size = sizeof(options),
                                             .name = name,
                                             .route = name,
                                             .channel = rig.counter_channel,
                                             .load = rig_load,
                                             .use = guards,
                                             .use_count = 1};
    struct freshet_error error;
    cr_assert_eq(freshet_loader_new(rig.freshet, &options, NULL, &error), FRESHET_OK, "%s", error.text);
}

static void add_loaders(void)
{
    add_guarded("denied", deny);
    add_guarded("elsewhere", redirect);
}

/* The option's memory is gone after the mount. */
static void up(bool refuse_with_503, struct freshet_options *limits)
{
    char first[] = "https://app.example", second[] = "http://[::1]:8080";
    const char *origins[] = {first, second, NULL};
    rig.add_loaders = add_loaders;
    rig_up(&(struct freshet_h2o_mount_options){.origins = origins, .refuse_with_503 = refuse_with_503},
           limits);
    memset(first, 'x', sizeof(first));
    memset(second, 'x', sizeof(second));
    memset(origins, 0, sizeof(origins));
}

/* The head of the answer, which reaches as far as `text`. */
static struct rig_client *ask(const char *request, const char *status_line, const char *text)
{
    struct rig_client *client = rig_ask(request);
    rig_expect(client, text);
    cr_assert_eq(strncmp(client->in, status_line, strlen(status_line)), 0, "%s: %s", request, client->in);
    return client;
}

static unsigned count(const struct rig_client *client, const char *text)
{
    unsigned found = 0;
    for (const char *at = client->in; (at = strstr(at, text)) != NULL; at++)
        found++;
    return found;
}

static void expect_allowed(const char *request, const char *status_line, const char *text)
{
    struct rig_client *client = ask(request, status_line, text);
    cr_assert_not_null(strstr(client->in, ALLOWED), "%s: %s", request, client->in);
    cr_assert_eq(count(client, "\r\nvary: Origin\r\n"), 1);
    cr_assert_eq(count(client, "access-control-"), 2);
    rig_hang_up(client);
}

static void expect_nothing(const char *request, const char *status_line, const char *text)
{
    struct rig_client *client = ask(request, status_line, text);
    cr_assert_eq(count(client, "access-control-"), 0, "%s: %s", request, client->in);
    cr_assert_eq(count(client, "\r\nvary: Origin\r\n"), 1);
    rig_hang_up(client);
}

/* contract 5.9 */
Test(h2o_cors, every_answer_of_the_mount_names_the_listed_origin)
{
    up(false, NULL);
    expect_allowed(ASK("GET /live/counter", LISTED), "HTTP/1.1 200 ", "data: 0\n");
    expect_allowed(ASK("GET /live?v=%2Fcounter~", LISTED), "HTTP/1.1 200 ", "\ndata: 0\n");
    expect_allowed(ASK("GET /live?v=%2Fcounter", LISTED), "HTTP/1.1 400 ", "bad-view");
    expect_allowed(ASK("POST /live/counter", LISTED), "HTTP/1.1 405 ", "method-not-allowed");
    expect_allowed(ASK("GET /live/counter", LISTED "Accept: text/html\r\n"), "HTTP/1.1 406 ", "acceptable");
    expect_allowed(ASK("GET /live/refused", LISTED), "HTTP/1.1 451 ", "not-here");
    expect_allowed(ASK("GET /live/denied", LISTED), "HTTP/1.1 401 ", "log-in");
    expect_allowed(ASK("GET /live/elsewhere", LISTED), "HTTP/1.1 302 ", "redirect\"}");
    expect_allowed(ASK("GET /live/%zz", LISTED), "HTTP/1.1 400 ", "bad-path");
    expect_allowed(ASK("GET /live/a/../counter", LISTED), "HTTP/1.1 404 ", "not-found");
    struct rig_client *client =
        ask(ASK("GET /live/counter", "ORIGIN: http://[::1]:8080\r\n"), "HTTP/1.1 200 ", "data: 0\n");
    cr_assert_not_null(strstr(client->in, "\r\naccess-control-allow-origin: http://[::1]:8080\r\n"));
    rig_hang_up(client);
    rig_down();
}

/* contract 5.9, 5.2 */
Test(h2o_cors, temporary_refusals_name_it_too)
{
    struct freshet_options limits = {.max_streams = 1};
    up(false, &limits);
    struct rig_client *client = rig_get("/live/counter");
    rig_expect(client, "data: 0\n");
    expect_allowed(ASK("GET /live/counter", LISTED), "HTTP/1.1 200 ", "max-streams");
    rig_hang_up(client);
    rig_down();
}

/* contract 5.9, 5.2 */
Test(h2o_cors, a_503_names_it_too)
{
    struct freshet_options limits = {.max_streams = 1};
    up(true, &limits);
    struct rig_client *client = rig_get("/live/counter");
    rig_expect(client, "data: 0\n");
    expect_allowed(ASK("GET /live/counter", LISTED), "HTTP/1.1 503 ", "max-streams");
    rig_hang_up(client);
    rig_down();
}

/* contract 5.9: what is not exactly a listed origin gets nothing but `vary`, and its stream */
Test(h2o_cors, other_origins_are_not_named)
{
    static const char *const others[] = {"",
                                         "Origin: null\r\n",
                                         "Origin:\r\n",
                                         "Origin: *\r\n",
                                         "Origin: https://app.example:443\r\n",
                                         "Origin: https://app.example.evil\r\n",
                                         "Origin: https://evil.app.example\r\n",
                                         "Origin: https://app.exampl\r\n",
                                         "Origin: http://app.example\r\n",
                                         "Origin: https://APP.example\r\n",
                                         "Origin: https://app.example/\r\n",
                                         "Origin: https://app.example https://evil.example\r\n",
                                         LISTED "Origin: https://evil.example\r\n",
                                         ("Origin: https://evil.example\r\n" LISTED)};
    char request[512];
    up(false, NULL);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        snprintf(request, sizeof(request), ASK("GET /live/counter", "%s"), others[i]);
        expect_nothing(request, "HTTP/1.1 200 ", "data: 0\n");
        snprintf(request, sizeof(request), ASK("OPTIONS /live/counter", "%s"), others[i]);
        expect_nothing(request, "HTTP/1.1 204 ", "\r\n\r\n");
    }
    rig_down();
}

/* contract 5.9 */
Test(h2o_cors, a_preflight_allows_get_and_last_event_id)
{
    static const char *const targets[] = {"/live/counter", "/live/denied", "/live/board/b1?x=1",
                                          "/live?v=%2Fcounter~"};
    char request[512];
    up(false, NULL);
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        snprintf(request, sizeof(request),
                 ASK("OPTIONS %s", LISTED "Access-Control-Request-Method: GET\r\n"
                                          "Access-Control-Request-Headers: last-event-id\r\n"),
                 targets[i]);
        struct rig_client *client = ask(request, "HTTP/1.1 204 No Content\r\n", "\r\n\r\n");
        cr_assert_not_null(strstr(client->in, ALLOWED), "%s", client->in);
        cr_assert_not_null(strstr(client->in, "\r\naccess-control-allow-methods: GET\r\n"));
        cr_assert_not_null(strstr(client->in, "\r\naccess-control-allow-headers: last-event-id\r\n"));
        cr_assert_not_null(strstr(client->in, "\r\naccess-control-max-age: 7200\r\n"));
        cr_assert_eq(count(client, "vary: Origin"), 1);
        cr_assert_eq(count(client, "ontent-"), 0, "no content: %s", client->in);
        /* The connection goes on. */
        rig_forget(client);
        rig_send(client, ASK("GET /live/counter", LISTED));
        rig_expect(client, "data: 0\n");
        rig_hang_up(client);
    }
    cr_assert_eq(rig_stats().streams_denied, 0, "guards are not asked");
    rig_down();
}

/* contract 5.9, 4.10 */
Test(h2o_cors, a_preflight_without_a_route_is_the_next_handlers)
{
    up(false, NULL);
    static const char *const targets[] = {"/live", "/live/nowhere", "/live?x=1"};
    char request[256];
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        snprintf(request, sizeof(request), ASK("OPTIONS %s", LISTED), targets[i]);
        struct rig_client *client = ask(request, "HTTP/1.1 200 ", "\r\n\r\nnext");
        cr_assert_eq(count(client, "access-control-"), 0);
        rig_hang_up(client);
    }
    expect_allowed(ASK("OPTIONS /live/%zz", LISTED), "HTTP/1.1 400 ", "bad-path");
    rig_down();
}

/* contract 5.9: else the page could not see that what it asked for is not there */
Test(h2o_cors, a_preflight_without_a_route_and_a_next_handler_is_allowed)
{
    rig.alone = true;
    up(false, NULL);
    struct rig_client *client = ask(ASK("OPTIONS /live/nowhere", LISTED), "HTTP/1.1 204 ", "\r\n\r\n");
    cr_assert_not_null(strstr(client->in, ALLOWED), "%s", client->in);
    rig_hang_up(client);
    expect_allowed(ASK("GET /live/nowhere", LISTED), "HTTP/1.1 404 ", "{\"code\":\"not-found\"}");
    expect_allowed(ASK("GET /live", LISTED), "HTTP/1.1 404 ", "{\"code\":\"not-found\"}");
    rig_down();
}

Test(h2o_cors, a_preflight_with_a_body_closes)
{
    up(false, NULL);
    struct rig_client *client = rig_ask(
        ASK("OPTIONS /live/counter", LISTED "Content-Length: 3\r\n") "abc" ASK("GET /live/counter", ""));
    rig_expect_end(client);
    cr_assert_eq(strncmp(client->in, "HTTP/1.1 204 ", 13), 0);
    cr_assert_eq(count(client, "HTTP/1.1 "), 1);
    rig_hang_up(client);
    rig_down();
}

/* contract 5.9 */
Test(h2o_cors, without_the_option_nothing_is_said)
{
    rig_up(NULL, NULL);
    struct rig_client *client = ask(ASK("GET /live/counter", LISTED), "HTTP/1.1 200 ", "data: 0\n");
    cr_assert_eq(count(client, "access-control-") + count(client, "vary: Origin"), 0);
    rig_hang_up(client);
    client = ask(ASK("OPTIONS /live/counter", LISTED), "HTTP/1.1 405 ", "method-not-allowed");
    cr_assert_eq(count(client, "access-control-") + count(client, "vary: Origin"), 0);
    rig_hang_up(client);
    rig_down();
}

static enum freshet_status mount_with(const char *origin, struct freshet_error *error)
{
    struct freshet_options options = {.size = sizeof(options)};
    struct freshet *freshet;
    const char *const origins[] = {"https://good.example", origin, NULL};
    struct freshet_h2o_mount_options mount = {.size = sizeof(mount), .origins = origins};
    h2o_globalconf_t config;
    cr_assert_eq(freshet_new(&freshet, &options, NULL), FRESHET_OK);
    h2o_config_init(&config);
    h2o_hostconf_t *host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/live", 0);
    *error = (struct freshet_error){""};
    enum freshet_status status = freshet_h2o_mount(freshet, path, &mount, error);
    h2o_config_dispose(&config);
    freshet_destroy(freshet, 1000);
    return status;
}

/* contract 5.9 */
Test(h2o_cors, bad_origins_are_refused_with_the_reason)
{
    static const struct {
        const char *origin, *reason;
    } bad[] = {{"*", "wildcard"},
               {"null", "any page"},
               {"", "scheme://host"},
               {"app.example", "scheme://host"},
               {"//app.example", "scheme://host"},
               {"://app.example", "scheme://host"},
               {"1http://app.example", "scheme://host"},
               {"https:app.example", "scheme://host"},
               {"https://", "scheme://host"},
               {"https://:80", "scheme://host"},
               {"https://*.app.example", "scheme://host"},
               {"https://b\xc3\xbc"
                "cher.example",
                "xn--"},
               {"https://[::1", "scheme://host"},
               {"https://[]", "scheme://host"},
               {"https://App.example", "lower case"},
               {"HTTPS://app.example", "lower case"},
               {"https://app.example/", "no path"},
               {"https://app.example/live", "no path"},
               {"https://app.example?x", "no path"},
               {"https://user@app.example", "no user"},
               {"https://app.example, https://b.example", "no path"},
               {"https://app.example\r\nx: y", "no path"},
               {"https://app.example:", "port"},
               {"https://app.example:0", "port"},
               {"https://app.example:080", "port"},
               {"https://app.example:65536", "port"},
               {"https://app.example:8080/", "port"},
               {"https://app.example:443", "default port"},
               {"http://app.example:80", "default port"}};
    struct freshet_error error;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(mount_with(bad[i].origin, &error), FRESHET_INVALID, "%s", bad[i].origin);
        cr_assert_eq(strncmp(error.text, "origins[1]: ", 12), 0, "%s", error.text);
        cr_assert_not_null(strstr(error.text, bad[i].reason), "%s: %s", bad[i].origin, error.text);
    }
}

/* contract 5.9 */
Test(h2o_cors, good_origins_are_taken)
{
    static const char *const good[] = {"https://app.example",       "http://localhost:3000",
                                       "http://127.0.0.1:8080",     "http://[2001:db8::1]",
                                       "http://[::1]:81",           "https://xn--bcher-kva.example:80",
                                       "http://a_b.example:443",    "chrome-extension://abcdefghijklmnop",
                                       "https://app.example:65535", NULL};
    struct freshet_error error;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_assert_eq(mount_with(good[i], &error), FRESHET_OK, "%s", error.text);
}

/* Two of them would make browsers refuse the answer. */
Test(h2o_cors, headers_of_the_application_must_leave_the_matter_to_the_option)
{
    struct freshet_options options = {.size = sizeof(options)};
    struct freshet *freshet;
    struct freshet_error error = {""};
    const char *const origins[] = {NULL};
    const struct freshet_h2o_header header = {"access-control-allow-origin", "https://app.example"};
    struct freshet_h2o_mount_options mount = {
        .size = sizeof(mount), .origins = origins, .headers = &header, .header_count = 1};
    h2o_globalconf_t config;
    cr_assert_eq(freshet_new(&freshet, &options, NULL), FRESHET_OK);
    h2o_config_init(&config);
    h2o_hostconf_t *host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/live", 0);
    cr_assert_eq(freshet_h2o_mount(freshet, path, &mount, &error), FRESHET_INVALID);
    cr_assert_not_null(strstr(error.text, "headers[0]"), "%s", error.text);
    h2o_config_dispose(&config);
    freshet_destroy(freshet, 1000);
}
