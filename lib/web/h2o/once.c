/* freshet_load_once() for a request of h2o. */
#include "base/log.h"
#include "core/load/loader.h"
#include "core/request/target.h"
#include "web/h2o/socket.h"
#include <freshet/h2o.h>
#include <stdlib.h>
#include <string.h>

struct once {
    struct freshet_h2o_later *later;
    freshet_h2o_once_cb answered;
    void *user;
};

static void on_answer(const struct freshet_once_answer *answer, void *user)
{
    struct once once = *(struct once *)user;
    free(user);
    once.answered(freshet_h2o_later_take(once.later), answer, once.user);
}

static bool is_below(const char *url, const struct fr_h2o_mount *mount)
{
    size_t len = strlen(mount->prefix);
    return strncmp(url, mount->prefix, len) == 0 && url[len] == '/';
}

/* The mount of the request's host that the URL is below: the innermost, as for a stream. */
static struct fr_h2o_mount *find_mount(const h2o_req_t *req, const char *url)
{
    struct fr_h2o_mount *found = NULL;
    for (size_t i = 0; i < req->hostconf->paths.size; i++) {
        const h2o_pathconf_t *path = &req->hostconf->paths.entries[i];
        for (size_t j = 0; j < path->handlers.size; j++) {
            struct fr_h2o_mount *mount = fr_h2o_mount_of(path->handlers.entries[j]);
            if (mount != NULL && is_below(url, mount) &&
                (found == NULL || strlen(mount->prefix) > strlen(found->prefix)))
                found = mount;
        }
    }
    return found;
}

/* Those that the loader, or the mount for its guards, looks at; none where there is no route, which the
 * answer says. They are copied from where they point. False: the client sent more than are kept. */
static bool find_headers(const struct fr_h2o_mount *mount, const h2o_req_t *req,
                         struct freshet_once_header *headers, struct freshet_once_request *request)
{
    struct fr_request_view request_view = {.header_count = 0};
    struct fr_target target;
    struct freshet_loader *loader;
    struct fr_params *params;
    if (fr_target_cut(request->target, freshet_span("", 0), &target) != FRESHET_OK ||
        fr_route_find(mount->freshet, target.path, &loader, &params) != FRESHET_OK)
        return true;
    fr_params_release(params);
    fr_h2o_borrow_headers(mount, loader, req, &request_view);
    for (size_t i = 0; i < request_view.header_count; i++)
        headers[i] =
            (struct freshet_once_header){request_view.headers[i].name, request_view.headers[i].value};
    request->headers = headers;
    request->header_count = request_view.header_count;
    return !request_view.too_many;
}

static enum freshet_status load(struct fr_h2o_mount *mount, h2o_req_t *req, const char *url,
                                struct once *once, struct freshet_error *error)
{
    struct fr_h2o_peer peer = {.family = 0};
    char peer_text[FR_H2O_PEER_TEXT_BYTES];
    struct freshet_once_header headers[FR_REQUEST_ROOM_HEADERS];
    fr_h2o_peer_of(mount, req, &peer);
    struct freshet_once_request request = {.size = sizeof(request),
                                           .target = freshet_span_text(url + strlen(mount->prefix)),
                                           .peer = fr_h2o_peer_print(&peer, peer_text),
                                           .use = mount->guards,
                                           .use_count = mount->options.use_count};
    if (!find_headers(mount, req, headers, &request))
        return fr_fail(error, FRESHET_TOO_LARGE, "the request has more headers than are kept");
    return freshet_load_once(mount->freshet, &request, on_answer, once, error);
}

enum freshet_status freshet_h2o_load_once(struct st_h2o_req_t *request, const char *url,
                                          freshet_h2o_once_cb answered, void *user,
                                          struct freshet_error *error)
{
    if (request == NULL || url == NULL || answered == NULL)
        return fr_fail(error, FRESHET_INVALID, "`%s` is NULL",
                       request == NULL ? "request"
                       : url == NULL   ? "url"
                                       : "answered");
    struct fr_h2o_mount *mount = find_mount(request, url);
    if (mount == NULL)
        return fr_fail(error, FRESHET_INVALID, "no mount of this host has \"%s\" below it", url);
    if (h2o_context_get_handler_context(request->conn->ctx, &mount->super) == NULL)
        return fr_fail(error, FRESHET_INVALID, "the request's h2o context has not joined");
    struct once *once = malloc(sizeof(*once));
    struct freshet_h2o_later *later = once == NULL ? NULL : freshet_h2o_later_new(request);
    if (later == NULL) {
        free(once);
        return fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    }
    *once = (struct once){later, answered, user};
    enum freshet_status status = load(mount, request, url, once, error);
    if (status != FRESHET_OK) {
        freshet_h2o_later_take(later);
        free(once);
    }
    return status;
}
