/* Delays that grow with each failure. */
#ifndef FR_BACKOFF_H
#define FR_BACKOFF_H

#include <stdint.h>

/* How long to wait after `failures` in a row, 0 being the first: `first` doubled with each one, `most` at the
 * most, and a quarter less or more by chance, so that many do not come back at once. */
uint64_t fr_backoff(uint64_t first, uint64_t most, unsigned failures);

#endif
