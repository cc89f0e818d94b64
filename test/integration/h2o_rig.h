/* A real h2o on a free loopback port in a thread of its own, a freshet with a memory bus, and clients on raw
 * sockets. */
#ifndef H2O_RIG_H
#define H2O_RIG_H

#ifndef H2O_USE_LIBUV
#define H2O_USE_LIBUV 0
#endif
#ifdef H2O_RIG_PLAIN /* for programs with their own main() */
#define RIG_HOLDS(condition, ...)                                                                            \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                  \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)
/* The texts for Criterion are dropped. */
#define RIG_EQUAL(a, b, ...)    RIG_HOLDS((a) == (b), 0)
#define RIG_POINTS(a, ...)      RIG_HOLDS((a) != NULL, 0)
#define cr_assert(...)          RIG_HOLDS(__VA_ARGS__, 0)
#define cr_assert_eq(...)       RIG_EQUAL(__VA_ARGS__, 0)
#define cr_assert_not_null(...) RIG_POINTS(__VA_ARGS__, 0)
#else
#include <criterion/criterion.h>
#endif
#include <errno.h>
#include <freshet/freshet.h>
#include <freshet/h2o.h>
#include <h2o.h>
#include <h2o/http1.h>
#include <h2o/http2.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RIG_DEADLINE_MS 10000
#define RIG_WORKERS     2

struct rig_worker {
    pthread_t thread;
    int port;
    h2o_context_t context;
    h2o_accept_ctx_t accept;
    h2o_socket_t *listener;
    struct freshet_h2o_worker *worker;
    atomic_bool ready, drain, drained, leave;
    atomic_uint accepted, closed;
    int drained_calls;
};

static struct {
    struct freshet *freshet;
    struct freshet_channel *counter_channel, *board_channel;
    h2o_globalconf_t config;
    struct ssl_ctx_st *tls;
    struct rig_worker workers[RIG_WORKERS];
    unsigned worker_count;
    bool join;                 /* workers join at all */
    bool alone;                /* no handler comes after the mount */
    void (*add_loaders)(void); /* the test's own; may be NULL */
    void (*add_paths)(h2o_hostconf_t *host);
    uint32_t drain_deadline_ms, drain_spread_ms;
    unsigned user_timeout_ms; /* TCP_USER_TIMEOUT of accepted sockets; 0: as they are hardened */

    pthread_mutex_t lock; /* what follows */
    int count;
    size_t padding; /* bytes behind the count in a snapshot */
    bool failing;
    int logged;
    char log[512];
    int stream_ends;
    enum freshet_close_reason reason;
    uint64_t end_bytes;
    char end_topic[64], end_peer[64];
} rig = {.lock = PTHREAD_MUTEX_INITIALIZER, .join = true, .worker_count = 1, .drain_deadline_ms = 60000};

