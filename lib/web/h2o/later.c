/* Requests of the application that are answered after their handler has returned. */
#include "web/h2o/later.h"

#include <freshet/h2o_server.h>
#include <h2o.h>
#include <stdlib.h>

struct freshet_h2o_later {
    h2o_req_t *request; /* NULL: it has gone */
    struct tie *tie;    /* valid while the request is there */
};

/* Lives in the request's pool and goes with it. */
struct tie {
    struct freshet_h2o_later *later; /* NULL: taken */
};

/* A loop is one thread's. */
static _Thread_local size_t pending;

static void untie(void *memory)
{
    struct tie *tie = memory;
    if (tie->later != NULL)
        tie->later->request = NULL;
}

struct freshet_h2o_later *freshet_h2o_later_new(struct st_h2o_req_t *request)
{
    struct freshet_h2o_later *later = request == NULL ? NULL : calloc(1, sizeof(*later));
    if (later == NULL)
        return NULL;
    later->request = request;
    later->tie = h2o_mem_alloc_shared(&request->pool, sizeof(*later->tie), untie);
    later->tie->later = later;
    pending++;
    return later;
}

struct st_h2o_req_t *freshet_h2o_later_take(struct freshet_h2o_later *later)
{
    h2o_req_t *request = later == NULL ? NULL : later->request;
    if (later == NULL)
        return NULL;
    if (request != NULL)
        later->tie->later = NULL;
    pending--;
    free(later);
    return request;
}

size_t fr_h2o_later_pending(void)
{
    return pending;
}
