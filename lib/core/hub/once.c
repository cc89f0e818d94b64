/* freshet_load_once(): a visit like any other, whose view is closed with the first thing there is to see. */
#include "core/hub/once.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/options.h"
#include "base/text.h"
#include "core/hub/fanout.h"
#include "core/hub/visit.h"
#include "core/load/loader.h"
#include "core/load/route_guards.h"
#include "core/request/target.h"
#include "core/runtime/context.h"
#include <freshet/once.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT_MS 5000

struct once {
    struct fr_mail mail; /* to its worker; later, to the callback thread */
    struct fr_worker *worker;
    bool called_elsewhere; /* by a thread without a loop: so is the answer */
    struct fr_resident resident;
    struct fr_timer timer;
    bool has_timer; /* room for it is reserved */
    struct fr_visit visit;
    struct fr_view view;
    freshet_once_cb answered;
    void *user;

    /* What is asked for. */
    uint32_t timeout_ms;
    struct fr_target target;
    struct freshet_span peer;
    struct freshet_once_header *headers;
    struct fr_guards guards;
    size_t header_count;

    /* What came of it. */
    int status;
    char code[48], *location;
    struct fr_snapshot *snapshot;
    struct fr_buffer lines;

    struct freshet_guard room[]; /* guards, headers and texts */
};

/* ---- the end ---- */

static void free_once(struct once *once)
{
    fr_snapshot_release(once->snapshot);
    fr_buffer_deinit(&once->lines);
    fr_params_release(once->visit.params);
    free(once->location);
    if (once->worker != NULL)
        fr_worker_release(once->worker);
    free(once);
}

/* Calls the application, and is gone. */
static void tell(struct once *once)
{
    char version[FR_VERSION_HEX];
    struct freshet_once_answer answer = {.status = once->status, .code = freshet_span_text(once->code)};
    if (once->location != NULL)
        answer.location = freshet_span_text(once->location);
    if (once->snapshot != NULL) {
        answer.bytes = fr_frame_text(once->snapshot->frame, &once->lines);
        fr_text_put_hex(version, once->snapshot->version.bytes, sizeof(once->snapshot->version.bytes));
        answer.version = freshet_span(version, sizeof(version));
    }
    if (once->lines.failed)
        answer = (struct freshet_once_answer){.status = 503, .code = freshet_span_text("no-memory")};
    once->answered(&answer, once->user);
    free_once(once);
}

static void deliver_answer(struct fr_mail *mail)
{
    tell(FR_CONTAINER(mail, struct once, mail));
}

/* Nothing of it stays on the worker. */
static void finish(struct once *once)
{
    struct fr_timers *timers = &once->worker->timers;
    struct fr_counters *counters = &once->worker->counters;
    fr_count(once->status == 200 ? &counters->once_answered : &counters->once_refused, 1);
    if (once->has_timer) {
        fr_timers_cancel(timers, &once->timer);
        fr_timers_unreserve(timers);
    }
    fr_list_remove(&once->resident.link);
    fr_visit_end(&once->visit);
    fr_view_close(&once->view);
    once->mail.deliver = deliver_answer;
    /* When the callback thread has stopped the freshet is at its end, and this thread is as good as any. */
    if (!once->called_elsewhere || !fr_pool_call_back(once->worker->freshet->pool, &once->mail))
        tell(once);
}

static void refuse(struct once *once, int status, const char *code)
{
    once->status = status;
    snprintf(once->code, sizeof(once->code), "%s", code);
    finish(once);
}

static void refuse_visit(struct once *once, enum fr_visit_answer answer,
                         const struct freshet_refusal *refusal)
{
    bool valid = refusal->status >= 400 && refusal->status <= 499;
    if (answer == FR_VISIT_LATER)
        refuse(once, 503, refusal->code);
    else
        refuse(once, valid ? refusal->status : 403,
               fr_code_is_valid(refusal->code) ? refusal->code : "refused");
}

static void refuse_verdict(struct once *once, const struct fr_verdict *verdict)
{
    struct freshet_refusal refusal;
    if (verdict->kind != FR_VERDICT_REDIRECT) {
        enum fr_visit_answer answer = fr_visit_refused(verdict, &refusal);
        refuse_visit(once, answer, &refusal);
        return;
    }
    once->location = strdup(verdict->location);
    refuse(once, once->location == NULL ? 503 : 302, once->location == NULL ? "no-memory" : verdict->code);
}

/* ---- what its view is told ---- */

void fr_once_ready(struct fr_view *view)
{
    struct once *once = FR_CONTAINER(view, struct once, view);
    const struct fr_update *update = &view->fanout->update;
    if (view->joining || (update->snapshot == NULL && update->error == NULL))
        return;
    struct freshet_span code =
        update->error == NULL ? freshet_span(NULL, 0) : fr_frame_error_code(update->error);
    snprintf(once->code, sizeof(once->code), "%.*s", (int)code.len, code.len == 0 ? "" : code.data);
    once->status = update->snapshot == NULL ? 503 : 200;
    if (update->snapshot != NULL)
        once->snapshot = fr_snapshot_acquire(update->snapshot);
    finish(once);
}

