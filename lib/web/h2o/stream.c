/* A stream on a socket taken out of h2o. Plain sockets are read and written with recv and send, because h2o's
 * read loop has no bound; TLS goes through h2o. */
#include "base/clock.h"
#include "web/h2o/layout.h"
#include "web/h2o/socket.h"
#include "web/h2o/tcp.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Encrypted at once for one stream, at most. */
#define TLS_WRITE_BYTES 65536
#define READ_BYTES      4096
#define READS_PER_ROUND 4

static struct fr_h2o_stream *cast(struct fr_stream *stream)
{
    return FR_CONTAINER(stream, struct fr_h2o_stream, stream);
}

static void set_option(int fd, int level, int name, const void *value, socklen_t len)
{
    /* A socket that does not know the option works without it. */
    (void)setsockopt(fd, level, name, value, len);
}

static void set_options(const struct fr_h2o_stream *self, int fd)
{
    int on = 1, unsent = (int)fr_h2o_stream_mount_worker(&self->stream)->mount->options.max_unsent_bytes;
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
}

void fr_h2o_stream_keep_slow(const struct fr_h2o_stream *self)
{
    unsigned none = 0;
    set_option(h2o_socket_get_fd(self->sock), IPPROTO_TCP, TCP_USER_TIMEOUT, &none, sizeof(none));
}

static bool is_writable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    return poll(&poll_fd, 1, 0) == 1 && poll_fd.revents == POLLOUT;
}

/* What is unread when a socket is closed makes the kernel reset the connection, and what the client has not
 * read yet is lost. */
static void discard_input(int fd)
{
    char bytes[READ_BYTES];
    for (int i = 0; i < READS_PER_ROUND; i++)
        if (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) < (ssize_t)sizeof(bytes))
            return;
}

static void on_writable(h2o_socket_t *sock, const char *error)
{
    struct fr_h2o_stream *self = sock->data;
    struct freshet_h2o_worker *worker = fr_h2o_stream_worker(self);
    fr_h2o_worker_tick(worker);
    if (error != NULL)
        fr_stream_broken(&self->stream);
    else
        fr_stream_writable(&self->stream, 0);
    fr_h2o_worker_rearm(worker);
}

