/* The end of freshet_h2o_serve(), whatever the application has registered and whatever its clients do: a
 * second server stands behind its reverse proxy. */
#include "serve_rig.h"
#include "tls_context.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#define DEADLINE_MS 10000

TestSuite(h2o_serve_end, .timeout = 120);

struct instance {
    struct freshet *freshet;
    h2o_globalconf_t config;
    struct freshet_h2o_serve_options options;
    pthread_t thread;
    int port;
    enum freshet_status result;
    struct freshet_error error;
};

static struct instance front, behind;

/* ---- servers ---- */

static h2o_hostconf_t *set_up(struct instance *instance)
{
    h2o_hostconf_t *host = serve_set_up(&instance->freshet, &instance->config);
    h2o_create_handler(h2o_config_register_path(host, "/page", 0), sizeof(h2o_handler_t))->on_req =
        serve_answer;
    instance->options = (struct freshet_h2o_serve_options){.size = sizeof(instance->options),
                                                           .stop_fd = eventfd(0, EFD_CLOEXEC),
                                                           .drain_deadline_ms = 300,
                                                           .drain_spread_ms = 1};
    return host;
}

static void *run(void *user)
{
    struct instance *instance = user;
    instance->result = freshet_h2o_serve(instance->freshet, &instance->config, NULL, NULL, &instance->options,
                                         &instance->error);
    return NULL;
}

static void start(struct instance *instance)
{
    struct freshet_error error;
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    cr_assert_eq(freshet_h2o_bind(&instance->options.listen_fd, "127.0.0.1", "0", &error), FRESHET_OK, "%s",
                 error.text);
    getsockname(instance->options.listen_fd, (struct sockaddr *)&address, &len);
    instance->port = ntohs(address.sin_port);
    cr_assert_eq(pthread_create(&instance->thread, NULL, run, instance), 0);
}

static void stop(struct instance *instance)
{
    eventfd_t told;
    eventfd_write(instance->options.stop_fd, 1);
    pthread_join(instance->thread, NULL);
    cr_assert_eq(instance->result, FRESHET_OK, "%s", instance->error.text);
    cr_assert_eq(eventfd_read(instance->options.stop_fd, &told), 0);
}

static void tear_down(struct instance *instance)
{
    freshet_destroy(instance->freshet, 1000);
    h2o_config_dispose(&instance->config);
    close(instance->options.stop_fd);
}

/* h2o 2.2.5 does not free what it copies of the upstream's address. */
static void register_proxy(h2o_pathconf_t *path, h2o_url_t *url, h2o_proxy_config_vars_t *options)
{
#ifdef __SANITIZE_ADDRESS__
    __lsan_disable();
    h2o_proxy_register_reverse_proxy(path, url, options);
    __lsan_enable();
#else
    h2o_proxy_register_reverse_proxy(path, url, options);
#endif
}

/* What applications have beside their streams. */
static void register_everything(h2o_hostconf_t *host)
{
    char text[64];
    h2o_url_t url;
    int len = snprintf(text, sizeof(text), "http://127.0.0.1:%d/", behind.port);
    cr_assert_eq(h2o_url_parse(text, (size_t)len, &url), 0);
    h2o_proxy_config_vars_t kept = {.io_timeout = 5000, .keepalive_timeout = 2000};
    register_proxy(h2o_config_register_path(host, "/kept", 0), &url, &kept);
    h2o_hostconf_t *other =
        h2o_config_register_host(&front.config, h2o_iovec_init(H2O_STRLIT("other")), 65535);
    register_proxy(h2o_config_register_path(other, "/", 0), &url, &kept);
    h2o_proxy_config_vars_t closed = {.io_timeout = 4000, .preserve_host = 1};
    register_proxy(h2o_config_register_path(host, "/closed", 0), &url, &closed);
    h2o_pathconf_t *files = h2o_config_register_path(host, "/files", 0);
    h2o_file_register(files, "/etc", NULL, NULL, 0);
    h2o_access_log_filehandle_t *log = h2o_access_log_open_handle("/dev/null", NULL, 0);
    h2o_access_log_register(files, log);
    h2o_mem_release_shared(log);
    h2o_compress_register(files, &(h2o_compress_args_t){.min_size = 1, .gzip = {.quality = 1}});
    h2o_redirect_register(h2o_config_register_path(host, "/moved", 0), 0, 301, "/page");
    freshet_h2o_serve_script(h2o_config_register_path(host, "/", 0));
}

static void set_up_both(void)
{
    set_up(&behind);
    start(&behind);
    register_everything(set_up(&front));
}

static void tear_down_both(void)
{
    stop(&behind);
    tear_down(&front);
    tear_down(&behind);
}

/* ---- clients ---- */

