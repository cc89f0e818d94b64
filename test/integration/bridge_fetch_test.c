/* Requests to backends, over real sockets: the server here answers what a test says. */
#include "../../bridge/fetch/fetch.c"
#include "../../bridge/fetch/servers.c"
#include "../../bridge/fetch/transfer.c"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- a server: one thread for each connection ---- */

struct server {
    int fd, port;
    const char *answer; /* to every request; NULL: none comes */
    const char *rest;   /* of the answer, in a second piece; NULL: it is in one */
    bool cuts;          /* the connection ends after each answer */
    atomic_int connections, requests;
    char head[2048]; /* of the last request */
    pthread_t thread;
};

static void answer_requests(struct server *server, int fd)
{
    size_t len = 0;
    char head[sizeof(server->head)] = "";
    for (ssize_t got; (got = recv(fd, head + len, sizeof(head) - 1 - len, 0)) > 0;) {
        len += (size_t)got;
        head[len] = '\0';
        if (strstr(head, "\r\n\r\n") == NULL)
            continue;
        strcpy(server->head, head);
        atomic_fetch_add(&server->requests, 1);
        len = 0;
        if (server->answer != NULL)
            send(fd, server->answer, strlen(server->answer), MSG_NOSIGNAL);
        if (server->rest != NULL)
            send(fd, server->rest, strlen(server->rest), MSG_NOSIGNAL);
        if (server->cuts)
            break;
    }
    close(fd);
}

struct connection {
    struct server *server;
    int fd;
};

static void *serve_one(void *user)
{
    struct connection connection = *(struct connection *)user;
    free(user);
    answer_requests(connection.server, connection.fd);
    return NULL;
}

static void *serve(void *user)
{
    struct server *server = user;
    for (int fd; (fd = accept(server->fd, NULL, NULL)) >= 0;) {
        struct connection *connection = malloc(sizeof(*connection));
        pthread_t thread;
        *connection = (struct connection){server, fd};
        atomic_fetch_add(&server->connections, 1);
        cr_assert_eq(pthread_create(&thread, NULL, serve_one, connection), 0);
        pthread_detach(thread);
    }
    return NULL;
}

static void server_start(struct server *server, const char *answer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    server->answer = answer;
    server->fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(server->fd, (struct sockaddr *)&address, len), 0);
    cr_assert_eq(listen(server->fd, 64), 0);
    getsockname(server->fd, (struct sockaddr *)&address, &len);
    server->port = ntohs(address.sin_port);
    cr_assert_eq(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
}

/* ---- a request, and how it ended ---- */

struct result {
    sem_t done;
    int calls;
    enum fetch_outcome outcome;
    int status;
    char body[4096], etag[64];
    atomic_bool unwanted;
};

static void note(const struct fetch_answer *answer, void *user)
{
    struct result *result = user;
    struct freshet_span etag;
    result->calls++;
    result->outcome = answer->outcome;
    result->status = answer->status;
    snprintf(result->body, sizeof(result->body), "%.*s", (int)answer->body.len, answer->body.data);
    if (fetch_answer_header(answer, "etag", &etag))
        snprintf(result->etag, sizeof(result->etag), "%.*s", (int)etag.len, etag.data);
    sem_post(&result->done);
}

static bool is_wanted(void *user)
{
    return !atomic_load(&((struct result *)user)->unwanted);
}

static struct fetcher *fetcher;
static struct server first, second;
static struct result result;
static char first_url[64], second_url[64];

static void start_servers(const char *of_first, const char *of_second)
{
    struct freshet_error error;
    server_start(&first, of_first);
    server_start(&second, of_second);
    snprintf(first_url, sizeof(first_url), "http://127.0.0.1:%d/first", first.port);
    snprintf(second_url, sizeof(second_url), "http://127.0.0.1:%d/second", second.port);
    cr_assert_eq(fetcher_new(&fetcher, NULL, &error), FRESHET_OK, "%s", error.text);
    sem_init(&result.done, 0, 0);
}

static void teardown(void)
{
    fetcher_destroy(fetcher);
    server_stop(&first);
    server_stop(&second);
}

