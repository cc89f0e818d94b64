/* From a request for a route to its answer: what is kept of it, its guards, the limits. While guards are out
 * h2o has the request; nothing of it is read then, and when it goes the visit goes with it. */
#include "core/admission.h"
#include "core/loader.h"
#include "web/h2o_socket.h"
#include <string.h>

/* In the request's pool. */
struct waiting {
    struct fr_list link; /* in worker->visits; unlinked: answered */
    struct fr_h2o_visit visit;
};

static struct fr_worker *core_of(const struct fr_h2o_visit *visit)
{
    return visit->site->worker->core;
}

static void give_up(struct fr_h2o_visit *visit)
{
    fr_admission_destroy(visit->admission);
    fr_params_release(visit->params);
    fr_asked_release(visit->asked);
    visit->admission = NULL;
    visit->params = NULL;
    visit->asked = NULL;
    fr_stream_cancel(core_of(visit), &visit->ticket);
}

void fr_h2o_visit_refuse(struct fr_h2o_visit *visit, enum freshet_status status,
                         const struct freshet_refusal *refusal)
{
    const struct fr_h2o_mount *mount = visit->site->mount;
    give_up(visit);
    if (status != FRESHET_REFUSED) {
        fr_h2o_refuse_for_now(mount, visit->req, refusal->code);
        return;
    }
    bool valid = refusal->status >= 400 && refusal->status <= 499;
    fr_count(&fr_worker_counters(core_of(visit))->streams_denied, 1);
    fr_h2o_refuse(mount, visit->req, valid ? refusal->status : 403, refusal->code);
}

/* ---- what is kept ---- */

static bool names(char *const *list, const h2o_iovec_t *name)
{
    for (; list != NULL && *list != NULL; list++)
        if (h2o_memis(name->base, name->len, *list, strlen(*list)))
            return true;
    return false;
}

static void borrow_headers(const struct fr_h2o_visit *visit, struct fr_ask *ask)
{
    const h2o_headers_t *headers = &visit->req->headers;
    for (size_t i = 0; i < headers->size && ask->header_count < FR_ASKED_MOST_HEADERS; i++) {
        const h2o_header_t *header = &headers->entries[i];
        if (!names(visit->loader->headers, header->name) &&
            !names(visit->site->mount->request_headers, header->name))
            continue;
        ask->headers[ask->header_count++] =
            (struct fr_field){freshet_span(header->name->base, header->name->len),
                              freshet_span(header->value.base, header->value.len)};
    }
}

static enum freshet_status keep(struct fr_h2o_visit *visit, const struct fr_target *target,
                                struct freshet_refusal *refusal)
{
    char peer[FR_H2O_PEER_TEXT_BYTES];
    struct fr_ask ask = {.path = target->path, .query = target->query};
    ask.peer = fr_h2o_peer_print(&visit->peer, peer);
    borrow_headers(visit, &ask);
    enum freshet_status status = fr_asked_new(&visit->asked, &ask);
    if (status == FRESHET_INVALID)
        *refusal = (struct freshet_refusal){400, "bad-query"};
    else if (status == FRESHET_TOO_LARGE)
        *refusal = (struct freshet_refusal){431, "request-too-large"};
    return status == FRESHET_INVALID || status == FRESHET_TOO_LARGE ? FRESHET_REFUSED : status;
}

/* ---- guards ---- */

static void answer(struct fr_h2o_visit *visit, const struct fr_verdict *verdict)
{
    struct freshet_refusal refusal = {.status = verdict->status};
    memcpy(refusal.code, verdict->code, sizeof(refusal.code));
    if (verdict->kind == FR_VERDICT_ALLOW) {
        fr_h2o_visit_open(visit);
    } else if (verdict->kind == FR_VERDICT_REDIRECT) {
        fr_count(&fr_worker_counters(core_of(visit))->streams_denied, 1);
        give_up(visit);
        fr_h2o_redirect(visit->site->mount, visit->req, verdict->location);
    } else {
        bool denied = verdict->kind == FR_VERDICT_DENY;
        fr_h2o_visit_refuse(visit, denied ? FRESHET_REFUSED : FRESHET_FULL, &refusal);
    }
}

static void on_decided(struct fr_admission *admission, const struct fr_verdict *verdict)
{
    struct waiting *waiting = admission->user;
    fr_list_remove(&waiting->link);
    answer(&waiting->visit, verdict);
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
    fr_list_append(&visit->site->worker->visits, &waiting->link);
    visit->admission->decided = on_decided;
    visit->admission->user = waiting;
    fr_admission_run(visit->admission);
}

void fr_h2o_visits_end(struct freshet_h2o_worker *worker)
{
    for (struct fr_list *link; (link = fr_list_shift(&worker->visits)) != NULL;)
        fr_h2o_visit_refuse(&FR_CONTAINER(link, struct waiting, link)->visit, FRESHET_CLOSED,
                            &(struct freshet_refusal){.code = "going-away"});
}

/* ---- the beginning ---- */

static void go(struct fr_h2o_visit *visit, const struct fr_target *target)
{
    struct freshet_refusal refusal = {.code = "no-memory"};
    struct fr_h2o_mount *mount = visit->site->mount;
    struct fr_guards guards = {mount->guards, mount->options.use_count};
    bool guarded = fr_admission_is_needed(mount->freshet, visit->loader, target->path, &guards);
    enum freshet_status status = FRESHET_OK;
    if (guarded || fr_loader_looks(visit->loader))
        status = keep(visit, target, &refusal);
    if (status == FRESHET_OK && guarded) {
        visit->admission =
            fr_admission_new(core_of(visit), visit->loader, visit->asked, visit->params, &guards);
        status = visit->admission == NULL ? FRESHET_NO_MEMORY : FRESHET_OK;
    }
    if (status != FRESHET_OK)
        fr_h2o_visit_refuse(visit, status, &refusal);
    else if (guarded)
        wait_for_guards(visit);
    else
        fr_h2o_visit_open(visit);
}

void fr_h2o_visit_begin(struct fr_h2o_site *site, h2o_req_t *req, struct freshet_loader *loader,
                        struct fr_params *params, const struct fr_target *target)
{
    struct fr_h2o_visit visit = {.site = site, .req = req, .loader = loader, .params = params};
    const char *code;
    fr_h2o_worker_tick(site->worker);
    fr_h2o_peer_read(&visit.peer, h2o_socket_get_fd(req->conn->callbacks->get_socket(req->conn)));
    if (fr_stream_begin(site->worker->core, fr_h2o_peer_key(&visit.peer), &visit.ticket, &code) ==
        FRESHET_OK) {
        go(&visit, target);
    } else {
        fr_params_release(params);
        fr_h2o_refuse_for_now(site->mount, req, code);
    }
    fr_h2o_worker_rearm(site->worker);
}
