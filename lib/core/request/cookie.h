/* The Cookie header (RFC 6265, 4.2.1 and 5.4): name=value, separated by ';'. Any thread. */
#ifndef FR_COOKIE_H
#define FR_COOKIE_H

#include <freshet/span.h>
#include <freshet/status.h>

/* The value of the first cookie called `name` (case counts), without spaces and tabs around it and without
 * one pair of DQUOTEs: a view of `header`, nothing else decoded. Parts without '=' are passed over.
 * FRESHET_NOT_FOUND. FRESHET_INVALID: that value has a control character, which no cookie has. */
enum freshet_status fr_cookie_find(struct freshet_span header, struct freshet_span name,
                                   struct freshet_span *value);

#endif
