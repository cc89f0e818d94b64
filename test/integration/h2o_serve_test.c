/* The server that an application has with one call. */
#include "descriptors.h"
#include "serve_rig.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEADLINE_MS 10000

TestSuite(h2o_serve, .timeout = 60);

static struct freshet *freshet;
static h2o_globalconf_t config;
static pthread_t thread;
static int stop_fd = -1, port;
static enum freshet_status result;
static struct freshet_error error;

static void set_up(void)
{
    h2o_hostconf_t *host = serve_set_up(&freshet, &config);
    h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(h2o_handler_t))->on_req = serve_answer;
    stop_fd = eventfd(0, EFD_CLOEXEC);
}

static void tear_down(void)
{
    freshet_destroy(freshet, 1000);
    h2o_config_dispose(&config);
    close(stop_fd);
}

/* One that was free a moment ago. */
static int find_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0);
    getsockname(fd, (struct sockaddr *)&address, &len);
    close(fd);
    return ntohs(address.sin_port);
}

static void *serve(void *user)
{
    const struct freshet_h2o_serve_options *options = user;
    char text[8];
    snprintf(text, sizeof(text), "%d", port);
    result = freshet_h2o_serve(freshet, &config, "127.0.0.1", text, options, &error);
    return NULL;
}

static void start(struct freshet_h2o_serve_options *options)
{
    options->size = sizeof(*options);
    options->stop_fd = stop_fd;
    port = find_port();
    cr_assert_eq(pthread_create(&thread, NULL, serve, options), 0);
}

static int dial(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (int64_t until_ms = serve_now_ms() + DEADLINE_MS;
         connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0; poll(NULL, 0, 1))
        cr_assert_lt(serve_now_ms(), until_ms, "nobody listens");
    return fd;
}

static int ask(const char *path)
{
    char request[128];
    int fd = dial(), len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    cr_assert_eq(send(fd, request, (size_t)len, MSG_NOSIGNAL), len);
    return fd;
}

/* Reads until `text` has come; NULL: until the other side closes. What came stays in `in`. */
static char in[65536];
static void expect(int fd, const char *text)
{
    size_t used = 0;
    int64_t until_ms = serve_now_ms() + DEADLINE_MS;
    in[0] = '\0';
    while (text == NULL || strstr(in, text) == NULL) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        int left_ms = (int)(until_ms - serve_now_ms());
        cr_assert(left_ms > 0 && poll(&poll_fd, 1, left_ms) == 1, "nothing more after: %s", in);
        ssize_t len = recv(fd, in + used, sizeof(in) - 1 - used, 0);
        if (len <= 0) {
            cr_assert_null(text, "closed after: %s", in);
            return;
        }
        used += (size_t)len;
        in[used] = '\0';
    }
}

/* contract 6.4 */
Test(h2o_serve, serves_until_told_to_stop_and_leaves_nothing)
{
    set_up();
    unsigned before = count_descriptors();
    struct freshet_h2o_serve_options options = {.drain_spread_ms = 1};
    start(&options);
    int stream = ask("/live/it"), page = ask("/page"), silent = dial();
    expect(stream, "data: it\n\n");
    expect(page, "answer");
    eventfd_write(stop_fd, 1);
    expect(stream, NULL);
    cr_assert_not_null(strstr(in, "\"code\":\"going-away\""), "%s", in);
    expect(page, NULL);
    expect(silent, NULL);
    pthread_join(thread, NULL);
    cr_assert_eq(result, FRESHET_OK);
    close(stream);
    close(page);
    close(silent);
    cr_assert_eq(count_descriptors(), before);
    /* It is the caller's, and was not read. */
    eventfd_t value;
    cr_assert(eventfd_read(stop_fd, &value) == 0 && value == 1);
    tear_down();
}

/* contract 6.4 */
Test(h2o_serve, cuts_what_is_left_at_the_deadline)
{
    set_up();
    struct freshet_h2o_serve_options options = {.drain_deadline_ms = 100};
    start(&options);
    int stuck = dial();
    /* The head of a request that does not end. */
    cr_assert_eq(send(stuck, "GET /page HTTP/1.1\r\n", 20, MSG_NOSIGNAL), 20);
    int page = ask("/page");
    expect(page, "answer");
    int64_t from_ms = serve_now_ms();
    eventfd_write(stop_fd, 1);
    pthread_join(thread, NULL);
    cr_assert_lt(serve_now_ms() - from_ms, DEADLINE_MS);
    cr_assert_eq(result, FRESHET_OK);
    expect(stuck, NULL);
    close(stuck);
    close(page);
    tear_down();
}

/* The same freshet and configuration serve a second time. */
Test(h2o_serve, serves_again_after_it_was_stopped)
{
    set_up();
    struct freshet_h2o_serve_options options = {.drain_spread_ms = 1};
    for (int round = 0; round < 2; round++) {
        start(&options);
        int stream = ask("/live/it");
        expect(stream, "data: it\n\n");
        eventfd_write(stop_fd, 1);
        expect(stream, NULL);
        pthread_join(thread, NULL);
        cr_assert_eq(result, FRESHET_OK, "%s", error.text);
        close(stream);
        eventfd_t value;
        cr_assert_eq(eventfd_read(stop_fd, &value), 0);
    }
    tear_down();
}

Test(h2o_serve, says_what_is_wrong_and_leaves_nothing)
{
    set_up();
    unsigned before = count_descriptors();
    struct freshet_h2o_serve_options options = {.size = 1};
    cr_assert_eq(freshet_h2o_serve(freshet, &config, "127.0.0.1", "0", &options, &error), FRESHET_INVALID);
    cr_assert_not_null(strstr(error.text, "size"));
    cr_assert_eq(freshet_h2o_serve(freshet, &config, "127.0.0.1", "x", NULL, &error), FRESHET_INVALID);
    cr_assert_not_null(strstr(error.text, "port x"));
    options = (struct freshet_h2o_serve_options){.size = sizeof(options), .stop_fd = 9999};
    cr_assert_eq(freshet_h2o_serve(freshet, &config, "127.0.0.1", "0", &options, &error), FRESHET_SYSTEM);
    cr_assert_not_null(strstr(error.text, "stop_fd"));
    options.stop_fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* nothing that is ever waited for */
    cr_assert_eq(freshet_h2o_serve(freshet, &config, "127.0.0.1", "0", &options, &error), FRESHET_INVALID);
    cr_assert_not_null(strstr(error.text, "stop_fd"));
    close(options.stop_fd);
    cr_assert_eq(count_descriptors(), before);
    tear_down();
}
