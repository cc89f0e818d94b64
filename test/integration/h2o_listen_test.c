/* The listener that applications may use. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <freshet/h2o.h>
#include <h2o.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static h2o_globalconf_t config;
static h2o_context_t context;
static struct freshet_h2o_listener *listener;
static unsigned accepted, warnings;
static bool accept_them = true;

static bool count_accepted(struct st_h2o_socket_t *socket, void *user)
{
    (void)socket;
    (void)user;
    accepted++;
    return accept_them;
}

static void count_warning(enum freshet_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
    warnings++;
}

static int port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    return ntohs(address.sin_port);
}

static int start(void)
{
    int fd;
    struct freshet_error error = {""};
    struct freshet_h2o_listen_options options = {
        .size = sizeof(options), .accepted = count_accepted, .log = {.write = count_warning}};
    h2o_config_init(&config);
    h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_context_init(&context, h2o_evloop_create(), &config);
    cr_assert_eq(freshet_h2o_bind(&fd, "127.0.0.1", "0", &error), FRESHET_OK, "%s", error.text);
    int port = port_of(fd);
    cr_assert_eq(freshet_h2o_listen(&listener, &context, fd, &options, &error), FRESHET_OK, "%s", error.text);
    return port;
}

static void dial(int fd, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void limit_descriptors(rlim_t count)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = count;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static unsigned run_for_ms(int64_t ms)
{
    unsigned rounds = 0;
    for (int64_t end = now_ms() + ms; now_ms() < end; rounds++)
        h2o_evloop_run(context.loop, (int32_t)(end - now_ms()) + 1);
    return rounds;
}

/* stack.md 1.4: a level-triggered listener spins when descriptors have run out */
Test(h2o_listen, rests_while_there_are_no_descriptors_and_goes_on_after)
{
    int port = start();
    int client = socket(AF_INET, SOCK_STREAM, 0);
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    limit_descriptors((rlim_t)client + 1);
    dial(client, port);
    unsigned rounds = run_for_ms(350);
    cr_assert_eq(accepted, 0);
    cr_assert_lt(rounds, 40, "%u rounds of the loop", rounds);
    cr_assert_eq(warnings, 1);
    limit_descriptors(before.rlim_cur);
    for (int64_t end = now_ms() + 5000; accepted == 0 && now_ms() < end;)
        run_for_ms(50);
    cr_assert_eq(accepted, 1);
    freshet_h2o_listener_close(listener);
}

Test(h2o_listen, refused_connection_is_closed)
{
    char byte;
    int port = start();
    int client = socket(AF_INET, SOCK_STREAM, 0);
    accept_them = false;
    dial(client, port);
    for (int64_t end = now_ms() + 5000; accepted == 0 && now_ms() < end;)
        run_for_ms(10);
    run_for_ms(10);
    cr_assert_eq(recv(client, &byte, 1, 0), 0);
    freshet_h2o_listener_close(listener);
}

Test(h2o_listen, wrong_addresses_and_taken_ports_are_named)
{
    struct freshet_error error;
    char port[8];
    int fd, second;
    cr_assert_eq(freshet_h2o_bind(&fd, "127.0.0.1", "http-no", &error), FRESHET_INVALID);
    cr_assert_not_null(strstr(error.text, "http-no"));
    cr_assert_eq(fd, -1);
    cr_assert_eq(freshet_h2o_bind(&fd, "127.0.0.1", "0", &error), FRESHET_OK);
    snprintf(port, sizeof(port), "%d", port_of(fd));
    cr_assert_eq(freshet_h2o_bind(&second, "127.0.0.1", port, &error), FRESHET_SYSTEM);
    cr_assert_not_null(strstr(error.text, port));
    close(fd);
}
