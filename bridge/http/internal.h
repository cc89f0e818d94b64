/* What the files of this folder share. */
#ifndef BRIDGE_HTTP_INTERNAL_H
#define BRIDGE_HTTP_INTERNAL_H

#include "http/http.h"

/* The listed origin that the request comes from, or NULL. */
const char *http_listed_origin(const h2o_req_t *req, const char *const *origins);
/* Whether a page of another site sent this: an Origin that is neither listed nor the Host asked for. */
bool http_is_foreign(const h2o_req_t *req, const char *const *origins);
/* What tells the browser that a listed origin may read the answer. Once for each request. */
void http_add_origin_headers(h2o_req_t *req, const char *const *origins);
/* What OPTIONS from a listed origin gets. */
void http_answer_preflight(h2o_req_t *req);

const char *http_instance(const struct http_router *router);

/* Sends what is complete: `body` is copied. */
void http_send(h2o_req_t *req, const char *instance, int status, const char *type, struct freshet_span body);
/* {"error": …, "field": …}; NULL: no memory. */
json_t *http_error_object(const char *error, const char *field);

#endif
