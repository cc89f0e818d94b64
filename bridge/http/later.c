/* An answer that comes later, on the loop of its request. */
#include "http/internal.h"
#include <stdlib.h>

struct http_later {
    struct http_request request; /* without the parameters; `h2o` is NULL when the request has gone */
    struct http_worker *worker;
    struct tie *tie; /* valid while the request is there */
};

/* Lives in the request's pool and goes with it. */
struct tie {
    struct http_later *later; /* NULL: answered */
};

static void untie(void *memory)
{
    struct tie *tie = memory;
    if (tie->later != NULL)
        tie->later->request.h2o = NULL;
}

struct http_later *http_later_new(struct http_request *request)
{
    struct http_later *later = calloc(1, sizeof(*later));
    if (later == NULL) {
        http_answer_error(request, 500, "out of memory", NULL);
        return NULL;
    }
    later->request = (struct http_request){.h2o = request->h2o, .router = request->router};
    later->worker = http_worker_of(request->router, request->h2o->conn->ctx);
    later->tie = h2o_mem_alloc_shared(&request->h2o->pool, sizeof(*later->tie), untie);
    later->tie->later = later;
    later->worker->pending++;
    return later;
}

void http_later_json(struct http_later *later, int status, json_t *json)
{
    if (later->request.h2o != NULL) {
        later->tie->later = NULL;
        http_answer_json(&later->request, status, json);
    } else {
        json_decref(json);
    }
    later->worker->pending--;
    free(later);
}

void http_later_error(struct http_later *later, int status, const char *error, const char *field)
{
    http_later_json(later, status, http_error_object(error, field));
}
