/* From a request for a route to its answer: what is kept of it, its guards, the limits. While guards are out
 * h2o has the request; nothing of it is read then, and when it goes the visit goes with it. */
#include "core/load/loader.h"
#include "core/request/query.h"
#include "web/h2o/socket.h"
#include <string.h>

/* In the request's pool. */
struct waiting {
    struct fr_list link; /* in worker->visits; unlinked: answered */
    struct fr_h2o_visit visit;
};

static struct fr_worker *core_of(const struct fr_h2o_visit *visit)
{
    return visit->mount_worker->worker->core;
}

static void give_up(struct fr_h2o_visit *visit)
{
    fr_visit_end(&visit->core);
    fr_stream_cancel(core_of(visit), &visit->quota);
}

void fr_h2o_visit_refuse(struct fr_h2o_visit *visit, enum fr_visit_answer answer,
                         const struct freshet_refusal *refusal)
{
    const struct fr_h2o_mount *mount = visit->mount_worker->mount;
    give_up(visit);
    if (answer == FR_VISIT_LATER) {
        fr_h2o_refuse_for_now(mount, visit->req, refusal->code);
        return;
    }
    bool valid = refusal->status >= 400 && refusal->status <= 499;
    fr_count(&fr_worker_counters(core_of(visit))->streams_denied, 1);
    fr_h2o_refuse(mount, visit->req, valid ? refusal->status : 403, refusal->code);
}

/* ---- what is kept ---- */

static bool names(char *const *list, struct freshet_span name)
{
    for (; list != NULL && *list != NULL; list++)
        if (freshet_span_equal(name, freshet_span_text(*list)))
            return true;
    return false;
}

static void borrow(struct fr_request_view *request_view, struct freshet_span name, h2o_iovec_t value)
{
    if (request_view->header_count < FR_REQUEST_MOST_HEADERS)
        request_view->headers[request_view->header_count++] =
            (struct fr_field){name, freshet_span(value.base, value.len)};
    else
        request_view->too_many = true;
}

void fr_h2o_borrow_headers(const struct fr_h2o_mount *mount, const struct freshet_loader *loader,
                           const h2o_req_t *req, struct fr_request_view *request_view)
{
    struct freshet_span host = freshet_span_text("host"); /* h2o keeps it elsewhere */
    if (names(loader->headers, host) || names(mount->request_headers, host))
        borrow(request_view, host, req->input.authority);
    for (size_t i = 0; i < req->headers.size; i++) {
        const h2o_header_t *header = &req->headers.entries[i];
        struct freshet_span name = freshet_span(header->name->base, header->name->len);
        if (names(loader->headers, name) || names(mount->request_headers, name))
            borrow(request_view, name, header->value);
    }
    fr_request_view_add_absent(request_view, loader->headers);
    fr_request_view_add_absent(request_view, mount->request_headers);
}

/* `last-event-id=<version>` in the query: an EventSource that goes on from what a page was rendered with
 * can't set a header. When it comes back by itself it sends the header, which is newer. */
static bool read_query(struct fr_h2o_visit *visit, struct freshet_span query)
{
    struct freshet_span name, value;
    char *room = h2o_mem_alloc_pool(&visit->req->pool, query.len + 1);
    bool found = false;
    while (!found && fr_query_next(&query, &room, &name, &value) == FRESHET_OK)
        found = freshet_span_equal(name, freshet_span_text("last-event-id")) &&
                fr_version_parse(value, &visit->core.held);
    return found;
}

/* The version that the client says it has. */
static void note_held(struct fr_h2o_visit *visit, const struct fr_target *target)
{
    const h2o_headers_t *headers = &visit->req->headers;
    ssize_t at = h2o_find_header_by_str(headers, H2O_STRLIT("last-event-id"), -1);
    if (at == -1) {
        visit->core.has_held = read_query(visit, target->query);
        return;
    }
    h2o_iovec_t value = headers->entries[at].value;
    visit->core.has_held = fr_version_parse(freshet_span(value.base, value.len), &visit->core.held);
}

/* ---- guards ---- */

