/* Server-sent events as HTTP chunks, encoded once for all streams: `<hex>CRLF <event> CRLF`. Pure.
 * Format: WHATWG HTML, "Server-sent events"; RFC 9112, 7.1. */
#ifndef FR_FRAME_H
#define FR_FRAME_H

#include "base/buffer.h"
#include "base/bytes.h"
#include <freshet/span.h>
#include <stdbool.h>
#include <stdint.h>

/* Names a snapshot: the first 16 bytes of SHA-256 over loader name, topic and bytes, each of the first two
 * with a NUL behind it. Equal on every instance for equal snapshots. When there is no memory to hash with, it
 * is a random one: the snapshot then counts as unlike any other and is sent in full. */
struct fr_version {
    unsigned char bytes[16];
};
#define FR_VERSION_HEX 32
struct fr_version fr_version_of(struct freshet_span loader, struct freshet_span topic,
                                struct freshet_span bytes);
bool fr_version_equal(const struct fr_version *a, const struct fr_version *b);
/* Reads a version, which is 32 lower-case hex digits; false: the text is something else. */
bool fr_version_parse(struct freshet_span text, struct fr_version *version);

/* Each of the following makes a frame and gives one reference to it, or NULL: no memory. */

/* `id:` and one `data:` line for each line of the bytes; CR, LF and CRLF each end a line. */
struct fr_bytes *fr_frame_snapshot(const struct fr_version *version, struct freshet_span bytes);
/* What it turns into for a client: its lines with a line feed between them. Points into the frame, or into
 * `lines` if there are several; that one fails without memory. */
struct freshet_span fr_frame_text(const struct fr_bytes *snapshot, struct fr_buffer *lines);
/* Event `difference`, for who holds the text of `from`; `pieces` as fr_pieces_print() writes them. */
struct fr_bytes *fr_frame_difference(const struct fr_version *to, const struct fr_version *from,
                                     struct freshet_span pieces);
/* A message of a message loader: as a snapshot, but without the id. */
struct fr_bytes *fr_frame_message(struct freshet_span bytes);
/* Event `gap`; lost below 0: null, nobody knows how many. */
struct fr_bytes *fr_frame_gap(int64_t lost);
/* Event `load-error`. Both texts go into JSON. */
struct fr_bytes *fr_frame_load_error(struct freshet_span code, struct freshet_span message);
/* Its code. Points into the frame. */
struct freshet_span fr_frame_error_code(const struct fr_bytes *load_error);
/* Event `end`. */
struct fr_end {
    struct freshet_span code;
    int64_t retry_ms;             /* below 0: null, don't come back */
    struct freshet_span location; /* empty: none */
};
struct fr_bytes *fr_frame_end(const struct fr_end *end);
/* A comment line; `text` without line ends. */
struct fr_bytes *fr_frame_comment(struct freshet_span text);

/* Several views on one stream. `name` is the view's: printable ASCII without spaces. */

/* Any of the frames above (but comments), said for one view: a snapshot or message gets the view as its event
 * and its version, or nothing, as the first line of its data, a difference both versions; other events get
 * "view" in their JSON. */
struct fr_bytes *fr_frame_named(const struct fr_bytes *frame, struct freshet_span name);
/* The client holds the current snapshot already: an event with the version and no more. */
struct fr_bytes *fr_frame_current(struct freshet_span name, const struct fr_version *version);
/* Event `end` of one view; status 0: none, it was open. */
struct fr_bytes *fr_frame_end_view(const struct fr_end *end, struct freshet_span name, int status);

/* A chunk with room for `len` bytes, to be written at *content before the first share: for what is no event
 * any more, since it was encoded once again. */
struct fr_bytes *fr_frame_new(size_t len, char **content);
/* The event without its chunk: for HTTP/1.0. Points into `frame`. */
struct freshet_span fr_frame_body(struct freshet_span frame);

/* The chunk that ends a chunked body. */
#define FR_LAST_CHUNK "0\r\n\r\n"

#endif
