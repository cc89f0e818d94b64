/* The body of a freshet message, as README.md has it: a msgpack array of version, publisher's id, sequence,
 * time and payload. */
#ifndef BENCH_MESSAGE_H
#define BENCH_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

/* What it takes beside id and payload, at most. */
enum { MESSAGE_OVERHEAD = 32, MESSAGE_ID = 32 };

/* `id` has 1 to 31 bytes. The payload is text; none of it: nil. `out` has room for all. Answers the length.
 */
size_t message_write(char *out, const char *id, uint64_t seq, uint64_t time_us, const char *payload,
                     uint32_t len);

#endif