/* Asks and waits. */
static void get(struct fetch_request request, const char *url, const char *other)
{
    request.urls = (const char *const[]){url, other, NULL};
    cr_assert_eq(fetch_start(fetcher, &request, note, &result), FRESHET_OK);
    sem_wait(&result.done);
}

#define ANSWER(status, headers, body) "HTTP/1.1 " status "\r\n" headers "\r\n" body

TestSuite(bridge_fetch, .fini = teardown, .timeout = 60);

Test(bridge_fetch, gives_status_headers_and_body_over_one_connection)
{
    start_servers(ANSWER("200 OK", "ETag: \"e1\"\r\nContent-Length: 5\r\n", "hello"), NULL);
    for (int i = 1; i <= 5; i++) {
        get((struct fetch_request){.headers = (const char *const[]){"x-secret: s3", NULL}}, first_url, NULL);
        cr_assert_eq(result.outcome, FETCH_ANSWERED);
        cr_assert_eq(result.status, 200);
        cr_assert_str_eq(result.body, "hello");
        cr_assert_str_eq(result.etag, "\"e1\"");
        cr_assert_eq(atomic_load(&first.requests), i);
    }
    cr_assert_eq(atomic_load(&first.connections), 1);
    cr_assert_not_null(strstr(first.head, "GET /first HTTP/1.1\r\n"));
    cr_assert_not_null(strstr(first.head, "\r\nx-secret: s3\r\n"));
}

/* Nagle's algorithm there and delayed acknowledgements here would make it 40 ms for each. */
Test(bridge_fetch, answers_in_two_pieces_take_no_longer)
{
    enum { REQUESTS = 100 };
    start_servers(ANSWER("200 OK", "Content-Length: 5\r\n", ""), NULL);
    first.rest = "hello";
    int64_t started = now_ms();
    for (int i = 0; i < REQUESTS; i++) {
        get((struct fetch_request){0}, first_url, NULL);
        cr_assert_str_eq(result.body, "hello");
    }
    cr_assert_eq(atomic_load(&first.connections), 1);
    cr_assert_lt(now_ms() - started, REQUESTS * 30);
}

Test(bridge_fetch, follows_no_redirect_and_keeps_no_cookie)
{
    start_servers(ANSWER("302 Found", "Location: /elsewhere\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n", ""),
                  NULL);
    get((struct fetch_request){0}, first_url, NULL);
    get((struct fetch_request){0}, first_url, NULL);
    cr_assert_eq(result.status, 302);
    cr_assert_eq(atomic_load(&first.requests), 2);
    cr_assert_null(strcasestr(first.head, "cookie"));
}

Test(bridge_fetch, path_goes_out_as_it_is)
{
    start_servers(ANSWER("200 OK", "Content-Length: 0\r\n", ""), NULL);
    char url[96];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/a/../b/%%2E%%2e/c%%2Fd", first.port);
    get((struct fetch_request){0}, url, NULL);
    cr_assert_not_null(strstr(first.head, "GET /a/../b/%2E%2e/c%2Fd HTTP/1.1\r\n"), "%s", first.head);
}

Test(bridge_fetch, body_over_the_bound_is_too_large_announced_or_not)
{
    start_servers(
        ANSWER("200 OK", "Content-Length: 1000000000\r\n", "0123456789"),
        ANSWER("200 OK", "Transfer-Encoding: chunked\r\n", "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"));
    get((struct fetch_request){.max_body_bytes = 9}, first_url, NULL);
    cr_assert_eq(result.outcome, FETCH_TOO_LARGE);
    get((struct fetch_request){.max_body_bytes = 9}, second_url, NULL);
    cr_assert_eq(result.outcome, FETCH_TOO_LARGE);
    get((struct fetch_request){.max_body_bytes = 10}, second_url, NULL);
    cr_assert_eq(result.outcome, FETCH_ANSWERED);
    cr_assert_str_eq(result.body, "0123456789");
}