static inline int64_t rig_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits on a condition; it is looked at every millisecond. */
#define RIG_WAIT(condition)                                                                                  \
    do {                                                                                                     \
        int64_t until_ms = rig_now_ms() + RIG_DEADLINE_MS;                                                   \
        while (!(condition) && rig_now_ms() < until_ms)                                                      \
            poll(NULL, 0, 1);                                                                                \
        cr_assert((condition), "not within the deadline: %s", #condition);                                   \
    } while (0)

/* ---- the program ---- */

static inline void rig_load(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    (void)context;
    (void)user;
    pthread_mutex_lock(&rig.lock);
    char *text = malloc(32 + rig.padding);
    int len = snprintf(text, 32, "%d", rig.count);
    memset(text + len, '.', rig.padding);
    size_t size = (size_t)len + rig.padding;
    bool failing = rig.failing;
    pthread_mutex_unlock(&rig.lock);
    if (failing)
        freshet_load_fail(load, "broken", "It is broken.");
    else
        freshet_load_answer(load, freshet_span(text, size));
    free(text);
}

static inline enum freshet_status rig_refuse(const struct freshet_request *request,
                                             struct freshet_topic *topic, struct freshet_refusal *refusal,
                                             void *user)
{
    (void)request;
    (void)topic;
    (void)user;
    refusal->status = 451;
    strcpy(refusal->code, "not-here");
    return FRESHET_REFUSED;
}

static inline void rig_log(enum freshet_log_level level, const char *text, void *user)
{
    (void)level;
    (void)user;
    pthread_mutex_lock(&rig.lock);
    rig.logged++;
    snprintf(rig.log, sizeof(rig.log), "%s", text);
    pthread_mutex_unlock(&rig.lock);
}

static inline void rig_stream_end(const struct freshet_stream_end *end, void *user)
{
    (void)user;
    pthread_mutex_lock(&rig.lock);
    rig.stream_ends++;
    rig.reason = end->reason;
    rig.end_bytes = end->bytes;
    snprintf(rig.end_topic, sizeof(rig.end_topic), "%.*s", (int)end->topic.len, end->topic.data);
    snprintf(rig.end_peer, sizeof(rig.end_peer), "%.*s", (int)end->peer.len, end->peer.data);
    pthread_mutex_unlock(&rig.lock);
}

static inline int rig_next_handler(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    req->res.status = 200;
    req->res.content_length = strlen("next");
    h2o_send_inline(req, H2O_STRLIT("next"));
    return 0;
}

/* ---- the loops ---- */

static inline void rig_on_close(void *data)
{
    atomic_fetch_add(&((struct rig_worker *)data)->closed, 1);
}

static inline void rig_on_accept(h2o_socket_t *listener, const char *error)
{
    struct rig_worker *worker = listener->data;
    h2o_socket_t *sock;
    if (error != NULL || (sock = h2o_evloop_socket_accept(listener)) == NULL)
        return;
    sock->on_close.cb = rig_on_close;
    sock->on_close.data = worker;
    atomic_fetch_add(&worker->accepted, 1);
    freshet_h2o_harden_socket(sock);
    if (rig.user_timeout_ms != 0)
        setsockopt(h2o_socket_get_fd(sock), IPPROTO_TCP, TCP_USER_TIMEOUT, &rig.user_timeout_ms,
                   sizeof(rig.user_timeout_ms));
    h2o_accept(&worker->accept, sock);
}

static inline int rig_listen(int *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, 1024) == 0);
    getsockname(fd, (struct sockaddr *)&address, &len);
    *port = ntohs(address.sin_port);
    return fd;
}

static inline void rig_on_drained(struct freshet_h2o_worker *left, void *user)
{
    struct rig_worker *worker = user;
    worker->drained_calls++;
    cr_assert_eq(freshet_h2o_worker_streams(left), 0);
    freshet_h2o_worker_leave(left);
    worker->worker = NULL;
    atomic_store(&worker->drained, true);
}

static inline void rig_serve(struct rig_worker *worker, h2o_loop_t *loop)
{
    bool draining = false;
    while (!atomic_load(&worker->leave) || (worker->worker != NULL && !atomic_load(&worker->drained))) {
        int result = h2o_evloop_run(loop, 5);
        cr_assert(result == 0 || errno == EINTR);
        if (atomic_load(&worker->drain) && !draining && worker->worker != NULL) {
            draining = true;
            freshet_h2o_worker_drain(worker->worker, rig.drain_deadline_ms, rig.drain_spread_ms,
                                     rig_on_drained, worker);
        }
    }
}

static inline int rig_close_idle(h2o_req_t *req, void *user)
{
    (void)user;
    shutdown(h2o_socket_get_fd(req->conn->callbacks->get_socket(req->conn)), SHUT_RDWR);
    return 0;
}

/* In the order that leaves nothing behind, with what h2o 2.2.5 forgets. */
static inline void rig_dispose(struct rig_worker *worker, h2o_loop_t *loop)
{
    struct with_epoll {
        h2o_evloop_t super;
        int fd;
    };
    int epoll_fd = ((struct with_epoll *)loop)->fd;
    h2o_multithread_queue_t *queue = worker->context.queue;
    h2o_context_dispose(&worker->context);
    free(queue);
    h2o_evloop_run(loop, 0);
    h2o_evloop_destroy(loop);
    close(epoll_fd);
}

