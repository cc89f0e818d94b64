/* The scripts below a path of the application's own. What the bridge serves at its root: test/browser. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <freshet/h2o.h>
#include <freshet/version.h>
#include <h2o.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static h2o_globalconf_t config;
static h2o_context_t context;
static struct freshet_h2o_listener *listener;
static int port;
static char answer[65536];

static int next_handler(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    req->res.status = 202;
    req->res.reason = "Accepted";
    h2o_send_inline(req, H2O_STRLIT("next"));
    return 0;
}

static void start(void)
{
    int fd;
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    h2o_config_init(&config);
    h2o_hostconf_t *host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/assets", 0);
    freshet_h2o_serve_script(path);
    h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = next_handler;
    h2o_context_init(&context, h2o_evloop_create(), &config);
    cr_assert_eq(freshet_h2o_bind(&fd, "127.0.0.1", "0", NULL), FRESHET_OK);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    port = ntohs(address.sin_port);
    cr_assert_eq(freshet_h2o_listen(&listener, &context, fd, NULL, NULL), FRESHET_OK);
}

static void stop(void)
{
    freshet_h2o_listener_close(listener);
    h2o_evloop_run(context.loop, 10); /* sockets that were closed are freed by the loop */
    h2o_context_dispose(&context);
    h2o_evloop_destroy(context.loop);
    h2o_config_dispose(&config);
}

/* The whole answer to a request on a connection of its own; its status. */
static int ask(const char *request_line, const char *headers)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    char request[512];
    size_t len = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    int request_len =
        snprintf(request, sizeof(request), "%s HTTP/1.1\r\nhost: x\r\nconnection: close\r\n%s\r\n",
                 request_line, headers);
    cr_assert_eq(send(fd, request, (size_t)request_len, MSG_NOSIGNAL), request_len);
    for (time_t end = time(NULL) + 10;;) {
        cr_assert_lt(time(NULL), end, "no whole answer to %s", request_line);
        h2o_evloop_run(context.loop, 10);
        ssize_t got = recv(fd, answer + len, sizeof(answer) - 1 - len, MSG_DONTWAIT);
        if (got == 0)
            break;
        len += got > 0 ? (size_t)got : 0;
    }
    answer[len] = '\0';
    close(fd);
    return atoi(answer + strlen("HTTP/1.1 "));
}

static bool has(const char *text)
{
    return strstr(answer, text) != NULL;
}

Test(h2o_script, is_served_below_the_path_and_nowhere_else, .init = start, .fini = stop)
{
    cr_assert_eq(ask("GET /assets/freshet.js", ""), 200);
    cr_assert(has("\r\ncontent-type: text/javascript; charset=utf-8\r\n"));
    cr_assert(has("\r\ncache-control: no-cache\r\n"));
    cr_assert(has("export function connect("));
    cr_assert_eq(ask("GET /assets/freshet.js?v=1", ""), 200);
    cr_assert_eq(ask("GET /freshet.js", ""), 404);
    cr_assert_eq(ask("GET /assetsfreshet.js", ""), 404);
}

Test(h2o_script, leaves_all_else_to_the_next_handler, .init = start, .fini = stop)
{
    static const char *const others[] = {"GET /assets", "GET /assets/", "GET /assets/x/freshet.js",
                                         "POST /assets/other.js", "GET /assets/freshet.d.ts"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        cr_assert_eq(ask(others[i], ""), 202, "%s", others[i]);
}

Test(h2o_script, is_immutable_under_the_name_with_the_version, .init = start, .fini = stop)
{
    char line[128];
    snprintf(line, sizeof(line), "GET /assets/freshet-view-%s.js", freshet_version());
    cr_assert_eq(ask(line, ""), 200);
    cr_assert(has("\r\ncache-control: public, max-age=31536000, immutable\r\n"));
    snprintf(line, sizeof(line), "from './freshet-%s.js';", freshet_version());
    cr_assert(has(line));
}

Test(h2o_script, what_the_client_holds_is_not_sent_again, .init = start, .fini = stop)
{
    char held[64];
    cr_assert_eq(ask("HEAD /assets/freshet.js", ""), 200);
    cr_assert_not(has("export"));
    const char *etag = strstr(answer, "\r\netag: ");
    cr_assert_not_null(etag);
    snprintf(held, sizeof(held), "if-none-match: %.18s\r\n", etag + strlen("\r\netag: "));
    cr_assert_eq(ask("GET /assets/freshet.js", held), 304);
    cr_assert_not(has("export"));
    cr_assert_eq(ask("GET /assets/use-live.js", held), 200);
}

Test(h2o_script, other_methods_are_refused, .init = start, .fini = stop)
{
    cr_assert_eq(ask("DELETE /assets/freshet.js", ""), 405);
    cr_assert(has("\r\nallow: GET, HEAD\r\n"));
}
