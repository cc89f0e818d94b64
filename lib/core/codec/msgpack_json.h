/* A msgpack value as JSON, for clients that read nothing else.
 *
 * Integers are written as their digits: a JavaScript client rounds those beyond 2^53. Doubles and floats get
 * the fewest digits that read back as the same number; those that are no number become null. Text that is not
 * UTF-8 gets U+FFFD, bytes become base64 (RFC 4648, 4) in a string, extensions null. A map's key that is not
 * text is its own JSON text in quotes; keys that occur twice stay. */
#ifndef FR_MSGPACK_JSON_H
#define FR_MSGPACK_JSON_H

#include "base/buffer.h"
#include <freshet/span.h>
#include <freshet/status.h>
#include <stddef.h>

/* Appends the one value that `value` is. FRESHET_INVALID: it is not exactly one, or nested deeper than
 * FR_MSGPACK_MAX_DEPTH. FRESHET_TOO_LARGE: over `max_bytes`, which is noticed after each text.
 * FRESHET_NO_MEMORY. On failure what was appended is to be thrown away. */
enum freshet_status fr_msgpack_json(struct fr_buffer *out, struct freshet_span value, size_t max_bytes);

#endif
