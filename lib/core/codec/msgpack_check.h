/* Looks at msgpack bytes without believing the lengths in them. msgpack-c 4.0.0 allocates for announced
 * lengths before it has seen the bytes (five bytes: 8 GB), so everything from outside goes through here
 * first; for what is accepted it allocates at most 48 bytes per byte. Allocates nothing.
 * Format: the MessagePack specification, "Formats". */
#ifndef FR_MSGPACK_CHECK_H
#define FR_MSGPACK_CHECK_H

#include <freshet/span.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FR_MSGPACK_MAX_DEPTH 32

enum fr_msgpack_type {
    FR_MSGPACK_NIL = 0,
    FR_MSGPACK_BOOL,
    FR_MSGPACK_UNSIGNED,
    FR_MSGPACK_NEGATIVE,
    FR_MSGPACK_FLOAT,
    FR_MSGPACK_STR,
    FR_MSGPACK_BIN,
    FR_MSGPACK_EXT,
    FR_MSGPACK_ARRAY,
    FR_MSGPACK_MAP
};

/* The start of a value: its type byte and what belongs to it. */
struct fr_msgpack_head {
    enum fr_msgpack_type type;
    size_t len;      /* of the head itself */
    size_t body_len; /* bytes that follow and belong to it: str, bin, ext; they are there */
    uint64_t items;  /* values that follow and belong to it: array; twice the pairs of a map. Not checked */
    uint64_t number; /* FR_MSGPACK_UNSIGNED, however it was written */
};

/* Reads the head at the start; false: incomplete, or 0xc1, which is never used. */
bool fr_msgpack_read(struct freshet_span bytes, struct fr_msgpack_head *head);

/* Length of the one value at the start. 0: incomplete, invalid, or nested deeper than `max_depth` (arrays
 * and maps around a value; at most FR_MSGPACK_MAX_DEPTH). */
size_t fr_msgpack_check(struct freshet_span bytes, unsigned max_depth);

#endif
