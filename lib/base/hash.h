/* Keyed hashing (SipHash-1-3), for bytes that others choose: who does not know the seed cannot make two of
 * them meet. */
#ifndef FR_HASH_H
#define FR_HASH_H

#include <freshet/span.h>
#include <stdint.h>

uint64_t fr_hash(const uint64_t seed[2], struct freshet_span bytes);

#endif
