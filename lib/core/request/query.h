/* The query of a request target, as HTML forms and URLSearchParams write it:
 * application/x-www-form-urlencoded. Pairs are separated by '&', '+' is a space, %XX a byte; empty pairs
 * count for nothing, and a pair without '=' has an empty value. Any thread. */
#ifndef FR_QUERY_H
#define FR_QUERY_H

#include <freshet/span.h>
#include <freshet/status.h>
#include <stddef.h>

/* Takes the first pair off `rest`, decoded into *room, which is moved behind it. Decoding never grows: as
 * many bytes as the whole query has are room for all of its pairs. FRESHET_NOT_FOUND: none is left.
 * FRESHET_INVALID: a bad '%' or no UTF-8 in the name or the value. */
enum freshet_status fr_query_next(struct freshet_span *rest, char **room, struct freshet_span *name,
                                  struct freshet_span *value);

#endif