static int dial(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)front.port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* True: `text` came; false: the other side closed first. */
static bool read_until(int fd, const char *text)
{
    char in[16384];
    size_t used = 0;
    int64_t until_ms = serve_now_ms() + DEADLINE_MS;
    for (in[0] = '\0'; strstr(in, text) == NULL;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        int left_ms = (int)(until_ms - serve_now_ms());
        cr_assert(left_ms > 0 && poll(&poll_fd, 1, left_ms) == 1, "neither \"%s\" nor the end: %s", text, in);
        ssize_t len = recv(fd, in + used, sizeof(in) - 1 - used, 0);
        if (len <= 0)
            return false;
        used += (size_t)len;
        in[used] = '\0';
    }
    return true;
}

static bool ask(int fd, const char *path, const char *text)
{
    char request[128];
    int len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    return send(fd, request, (size_t)len, MSG_NOSIGNAL) == len && read_until(fd, text);
}

/* contract 6.4: the socket pool of a proxy stays on the loop for as long as the configuration lives */
Test(h2o_serve_end, with_a_proxy_that_keeps_its_connections_and_again_with_the_same_configuration)
{
    set_up_both();
    for (unsigned round = 0; round < 3; round++) {
        front.options.threads = 1 + round;
        start(&front);
        int clients[6];
        for (size_t i = 0; i < 6; i++) {
            clients[i] = dial();
            cr_assert(ask(clients[i], "/kept/page", "answer") && ask(clients[i], "/closed/page", "answer"));
        }
        stop(&front);
        for (size_t i = 0; i < 6; i++)
            close(clients[i]);
    }
    tear_down_both();
}

/* contract 6.4 */
Test(h2o_serve_end, with_connections_in_every_state)
{
    static const char *const sent[] = {
        "",
        "G",
        "GET /page HTTP/1.1\r\n",
        "POST /page HTTP/1.1\r\nContent-Length: 5\r\n\r\nab",
        "POST /page HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n",
        "POST /page HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        "GET /page HTTP/1.1\r\n\r\n",
        "GET /page HTTP/1.1\r\n\r\nGET /page HTTP/1.1\r\n",
        "GET /files/passwd HTTP/1.1\r\n\r\n",
        "GET /moved HTTP/1.1\r\n\r\n",
        "GET /freshet.js HTTP/1.1\r\n\r\n",
        "GET /kept/live/it HTTP/1.1\r\n\r\n", /* a stream behind the proxy */
        "GET /live/it HTTP/1.1\r\n\r\n",
        "\x16\x03\x01\x02"};
    enum { COUNT = sizeof(sent) / sizeof(sent[0]) };
    set_up_both();
    for (unsigned round = 0; round < 4; round++) {
        int clients[COUNT];
        front.options.threads = round;
        start(&front);
        for (size_t i = 0; i < COUNT; i++) {
            clients[i] = dial();
            cr_assert_eq(send(clients[i], sent[i], strlen(sent[i]), 0), (ssize_t)strlen(sent[i]));
        }
        cr_assert(ask(clients[6], "/page", "answer"));
        if (round % 2 == 1)
            cr_assert(read_until(clients[COUNT - 2], "data: it"));
        stop(&front);
        for (size_t i = 0; i < COUNT; i++)
            close(clients[i]);
    }
    tear_down_both();
}

static void tls_say(int fd, SSL_CTX *context, const char *bytes, SSL **out)
{
    *out = SSL_new(context);
    SSL_set_fd(*out, fd);
    cr_assert_eq(SSL_connect(*out), 1);
    if (bytes[0] != '\0')
        cr_assert_gt(SSL_write(*out, bytes, (int)strlen(bytes)), 0);
}

/* contract 6.4: a browser opens connections that it may need, and answers no close_notify on them */
Test(h2o_serve_end, with_idle_connections_over_tls)
{
    static const char *const sent[] = {"", "GET /page HTTP/1.1\r\n\r\n", "GET /live/it HTTP/1.1\r\n\r\n",
                                       "GET "};
    enum { COUNT = sizeof(sent) / sizeof(sent[0]) };
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    set_up_both();
    front.options.tls = make_tls_context();
    freshet_h2o_harden_tls(front.options.tls);
    for (int round = 0; round < 2; round++) {
        SSL *clients[COUNT];
        int fds[COUNT];
        start(&front);
        int silent = dial();
        for (size_t i = 0; i < COUNT; i++)
            tls_say(fds[i] = dial(), context, sent[i], &clients[i]);
        char in[512];
        cr_assert_gt(SSL_read(clients[1], in, sizeof(in)), 0);
        cr_assert_gt(SSL_read(clients[2], in, sizeof(in)), 0);
        stop(&front);
        for (size_t i = 0; i < COUNT; i++) {
            SSL_free(clients[i]);
            close(fds[i]);
        }
        close(silent);
    }
    SSL_CTX_free(context);
    SSL_CTX_free(front.options.tls);
    tear_down_both();
}

static atomic_bool loaded;
static atomic_uint answers;

