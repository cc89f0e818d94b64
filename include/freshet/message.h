/* The body of a publish on the bus: a msgpack array
 *
 *     [ version, publisher, sequence, time, payload ]
 *
 * version    unsigned, 1
 * publisher  str, 1 to 64 bytes, unique for each running publisher
 * sequence   unsigned, grows with each publish of that publisher; a body that is equal to an earlier one is a
 *            repeat
 * time       unsigned, microseconds since 1970 (UTC) at the publish
 * payload    any msgpack value, nested at most 31 deep, or nil for a signal
 *
 * Unsigned fields may be written in any integer format, as long as they are not below zero. Elements after
 * the fifth are left for later versions and skipped. Nothing may follow the array.
 *
 * An empty body, a body of another shape or of an unknown version counts as a signal of a foreign publisher.
 *
 * SPDX-License-Identifier: MIT */
#ifndef FRESHET_MESSAGE_H
#define FRESHET_MESSAGE_H

#include <freshet/span.h>
#include <freshet/status.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FRESHET_MESSAGE_VERSION       1     /* the first element */
#define FRESHET_MAX_PUBLISHER_BYTES   64    /* of the second element */
#define FRESHET_DEFAULT_MESSAGE_BYTES 65536 /* a whole body, unless an option says otherwise */

/* Spans point into the bytes decoded, or to what the encoder is given. */
struct freshet_message {
    struct freshet_span publisher; /* 1 to 64 bytes */
    uint64_t sequence;             /* grows with each publish of that publisher */
    uint64_t time_us;              /* of the publish, since 1970, UTC */
    struct freshet_span payload;   /* one msgpack value; empty: nil, a signal */
};

/* Checks `body` without trusting any length in it, then reads it. Allocates nothing. FRESHET_INVALID: not a
 * message of this version; `message` is then untouched. Any thread. */
enum freshet_status freshet_message_decode(struct freshet_span body, struct freshet_message *message);

/* Writes the body into a buffer of `capacity` bytes and its length into *len. FRESHET_INVALID: the publisher
 * is empty or too long, or the payload is not exactly one msgpack value. FRESHET_TOO_LARGE: it does not fit;
 * *len is then what it needs. Any thread. */
enum freshet_status freshet_message_encode(const struct freshet_message *message, char *buffer,
                                           size_t capacity, size_t *len);

#ifdef __cplusplus
}
#endif
#endif
