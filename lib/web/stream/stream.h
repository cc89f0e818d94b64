/* One SSE stream without its socket: decides what is sent next and when a client is stuck. At most one frame
 * is on its way; what waits is pulled from the view when there is room. On the worker's thread.
 *
 * A frame is done when the client's side has acknowledged it: what the kernel has taken may still wait there
 * for a client that reads slowly or not at all. Nobody tells when that happens, so one point in the bytes is
 * watched at a time, and looked at when its time is over.
 *
 * Order: the running frame is completed, then a pending `end`, then what the view has. In gzip all is the
 * same, but for each frame the encoder says what is sent. */
#ifndef FR_STREAM_H
#define FR_STREAM_H

#include "core/codec/gzip_coder.h"
#include "core/hub/view.h"
#include "web/stream/encoder.h"
#include "web/stream/stream_wheel.h"
#include <freshet/span.h>
#include <freshet/stats.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A client may send this much on an open stream; it is discarded. */
#define FR_STREAM_MAX_CLIENT_BYTES 16384
/* A stream that sent its last byte waits this long for the client to close. */
#define FR_STREAM_LINGER_MS 500

struct fr_stream;

/* How bytes leave. */
struct fr_stream_ops {
    /* Takes bytes now. Fewer than all: fr_stream_writable() comes once, later. Negative: the connection is
     * broken. The bytes stay valid until they are taken. */
    ssize_t (*send)(struct fr_stream *stream, struct freshet_span bytes);
    /* How many bytes the kernel has been given so far, in a count of the transport's own and modulo 2^32; and
     * how many of these the client's side has not acknowledged. */
    uint32_t (*written)(const struct fr_stream *stream);
    uint32_t (*queued)(const struct fr_stream *stream);
    /* Nothing more will be sent: let the client see the end. fr_stream_client_gone() may come. */
    void (*finish)(struct fr_stream *stream);
    /* The stream is over and counted; its view is still open if it was. */
    void (*ended)(struct fr_stream *stream, enum freshet_close_reason reason);
    /* Closes the connection. The memory is the transport's again and may be freed here. */
    void (*close)(struct fr_stream *stream);
};

/* What all streams of a worker share. */
struct fr_stream_group {
    struct fr_worker *worker;
    struct fr_wheel wheel;
    struct fr_encoder *encoder; /* of streams in gzip */
    uint32_t now_ms;            /* set whenever the loop comes by */
    size_t count;               /* streams not closed, also those that linger */
    bool draining;              /* each gets its `end` the next time it is looked at */
    uint32_t spread_ms;
};

/* What all streams of one mount on a worker share. */
struct fr_stream_config {
    struct fr_stream_group *group;
    const struct fr_stream_ops *ops;
    struct fr_bytes *heartbeat;              /* the frame of a comment */
    uint32_t heartbeat_ms, write_timeout_ms; /* FRESHET_NEVER: not */
    uint32_t retry_min_ms, retry_max_ms;
    uint32_t max_age_ms; /* FRESHET_NEVER: not */
    uint16_t gzip_at; /* of streams in gzip: how far behind its beginning each has room for its state, so that
                         others have no room for it; 0: plain */
    void *user;       /* the transport's */
};

enum fr_stream_state {
    FR_STREAM_OPENING,   /* the response head is on its way; nothing can be sent */
    FR_STREAM_IDLE,      /* all that there is has been sent */
    FR_STREAM_ENCODING,  /* the frame is being encoded off the loop; the stream is the encoder's, not the
                            wheel's */
    FR_STREAM_WRITING,   /* a frame is on its way and the connection is full */
    FR_STREAM_ENDING,    /* the same, and it is the `end` */
    FR_STREAM_LINGERING, /* ended and counted, the client has not closed yet */
    FR_STREAM_CLOSED
};

struct fr_stream {
    struct fr_view view;    /* opened by the transport after fr_stream_init(), if there is one view */
    struct fr_views *views; /* several views, which the transport has given over; NULL: `view` is the one */
    struct fr_list link;    /* in the wheel, or in a list of the encoder */
    const struct fr_stream_config *config;
    struct fr_bytes *frame; /* on its way */
    struct fr_bytes *end;   /* to be sent next; then the stream is over for `reason` */
    uint64_t bytes;         /* taken by the transport */
    uint32_t offset;        /* of what `frame` holds for this stream */
    uint32_t since_ms;      /* when the frame started; IDLE: when one was last completed; else the state */
    uint32_t client_bytes;
    uint32_t expires_ms; /* with config->max_age_ms */
    uint32_t allowed_ms; /* until then the frame on its way, and all before it, may take */
    uint32_t
        watched; /* with `watches`: up to where the client has to acknowledge, as ops->written() counts */
    struct fr_quota quota;
    uint32_t confirm_ms; /* with `watches`: until when it has to */
    uint8_t state, reason;
    bool chunked; /* HTTP/1.1; else the body ends with the connection */
    bool watches; /* false: all that the kernel has been given was acknowledged */
};

/* For people: "idle" and so on. */
const char *fr_stream_state_text(enum fr_stream_state state);

/* NULL: it is plain. */
static inline struct fr_gzip_stream *fr_stream_gzip(struct fr_stream *stream)
{
    size_t at = stream->config->gzip_at;
    return at == 0 ? NULL : (struct fr_gzip_stream *)(void *)((char *)stream + at);
}

/* In zeroed memory, as OPENING. */
void fr_stream_init(struct fr_stream *stream, const struct fr_stream_config *config, bool chunked);
/* The opposite while nothing has been counted or sent: closes the view, calls none of the ops. */
void fr_stream_deinit(struct fr_stream *stream);

/* Any of the following may close the stream: it must not be touched afterwards. */

/* The head and `bytes` of the body have left. */
void fr_stream_opened(struct fr_stream *stream, size_t bytes);
/* The view has news. */
void fr_stream_ready(struct fr_stream *stream);
/* The view is gone and closed: the client is told to come back. */
void fr_stream_lost(struct fr_stream *stream, enum freshet_close_reason reason);
/* There is room again; `taken` bytes more of the frame have been taken. */
void fr_stream_writable(struct fr_stream *stream, size_t taken);
/* The client sent something. False: it was too much and the stream is closed. */
bool fr_stream_received(struct fr_stream *stream, size_t bytes);
void fr_stream_client_gone(struct fr_stream *stream);
void fr_stream_broken(struct fr_stream *stream);
/* The kernel has given the client up, which acknowledges nothing any more. */
void fr_stream_unanswered(struct fr_stream *stream);
/* The encoder has what it waited for. */
void fr_stream_encoded(struct fr_stream *stream);
/* The wheel gave it out. */
void fr_stream_check(struct fr_stream *stream);

/* Has every stream of the group end; the caller runs the wheel. */
void fr_stream_group_drain(struct fr_stream_group *group, uint32_t spread_ms);
/* Closes at most `limit` streams of the group. True: there may be more. */
bool fr_stream_group_cut(struct fr_stream_group *group, size_t limit);

#endif
