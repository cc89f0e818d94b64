/* `GET <mount>?v=<view>~<version>&v=…`: several views on one stream. */
#include "web/stream/views.h"
#include "core/load/loader.h"
#include "core/request/query.h"
#include "web/h2o/socket.h"
#include <string.h>

#define MOST_NAME_BYTES 2048

static bool is_v(struct freshet_span name)
{
    return freshet_span_equal(name, freshet_span_text("v"));
}

/* Walks over the values of `v`. */
struct wishes {
    struct freshet_span rest;
    char *room;
};

static struct wishes begin_wishes(const struct fr_target *target, h2o_req_t *req)
{
    return (struct wishes){target->query, h2o_mem_alloc_pool(&req->pool, target->query.len + 1)};
}

/* FRESHET_NOT_FOUND: no more. FRESHET_INVALID. */
static enum freshet_status next_wish(struct wishes *wishes, struct freshet_span *value)
{
    struct freshet_span name;
    enum freshet_status status;
    do
        status = fr_query_next(&wishes->rest, &wishes->room, &name, value);
    while (status == FRESHET_OK && !is_v(name));
    return status;
}

/* Other pages have a `v` too, `?v=2` for a cache say. Bad values are refused later, but only those of who
 * asks for views. */
static bool is_wish(enum freshet_status status, struct freshet_span name, struct freshet_span value)
{
    if (status == FRESHET_NOT_FOUND || !is_v(name))
        return false;
    return status != FRESHET_OK || (value.len > 0 && value.data[0] == '/') ||
           (value.len > 0 && memchr(value.data, '~', value.len) != NULL);
}

bool fr_h2o_wants_views(const struct fr_target *target, h2o_req_t *req)
{
    enum freshet_status status = FRESHET_OK;
    struct freshet_span name, value;
    bool wants = false;
    bool root = target->path.len == 0 || (target->path.len == 1 && target->path.data[0] == '/');
    if (!root || target->query.len == 0)
        return false;
    for (struct wishes wishes = begin_wishes(target, req); status != FRESHET_NOT_FOUND && !wants;) {
        name = value = freshet_span(NULL, 0);
        status = fr_query_next(&wishes.rest, &wishes.room, &name, &value);
        wants = is_wish(status, name, value);
    }
    return wants;
}

/* It goes into events as it is. */
static bool is_name(struct freshet_span name)
{
    if (name.len == 0 || name.len > MOST_NAME_BYTES || name.data[0] != '/')
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] <= ' ' || name.data[i] > '~')
            return false;
    return true;
}

/* `<view>~<version>` at the last '~'. */
static bool cut_wish(struct freshet_span value, struct freshet_span *name, struct freshet_span *version)
{
    const char *at = value.len == 0 ? NULL : memrchr(value.data, '~', value.len);
    if (at == NULL)
        return false;
    *name = freshet_span(value.data, (size_t)(at - value.data));
    *version = freshet_span(at + 1, value.len - name->len - 1);
    return is_name(*name);
}

/* How many there are, or 0 and the request is refused. */
static size_t check_wishes(const struct fr_h2o_mount *mount, h2o_req_t *req, const struct fr_target *target)
{
    struct wishes wishes = begin_wishes(target, req);
    struct freshet_span value, name, version;
    enum freshet_status status;
    size_t count = 0;
    while ((status = next_wish(&wishes, &value)) == FRESHET_OK && cut_wish(value, &name, &version))
        count++;
    if (status == FRESHET_NOT_FOUND && count <= FR_VIEWS_MOST)
        return count;
    fr_h2o_refuse(mount, req, 400, status == FRESHET_NOT_FOUND ? "too-many-views" : "bad-view");
    return 0;
}

/* Its route was found. */
static void visit_named(const struct fr_h2o_visit *visit, struct fr_named_view *named,
                        struct freshet_loader *loader, struct fr_params *params,
                        const struct fr_target *target)
{
    struct fr_h2o_mount *mount = visit->mount_worker->mount;
    struct fr_guards guards = {mount->guards, mount->options.use_count};
    char peer[FR_H2O_PEER_TEXT_BYTES];
    struct fr_request_view request_view = {.path = target->path,
                                           .query = target->query,
                                           .peer = fr_h2o_peer_print(&visit->peer, peer),
                                           .from = visit->quota.peer};
    fr_h2o_borrow_headers(mount, loader, visit->req, &request_view);
    fr_named_view_visit(named, loader, params, &request_view, &guards);
}

