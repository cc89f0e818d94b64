/* Event streams in gzip, where frames are encoded once for all streams that have the same before them.
 *
 * A stream remembers what it was sent last, as far as the next frame may refer to it: its history. Streams
 * with equal histories share one, so whether a frame was encoded for such a stream already is one look-up,
 * and a feed with ten thousand streams that all have the frame before costs one encoding for each publish.
 * What was encoded is kept in a bounded table while it is asked for.
 *
 *     coder                one for each freshet; any thread; a lock around all but what a memo answers
 *       histories          by the frames they are made of
 *       codes              by history and frame: the encoded chunk, and the history after it
 *     stream               a history and the sums for gzip's trail: 16 bytes
 *
 * Deflating takes about as long as five writes to a socket. It is done where it saves enough: for a frame of
 * 4,096 bytes, or a smaller one if all who are sent it are sent so much together. Everything else is stored,
 * which costs a checksum. Nothing is encoded that no stream is about to be sent. */
#ifndef FR_GZIP_CODER_H
#define FR_GZIP_CODER_H

#include "base/bytes.h"
#include "core/codec/gzip.h"
#include "core/codec/gzip_history.h"
#include <freshet/stats.h>
#include <stdbool.h>
#include <stddef.h>

struct fr_gzip_coder;
struct fr_gzip_code;

/* One stream's place; zeroed: nothing was sent. */
struct fr_gzip_stream {
    struct fr_gzip_history *history; /* a reference; NULL: refer to nothing */
    struct fr_gzip_sum sum;
};

/* What somebody who serves many streams got last: it answers without the lock while it is asked the same
 * again. Zeroed: nothing. One thread. */
struct fr_gzip_memo {
    struct fr_gzip_code *code; /* a reference */
};

/* What is to be sent, and to whom. */
struct fr_gzip_ask {
    struct fr_bytes *frame; /* a chunk as frame.h makes them */
    enum fr_gzip_kind kind;
    size_t readers; /* streams that are about to be sent it */
};

/* NULL: no memory. Counted: work off the loop may outlast the freshet. */
struct fr_gzip_coder *fr_gzip_coder_new(void);
struct fr_gzip_coder *fr_gzip_coder_acquire(struct fr_gzip_coder *coder);
/* Before the last one every stream and memo has been given back. NULL is fine. */
void fr_gzip_coder_release(struct fr_gzip_coder *coder);

/* The chunk to be sent instead of the frame, which the stream has been sent from here on. `memo` may be NULL.
 * One reference; NULL: no memory, the stream is where it was. Any thread, but one stream and one memo at a
 * time. */
struct fr_bytes *fr_gzip_coder_encode(struct fr_gzip_coder *coder, struct fr_gzip_stream *stream,
                                      struct fr_gzip_memo *memo, const struct fr_gzip_ask *ask);

/* Frames over this take milliseconds to deflate, so that fr_gzip_coder_prepare() does it elsewhere first: one
 * that was not prepared is stored. */
#define FR_GZIP_LARGE_BYTES 65536
/* Whether the frame is such a one. Any thread. */
bool fr_gzip_coder_wants_prepared(struct fr_gzip_coder *coder, const struct fr_gzip_ask *ask);
/* Deflates a large frame for those to come, once. Any thread but a loop's. */
void fr_gzip_coder_prepare(struct fr_gzip_coder *coder, struct fr_bytes *frame);

/* Whatever this stream is sent next refers to nothing that was sent up to now. */
void fr_gzip_coder_forget(struct fr_gzip_coder *coder, struct fr_gzip_stream *stream);
void fr_gzip_coder_forget_memo(struct fr_gzip_coder *coder, struct fr_gzip_memo *memo);

/* How many encodings were made, each for all streams that share it. Any thread. */
void fr_gzip_coder_count(const struct fr_gzip_coder *coder, struct freshet_stats *stats);

#endif
