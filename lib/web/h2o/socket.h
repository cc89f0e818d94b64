/* A stream on a socket that was taken out of h2o. */
#ifndef FR_H2O_SOCKET_H
#define FR_H2O_SOCKET_H

#include "web/h2o/web.h"

#define FR_H2O_PEER_TEXT_BYTES 64

struct fr_h2o_stream {
    struct fr_stream stream;
    h2o_socket_t *sock; /* while it is being upgraded: h2o's, only its descriptor may be used; NULL: gone */
    int64_t opened_us;
    struct fr_h2o_peer peer;
    uint32_t in_flight; /* bytes given to h2o's TLS that it has not written */
    uint16_t first_len; /* of the body, sent with the head */
    bool upgrading;     /* fr_h2o_stream_upgraded() will come */
    bool finished;      /* nothing more to send: close without haste */
};

/* A stream in gzip, which needs room for what it was sent. */
struct fr_h2o_gzip_stream {
    struct fr_h2o_stream super;
    struct fr_gzip_stream gzip;
};
#define FR_H2O_GZIP_AT                                                                                       \
    (offsetof(struct fr_h2o_gzip_stream, gzip) - offsetof(struct fr_h2o_gzip_stream, super.stream))

static inline const struct fr_h2o_mount_worker *fr_h2o_stream_mount_worker(const struct fr_stream *stream)
{
    return stream->config->user;
}

static inline struct freshet_h2o_worker *fr_h2o_stream_worker(const struct fr_h2o_stream *self)
{
    return fr_h2o_stream_mount_worker(&self->stream)->worker;
}

void fr_h2o_peer_read(struct fr_h2o_peer *peer, int fd);
/* Who sent the request: the other end of the connection, or, if that is a proxy that the mount names, whom it
 * asks for. */
void fr_h2o_peer_of(const struct fr_h2o_mount *mount, h2o_req_t *req, struct fr_h2o_peer *peer);
/* Whether it is ADDRESS or ADDRESS/BITS. */
bool fr_h2o_proxy_is_valid(const char *text);
/* What max_streams_per_peer counts by; points into `peer`. Empty: not an address. */
struct freshet_span fr_h2o_peer_key(const struct fr_h2o_peer *peer);
/* `text` is room for it. Empty: unknown. */
struct freshet_span fr_h2o_peer_print(const struct fr_h2o_peer *peer, char text[FR_H2O_PEER_TEXT_BYTES]);

/* A stream whose socket h2o still has; NULL: no memory. */
struct fr_h2o_stream *fr_h2o_stream_new(const struct fr_h2o_visit *visit);
/* Gives up a stream that was not upgraded. NULL is fine. */
void fr_h2o_stream_drop(struct fr_h2o_stream *self);
/* Answers the request and takes the socket; what the visit has of the limits is the stream's. */
void fr_h2o_stream_upgrade(struct fr_h2o_stream *self, const struct fr_h2o_visit *visit);

/* From now on the stream's own deadlines alone end a connection that takes little or nothing. The kernel's
 * TCP_USER_TIMEOUT counts from when a client was last ready for all that waits, however much it reads. */
void fr_h2o_stream_keep_slow(const struct fr_h2o_stream *self);

/* For h2o_http1_upgrade(). `sock` is NULL when the connection broke before the head was written. */
void fr_h2o_stream_upgraded(void *user, h2o_socket_t *sock, size_t request_len);

#endif
