#include "web/h2o/layout.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <unistd.h>

/* How the private struct begins (without picotls, as in Debian). */
struct ssl_begin {
    SSL_CTX *context;
    SSL *ssl;
};

/* The descriptor stands behind the public part of a loop. */
struct loop_with_epoll {
    h2o_evloop_t super;
    int fd;
};

bool fr_h2o_layout_has_close_notify(const h2o_socket_t *sock)
{
    const struct ssl_begin *begin = (const void *)sock->ssl;
    return (SSL_get_shutdown(begin->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

void fr_h2o_layout_dispose_context(h2o_context_t *context)
{
    h2o_multithread_queue_t *queue = context->queue;
    h2o_loop_t *loop = context->loop;
    h2o_timeout_unlink(&context->http2._graceful_shutdown_timeout);
    h2o_context_dispose(context);
    free(queue);
    h2o_evloop_run(loop, 0);
}

bool fr_h2o_layout_has_timers(const h2o_loop_t *loop)
{
    return !h2o_linklist_is_empty((h2o_linklist_t *)&loop->_timeouts);
}

void fr_h2o_layout_let_timers_go(h2o_loop_t *loop)
{
    while (fr_h2o_layout_has_timers(loop)) {
        h2o_linklist_t *link = loop->_timeouts.next;
        h2o_linklist_unlink(link);
        h2o_linklist_init_anchor(link);
    }
}

void fr_h2o_layout_destroy_loop(h2o_loop_t *loop)
{
    int epoll_fd = ((struct loop_with_epoll *)loop)->fd;
    h2o_evloop_destroy(loop);
    close(epoll_fd);
}
