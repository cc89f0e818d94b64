/* Which pages may use the requests outside of the mount: those of the host that is asked, and of listed
 * origins. */
#include "http/internal.h"
#include <string.h>
#include <strings.h>

static const h2o_iovec_t *find_origin(const h2o_req_t *req)
{
    ssize_t at = h2o_find_header_by_str(&req->headers, H2O_STRLIT("origin"), -1);
    return at < 0 ? NULL : &req->headers.entries[at].value;
}

const char *http_listed_origin(const h2o_req_t *req, const char *const *origins)
{
    const h2o_iovec_t *origin = find_origin(req);
    for (; origin != NULL && *origins != NULL; origins++) {
        if (h2o_memis(origin->base, origin->len, *origins, strlen(*origins)))
            return *origins;
    }
    return NULL;
}

bool http_is_foreign(const h2o_req_t *req, const char *const *origins)
{
    const h2o_iovec_t *origin = find_origin(req);
    h2o_iovec_t host = req->input.authority;
    if (origin == NULL || http_listed_origin(req, origins) != NULL)
        return false;
    size_t scheme = h2o_strstr(origin->base, origin->len, H2O_STRLIT("://"));
    if (scheme == SIZE_MAX)
        return true;
    return origin->len - scheme - 3 != host.len ||
           strncasecmp(origin->base + scheme + 3, host.base, host.len) != 0;
}

static void add_header(h2o_req_t *req, const char *name, const char *value)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 0, NULL, value, strlen(value));
}

void http_add_origin_headers(h2o_req_t *req, const char *const *origins)
{
    const char *origin = http_listed_origin(req, origins);
    if (origins[0] != NULL)
        add_header(req, "vary", "Origin");
    if (origin != NULL)
        add_header(req, "access-control-allow-origin", origin);
}

void http_answer_preflight(h2o_req_t *req)
{
    req->res.status = 204;
    req->res.reason = "No Content";
    add_header(req, "access-control-allow-methods", "GET, POST");
    add_header(req, "access-control-allow-headers", "content-type");
    add_header(req, "access-control-max-age", "7200");
    h2o_send_inline(req, H2O_STRLIT(""));
}
