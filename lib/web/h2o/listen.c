/* A listening socket on a loop, for applications that have no accept loop of their own. */
#include "base/log.h"
#include "web/h2o/web.h"
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG         4096
#define ACCEPTS_A_ROUND 16

struct freshet_h2o_listener {
    h2o_accept_ctx_t accept;
    h2o_socket_t *socket;
    h2o_timeout_entry_t rest;
    struct freshet_h2o_listen_options options;
    bool failing; /* nothing has been accepted since; said once */
};

static int open_socket(const struct addrinfo *address)
{
    int on = 1,
        fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, address->ai_protocol);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int failed = errno;
    close(fd);
    errno = failed;
    return -1;
}

enum freshet_status freshet_h2o_bind(int *fd, const char *host, const char *port, struct freshet_error *error)
{
    struct addrinfo *addresses = NULL;
    if (fd == NULL || port == NULL)
        return fr_fail(error, FRESHET_INVALID, "`%s` is NULL", fd == NULL ? "fd" : "port");
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    *fd = -1;
    int failed = getaddrinfo(host, port, &hints, &addresses);
    if (failed != 0)
        return fr_fail(error, FRESHET_INVALID, "%.80s port %.20s is no address to listen on: %s", host, port,
                       gai_strerror(failed));
    for (struct addrinfo *address = addresses; address != NULL && *fd < 0; address = address->ai_next)
        *fd = open_socket(address);
    failed = errno;
    freeaddrinfo(addresses);
    if (*fd >= 0)
        return FRESHET_OK;
    return fr_fail(error, FRESHET_SYSTEM, "can't listen on %.80s port %.20s: %s", host, port,
                   strerror(failed));
}

/* The listener stays readable while nothing can be accepted: it would keep the loop spinning. */
static void rest(struct freshet_h2o_listener *listener)
{
    if (!listener->failing)
        fr_log(&listener->options.log, FRESHET_LOG_WARN, "no connection can be accepted: %s",
               strerror(errno));
    listener->failing = true;
    h2o_socket_read_stop(listener->socket);
    h2o_context_t *context = listener->accept.ctx;
    h2o_timeout_link(context->loop, &context->hundred_ms_timeout, &listener->rest);
}

static void take(struct freshet_h2o_listener *listener, h2o_socket_t *socket)
{
    listener->failing = false;
    freshet_h2o_harden_socket(socket);
    if (listener->options.accepted != NULL && !listener->options.accepted(socket, listener->options.user))
        h2o_socket_close(socket);
    else
        h2o_accept(&listener->accept, socket);
}

static void on_readable(h2o_socket_t *sock, const char *error)
{
    struct freshet_h2o_listener *listener = sock->data;
    if (error != NULL)
        return;
    for (int i = 0; i < ACCEPTS_A_ROUND; i++) {
        errno = 0;
        h2o_socket_t *socket = h2o_evloop_socket_accept(sock);
        if (socket == NULL) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                rest(listener);
            return;
        }
        take(listener, socket);
    }
}

static void on_rested(h2o_timeout_entry_t *entry)
{
    struct freshet_h2o_listener *listener = FR_CONTAINER(entry, struct freshet_h2o_listener, rest);
    h2o_socket_read_start(listener->socket, on_readable);
}

/* Of another descriptor h2o aborts, or never hears. */
static bool is_listening(int fd)
{
    int listening = 0;
    socklen_t len = sizeof(listening);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening != 0;
}

static enum freshet_status check_listen(const h2o_context_t *context, int fd,
                                        const struct freshet_h2o_listen_options *options,
                                        struct freshet_error *error)
{
    if (context == NULL)
        return fr_fail(error, FRESHET_INVALID, "`context` is NULL");
    if (!is_listening(fd))
        return fr_fail(error, FRESHET_INVALID, "`fd` %d is not a socket that listens", fd);
    if (options != NULL && options->size != sizeof(*options))
        return fr_fail(error, FRESHET_INVALID, "size: must be sizeof(struct freshet_h2o_listen_options)");
    return FRESHET_OK;
}

enum freshet_status freshet_h2o_listen(struct freshet_h2o_listener **out, struct st_h2o_context_t *context,
                                       int fd, const struct freshet_h2o_listen_options *options,
                                       struct freshet_error *error)
{
    if (out != NULL)
        *out = NULL;
    enum freshet_status status = check_listen(context, fd, options, error);
    struct freshet_h2o_listener *listener = status == FRESHET_OK ? calloc(1, sizeof(*listener)) : NULL;
    if (status == FRESHET_OK && listener == NULL)
        status = fr_fail(error, FRESHET_NO_MEMORY, "no memory");
    if (status != FRESHET_OK) {
        close(fd);
        return status;
    }
    if (options != NULL)
        listener->options = *options;
    listener->accept.ctx = context;
    listener->accept.hosts = context->globalconf->hosts;
    listener->accept.ssl_ctx = listener->options.tls;
    listener->rest.cb = on_rested;
    listener->socket = h2o_evloop_socket_create(context->loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    listener->socket->data = listener;
    h2o_socket_read_start(listener->socket, on_readable);
    if (out != NULL)
        *out = listener;
    return FRESHET_OK;
}

void freshet_h2o_listener_close(struct freshet_h2o_listener *listener)
{
    if (listener == NULL)
        return;
    h2o_timeout_unlink(&listener->rest);
    h2o_socket_read_stop(listener->socket);
    h2o_socket_close(listener->socket);
    free(listener);
}
