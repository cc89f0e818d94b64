/* Events that hold only what is different from the text before, as freshet.js gets them. */
#ifndef BENCH_DIFFERENCE_H
#define BENCH_DIFFERENCE_H

#include "wire/text.h"

/* `pieces` is a JSON array of new texts and of places [begin,end] in `held`, counted in UTF-16 code units as
 * browsers do. Adds to `out` what they are when they are put together; false: they are no such thing, or
 * speak of places that `held` does not have. */
bool difference_apply(const struct text *held, const char *pieces, size_t len, struct text *out);

#endif
