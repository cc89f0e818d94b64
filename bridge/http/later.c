/* An answer that comes later, on the loop of its request. */
#include "http/internal.h"
#include <freshet/h2o_server.h>
#include <stdlib.h>

struct http_later {
    struct http_router *router;
    struct freshet_h2o_later *request;
};

struct http_later *http_later_new(struct http_request *request)
{
    struct http_later *later = calloc(1, sizeof(*later));
    struct freshet_h2o_later *kept = later == NULL ? NULL : freshet_h2o_later_new(request->h2o);
    if (kept == NULL) {
        free(later);
        http_answer_error(request, 500, "out of memory", NULL);
        return NULL;
    }
    *later = (struct http_later){request->router, kept};
    return later;
}

void http_later_json(struct http_later *later, int status, json_t *json)
{
    struct http_request request = {.h2o = freshet_h2o_later_take(later->request), .router = later->router};
    if (request.h2o != NULL)
        http_answer_json(&request, status, json);
    else
        json_decref(json);
    free(later);
}

void http_later_error(struct http_later *later, int status, const char *error, const char *field)
{
    http_later_json(later, status, http_error_object(error, field));
}
