/* What makes a new text out of an old one: pieces of the old that stay, and texts that are new. Pure.
 *
 * Debian packages libraries for this (librsync, libxdelta2), but what they give is a binary format over
 * bytes. Here a page has to apply it, in a line of JavaScript; so pieces are named in UTF-16 code units, as
 * String.slice() takes them, and no piece begins or ends within a character. */
#ifndef FR_DIFFERENCE_H
#define FR_DIFFERENCE_H

#include "base/buffer.h"
#include <freshet/span.h>
#include <stdbool.h>
#include <stddef.h>

/* A run of bytes of one of the two texts. */
struct fr_piece {
    bool is_new; /* of the text after; else of the text before */
    size_t begin, len;
};

/* Pieces that, one after the other, are the new text. Zeroed: none. */
struct fr_pieces {
    struct fr_piece *all;
    size_t count, capacity;
    size_t cost; /* bytes that they take when they are printed, nearly */
};

/* Both texts are UTF-8. Takes time in proportion to their lengths, whatever they are. False: no memory, or
 * the pieces would cost more than `most_cost`. */
bool fr_difference_find(struct fr_pieces *pieces, struct freshet_span before, struct freshet_span after,
                        size_t most_cost);
void fr_pieces_deinit(struct fr_pieces *pieces);

/* As JSON: `[begin,end]` in UTF-16 code units of the text before, or the new text as a string, one after the
 * other in an array. */
void fr_pieces_print(struct fr_buffer *json, const struct fr_pieces *pieces, struct freshet_span before,
                     struct freshet_span after);

#endif
