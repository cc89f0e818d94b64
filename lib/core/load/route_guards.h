/* Guards of routes: freshet_use(). */
#ifndef FR_ROUTE_GUARDS_H
#define FR_ROUTE_GUARDS_H

#include "base/list.h"
#include "core/channel/pattern.h"
#include <freshet/guard.h>

struct fr_route_guards {
    struct fr_list link; /* in the freshet */
    struct fr_pattern *pattern;
    size_t count;
    struct freshet_guard guards[];
};

void fr_route_guards_destroy(struct fr_route_guards *route); /* NULL is fine */

/* Each has a function. FRESHET_INVALID names `what`. */
enum freshet_status fr_guards_check(const struct freshet_guard *guards, size_t count, const char *what,
                                    struct freshet_error *error);

#endif