static void finish(struct fr_h2o_visit *visit, const struct fr_verdict *verdict)
{
    struct freshet_refusal refusal;
    if (verdict->kind == FR_VERDICT_ALLOW) {
        fr_h2o_visit_open(visit);
    } else if (verdict->kind == FR_VERDICT_REDIRECT) {
        fr_count(&fr_worker_counters(core_of(visit))->streams_denied, 1);
        give_up(visit);
        fr_h2o_redirect(visit->mount_worker->mount, visit->req, verdict->location);
    } else {
        enum fr_visit_answer answer = fr_visit_refused(verdict, &refusal);
        fr_h2o_visit_refuse(visit, answer, &refusal);
    }
}

static void on_decided(struct fr_admission *admission, const struct fr_verdict *verdict)
{
    struct waiting *waiting = admission->user;
    fr_list_remove(&waiting->link);
    finish(&waiting->visit, verdict);
}

/* The request goes: answered, or its connection is closed. */
static void on_gone(void *data)
{
    struct waiting *waiting = data;
    if (fr_list_is_empty(&waiting->link))
        return;
    fr_list_remove(&waiting->link);
    give_up(&waiting->visit);
}

static void wait_for_guards(const struct fr_h2o_visit *visit)
{
    struct waiting *waiting = h2o_mem_alloc_shared(&visit->req->pool, sizeof(*waiting), on_gone);
    waiting->visit = *visit;
    fr_list_init(&waiting->link);
    fr_list_append(&visit->mount_worker->worker->visits, &waiting->link);
    visit->core.admission->decided = on_decided;
    visit->core.admission->user = waiting;
    fr_admission_run(visit->core.admission);
}

void fr_h2o_visits_end(struct freshet_h2o_worker *worker)
{
    for (struct fr_list *link; (link = fr_list_shift(&worker->visits)) != NULL;)
        fr_h2o_visit_refuse(&FR_CONTAINER(link, struct waiting, link)->visit, FR_VISIT_LATER,
                            &(struct freshet_refusal){.code = "going-away"});
}

/* ---- the beginning ---- */

static void go(struct fr_h2o_visit *visit, struct freshet_loader *loader, struct fr_params *params,
               const struct fr_target *target)
{
    const struct fr_h2o_mount *mount = visit->mount_worker->mount;
    struct fr_guards guards = {mount->guards, mount->options.use_count};
    char peer[FR_H2O_PEER_TEXT_BYTES];
    struct fr_request_view request_view = {
        .path = target->path, .query = target->query, .from = visit->quota.peer};
    struct freshet_refusal refusal;
    request_view.peer = fr_h2o_peer_print(&visit->peer, peer);
    fr_h2o_borrow_headers(mount, loader, visit->req, &request_view);
    visit->core = (struct fr_visit){.worker = core_of(visit), .loader = loader, .params = params};
    note_held(visit, target);
    enum fr_visit_answer answer = fr_visit_begin(&visit->core, &request_view, &guards, &refusal);
    if (answer != FR_VISIT_YES)
        fr_h2o_visit_refuse(visit, answer, &refusal);
    else if (visit->core.admission != NULL)
        wait_for_guards(visit);
    else
        fr_h2o_visit_open(visit);
}

void fr_h2o_visit_begin(struct fr_h2o_mount_worker *mount_worker, h2o_req_t *req,
                        struct freshet_loader *loader, struct fr_params *params,
                        const struct fr_target *target)
{
    struct fr_h2o_visit visit = {.mount_worker = mount_worker,
                                 .req = req,
                                 .in_gzip =
                                     !loader->options.no_gzip && fr_h2o_wants_gzip(mount_worker->mount, req)};
    const char *code;
    fr_h2o_worker_tick(mount_worker->worker);
    fr_h2o_peer_of(mount_worker->mount, req, &visit.peer);
    if (fr_stream_begin(mount_worker->worker->core, fr_h2o_peer_key(&visit.peer), 1, &visit.quota, &code) ==
        FRESHET_OK) {
        go(&visit, loader, params, target);
    } else {
        fr_params_release(params);
        fr_h2o_refuse_for_now(mount_worker->mount, req, code);
    }
    fr_h2o_worker_rearm(mount_worker->worker);
}
