/* The handler: which requests are streams, and which are refused. */
#include "base/log.h"
#include "base/options.h"
#include "base/text.h"
#include "core/load/loader.h"
#include "core/request/target.h"
#include "web/h2o/socket.h"
#include "web/h2o/web.h"
#include <stdlib.h>
#include <string.h>

#define DEFAULT_HEARTBEAT_MS     15000
#define DEFAULT_RETRY_MIN_MS     500
#define DEFAULT_RETRY_MAX_MS     3000
#define DEFAULT_WRITE_TIMEOUT_MS 30000
#define DEFAULT_MAX_UNSENT_BYTES 16384

static int on_req(h2o_handler_t *self, h2o_req_t *req);

struct fr_h2o_mount *fr_h2o_mount_of(h2o_handler_t *handler)
{
    return handler->on_req == on_req ? (struct fr_h2o_mount *)handler : NULL;
}

void fr_h2o_mount_add_headers(const struct fr_h2o_mount *mount, h2o_req_t *req)
{
    for (size_t i = 0; i < mount->options.header_count; i++) {
        const struct freshet_h2o_header *header = &mount->options.headers[i];
        fr_h2o_add_header(req, header->name, header->value);
    }
    fr_h2o_cors_add_headers(mount, req);
}

static bool is_get(const h2o_req_t *req)
{
    return h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("GET"));
}

/* Whether the request can have a stream; else it is answered. */
static bool is_streamable(const struct fr_h2o_mount *mount, h2o_req_t *req)
{
    if (req->version >= 0x200) {
        fr_h2o_refuse(mount, req, 505, "http-version");
    } else if (!is_get(req)) {
        fr_h2o_add_header(req, "allow", "GET");
        fr_h2o_refuse(mount, req, 405, "method-not-allowed");
    } else if (!fr_h2o_accepts_events(req)) {
        fr_h2o_refuse(mount, req, 406, "not-acceptable");
    } else if (req->entity.len > 0) {
        fr_h2o_refuse(mount, req, 400, "request-body");
    } else {
        return true;
    }
    return false;
}

/* The worker that serves this request, or NULL and the client is told to come back. */
static struct fr_h2o_mount_worker *find_mount_worker(struct fr_h2o_mount *mount, h2o_req_t *req)
{
    struct fr_h2o_mount_worker *mount_worker = h2o_context_get_handler_context(req->conn->ctx, &mount->super);
    if (mount_worker == NULL) {
        if (!atomic_flag_test_and_set(&mount->warned))
            fr_log(fr_freshet_log(mount->freshet), FRESHET_LOG_ERROR,
                   "a stream was asked for on an h2o context that has not joined; it is refused");
        fr_h2o_refuse_for_now(mount, req, "not-ready");
    } else if (mount_worker->worker->state != FR_H2O_SERVING) {
        fr_h2o_refuse_for_now(mount, req, "going-away");
        mount_worker = NULL;
    }
    return mount_worker;
}

static void serve(struct fr_h2o_mount *mount, h2o_req_t *req, struct freshet_loader *loader,
                  struct fr_params *params, const struct fr_target *target)
{
    struct fr_h2o_mount_worker *mount_worker =
        is_streamable(mount, req) ? find_mount_worker(mount, req) : NULL;
    if (mount_worker == NULL)
        fr_params_release(params);
    else
        fr_h2o_visit_begin(mount_worker, req, loader, params, target);
}

static void serve_views(struct fr_h2o_mount *mount, h2o_req_t *req, const struct fr_target *target)
{
    struct fr_h2o_mount_worker *mount_worker =
        is_streamable(mount, req) ? find_mount_worker(mount, req) : NULL;
    if (mount_worker != NULL)
        fr_h2o_views_begin(mount_worker, req, target);
}

/* No handler of the path comes after the mount. */
static bool is_last(const struct fr_h2o_mount *mount, const h2o_req_t *req)
{
    const h2o_pathconf_t *path = req->pathconf;
    return path->handlers.entries[path->handlers.size - 1] == &mount->super;
}

/* -1: the next handler has its turn. Without one the client must be able to tell who says that there is
 * nothing: a proxy that is being set up, or freshet. */
static int find_nothing(const struct fr_h2o_mount *mount, h2o_req_t *req)
{
    if (!is_last(mount, req))
        return -1;
    if (fr_h2o_cors_is_preflight(mount, req))
        fr_h2o_cors_answer(mount, req); /* so that the page may see the answer that it will get */
    else
        fr_h2o_refuse(mount, req, 404, "not-found");
    return 0;
}