static enum freshet_status find_route(const struct fr_h2o_mount *mount, struct freshet_span name,
                                      struct fr_target *target, struct freshet_loader **loader,
                                      struct fr_params **params)
{
    enum freshet_status status = fr_target_cut(name, freshet_span_text(""), target);
    return status == FRESHET_OK ? fr_route_find(mount->freshet, target->path, loader, params) : status;
}

static void add_view(const struct fr_h2o_visit *visit, struct fr_views *views, struct freshet_span name,
                     struct freshet_span version_text)
{
    struct fr_version version;
    bool has_held = fr_version_parse(version_text, &version);
    struct fr_named_view *named = fr_views_add(views, name, has_held ? &version : NULL);
    struct freshet_loader *loader;
    struct fr_params *params;
    struct fr_target target;
    if (named == NULL)
        return;
    named->view.takes_differences = fr_h2o_takes_differences(visit->req);
    enum freshet_status status = find_route(visit->mount_worker->mount, name, &target, &loader, &params);
    if (status == FRESHET_OK)
        visit_named(visit, named, loader, params, &target);
    else if (status == FRESHET_INVALID)
        fr_named_view_refuse(named, &(struct freshet_refusal){400, "bad-path"});
    else if (status == FRESHET_NOT_FOUND)
        fr_named_view_refuse(named, &(struct freshet_refusal){404, "not-found"});
    else
        views->failed = true;
}

static void add_views(const struct fr_h2o_visit *visit, struct fr_views *views,
                      const struct fr_target *target)
{
    struct wishes wishes = begin_wishes(target, visit->req);
    struct freshet_span value, name, version;
    while (!views->failed && next_wish(&wishes, &value) == FRESHET_OK)
        if (cut_wish(value, &name, &version) && !fr_views_has(views, name))
            add_view(visit, views, name, version);
}

static bool view_allows_gzip(const struct fr_h2o_mount *mount, struct freshet_span name)
{
    struct freshet_loader *loader;
    struct fr_params *params;
    struct fr_target target;
    if (find_route(mount, name, &target, &loader, &params) != FRESHET_OK)
        return true;
    fr_params_release(params);
    return !loader->options.no_gzip;
}

/* One view that must not be compressed keeps the others from it: they would be deflated side by side. */
static bool allow_gzip(const struct fr_h2o_mount *mount, h2o_req_t *req, const struct fr_target *target)
{
    struct wishes wishes = begin_wishes(target, req);
    struct freshet_span value, name, version;
    bool allowed = true;
    while (allowed && next_wish(&wishes, &value) == FRESHET_OK)
        allowed = !cut_wish(value, &name, &version) || view_allows_gzip(mount, name);
    return allowed;
}

static void open_stream(struct fr_h2o_visit *visit, const struct fr_target *target, size_t count)
{
    struct fr_h2o_stream *self = fr_h2o_stream_new(visit);
    struct fr_views *views = self == NULL ? NULL : fr_views_new(&self->stream, count);
    if (views == NULL) {
        fr_h2o_stream_drop(self);
        fr_h2o_visit_refuse(visit, FR_VISIT_LATER, &(struct freshet_refusal){.code = "no-memory"});
        return;
    }
    self->stream.views = views;
    add_views(visit, views, target);
    fr_h2o_stream_upgrade(self, visit);
}

void fr_h2o_views_begin(struct fr_h2o_mount_worker *mount_worker, h2o_req_t *req,
                        const struct fr_target *target)
{
    struct fr_h2o_visit visit = {.mount_worker = mount_worker, .req = req};
    const struct fr_h2o_mount *mount = mount_worker->mount;
    const char *code;
    size_t count = check_wishes(mount, req, target);
    if (count == 0)
        return;
    visit.in_gzip = fr_h2o_wants_gzip(mount, req) && allow_gzip(mount, req, target);
    fr_h2o_worker_tick(mount_worker->worker);
    fr_h2o_peer_of(mount_worker->mount, req, &visit.peer);
    if (fr_stream_begin(mount_worker->worker->core, fr_h2o_peer_key(&visit.peer), (uint32_t)count,
                        &visit.quota, &code) == FRESHET_OK)
        open_stream(&visit, target, count);
    else
        fr_h2o_refuse_for_now(mount, req, code);
    fr_h2o_worker_rearm(mount_worker->worker);
}