void fr_once_lost(struct fr_view *view)
{
    struct once *once = FR_CONTAINER(view, struct once, view);
    const struct fr_verdict *verdict = view->admission == NULL ? NULL : view->admission->verdict;
    if (verdict != NULL)
        refuse_verdict(once, verdict);
    else
        refuse(once, 503, "no-memory");
}

/* ---- the way there, on its worker ---- */

static void open_view(struct once *once)
{
    struct freshet_refusal refusal = {.status = 0};
    once->view.is_once = true;
    enum fr_visit_answer answer = fr_visit_open(&once->visit, &once->view, &refusal);
    if (answer != FR_VISIT_YES)
        refuse_visit(once, answer, &refusal);
}

static void on_decided(struct fr_admission *admission, const struct fr_verdict *verdict)
{
    struct once *once = admission->user;
    if (verdict->kind == FR_VERDICT_ALLOW)
        open_view(once);
    else
        refuse_verdict(once, verdict);
}

static void on_time_out(struct fr_timer *timer)
{
    refuse(FR_CONTAINER(timer, struct once, timer), 503, "timeout");
}

static void on_worker_leaving(struct fr_resident *resident)
{
    refuse(FR_CONTAINER(resident, struct once, resident), 503, "going-away");
}

static void describe(const struct once *once, struct fr_request_view *request_view)
{
    *request_view =
        (struct fr_request_view){.path = once->target.path, .query = once->target.query, .peer = once->peer};
    for (size_t i = 0; i < once->header_count; i++)
        request_view->headers[request_view->header_count++] =
            (struct fr_field){once->headers[i].name, once->headers[i].value};
    fr_request_view_add_absent(request_view, once->visit.loader->headers);
}

static void visit(struct once *once)
{
    struct fr_request_view request_view;
    struct freshet_refusal refusal;
    describe(once, &request_view);
    enum fr_visit_answer answer = fr_visit_begin(&once->visit, &request_view, &once->guards, &refusal);
    if (answer != FR_VISIT_YES) {
        refuse_visit(once, answer, &refusal);
    } else if (once->visit.admission != NULL) {
        once->visit.admission->decided = on_decided;
        once->visit.admission->user = once;
        fr_admission_run(once->visit.admission);
    } else {
        open_view(once);
    }
}

static void deliver_request(struct fr_mail *mail)
{
    struct once *once = FR_CONTAINER(mail, struct once, mail);
    struct fr_worker *worker = once->worker;
    once->has_timer = fr_timers_reserve(&worker->timers);
    if (once->status != 0) {
        finish(once);
    } else if (worker->leaving || !once->has_timer) {
        refuse(once, 503, worker->leaving ? "going-away" : "no-memory");
    } else {
        once->timer.expire = on_time_out;
        fr_timers_set(&worker->timers, &once->timer,
                      fr_worker_now_us(worker) + (int64_t)once->timeout_ms * FR_US_PER_MS);
        once->resident.end = on_worker_leaving;
        fr_list_append(&worker->visitors, &once->resident.link);
        visit(once);
    }
}

/* ---- the call ---- */

static bool is_broken(struct freshet_span span)
{
    return span.data == NULL && span.len > 0;
}

static enum freshet_status check_headers(const struct freshet_once_request *request,
                                         struct freshet_error *error)
{
    if (request->header_count > FR_REQUEST_ROOM_HEADERS ||
        (request->header_count > 0 && request->headers == NULL))
        return fr_fail(error, FRESHET_INVALID, "headers: at most %d, and not NULL", FR_REQUEST_ROOM_HEADERS);
    for (size_t i = 0; i < request->header_count; i++)
        if (request->headers[i].name.data == NULL || is_broken(request->headers[i].value))
            return fr_fail(error, FRESHET_INVALID, "headers: the name or value of number %zu is NULL", i);
    return FRESHET_OK;
}

static enum freshet_status check(const struct freshet_once_request *request, freshet_once_cb answered,
                                 struct freshet_error *error)
{
    if (request == NULL || answered == NULL)
        return fr_fail(error, FRESHET_INVALID, "`%s` is NULL", request == NULL ? "request" : "answered");
    if (request->size != sizeof(*request))
        return fr_fail(error, FRESHET_INVALID, "size: must be sizeof(struct freshet_once_request)");
    if (request->target.len == 0 || request->target.data == NULL || request->target.data[0] != '/')
        return fr_fail(error, FRESHET_INVALID, "target: must begin with '/'");
    if (is_broken(request->peer))
        return fr_fail(error, FRESHET_INVALID, "peer: %zu bytes, but NULL", request->peer.len);
    if (check_headers(request, error) != FRESHET_OK)
        return FRESHET_INVALID;
    return fr_guards_check(request->use, request->use_count, "use", error);
}