static inline void *rig_run(void *user)
{
    struct rig_worker *worker = user;
    h2o_loop_t *loop = h2o_evloop_create();
    h2o_context_init(&worker->context, loop, &rig.config);
    worker->accept =
        (h2o_accept_ctx_t){.ctx = &worker->context, .hosts = rig.config.hosts, .ssl_ctx = rig.tls};
    struct freshet_error error;
    if (rig.join)
        cr_assert_eq(freshet_h2o_worker_join(rig.freshet, &worker->context, &worker->worker, &error),
                     FRESHET_OK, "%s", error.text);
    int fd = rig_listen(&worker->port);
    worker->listener = h2o_evloop_socket_create(loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    worker->listener->data = worker;
    h2o_socket_read_start(worker->listener, rig_on_accept);
    atomic_store(&worker->ready, true);
    rig_serve(worker, loop);
    h2o_socket_close(worker->listener);
    rig.config.http1.callbacks.foreach_request(&worker->context, rig_close_idle, NULL);
    while (atomic_load(&worker->accepted) != atomic_load(&worker->closed))
        h2o_evloop_run(loop, 5);
    rig_dispose(worker, loop);
    return NULL;
}

/* ---- up and down ---- */

static inline void rig_add_loader(const char *name, const char *route, struct freshet_channel *channel,
                                  freshet_topic_cb topic)
{
    struct freshet_error error;
    struct freshet_loader *loader;
    struct freshet_loader_options options = {.size = sizeof(options),
                                             .name = name,
                                             .route = route,
                                             .channel = channel,
                                             .topic = topic,
                                             .load = rig_load,
                                             .shared = true,
                                             .on_loop = true};
    cr_assert_eq(freshet_loader_new(rig.freshet, &options, &loader, &error), FRESHET_OK, "%s", error.text);
}

/* `mount` and `limits` may be NULL; what they leave open is filled in. */
static inline void rig_up(struct freshet_h2o_mount_options *mount, struct freshet_options *limits)
{
    struct freshet_error error;
    struct freshet_options options = {0};
    if (limits != NULL)
        options = *limits;
    options.size = sizeof(options);
    options.log = (struct freshet_log){.write = rig_log};
    cr_assert_eq(freshet_new(&rig.freshet, &options, &error), FRESHET_OK, "%s", error.text);
    freshet_channel_new(&rig.counter_channel, "counter", &error);
    freshet_channel_new(&rig.board_channel, "board/:boardId", &error);
    rig_add_loader("counter", "counter", rig.counter_channel, NULL);
    rig_add_loader("board", "board/:boardId", rig.board_channel, NULL);
    rig_add_loader("refused", "refused", NULL, rig_refuse);
    if (rig.add_loaders != NULL)
        rig.add_loaders();

    h2o_config_init(&rig.config);
    h2o_hostconf_t *host =
        h2o_config_register_host(&rig.config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/live", 0);
    struct freshet_h2o_mount_options mounted = {.stream_end = rig_stream_end};
    if (mount != NULL) {
        mounted = *mount;
        mounted.stream_end = rig_stream_end;
    }
    mounted.size = sizeof(mounted);
    cr_assert_eq(freshet_h2o_mount(rig.freshet, path, &mounted, &error), FRESHET_OK, "%s", error.text);
    if (!rig.alone)
        h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = rig_next_handler;
    if (rig.add_paths != NULL)
        rig.add_paths(host);
    freshet_h2o_harden(&rig.config);
    for (unsigned i = 0; i < rig.worker_count; i++) {
        cr_assert_eq(pthread_create(&rig.workers[i].thread, NULL, rig_run, &rig.workers[i]), 0);
        RIG_WAIT(atomic_load(&rig.workers[i].ready));
    }
}

static inline void rig_drain(uint32_t deadline_ms, uint32_t spread_ms)
{
    rig.drain_deadline_ms = deadline_ms;
    rig.drain_spread_ms = spread_ms;
    for (unsigned i = 0; i < rig.worker_count; i++)
        atomic_store(&rig.workers[i].drain, true);
}

static inline void rig_down(void)
{
    for (unsigned i = 0; i < rig.worker_count; i++) {
        atomic_store(&rig.workers[i].drain, true);
        atomic_store(&rig.workers[i].leave, true);
    }
    for (unsigned i = 0; i < rig.worker_count; i++)
        pthread_join(rig.workers[i].thread, NULL);
    freshet_destroy(rig.freshet, 1000);
    freshet_channel_destroy(rig.counter_channel);
    freshet_channel_destroy(rig.board_channel);
    h2o_config_dispose(&rig.config);
}

static inline struct freshet_stats rig_stats(void)
{
    struct freshet_stats stats;
    memset(&stats, 0, sizeof(stats));
    freshet_stats_get(rig.freshet, &stats);
    return stats;
}

static inline int rig_stream_ends(void)
{
    pthread_mutex_lock(&rig.lock);
    int ends = rig.stream_ends;
    pthread_mutex_unlock(&rig.lock);
    return ends;
}

static inline void rig_publish(int count)
{
    pthread_mutex_lock(&rig.lock);
    rig.count = count;
    pthread_mutex_unlock(&rig.lock);
    struct freshet_topic topic;
    cr_assert_eq(freshet_channel_topic(rig.counter_channel, NULL, 0, &topic, NULL), FRESHET_OK);
    cr_assert_eq(freshet_publish(rig.freshet, &topic, freshet_span(NULL, 0), NULL, NULL), FRESHET_OK);
}

/* ---- clients ---- */

struct rig_client {
    int fd;
    char in[1 << 20];
    size_t len;
    bool closed; /* by the server */
};

static inline struct rig_client *rig_connect_to(unsigned worker, int receive_bytes)
{
    struct rig_client *client = calloc(1, sizeof(*client));
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_bytes > 0)
        setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)rig.workers[worker].port)};
    cr_assert_eq(connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return client;
}

