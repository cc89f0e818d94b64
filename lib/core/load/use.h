/* Guards of routes: freshet_use(). */
#ifndef FR_USE_H
#define FR_USE_H

#include "base/list.h"
#include "core/channel/pattern.h"
#include <freshet/guard.h>

struct fr_use {
    struct fr_list link; /* in the freshet, under its lock */
    struct fr_pattern *pattern;
    size_t count;
    struct freshet_guard guards[];
};

void fr_use_destroy(struct fr_use *use);

/* Each has a function. FRESHET_INVALID names `what`. */
enum freshet_status fr_guards_check(const struct freshet_guard *guards, size_t count, const char *what,
                                    struct freshet_error *error);

#endif
