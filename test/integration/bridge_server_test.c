/* The life of the bridge's threads. */
#include "../../bridge/app/server.c"
#include <criterion/criterion.h>
#include <poll.h>

#define DEADLINE_MS 10000

/* The program's routes have no part in this. */
struct http_router *http_router_new(h2o_pathconf_t *path, const char *instance)
{
    (void)path;
    (void)instance;
    return NULL;
}

void http_check_host(h2o_pathconf_t *path, const char *const *names, const char *instance)
{
    (void)path;
    (void)names;
    (void)instance;
}

void http_allow_origins(struct http_router *router, const char *const *origins)
{
    (void)router;
    (void)origins;
}

void log_line(const struct freshet_log *log, enum freshet_log_level level, const char *format, ...)
{
    (void)log;
    (void)level;
    (void)format;
}

static bool has_all_ended(const struct server *server, int wait_ms)
{
    struct pollfd poll_fd = {.fd = server_ended_fd(server), .events = POLLIN};
    return poll(&poll_fd, 1, wait_ms) == 1;
}

static void start(struct server **server, struct app *app, uint32_t deadline_ms)
{
    struct freshet_error error = {""};
    uint16_t port;
    int fd = server_listen(app->options, &port, &error);
    cr_assert_geq(fd, 0, "%s", error.text);
    cr_assert_eq(freshet_new(&app->freshet, NULL, &error), FRESHET_OK);
    cr_assert_eq(server_new(server, app, fd, NULL, deadline_ms, &error), FRESHET_OK, "%s", error.text);
    cr_assert_eq(server_run(*server, &error), FRESHET_OK, "%s", error.text);
}

/* contract 6.4 */
Test(bridge_server, stopping_again_does_nothing, .timeout = 60)
{
    struct options options = {.host = "127.0.0.1", .threads = 2};
    struct app app = {.options = &options};
    struct freshet_error error = {""};
    struct server *server;
    start(&server, &app, 1000);
    cr_assert_not(has_all_ended(server, 0));
    server_stop(server);
    server_stop(server);
    cr_assert(has_all_ended(server, DEADLINE_MS));
    /* Nobody is there to hear it any more. */
    server_stop(server);
    eventfd_t told;
    cr_assert(eventfd_read(server_ended_fd(server), &told) == 0 && told == 1);
    cr_assert_eq(server_join(server, &error), FRESHET_OK, "%s", error.text);
    server_destroy(server);
    freshet_destroy(app.freshet, 1000);
}

/* The program must not stay without serving: it is told, and why. */
Test(bridge_server, that_can_not_serve_ends_and_says_why, .timeout = 60)
{
    struct options options = {.host = "127.0.0.1", .threads = 2};
    struct app app = {.options = &options};
    struct freshet_error error = {""};
    struct server *server;
    cr_assert_eq(freshet_new(&app.freshet, NULL, &error), FRESHET_OK);
    cr_assert_eq(server_new(&server, &app, eventfd(0, EFD_CLOEXEC), NULL, 1000, &error), FRESHET_OK);
    cr_assert_eq(server_run(server, &error), FRESHET_OK);
    cr_assert(has_all_ended(server, DEADLINE_MS));
    cr_assert_eq(server_join(server, &error), FRESHET_INVALID);
    cr_assert_not_null(strstr(error.text, "not a socket that listens"), "%s", error.text);
    server_destroy(server);
    freshet_destroy(app.freshet, 1000);
}
