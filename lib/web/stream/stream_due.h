/* The times of a stream: until when a frame may take, when silence has lasted too long, when its age is
 * over. They follow from its state and the group's clock; nothing is sent or closed here. */
#ifndef FR_STREAM_DUE_H
#define FR_STREAM_DUE_H

#include "web/stream/stream.h"

/* The part of a frame that this stream's framing needs. */
struct freshet_span fr_stream_payload(const struct fr_stream *stream, const struct fr_bytes *frame);

/* `wait_ms` later; as far as times of 32 bits can tell, which is 24 days. */
uint32_t fr_stream_after(uint32_t from_ms, uint64_t wait_ms);
bool fr_stream_is_past(const struct fr_stream *stream, uint32_t at_ms);

/* Gives the frame that starts now its time. */
void fr_stream_allow(struct fr_stream *stream);
/* Has the client acknowledge all that has been written so far within the time allowed. */
void fr_stream_watch(struct fr_stream *stream);
bool fr_stream_has_watch(const struct fr_stream *stream);

/* Whether it is to end because of its age, or with all of its group. */
bool fr_stream_wants_end(const struct fr_stream *stream);
/* When fr_stream_check() has something to do. */
uint32_t fr_stream_due(const struct fr_stream *stream);

#endif