/* -1: no route; the next handler has its turn. */
static int route(struct fr_h2o_mount *mount, h2o_req_t *req, const struct fr_target *target)
{
    struct freshet_loader *loader;
    struct fr_params *params;
    switch (fr_route_find(mount->freshet, target->path, &loader, &params)) {
    case FRESHET_OK:
        if (fr_h2o_cors_is_preflight(mount, req)) {
            fr_params_release(params);
            fr_h2o_cors_answer(mount, req);
            return 0;
        }
        serve(mount, req, loader, params, target);
        return 0;
    case FRESHET_NOT_FOUND:
        return find_nothing(mount, req);
    case FRESHET_INVALID:
        fr_h2o_refuse(mount, req, 400, "bad-path");
        return 0;
    default:
        fr_h2o_refuse_for_now(mount, req, "no-memory");
        return 0;
    }
}

static int on_req(h2o_handler_t *self, h2o_req_t *req)
{
    struct fr_h2o_mount *mount = (struct fr_h2o_mount *)self;
    struct fr_target target;
    enum freshet_status status = fr_target_cut(freshet_span(req->input.path.base, req->input.path.len),
                                               freshet_span_text(mount->prefix), &target);
    if (status == FRESHET_NOT_FOUND)
        fr_h2o_refuse(mount, req, 404, "not-found");
    else if (status != FRESHET_OK)
        fr_h2o_refuse(mount, req, 400, "bad-path");
    else if (!fr_h2o_wants_views(&target, req))
        return route(mount, req, &target);
    else if (fr_h2o_cors_is_preflight(mount, req))
        fr_h2o_cors_answer(mount, req);
    else
        serve_views(mount, req, &target);
    return 0;
}

static void release(struct fr_h2o_mount *mount)
{
    fr_bytes_release(mount->heartbeat);
    free(mount->request_headers);
    free(mount->origins);
    free(mount->proxies);
    free(mount->guards);
    free(mount->prefix);
    free(mount->texts);
}

static void dispose(h2o_handler_t *self)
{
    release((struct fr_h2o_mount *)self);
}

static bool is_header_value(const char *value)
{
    if (value == NULL)
        return false;
    for (; *value != '\0'; value++)
        if ((unsigned char)*value < ' ' && *value != '\t')
            return false;
    return true;
}

/* Those that the stream sends itself, or that would change its framing. */
static bool is_own_header(const char *name)
{
    static const char *const own[] = {
        "content-type",  "transfer-encoding", "content-length",         "connection",      "upgrade",
        "cache-control", "x-accel-buffering", "x-content-type-options", "content-encoding"};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (strcmp(name, own[i]) == 0)
            return true;
    return false;
}

static enum freshet_status fill_options(struct freshet_h2o_mount_options *into,
                                        const struct freshet_h2o_mount_options *from,
                                        struct freshet_error *error)
{
    if (from != NULL && from->size != sizeof(*from))
        return fr_fail(error, FRESHET_INVALID, "size: must be sizeof(struct freshet_h2o_mount_options)");
    if (from != NULL)
        *into = *from;
    fr_option_default(&into->heartbeat_ms, DEFAULT_HEARTBEAT_MS);
    fr_option_default(&into->retry_min_ms, DEFAULT_RETRY_MIN_MS);
    fr_option_default(&into->retry_max_ms,
                      into->retry_min_ms > DEFAULT_RETRY_MAX_MS ? into->retry_min_ms : DEFAULT_RETRY_MAX_MS);
    fr_option_default(&into->write_timeout_ms, DEFAULT_WRITE_TIMEOUT_MS);
    fr_option_default(&into->max_unsent_bytes, DEFAULT_MAX_UNSENT_BYTES);
    fr_option_default(&into->max_age_ms, FRESHET_NEVER);
    if ((unsigned)into->gzip > FRESHET_H2O_GZIP_NEVER)
        return fr_fail(error, FRESHET_INVALID, "gzip: is none of enum freshet_h2o_gzip");
    if (into->retry_max_ms < into->retry_min_ms)
        return fr_fail(error, FRESHET_INVALID, "retry_max_ms: must not be below retry_min_ms");
    if (into->header_count > 0 && into->headers == NULL)
        return fr_fail(error, FRESHET_INVALID, "header_count is %zu, but headers is NULL",
                       into->header_count);
    for (size_t i = 0; i < into->header_count; i++) {
        const struct freshet_h2o_header *header = &into->headers[i];
        if (!fr_text_is_header_name(header->name) || is_own_header(header->name) ||
            !is_header_value(header->value))
            return fr_fail(error, FRESHET_INVALID,
                           "headers[%zu]: a lower-case name that streams do not set themselves, and a value "
                           "without line ends",
                           i);
    }
    for (size_t i = 0; into->request_headers != NULL && into->request_headers[i] != NULL; i++)
        if (!fr_text_is_header_name(into->request_headers[i]))
            return fr_fail(error, FRESHET_INVALID, "request_headers[%zu]: a name in lower case", i);
    for (size_t i = 0; i < into->use_count; i++)
        if (into->use == NULL || into->use[i].guard == NULL)
            return fr_fail(error, FRESHET_INVALID, "use[%zu]: has no function", i);
    for (size_t i = 0; into->proxies != NULL && into->proxies[i] != NULL; i++)
        if (!fr_h2o_proxy_is_valid(into->proxies[i]))
            return fr_fail(error, FRESHET_INVALID, "proxies[%zu]: an address, or a network as ADDRESS/BITS",
                           i);
    return fr_h2o_cors_check(into, error);
}