/* Asks for one thing after the other; connections end when the server does. */
static void *press(void *user)
{
    static const char *const paths[] = {"/page",      "/kept/page",  "/closed/page", "/files/passwd",
                                        "/live/nope", "/freshet.js", "/kept/nope"};
    size_t next = (size_t)(uintptr_t)user;
    int fd = -1;
    while (atomic_load(&loaded)) {
        if (fd < 0 && (fd = dial()) < 0)
            continue;
        if (next % 5 == 0 && ask(fd, "/live/it", "data: it")) {
            close(fd); /* a stream's connection is used up */
            fd = -1;
        } else if (ask(fd, paths[next % 7], "\r\n\r\n")) {
            atomic_fetch_add(&answers, 1);
        } else {
            close(fd);
            fd = -1;
        }
        next++;
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* contract 6.4 */
Test(h2o_serve_end, under_load)
{
    enum { CLIENTS = 6 };
    set_up_both();
    for (unsigned round = 0; round < 6; round++) {
        pthread_t clients[CLIENTS];
        unsigned before = atomic_load(&answers);
        front.options.threads = 1 + round % 3;
        start(&front);
        atomic_store(&loaded, true);
        for (uintptr_t i = 0; i < CLIENTS; i++)
            cr_assert_eq(pthread_create(&clients[i], NULL, press, (void *)i), 0);
        for (int64_t until_ms = serve_now_ms() + DEADLINE_MS; atomic_load(&answers) < before + 100;
             poll(NULL, 0, 1))
            cr_assert_lt(serve_now_ms(), until_ms, "%u answers", atomic_load(&answers) - before);
        stop(&front);
        atomic_store(&loaded, false);
        for (size_t i = 0; i < CLIENTS; i++)
            pthread_join(clients[i], NULL);
    }
    tear_down_both();
}

static atomic_uint asked, contexts;
static atomic_bool late;
static void *seen[8];

/* Says that there is something to come until `late` is over. */
static bool has_ended(struct st_h2o_context_t *context, void *user)
{
    cr_assert_eq(user, &asked);
    unsigned count = atomic_fetch_add(&asked, 1);
    for (unsigned i = 0; i < atomic_load(&contexts); i++)
        if (seen[i] == context)
            return !atomic_load(&late);
    if (count < 8)
        seen[atomic_fetch_add(&contexts, 1)] = context;
    return !atomic_load(&late);
}

/* contract 6.4 */
Test(h2o_serve_end, waits_for_what_the_application_still_has_to_do)
{
    set_up(&front);
    front.options.ended = has_ended;
    front.options.user = &asked;
    atomic_store(&late, true);
    start(&front);
    int client = dial();
    cr_assert(ask(client, "/page", "answer"));
    cr_assert_eq(atomic_load(&asked), 0);
    eventfd_write(front.options.stop_fd, 1);
    /* Asked again and again though nothing happens. */
    for (int64_t until_ms = serve_now_ms() + DEADLINE_MS; atomic_load(&asked) < 5; poll(NULL, 0, 1))
        cr_assert_lt(serve_now_ms(), until_ms);
    cr_assert_not(read_until(client, "\n"));
    atomic_store(&late, false);
    stop(&front);
    cr_assert_eq(atomic_load(&contexts), 1);
    close(client);
    tear_down(&front);
}

/* contract 7.2: threads share what they publish and subscribe */
Test(h2o_serve_end, of_several_threads_ends_every_loop)
{
    set_up(&front);
    front.options.threads = 3;
    start(&front);
    int clients[24];
    for (size_t i = 0; i < 24; i++) {
        clients[i] = dial();
        cr_assert(ask(clients[i], "/live/it", "data: it"));
    }
    struct freshet_stats stats;
    freshet_stats_get(front.freshet, &stats);
    cr_assert_eq(stats.streams, 24);
    eventfd_write(front.options.stop_fd, 1);
    for (size_t i = 0; i < 24; i++) {
        cr_assert(read_until(clients[i], "\"code\":\"going-away\""));
        close(clients[i]);
    }
    stop(&front);
    freshet_stats_get(front.freshet, &stats);
    cr_assert_eq(stats.streams, 0);
    cr_assert_eq(stats.streams_closed[FRESHET_CLOSE_DRAIN], 24);
    tear_down(&front);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *),
                          void *user);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *),
                          void *user);
static _Thread_local int until_failure; /* of this thread's calls; 0: none fails */

/* The linker leads every call of the program here (test/CMakeLists.txt). */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *),
                          void *user)
{
    if (until_failure > 0 && --until_failure == 0)
        return EAGAIN;
    return __real_pthread_create(thread, attributes, body, user);
}

Test(h2o_serve_end, that_comes_because_a_thread_is_missing)
{
    set_up(&front);
    front.options.threads = 3;
    cr_assert_eq(freshet_h2o_bind(&front.options.listen_fd, "127.0.0.1", "0", NULL), FRESHET_OK);
    until_failure = 2;
    run(&front);
    cr_assert_eq(front.result, FRESHET_SYSTEM);
    cr_assert_not_null(strstr(front.error.text, "thread 3 of 3"), "%s", front.error.text);
    /* And it can be tried again. */
    start(&front);
    int client = dial();
    cr_assert(ask(client, "/page", "answer"));
    stop(&front);
    close(client);
    tear_down(&front);
}