static ssize_t send_plain(struct fr_h2o_stream *self, struct freshet_span bytes)
{
    ssize_t taken;
    do
        taken = send(h2o_socket_get_fd(self->sock), bytes.data, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (taken < 0 && errno == EINTR);
    if (taken < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
        return -1;
    if (taken < 0)
        taken = 0;
    if ((size_t)taken < bytes.len)
        h2o_socket_notify_write(self->sock, on_writable);
    return taken;
}

static void on_tls_written(h2o_socket_t *sock, const char *error)
{
    struct fr_h2o_stream *self = sock->data;
    struct freshet_h2o_worker *worker = fr_h2o_stream_worker(self);
    size_t written = self->in_flight;
    self->in_flight = 0;
    fr_h2o_worker_tick(worker);
    if (error != NULL)
        fr_stream_broken(&self->stream);
    else
        fr_stream_writable(&self->stream, written);
    fr_h2o_worker_rearm(worker);
}

/* Counts as taken once the kernel has it, so that the write deadline holds for what h2o encrypted. */
static ssize_t send_tls(struct fr_h2o_stream *self, struct freshet_span bytes)
{
    self->in_flight = (uint32_t)(bytes.len < TLS_WRITE_BYTES ? bytes.len : TLS_WRITE_BYTES);
    h2o_iovec_t buffer = h2o_iovec_init(bytes.data, self->in_flight);
    h2o_socket_write(self->sock, &buffer, 1, on_tls_written);
    return 0;
}

static ssize_t send_bytes(struct fr_stream *stream, struct freshet_span bytes)
{
    struct fr_h2o_stream *self = cast(stream);
    return self->sock->ssl == NULL ? send_plain(self, bytes) : send_tls(self, bytes);
}

/* Over TLS both are of encrypted bytes. */
static uint32_t queued(const struct fr_stream *stream)
{
    const struct fr_h2o_stream *self = FR_CONTAINER(stream, struct fr_h2o_stream, stream);
    return fr_tcp_queued(h2o_socket_get_fd(self->sock));
}

static uint32_t written(const struct fr_stream *stream)
{
    const struct fr_h2o_stream *self = FR_CONTAINER(stream, struct fr_h2o_stream, stream);
    return self->sock->ssl == NULL ? (uint32_t)stream->bytes : fr_tcp_written(h2o_socket_get_fd(self->sock));
}

static void on_tls_finished(h2o_socket_t *sock, const char *error)
{
    struct fr_h2o_stream *self = sock->data;
    struct freshet_h2o_worker *worker = fr_h2o_stream_worker(self);
    (void)error;
    fr_h2o_worker_tick(worker);
    fr_stream_client_gone(&self->stream);
    fr_h2o_worker_rearm(worker);
}

static void finish(struct fr_stream *stream)
{
    struct fr_h2o_stream *self = cast(stream);
    int fd = h2o_socket_get_fd(self->sock);
    self->finished = true;
    if (self->sock->ssl == NULL)
        shutdown(fd, SHUT_WR);
    else if (is_writable(fd))
        fr_stream_client_gone(stream); /* close_notify will not block */
    else
        h2o_socket_notify_write(self->sock, on_tls_finished);
}

/* The kernel need not keep what such a client will not read. */
static bool is_abort(enum freshet_close_reason reason)
{
    return reason == FRESHET_CLOSE_WRITE_TIMEOUT || reason == FRESHET_CLOSE_DRAIN_CUT ||
           reason == FRESHET_CLOSE_FLOOD;
}

static void ended(struct fr_stream *stream, enum freshet_close_reason reason)
{
    struct fr_h2o_stream *self = cast(stream);
    const struct freshet_h2o_mount_options *options = &fr_h2o_stream_mount_worker(stream)->mount->options;
    if (self->sock != NULL && is_abort(reason)) {
        struct linger reset = {.l_onoff = 1, .l_linger = 0};
        set_option(h2o_socket_get_fd(self->sock), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    }
    if (options->stream_end == NULL)
        return;
    char text[FR_H2O_PEER_TEXT_BYTES];
    struct freshet_span none = {NULL, 0};
    struct freshet_stream_end end = {
        .topic = stream->view.fanout == NULL ? none : fr_view_topic(&stream->view),
        .peer = fr_h2o_peer_print(&self->peer, text),
        .duration_ms = (uint64_t)(fr_h2o_stream_worker(self)->now_us - self->opened_us) / FR_US_PER_MS,
        .bytes = stream->bytes,
        .reason = reason,
    };
    options->stream_end(&end, options->user);
}

static void close_socket(h2o_socket_t *sock, bool finished)
{
    int fd = h2o_socket_get_fd(sock);
    if (finished)
        discard_input(fd);
    /* h2o would wait without a limit for room for close_notify. */
    if (sock->ssl != NULL && !(finished && is_writable(fd)))
        shutdown(fd, SHUT_RDWR);
    h2o_socket_close(sock);
}

static void close_stream(struct fr_stream *stream)
{
    struct fr_h2o_stream *self = cast(stream);
    if (self->upgrading) {
        /* The write of the head fails or has ended: either way fr_h2o_stream_upgraded() comes. */
        shutdown(h2o_socket_get_fd(self->sock), SHUT_RDWR);
        return;
    }
    if (self->sock != NULL)
        close_socket(self->sock, self->finished);
    free(self);
}

const struct fr_stream_ops fr_h2o_stream_ops = {.send = send_bytes,
                                                .written = written,
                                                .queued = queued,
                                                .finish = finish,
                                                .ended = ended,
                                                .close = close_stream};

/* False: the stream is closed. */
static bool read_plain(struct fr_h2o_stream *self)
{
    char bytes[READ_BYTES];
    for (int i = 0; i < READS_PER_ROUND; i++) {
        ssize_t len = recv(h2o_socket_get_fd(self->sock), bytes, sizeof(bytes), MSG_DONTWAIT);
        if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
            return true;
        if (len < 0 && errno == ETIMEDOUT) {
            fr_stream_unanswered(&self->stream);
            return false;
        }
        if (len <= 0) {
            fr_stream_client_gone(&self->stream);
            return false;
        }
        if (!fr_stream_received(&self->stream, (size_t)len))
            return false;
        if ((size_t)len < sizeof(bytes))
            return true;
    }
    return true;
}

static void on_plain_readable(h2o_socket_t *sock, const char *error)
{
    struct fr_h2o_stream *self = sock->data;
    struct freshet_h2o_worker *worker = fr_h2o_stream_worker(self);
    fr_h2o_worker_tick(worker);
    if (error != NULL)
        fr_stream_client_gone(&self->stream);
    else
        (void)read_plain(self);
    fr_h2o_worker_rearm(worker);
}

static void on_tls_read(h2o_socket_t *sock, const char *error)
{
    struct fr_h2o_stream *self = sock->data;
    struct freshet_h2o_worker *worker = fr_h2o_stream_worker(self);
    size_t len = sock->input->size;
    h2o_buffer_consume(&sock->input, len);
    fr_h2o_worker_tick(worker);
    if (error != NULL || fr_h2o_layout_has_close_notify(sock))
        fr_stream_client_gone(&self->stream);
    else
        (void)fr_stream_received(&self->stream, len);
    fr_h2o_worker_rearm(worker);
}

static void take_socket(struct fr_h2o_stream *self, h2o_socket_t *sock, size_t request_len)
{
    size_t pipelined = sock->input->size - request_len;
    h2o_buffer_consume(&sock->input, sock->input->size);
    self->sock = sock;
    sock->data = self;
    set_options(self, h2o_socket_get_fd(sock));
    if (sock->ssl == NULL)
        h2o_socket_dont_read(sock, 1);
    h2o_socket_read_start(sock, sock->ssl == NULL ? on_plain_readable : on_tls_read);
    /* One that came with the request is no longer on the socket to wake anybody. */
    if (sock->ssl != NULL && fr_h2o_layout_has_close_notify(sock))
        fr_stream_client_gone(&self->stream);
    else if (fr_stream_received(&self->stream, pipelined))
        fr_stream_opened(&self->stream, self->first_len);
}

/* `sock` is NULL when the connection broke before the head was written. */
void fr_h2o_stream_upgraded(void *user, h2o_socket_t *sock, size_t request_len)
{
    struct fr_h2o_stream *self = user;
    struct freshet_h2o_worker *worker = fr_h2o_stream_worker(self);
    self->upgrading = false;
    self->sock = NULL;
    worker->upgrading--;
    fr_h2o_worker_tick(worker);
    if (self->stream.state == FR_STREAM_CLOSED) {
        if (sock != NULL)
            close_socket(sock, false);
        free(self);
    } else if (sock == NULL) {
        fr_stream_broken(&self->stream);
    } else {
        take_socket(self, sock, request_len);
    }
    fr_h2o_worker_rearm(worker);
}