static const char *copy_text(char **room, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*room, text, size);
    *room += size;
    return copy;
}

/* Texts and pointers to them in one. False: no memory. */
static bool copy_list(char ***out, const char *const *from)
{
    size_t count = 0, size = 0;
    if (from == NULL)
        return true;
    for (; from[count] != NULL; count++)
        size += strlen(from[count]) + 1;
    char **list = *out = malloc((count + 1) * sizeof(*list) + size);
    if (list == NULL)
        return false;
    char *room = (char *)(list + count + 1);
    for (size_t i = 0; i < count; i++) {
        list[i] = room;
        copy_text(&room, from[i]);
    }
    list[count] = NULL;
    return true;
}

static bool copy_guards(struct fr_h2o_mount *mount)
{
    size_t size = mount->options.use_count * sizeof(*mount->guards);
    if (size == 0)
        return true;
    mount->guards = malloc(size);
    if (mount->guards != NULL)
        memcpy(mount->guards, mount->options.use, size);
    return mount->guards != NULL;
}

/* Moves the headers into memory of the mount's own. */
static bool copy_headers(struct fr_h2o_mount *mount)
{
    const struct freshet_h2o_header *from = mount->options.headers;
    size_t count = mount->options.header_count, size = count * sizeof(*from);
    for (size_t i = 0; i < count; i++)
        size += strlen(from[i].name) + strlen(from[i].value) + 2;
    mount->texts = malloc(size + 1);
    if (mount->texts == NULL)
        return false;
    struct freshet_h2o_header *headers = (struct freshet_h2o_header *)(void *)mount->texts;
    char *room = (char *)(headers + count);
    for (size_t i = 0; i < count; i++) {
        headers[i].name = copy_text(&room, from[i].name);
        headers[i].value = copy_text(&room, from[i].value);
    }
    mount->options.headers = headers;
    return true;
}

static bool fill_mount(struct fr_h2o_mount *mount, const h2o_pathconf_t *path)
{
    size_t len = path->path.len;
    while (len > 0 && path->path.base[len - 1] == '/')
        len--;
    mount->prefix = strndup(len == 0 ? "" : path->path.base, len);
    mount->heartbeat = fr_frame_comment(freshet_span_text(""));
    return mount->prefix != NULL && mount->heartbeat != NULL && copy_headers(mount) &&
           copy_list(&mount->request_headers, mount->options.request_headers) &&
           copy_list(&mount->origins, mount->options.origins) &&
           copy_list(&mount->proxies, mount->options.proxies) && copy_guards(mount);
}

enum freshet_status freshet_h2o_mount(struct freshet *freshet, struct st_h2o_pathconf_t *path,
                                      const struct freshet_h2o_mount_options *options,
                                      struct freshet_error *error)
{
    struct fr_h2o_mount made = {.freshet = freshet};
    if (freshet == NULL || path == NULL)
        return fr_fail(error, FRESHET_INVALID, "`%s` is NULL", freshet == NULL ? "freshet" : "path");
    enum freshet_status status = fill_options(&made.options, options, error);
    if (status != FRESHET_OK)
        return status;
    if (!fill_mount(&made, path)) {
        release(&made);
        return fr_fail(error, FRESHET_NO_MEMORY, "no memory");
    }
    fr_h2o_entrance_add(path);
    struct fr_h2o_mount *mount = (struct fr_h2o_mount *)h2o_create_handler(path, sizeof(*mount));
    made.super = mount->super;
    made.super.on_req = on_req;
    made.super.dispose = dispose;
    *mount = made;
    path->global->http1.upgrade_to_http2 = 0;
    return FRESHET_OK;
}
