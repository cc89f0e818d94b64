/* gzip streams put together of parts that were made before, so that one encoding serves all streams that were
 * sent the same. Pure, but for the memory of a deflater.
 *
 * A gzip file is a head, blocks of deflate, and a trail (RFC 1952, RFC 1951). A part is one or more blocks
 * that end on a whole byte, so parts can follow one another in any order, as long as what a part refers to
 * has been sent right before it: a part is deflated with the bytes before it as the preset dictionary, of
 * which the reader's window still has at most 32 KiB. */
#ifndef FR_GZIP_H
#define FR_GZIP_H

#include "base/buffer.h"
#include <freshet/span.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How far back a part can refer. */
#define FR_GZIP_WINDOW_BYTES 32768

/* What a stream begins with. */
#define FR_GZIP_HEAD       "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
#define FR_GZIP_HEAD_BYTES 10
/* The final block, which is empty, and the trail. */
#define FR_GZIP_TAIL_BYTES 10

/* What the trail says of all that was sent: checksum and length. Zeroed: nothing was sent. */
struct fr_gzip_sum {
    uint32_t crc;
    uint32_t len; /* modulo 2^32, as the format has it */
};
/* The sum of one part, with what it takes to add it to that of a stream in constant time. */
struct fr_gzip_part_sum {
    struct fr_gzip_sum sum;
    uint32_t combine; /* zlib's crc32_combine_gen() */
};
struct fr_gzip_part_sum fr_gzip_sum_of(struct freshet_span content);
void fr_gzip_sum_add(struct fr_gzip_sum *sum, const struct fr_gzip_part_sum *part);

/* Writes FR_GZIP_TAIL_BYTES and returns their end. */
char *fr_gzip_tail(char *to, const struct fr_gzip_sum *sum);

/* `content` as it is, in stored blocks: refers to nothing and costs five bytes for each 64 KiB. Returns the
 * end of what was written; `to` is room for fr_gzip_stored_bytes(). */
char *fr_gzip_store(char *to, struct freshet_span content);
size_t fr_gzip_stored_bytes(size_t content_len);

/* The memory of a compressor, 256 KiB, used for one part after the other. One thread at a time. */
struct fr_deflater;
/* NULL: no memory. */
struct fr_deflater *fr_deflater_new(void);
void fr_deflater_destroy(struct fr_deflater *deflater); /* NULL is fine */

/* Appends `content`, which is not empty, deflated. It may refer to `before`, what was sent right before it,
 * oldest first; of that the last 32 KiB count. Without memory `out` has failed. */
void fr_gzip_deflate(struct fr_deflater *deflater, struct fr_buffer *out, const struct freshet_span *before,
                     size_t before_count, struct freshet_span content);

#endif
