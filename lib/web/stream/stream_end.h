/* What a stream, or one of its views, says last. */
#ifndef FR_STREAM_END_H
#define FR_STREAM_END_H

#include "web/stream/stream.h"

/* What `end` says of a stream, or of one of its views: `view` tells why. */
struct fr_end fr_stream_describe_end(const struct fr_stream *stream, const struct fr_view *view,
                                     enum freshet_close_reason reason);

/* The last event, which is given up, with what ends gzip and a chunked body, so that all leave in one write.
 * NULL: no memory. */
struct fr_bytes *fr_stream_last_frame(struct fr_stream *stream, struct fr_bytes *event);

#endif