static char *copy_text(char *room, struct freshet_span *span)
{
    if (span->data == NULL)
        return room;
    memcpy(room, span->data, span->len);
    span->data = room;
    return room + span->len;
}

static size_t measure(const struct freshet_once_request *request)
{
    size_t size = request->header_count * sizeof(*request->headers) +
                  request->use_count * sizeof(*request->use) + request->target.len + request->peer.len;
    for (size_t i = 0; i < request->header_count; i++)
        size += request->headers[i].name.len + request->headers[i].value.len;
    return size;
}

/* NULL: no memory. */
static struct once *new_once(const struct freshet_once_request *request, struct freshet_span *target)
{
    struct once *once = calloc(1, sizeof(*once) + measure(request));
    if (once == NULL)
        return NULL;
    size_t headers_size = request->header_count * sizeof(*request->headers),
           guards_size = request->use_count * sizeof(*request->use);
    if (guards_size > 0)
        memcpy(once->room, request->use, guards_size);
    once->guards = (struct fr_guards){once->room, request->use_count};
    once->headers = (struct freshet_once_header *)(void *)(once->room + request->use_count);
    once->header_count = request->header_count;
    if (headers_size > 0)
        memcpy(once->headers, request->headers, headers_size);
    char *room = (char *)(once->headers + request->header_count);
    for (size_t i = 0; i < request->header_count; i++)
        room = copy_text(copy_text(room, &once->headers[i].name), &once->headers[i].value);
    *target = request->target;
    once->peer = request->peer;
    copy_text(copy_text(room, target), &once->peer);
    once->timeout_ms = request->timeout_ms;
    fr_option_default(&once->timeout_ms, DEFAULT_TIMEOUT_MS);
    return once;
}

/* What a client may have chosen is refused in the answer. */
static enum freshet_status find_loader(struct freshet *freshet, struct once *once, struct freshet_span target,
                                       struct freshet_error *error)
{
    enum freshet_status status = fr_target_cut(target, freshet_span("", 0), &once->target);
    if (status == FRESHET_OK)
        status = fr_route_find(freshet, once->target.path, &once->visit.loader, &once->visit.params);
    if (status == FRESHET_NO_MEMORY)
        return fr_fail(error, status, "out of memory");
    if (status != FRESHET_OK) {
        once->status = status == FRESHET_INVALID ? 400 : 404;
        strcpy(once->code, status == FRESHET_INVALID ? "bad-path" : "not-found");
        return FRESHET_OK;
    }
    if (!once->visit.loader->options.messages)
        return FRESHET_OK;
    return fr_fail(error, FRESHET_UNSUPPORTED, "loader %s is one of messages: they have no state",
                   once->visit.loader->name);
}

/* The caller's, or the one that is home to the fewest; with a reference. NULL: there is none. */
static struct fr_worker *find_worker(struct freshet *freshet)
{
    struct fr_home home = {.worker = NULL};
    struct fr_worker *worker = fr_worker_here(freshet);
    if (worker != NULL)
        return fr_worker_acquire(worker);
    worker = fr_homes_find(&freshet->homes, &home);
    fr_homes_release(&freshet->homes, &home);
    return worker;
}

static enum freshet_status post(struct freshet *freshet, struct once *once, struct freshet_error *error)
{
    bool posted = false;
    once->called_elsewhere = fr_worker_here(freshet) == NULL;
    once->mail.deliver = deliver_request;
    while (!posted) {
        struct fr_worker *worker = find_worker(freshet);
        if (worker == NULL && atomic_load(&freshet->serving))
            return fr_fail(error, FRESHET_CLOSED, "all workers have left");
        if (worker == NULL)
            return fr_fail(error, FRESHET_UNSUPPORTED, "no loop has joined as a worker");
        once->worker = once->visit.worker = worker;
        posted = fr_mailbox_post(&worker->mailbox, &once->mail);
        if (!posted) { /* it has left meanwhile */
            fr_worker_release(worker);
            once->worker = NULL;
            if (!once->called_elsewhere)
                return fr_fail(error, FRESHET_CLOSED, "this loop's worker leaves");
        }
    }
    return FRESHET_OK;
}

enum freshet_status freshet_load_once(struct freshet *freshet, const struct freshet_once_request *request,
                                      freshet_once_cb answered, void *user, struct freshet_error *error)
{
    struct freshet_span target;
    enum freshet_status status = fr_freshet_check_for(freshet, "nothing is loaded", error);
    if (status == FRESHET_OK)
        status = check(request, answered, error);
    if (status != FRESHET_OK)
        return status;
    struct once *once = new_once(request, &target);
    if (once == NULL)
        return fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    fr_list_init(&once->resident.link);
    once->answered = answered;
    once->user = user;
    status = find_loader(freshet, once, target, error);
    if (status == FRESHET_OK)
        status = post(freshet, once, error);
    if (status != FRESHET_OK)
        free_once(once);
    return status;
}