static inline void rig_send(struct rig_client *client, const char *text)
{
    size_t len = strlen(text);
    cr_assert_eq(send(client->fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* What is sent while this is on leaves together when it is switched off, or at the end. */
static inline void rig_hold_back(struct rig_client *client, bool on)
{
    int value = on;
    cr_assert_eq(setsockopt(client->fd, IPPROTO_TCP, TCP_CORK, &value, sizeof(value)), 0);
}

static inline struct rig_client *rig_ask(const char *request)
{
    struct rig_client *client = rig_connect_to(0, 0);
    rig_send(client, request);
    return client;
}

static inline struct rig_client *rig_get(const char *path)
{
    char request[512];
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    return rig_ask(request);
}

/* Reads once more; false: the server closed, or the deadline passed. */
static inline bool rig_read(struct rig_client *client, int64_t until_ms)
{
    int64_t left_ms = until_ms - rig_now_ms();
    struct pollfd poll_fd = {.fd = client->fd, .events = POLLIN};
    if (client->closed || left_ms <= 0 || poll(&poll_fd, 1, (int)left_ms) != 1)
        return false;
    ssize_t len = recv(client->fd, client->in + client->len, sizeof(client->in) - 1 - client->len, 0);
    client->closed = len <= 0;
    if (len > 0)
        client->len += (size_t)len;
    client->in[client->len] = '\0';
    return len > 0;
}

/* Reads until `text` has come. */
static inline void rig_expect(struct rig_client *client, const char *text)
{
    int64_t until_ms = rig_now_ms() + RIG_DEADLINE_MS;
    while (strstr(client->in, text) == NULL && rig_read(client, until_ms))
        ;
    cr_assert_not_null(strstr(client->in, text), "no \"%s\" in: %s", text, client->in);
}

static inline void rig_expect_end(struct rig_client *client)
{
    int64_t until_ms = rig_now_ms() + RIG_DEADLINE_MS;
    while (rig_read(client, until_ms))
        ;
    cr_assert(client->closed, "still open after: %s", client->in);
}

static inline void rig_forget(struct rig_client *client)
{
    client->len = 0;
    client->in[0] = '\0';
}

static inline void rig_hang_up(struct rig_client *client)
{
    close(client->fd);
    free(client);
}

/* Asks, reads the answer to its end or until `text`, and hangs up. */
static inline void rig_check(const char *request, const char *status_line, const char *text)
{
    struct rig_client *client = rig_ask(request);
    rig_expect(client, text);
    cr_assert_eq(strncmp(client->in, status_line, strlen(status_line)), 0, "%s: %s", request, client->in);
    rig_hang_up(client);
}

#endif
