/* What http.c, http_router.c and http_later.c share. */
#ifndef BRIDGE_HTTP_INTERNAL_H
#define BRIDGE_HTTP_INTERNAL_H

#include "http.h"

/* Of one loop; only its thread touches it. */
struct http_worker {
    size_t pending; /* answers that are still to come */
};

const char *http_instance(const struct http_router *router);
struct http_worker *http_worker_of(struct http_router *router, h2o_context_t *context);

/* Sends what is complete: `body` is copied. */
void http_send(h2o_req_t *req, const char *instance, int status, const char *type, struct freshet_span body);
/* {"error": …, "field": …}; NULL: no memory. */
json_t *http_error_object(const char *error, const char *field);

#endif
