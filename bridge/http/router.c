#include "http/internal.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROUTES = 32, MAX_SEGMENTS = 6, MAX_PATH_BYTES = 1024 };

static const char *const no_origins[] = {NULL};

struct route {
    const char *method;
    const char *pattern;
    http_handle handle;
    void *user;
};

struct http_router {
    h2o_handler_t handler;
    const char *instance;
    const char *const *origins;
    struct route routes[MAX_ROUTES];
    size_t count;
};

/* A path, taken apart; texts point into `bytes`. */
struct path {
    size_t count;
    const char *segments[MAX_SEGMENTS];
    char bytes[MAX_PATH_BYTES + 1];
};

const char *http_instance(const struct http_router *router)
{
    return router->instance;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes one segment in place of `to`; false for a bad escape or a control character. */
static bool decode(const char *from, size_t len, char *to)
{
    for (size_t i = 0; i < len; i++) {
        char c = from[i];
        if (c == '%') {
            if (len - i < 3 || hex_digit(from[i + 1]) < 0 || hex_digit(from[i + 2]) < 0)
                return false;
            c = (char)(hex_digit(from[i + 1]) * 16 + hex_digit(from[i + 2]));
            i += 2;
        }
        if ((unsigned char)c < 0x20 || c == 0x7f)
            return false;
        *to++ = c;
    }
    *to = '\0';
    return true;
}

/* Splits the raw path, so that an encoded slash stays inside its segment. The status of a path that can't be
 * right, or 0. */
static int split(h2o_iovec_t raw, struct path *path)
{
    const char *end = memchr(raw.base, '?', raw.len), *at = raw.base;
    char *to = path->bytes;
    end = end == NULL ? raw.base + raw.len : end;
    if (end == at || *at != '/' || end - at > MAX_PATH_BYTES)
        return 404;
    for (path->count = 0; at < end; path->count++) {
        at++; /* the slash */
        const char *slash = memchr(at, '/', (size_t)(end - at));
        size_t len = (size_t)((slash == NULL ? end : slash) - at);
        if (path->count == MAX_SEGMENTS)
            return 404;
        if (!decode(at, len, to))
            return 400;
        if (strcmp(to, ".") == 0 || strcmp(to, "..") == 0)
            return 404;
        path->segments[path->count] = to;
        to += strlen(to) + 1;
        at += len;
    }
    return 0;
}

static bool match(const char *pattern, const struct path *path, struct http_request *request)
{
    size_t params = 0;
    for (size_t i = 0; i < path->count; i++) {
        const char *segment = path->segments[i];
        size_t len = strcspn(pattern, "/");
        if (pattern[0] == ':') {
            assert(params < HTTP_MAX_PARAMS);
            if (segment[0] == '\0')
                return false;
            request->params[params++] = segment;
        } else if (strlen(segment) != len || memcmp(segment, pattern, len) != 0) {
            return false;
        }
        bool last = i + 1 == path->count;
        if (last != (pattern[len] == '\0'))
            return false;
        pattern += len + 1;
    }
    return true;
}

static bool has_method(const h2o_req_t *req, const char *method)
{
    return h2o_memis(req->input.method.base, req->input.method.len, method, strlen(method));
}

static bool serves(const struct route *route, const h2o_req_t *req)
{
    return has_method(req, route->method) || (strcmp(route->method, "GET") == 0 && has_method(req, "HEAD"));
}

static void dispatch(struct http_request *request, const struct path *path)
{
    const struct http_router *router = request->router;
    const char *allow = NULL;
    for (size_t i = 0; i < router->count; i++) {
        const struct route *route = &router->routes[i];
        if (!match(route->pattern, path, request))
            continue;
        if (serves(route, request->h2o)) {
            route->handle(request, route->user);
            return;
        }
        allow = strcmp(route->method, "GET") == 0 ? "GET, HEAD" : route->method;
    }
    if (allow == NULL) {
        http_answer_error(request, 404, "there is nothing here", NULL);
        return;
    }
    http_add_header(request, "allow", allow);
    http_answer_error(request, 405, "this method is not for this place", NULL);
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    struct http_router *router = H2O_STRUCT_FROM_MEMBER(struct http_router, handler, handler);
    struct http_request request = {.h2o = req, .router = router};
    struct path path;
    int refused = split(req->input.path, &path);
    http_add_origin_headers(req, router->origins);
    if (has_method(req, "OPTIONS") && http_listed_origin(req, router->origins) != NULL)
        http_answer_preflight(req);
    else if (refused == 400)
        http_answer_error(&request, 400, "has a bad escape or a control character", "path");
    else if (refused != 0)
        http_answer_error(&request, refused, "there is nothing here", NULL);
    else if (has_method(req, "POST") && http_is_foreign(req, router->origins))
        http_answer_error(&request, 403, "must be a page of this host", "origin");
    else
        dispatch(&request, &path);
    return 0;
}

struct http_router *http_router_new(h2o_pathconf_t *path, const char *instance)
{
    struct http_router *router = (struct http_router *)h2o_create_handler(path, sizeof(*router));
    router->handler.on_req = on_request;
    router->instance = instance;
    router->origins = no_origins;
    return router;
}

void http_allow_origins(struct http_router *router, const char *const *origins)
{
    router->origins = origins;
}

void http_route(struct http_router *router, const char *method, const char *pattern, http_handle handle,
                void *user)
{
    assert(router->count < MAX_ROUTES);
    router->routes[router->count++] =
        (struct route){.method = method, .pattern = pattern, .handle = handle, .user = user};
}