Test(bridge_fetch, silent_server_is_a_timeout_and_rests_meanwhile_the_other_is_asked)
{
    start_servers(NULL, ANSWER("200 OK", "Content-Length: 2\r\n", "ok"));
    get((struct fetch_request){.timeout_ms = 50}, first_url, NULL);
    cr_assert_eq(result.outcome, FETCH_TIMEOUT);
    for (int i = 0; i < 4; i++) {
        get((struct fetch_request){.timeout_ms = 5000}, first_url, second_url);
        cr_assert_eq(result.outcome, FETCH_ANSWERED);
        cr_assert_str_eq(result.body, "ok");
    }
    cr_assert_eq(atomic_load(&first.requests), 1);
}

Test(bridge_fetch, server_that_is_not_there_or_says_503_leads_to_the_next)
{
    start_servers(ANSWER("503 No", "Content-Length: 0\r\n", ""),
                  ANSWER("200 OK", "Content-Length: 2\r\n", "ok"));
    get((struct fetch_request){0}, first_url, second_url);
    cr_assert_str_eq(result.body, "ok");
    get((struct fetch_request){0}, first_url, NULL);
    cr_assert_eq(result.status, 503, "the only one's answer counts");
    get((struct fetch_request){0}, "http://127.0.0.1:1/", second_url);
    cr_assert_str_eq(result.body, "ok");
    get((struct fetch_request){0}, "http://127.0.0.1:1/", NULL);
    cr_assert_eq(result.outcome, FETCH_UNREACHABLE);
    get((struct fetch_request){0}, "file:///etc/passwd", NULL);
    cr_assert_eq(result.outcome, FETCH_UNREACHABLE);
    cr_assert_eq(result.calls, 5);
}

Test(bridge_fetch, answer_of_404_is_an_answer)
{
    start_servers(ANSWER("404 No", "Content-Length: 0\r\n", ""),
                  ANSWER("404 No", "Content-Length: 0\r\n", ""));
    get((struct fetch_request){0}, first_url, second_url);
    cr_assert_eq(result.status, 404);
    cr_assert_eq(atomic_load(&first.requests) + atomic_load(&second.requests), 1);
}

Test(bridge_fetch, connection_that_breaks_in_an_answer_is_no_answer)
{
    start_servers(ANSWER("200 OK", "Content-Length: 100\r\n", "half"), NULL);
    first.cuts = true;
    get((struct fetch_request){0}, first_url, NULL);
    cr_assert_eq(result.outcome, FETCH_UNREACHABLE);
    cr_assert_eq(result.status, 0);
}

Test(bridge_fetch, unwanted_one_is_cancelled)
{
    start_servers(NULL, NULL);
    struct fetch_request request = {
        .urls = (const char *const[]){first_url, NULL}, .timeout_ms = 50000, .wanted = is_wanted};
    cr_assert_eq(fetch_start(fetcher, &request, note, &result), FRESHET_OK);
    while (atomic_load(&first.requests) == 0)
        usleep(1000);
    atomic_store(&result.unwanted, true);
    sem_wait(&result.done);
    cr_assert_eq(result.outcome, FETCH_UNWANTED);
}

Test(bridge_fetch, end_of_the_fetcher_ends_what_is_out)
{
    start_servers(NULL, NULL);
    struct fetch_request request = {.urls = (const char *const[]){first_url, NULL}, .timeout_ms = 50000};
    for (int i = 0; i < 100; i++)
        cr_assert_eq(fetch_start(fetcher, &request, note, &result), FRESHET_OK);
    fetcher_destroy(fetcher);
    fetcher = NULL;
    cr_assert_eq(result.calls, 100);
    cr_assert_eq(result.outcome, FETCH_CLOSED);
}

Test(bridge_fetch, none_or_too_many_urls_are_refused)
{
    start_servers(NULL, NULL);
    const char *urls[FETCH_MAX_URLS + 2];
    for (int i = 0; i < FETCH_MAX_URLS + 1; i++)
        urls[i] = first_url;
    urls[FETCH_MAX_URLS + 1] = NULL;
    struct fetch_request request = {.urls = urls};
    cr_assert_eq(fetch_start(fetcher, &request, note, &result), FRESHET_INVALID);
    request.urls = urls + FETCH_MAX_URLS + 1;
    cr_assert_eq(fetch_start(fetcher, &request, note, &result), FRESHET_INVALID);
}
