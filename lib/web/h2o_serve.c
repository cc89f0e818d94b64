/* A whole server on one loop, for applications that need nothing of their own there. */
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "web/h2o_web.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEFAULT_DRAIN_DEADLINE_MS 5000
#define DEFAULT_DRAIN_SPREAD_MS   2000
#define CLOSE_GRACE_MS            300 /* for clients to close by themselves */

enum state {
    SERVING = 0,
    DRAINING, /* no new connections; streams are being ended */
    CLOSING   /* streams have ended; the other connections close when their requests are answered */
};

struct server {
    enum state state;
    struct freshet_h2o_serve_options options;
    h2o_context_t context;
    struct freshet_h2o_listener *listener;
    struct freshet_h2o_worker *worker;
    h2o_socket_t *stop; /* NULL: none */
    h2o_timeout_entry_t tick;
    struct fr_list connections;
    int64_t cut_us; /* connections that are still open are cut; monotonic */
};

/* An accepted connection, also after a stream has taken its socket. */
struct connection {
    struct fr_list link;
    h2o_socket_t *socket;
};

struct st_h2o_hostconf_t *freshet_h2o_config_init(struct st_h2o_globalconf_t *config)
{
    h2o_config_init(config);
    h2o_hostconf_t *host = h2o_config_register_host(config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    freshet_h2o_harden(config);
    return host;
}

static void forget_connection(void *data)
{
    struct connection *connection = data;
    fr_list_remove(&connection->link);
    free(connection);
}

static bool remember_connection(struct st_h2o_socket_t *socket, void *user)
{
    struct server *server = user;
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return false;
    connection->socket = socket;
    fr_list_append(&server->connections, &connection->link);
    socket->on_close.cb = forget_connection;
    socket->on_close.data = connection;
    return true;
}

static void enter_closing(struct freshet_h2o_worker *worker, void *user)
{
    struct server *server = user;
    (void)worker;
    server->state = CLOSING;
}

static void enter_draining(struct server *server)
{
    const struct freshet_h2o_serve_options *options = &server->options;
    server->state = DRAINING;
    freshet_h2o_listener_close(server->listener);
    server->cut_us =
        fr_clock_monotonic_us() + ((int64_t)options->drain_deadline_ms + CLOSE_GRACE_MS) * FR_US_PER_MS;
    h2o_context_request_shutdown(&server->context);
    h2o_timeout_link(server->context.loop, &server->context.hundred_ms_timeout, &server->tick);
    freshet_h2o_worker_drain(server->worker, options->drain_deadline_ms, options->drain_spread_ms,
                             enter_closing, server);
}

/* Connections that wait for a request. */
static int close_idle(h2o_req_t *request, void *data)
{
    (void)data;
    if (request->version == 0) /* none has been read */
        shutdown(h2o_socket_get_fd(request->conn->callbacks->get_socket(request->conn)), SHUT_RDWR);
    return 0;
}

static void cut_connections(const struct server *server)
{
    for (struct fr_list *at = server->connections.next; at != &server->connections; at = at->next)
        shutdown(h2o_socket_get_fd(FR_CONTAINER(at, struct connection, link)->socket), SHUT_RDWR);
}

static void on_tick(h2o_timeout_entry_t *entry)
{
    struct server *server = FR_CONTAINER(entry, struct server, tick);
    h2o_context_t *context = &server->context;
    context->globalconf->http1.callbacks.foreach_request(context, close_idle, NULL);
    if (fr_clock_monotonic_us() >= server->cut_us)
        cut_connections(server);
    h2o_timeout_link(context->loop, &context->hundred_ms_timeout, &server->tick);
}

static void on_stop(h2o_socket_t *sock, const char *error)
{
    struct server *server = sock->data;
    (void)error; /* a pipe whose other end is gone says stop, too */
    h2o_socket_read_stop(sock);
    if (server->state == SERVING)
        enter_draining(server);
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
static enum freshet_status watch_stop(struct server *server, struct freshet_error *error)
{
    if (server->options.stop_fd == 0)
        return FRESHET_OK;
    int fd = fcntl(server->options.stop_fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return fr_fail(error, FRESHET_SYSTEM, "stop_fd: %s", strerror(errno));
    if (!can_be_watched(fd)) {
        close(fd);
        return fr_fail(error, FRESHET_INVALID,
                       "stop_fd: neither a pipe, a socket, an eventfd nor a signalfd");
    }
    server->stop = h2o_evloop_socket_create(server->context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    server->stop->data = server;
    h2o_socket_read_start(server->stop, on_stop);
    return FRESHET_OK;
}

/* Takes `fd` over. */
static enum freshet_status start(struct server *server, int fd, struct freshet_error *error)
{
    const struct freshet_h2o_listen_options listen = {.size = sizeof(listen),
                                                      .tls = server->options.tls,
                                                      .accepted = remember_connection,
                                                      .user = server,
                                                      .log = server->options.log};
    enum freshet_status status = freshet_h2o_listen(&server->listener, &server->context, fd, &listen, error);
    return status == FRESHET_OK ? watch_stop(server, error) : status;
}

static void run(struct server *server)
{
    while (server->state != CLOSING || !fr_list_is_empty(&server->connections)) {
        int failed = h2o_evloop_run(server->context.loop, INT32_MAX);
        assert((failed == 0 || errno == EINTR) && "somebody closed the loop's descriptor");
        (void)failed;
    }
    freshet_h2o_worker_leave(server->worker);
    h2o_timeout_unlink(&server->tick);
    if (server->stop != NULL)
        h2o_socket_close(server->stop);
}

/* With what h2o 2.2.5 forgets: a timer that h2o_context_dispose() asserts not to run, the queue, and the
 * loop's descriptor, which stands behind the public part of the loop. */
static void dispose(struct server *server)
{
    struct with_epoll {
        h2o_evloop_t loop;
        int fd;
    } *loop = (struct with_epoll *)server->context.loop;
    int epoll_fd = loop->fd;
    h2o_multithread_queue_t *queue = server->context.queue;
    h2o_timeout_unlink(&server->context.http2._graceful_shutdown_timeout);
    h2o_context_dispose(&server->context);
    free(queue);
    h2o_evloop_run(&loop->loop, 0);
    h2o_evloop_destroy(&loop->loop);
    close(epoll_fd);
}

static enum freshet_status fill_options(struct freshet_h2o_serve_options *into,
                                        const struct freshet_h2o_serve_options *from,
                                        struct freshet_error *error)
{
    if (from != NULL && from->size != sizeof(*from))
        return fr_fail(error, FRESHET_INVALID, "size: must be sizeof(struct freshet_h2o_serve_options)");
    if (from != NULL)
        *into = *from;
    if (into->drain_deadline_ms == 0)
        into->drain_deadline_ms = DEFAULT_DRAIN_DEADLINE_MS;
    if (into->drain_spread_ms == 0)
        into->drain_spread_ms = DEFAULT_DRAIN_SPREAD_MS;
    return FRESHET_OK;
}

/* Takes `fd` over. */
static enum freshet_status serve(struct server *server, struct freshet *freshet, h2o_globalconf_t *config,
                                 int fd, struct freshet_error *error)
{
    fr_list_init(&server->connections);
    server->tick.cb = on_tick;
    freshet_h2o_harden_paths(config);
    h2o_context_init(&server->context, h2o_evloop_create(), config);
    enum freshet_status status = freshet_h2o_worker_join(freshet, &server->context, &server->worker, error);
    if (status == FRESHET_OK) {
        status = start(server, fd, error);
        if (status != FRESHET_OK)
            enter_draining(server);
        run(server);
    } else {
        close(fd);
    }
    dispose(server);
    return status;
}

enum freshet_status freshet_h2o_serve(struct freshet *freshet, struct st_h2o_globalconf_t *config,
                                      const char *host, const char *port,
                                      const struct freshet_h2o_serve_options *options,
                                      struct freshet_error *error)
{
    struct server *server = calloc(1, sizeof(*server));
    if (server == NULL)
        return fr_fail(error, FRESHET_NO_MEMORY, "no memory");
    int fd;
    enum freshet_status status = fill_options(&server->options, options, error);
    if (status == FRESHET_OK)
        status = freshet_h2o_bind(&fd, host, port, error);
    if (status == FRESHET_OK)
        status = serve(server, freshet, config, fd, error);
    free(server);
    return status;
}
