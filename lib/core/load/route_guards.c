#include "core/load/route_guards.h"

#include "base/log.h"
#include "core/runtime/context.h"
#include <stdlib.h>
#include <string.h>

void fr_route_guards_destroy(struct fr_route_guards *route)
{
    if (route == NULL)
        return;
    fr_pattern_destroy(route->pattern);
    free(route);
}

enum freshet_status fr_guards_check(const struct freshet_guard *guards, size_t count, const char *what,
                                    struct freshet_error *error)
{
    if (count > 0 && guards == NULL)
        return fr_fail(error, FRESHET_INVALID, "%s: use_count is %zu, but use is NULL", what, count);
    for (size_t i = 0; i < count; i++)
        if (guards[i].guard == NULL)
            return fr_fail(error, FRESHET_INVALID, "%s: guard %zu has no function", what, i);
    return FRESHET_OK;
}

/* Each guard has to be passed, so none at all lets everybody in: nobody adds that on purpose. */
static enum freshet_status check(const struct freshet *freshet, const char *pattern,
                                 const struct freshet_guard *guards, size_t count,
                                 struct freshet_error *error)
{
    enum freshet_status status = fr_freshet_check_for(freshet, "use", error);
    if (status != FRESHET_OK)
        return status;
    if (pattern == NULL)
        return fr_fail(error, FRESHET_INVALID, "use: pattern is NULL");
    if (count == 0)
        return fr_fail(error, FRESHET_INVALID, "use %.100s: count is 0, there is no guard to add", pattern);
    return fr_guards_check(guards, count, pattern, error);
}

enum freshet_status freshet_use(struct freshet *freshet, const char *pattern,
                                const struct freshet_guard *guards, size_t count, struct freshet_error *error)
{
    enum freshet_status status = check(freshet, pattern, guards, count, error);
    if (status != FRESHET_OK)
        return status;
    struct fr_route_guards *route = calloc(1, sizeof(*route) + count * sizeof(*guards));
    if (route == NULL)
        return fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    fr_list_init(&route->link);
    status = fr_pattern_new(&route->pattern, pattern, error);
    if (status != FRESHET_OK) {
        fr_route_guards_destroy(route);
        return status;
    }
    route->count = count;
    memcpy(route->guards, guards, count * sizeof(*guards));
    pthread_mutex_lock(&freshet->lock);
    status = fr_freshet_may_add(freshet, pattern, error);
    if (status == FRESHET_OK)
        fr_list_append(&freshet->route_guards, &route->link);
    pthread_mutex_unlock(&freshet->lock);
    if (status != FRESHET_OK)
        fr_route_guards_destroy(route);
    return status;
}
