/* One loop of freshet_h2o_serve(): its connections, and its end. */
#include "base/clock.h"
#include "base/log.h"
#include "web/h2o/later.h"
#include "web/h2o/layout.h"
#include "web/h2o/serve.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLOSE_GRACE_MS 300 /* for clients to close by themselves */

/* An accepted connection, also after a stream has taken its socket. */
struct connection {
    struct fr_list link;
    h2o_socket_t *socket;
};

static void forget_connection(void *data)
{
    struct connection *connection = data;
    fr_list_remove(&connection->link);
    free(connection);
}

static bool remember_connection(struct st_h2o_socket_t *socket, void *user)
{
    struct fr_h2o_serving *serving = user;
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return false;
    connection->socket = socket;
    fr_list_append(&serving->connections, &connection->link);
    socket->on_close.cb = forget_connection;
    socket->on_close.data = connection;
    return true;
}

/* ---- the end ---- */

static void enter_closing(struct freshet_h2o_worker *worker, void *user)
{
    struct fr_h2o_serving *serving = user;
    (void)worker;
    serving->state = FR_H2O_LOOP_CLOSING;
}

static void enter_draining(struct fr_h2o_serving *serving)
{
    const struct freshet_h2o_serve_options *options = &serving->server->options;
    serving->state = FR_H2O_LOOP_DRAINING;
    freshet_h2o_listener_close(serving->listener);
    serving->cut_us =
        fr_clock_monotonic_us() + ((int64_t)options->drain_deadline_ms + CLOSE_GRACE_MS) * FR_US_PER_MS;
    h2o_context_request_shutdown(&serving->context);
    h2o_timeout_link(serving->loop, &serving->context.hundred_ms_timeout, &serving->tick);
    freshet_h2o_worker_drain(serving->worker, options->drain_deadline_ms, options->drain_spread_ms,
                             enter_closing, serving);
}

/* Connections that wait for a request. */
static int close_idle(h2o_req_t *request, void *data)
{
    (void)data;
    if (request->version == 0) /* none has been read */
        shutdown(h2o_socket_get_fd(request->conn->callbacks->get_socket(request->conn)), SHUT_RDWR);
    return 0;
}

static void cut_connections(const struct fr_h2o_serving *serving)
{
    for (struct fr_list *at = serving->connections.next; at != &serving->connections; at = at->next)
        shutdown(h2o_socket_get_fd(FR_CONTAINER(at, struct connection, link)->socket), SHUT_RDWR);
}

static void on_tick(h2o_timeout_entry_t *entry)
{
    struct fr_h2o_serving *serving = FR_CONTAINER(entry, struct fr_h2o_serving, tick);
    h2o_context_t *context = &serving->context;
    context->globalconf->http1.callbacks.foreach_request(context, close_idle, NULL);
    if (fr_clock_monotonic_us() >= serving->cut_us)
        cut_connections(serving);
    h2o_timeout_link(serving->loop, &context->hundred_ms_timeout, &serving->tick);
}

static bool has_ended(struct fr_h2o_serving *serving)
{
    const struct freshet_h2o_serve_options *options = &serving->server->options;
    return serving->state == FR_H2O_LOOP_CLOSING && fr_list_is_empty(&serving->connections) &&
           fr_h2o_later_pending() == 0 &&
           (options->ended == NULL || options->ended(&serving->context, options->user));
}

/* ---- being told to end ---- */

static void on_stop(h2o_socket_t *sock, const char *error)
{
    struct fr_h2o_serving *serving = sock->data;
    (void)error;
    h2o_socket_read_stop(sock);
    if (serving->state == FR_H2O_LOOP_SERVING)
        enter_draining(serving);
}

static void on_asked(h2o_socket_t *sock, const char *error)
{
    struct fr_h2o_serving *serving = sock->data;
    (void)error; /* a pipe whose other end is gone says stop, too */
    h2o_socket_read_stop(sock);
    eventfd_write(serving->server->stop_fd, 1);
}

/* Regular files and some devices are never waited for: h2o would abort over them. */
static bool can_be_watched(int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    bool can = epoll_fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
    if (epoll_fd >= 0)
        close(epoll_fd);
    return can;
}

/* On a duplicate, because h2o closes what it is given. */
static enum freshet_status watch(struct fr_h2o_serving *serving, int watched_fd, h2o_socket_cb callback,
                                 h2o_socket_t **out)
{
    struct freshet_error *error = &serving->error;
    int fd = fcntl(watched_fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return fr_fail(error, FRESHET_SYSTEM, "stop_fd: %s", strerror(errno));
    if (!can_be_watched(fd)) {
        close(fd);
        return fr_fail(error, FRESHET_INVALID,
                       "stop_fd: neither a pipe, a socket, an eventfd nor a signalfd");
    }
    *out = h2o_evloop_socket_create(serving->loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    (*out)->data = serving;
    h2o_socket_read_start(*out, callback);
    return FRESHET_OK;
}

static enum freshet_status watch_stop(struct fr_h2o_serving *serving)
{
    int asked_fd = serving->first ? serving->server->options.stop_fd : 0;
    enum freshet_status status = watch(serving, serving->server->stop_fd, on_stop, &serving->stop);
    if (status == FRESHET_OK && asked_fd != 0)
        status = watch(serving, asked_fd, on_asked, &serving->asked);
    return status;
}

/* ---- up and down ---- */

static enum freshet_status start(struct fr_h2o_serving *serving)
{
    const struct freshet_h2o_serve_options *options = &serving->server->options;
    const struct freshet_h2o_listen_options listen = {.size = sizeof(listen),
                                                      .tls = options->tls,
                                                      .accepted = remember_connection,
                                                      .user = serving,
                                                      .log = options->log};
    int fd = serving->listen_fd;
    serving->listen_fd = -1;
    enum freshet_status status =
        freshet_h2o_listen(&serving->listener, &serving->context, fd, &listen, &serving->error);
    return status == FRESHET_OK ? watch_stop(serving) : status;
}

static void close_watch(h2o_socket_t *sock)
{
    if (sock != NULL)
        h2o_socket_close(sock);
}

static void serve(struct fr_h2o_serving *serving)
{
    serving->status = start(serving);
    if (serving->status != FRESHET_OK)
        enter_draining(serving);
    while (!has_ended(serving)) {
        int failed = h2o_evloop_run(serving->loop, INT32_MAX);
        assert((failed == 0 || errno == EINTR) && "somebody closed the loop's descriptor");
        (void)failed;
    }
    freshet_h2o_worker_leave(serving->worker);
    h2o_timeout_unlink(&serving->tick);
    close_watch(serving->stop);
    close_watch(serving->asked);
}

void fr_h2o_serving_run(struct fr_h2o_serving *serving)
{
    struct fr_h2o_server *server = serving->server;
    fr_list_init(&serving->connections);
    serving->tick.cb = on_tick;
    h2o_context_init(&serving->context, serving->loop, server->config);
    serving->status =
        freshet_h2o_worker_join(server->freshet, &serving->context, &serving->worker, &serving->error);
    if (serving->status == FRESHET_OK)
        serve(serving);
    fr_h2o_layout_dispose_context(&serving->context);
    if (serving->status != FRESHET_OK)
        eventfd_write(server->stop_fd, 1); /* one that can't serve ends all */
}
