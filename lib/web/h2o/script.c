/* Serves freshet.js and its bindings. */
#include "web/h2o/script.h"
#include "web/h2o/web.h"
#include <string.h>

static bool has_method(const h2o_req_t *req, const char *method)
{
    return h2o_memis(req->method.base, req->method.len, method, strlen(method));
}

/* The script directly below the path that the handler is on, or NULL. */
static const struct fr_script *find(const h2o_req_t *req)
{
    h2o_iovec_t path = req->path_normalized, prefix = req->pathconf->path;
    size_t below = prefix.len;
    if (below > 0 && prefix.base[below - 1] == '/')
        below--;
    if (path.len <= below || path.base[below] != '/')
        return NULL;
    below++;
    for (size_t i = 0; i < fr_script_count; i++)
        if (h2o_memis(path.base + below, path.len - below, fr_scripts[i].name, strlen(fr_scripts[i].name)))
            return &fr_scripts[i];
    return NULL;
}

/* Whether a list of entity tags has this one; weak ones count. */
static bool is_listed(h2o_iovec_t list, const char *etag)
{
    return h2o_memis(list.base, list.len, H2O_STRLIT("*")) ||
           h2o_strstr(list.base, list.len, etag, strlen(etag)) != SIZE_MAX;
}

static bool is_held(const h2o_req_t *req, const struct fr_script *script)
{
    ssize_t at = -1;
    while ((at = h2o_find_header(&req->headers, H2O_TOKEN_IF_NONE_MATCH, at)) != -1)
        if (is_listed(req->headers.entries[at].value, script->etag))
            return true;
    return false;
}

static void send_bytes(h2o_req_t *req, const char *bytes, size_t len)
{
    static h2o_generator_t generator; /* nothing to go on with: all of it is sent at once */
    h2o_iovec_t body = h2o_iovec_init(bytes, len);
    h2o_start_response(req, &generator);
    h2o_send(req, &body, len == 0 ? 0 : 1, H2O_SEND_STATE_FINAL);
}

static void refuse_method(h2o_req_t *req)
{
    req->res.status = 405;
    req->res.reason = "Method Not Allowed";
    req->res.content_length = 0;
    fr_h2o_add_header(req, "allow", "GET, HEAD");
    send_bytes(req, NULL, 0);
}

static void send_script(h2o_req_t *req, const struct fr_script *script)
{
    bool held = is_held(req, script);
    fr_h2o_add_header(req, "cache-control",
                      script->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    fr_h2o_add_header(req, "etag", script->etag);
    fr_h2o_add_header(req, "x-content-type-options", "nosniff");
    req->res.status = held ? 304 : 200;
    req->res.reason = held ? "Not Modified" : "OK";
    if (!held) {
        fr_h2o_add_header(req, "content-type", "text/javascript; charset=utf-8");
        req->res.content_length = script->len;
    }
    send_bytes(req, script->bytes, held || has_method(req, "HEAD") ? 0 : script->len);
}

static int on_req(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    const struct fr_script *script = find(req);
    if (script == NULL)
        return -1;
    if (has_method(req, "GET") || has_method(req, "HEAD"))
        send_script(req, script);
    else
        refuse_method(req);
    return 0;
}

void freshet_h2o_serve_script(struct st_h2o_pathconf_t *path)
{
    if (path == NULL)
        return;
    fr_h2o_entrance_add(path);
    h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = on_req;
}
