/* Turns frames into what a stream in gzip is sent for them; one for all streams of a worker. What the coder
 * of the freshet has encoded already it hands on; large frames are encoded by the pool while their streams
 * wait here, though not for long. On the worker's thread. */
#ifndef FR_ENCODER_H
#define FR_ENCODER_H

#include "base/bytes.h"
#include "core/hub/view.h"
#include <freshet/span.h>
#include <stdbool.h>
#include <stddef.h>

struct fr_encoder;
struct fr_stream;

/* NULL: no memory. */
struct fr_encoder *fr_encoder_new(struct fr_worker *worker);
/* When its worker has left. NULL is fine. */
void fr_encoder_destroy(struct fr_encoder *encoder);

/* What a body of `text`, which comes first, begins with; writes at most FR_ENCODER_FIRST_BYTES more than it
 * has and returns how many there are. */
#define FR_ENCODER_FIRST_BYTES 32
size_t fr_encoder_begin(struct fr_stream *stream, char *to, struct freshet_span text);
/* Whether the frame has to be encoded off the loop first. Then the stream is in a list by its link, which it
 * may leave, and fr_stream_encoded() comes. */
bool fr_encoder_defer(struct fr_stream *stream, enum fr_view_news news, struct fr_bytes *frame);
/* The frame in gzip; gives `frame` up. FR_NEWS_NONE: one that is the same for all streams. NULL: no memory.
 */
struct fr_bytes *fr_encoder_encode(struct fr_stream *stream, enum fr_view_news news, struct fr_bytes *frame);
/* As fr_encoder_encode(), for the last frame, with the end of the gzip stream behind it. */
struct fr_bytes *fr_encoder_finish(struct fr_stream *stream, struct fr_bytes *frame);
/* The stream is sent nothing more. */
void fr_encoder_forget(struct fr_stream *stream);
/* Visits every stream that waits here; after NULL comes the first, NULL ends. */
struct fr_stream *fr_encoder_next(const struct fr_encoder *encoder, const struct fr_stream *stream);

#endif
