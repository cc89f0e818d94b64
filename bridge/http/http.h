/* Small helpers around h2o for the features: routes, JSON, and answers that come later. */
#ifndef BRIDGE_HTTP_H
#define BRIDGE_HTTP_H

#include <freshet/span.h>
#include <h2o.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define HTTP_MAX_BODY_BYTES 16384
#define HTTP_MAX_PARAMS     2

/* Requests outside of the mount of live streams. */
struct http_router;

/* A request that waits for its answer; lives during the handler's call. */
struct http_request {
    h2o_req_t *h2o;
    struct http_router *router;
    const char *params[HTTP_MAX_PARAMS]; /* decoded, in the pattern's order; never empty */
};

/* Answers the request, in one of the ways below, exactly once. On a worker's loop; must not block. */
typedef void (*http_handle)(struct http_request *request, void *user);

/* Answers 421 to requests under `path` whose Host is neither an IP address, nor `localhost`, nor one of
 * `names`, which end with NULL; `*` stands for any. The port does not count. A request without Host, as
 * HTTP/1.0 allows, is no browser's and goes on. To be called before the other handlers of the path are made;
 * texts must outlive the configuration. */
void http_check_host(h2o_pathconf_t *path, const char *const *names, const char *instance);

/* Takes every request under `path` that no handler before it took. `instance` names this one in each answer;
 * it must outlive the configuration. Before h2o_context_init(); never NULL (h2o stops the program without
 * memory). */
struct http_router *http_router_new(h2o_pathconf_t *path, const char *instance);

/* Pages of these origins may read the answers and send JSON; the last NULL. Texts must outlive the router.
 * Without it, or with an empty list: only pages of the host that is asked. Before the loops run. */
void http_allow_origins(struct http_router *router, const char *const *origins);

/* `pattern` such as `board/:boardId/tasks`, without a leading slash; GET answers HEAD too. Texts must outlive
 * the router. At most 32 routes. */
void http_route(struct http_router *router, const char *method, const char *pattern, http_handle handle,
                void *user);

/* Answers at once. `type` and `body` are copied. */
void http_answer(struct http_request *request, int status, const char *type, struct freshet_span body);
/* Takes the reference; NULL counts as out of memory: 500. */
void http_answer_json(struct http_request *request, int status, json_t *json);
/* {"error": …, "field": …}; `field` may be NULL. */
void http_answer_error(struct http_request *request, int status, const char *error, const char *field);
/* A header more for the answer; texts must live until the request ends. */
void http_add_header(struct http_request *request, const char *name, const char *value);

/* Whether the request has `authorization: Bearer` and this token. Else it is answered with 401. */
bool http_check_token(struct http_request *request, const char *token);

bool http_has_body(const struct http_request *request);
/* The body as a JSON object, to be released by the caller. NULL: it was none, or too long; the request is
 * then answered. */
json_t *http_read_object(struct http_request *request);

/* An answer that comes later. The client may be gone by then; the handle stays safe. */
struct http_later;

/* Takes the request out of the handler's call. NULL: no memory; the request is then answered. On the loop. */
struct http_later *http_later_new(struct http_request *request);
/* Like the functions of the same name. One of them exactly once for each handle, on its loop. */
void http_later_json(struct http_later *later, int status, json_t *json);
void http_later_error(struct http_later *later, int status, const char *error, const char *field);

#endif
