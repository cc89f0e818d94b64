/* base64url without padding, as tokens and signatures are written. */
#ifndef BRIDGE_GUARD_BASE64_H
#define BRIDGE_GUARD_BASE64_H

#include <freshet/span.h>
#include <stdbool.h>

/* Into `out`, which has room for three bytes of each four characters. False: another character is in it, or
 * it ends with bits that are not zero, so that two texts would mean the same. */
bool base64_decode(struct freshet_span text, unsigned char *out, size_t *len);

/* The same into memory of malloc(), never NULL for an empty text. NULL: as above, or no memory. */
unsigned char *base64_decode_new(struct freshet_span text, size_t *len);

#endif
