/* Streams with guards, on top of core_rig.h: requests with a query and headers, and guards that stay open
 * until the test answers them. */
#ifndef GUARD_RIG_H
#define GUARD_RIG_H

#include "core/hub/visit.h"
#include "core/load/loader.h"
#include "core_rig.h"

/* A request on its way to a stream. */
struct visit {
    struct fr_visit core;
    struct client *client;
    bool decided;
    enum fr_visit_answer answer;    /* at the end of the way; yes: the client has a stream */
    struct freshet_refusal refusal; /* otherwise */
    char location[64];              /* of a redirect */
};

struct rig_check {
    struct freshet_check handle;
    const struct freshet_request *request;
    const char *guard; /* its `user` */
};

static struct rig_check checks[RIG_MAX]; /* in the order they began */
static unsigned check_count;

/* Stays open. `user` is its name. */
static inline void hold_guard(struct freshet_check check, const struct freshet_request *request, void *user)
{
    checks[check_count++ % RIG_MAX] = (struct rig_check){check, request, user};
}

static inline void allow_guard(struct freshet_check check, const struct freshet_request *request, void *user)
{
    hold_guard(check, request, user);
    freshet_check_allow(check);
}

static inline struct rig_check *last_check(void)
{
    cr_assert_gt(check_count, 0);
    return &checks[(check_count - 1) % RIG_MAX];
}

static inline void allow_last(void)
{
    cr_assert_eq(freshet_check_allow(last_check()->handle), FRESHET_OK);
    rig_run();
}

static inline void deny_last(int status, const char *code)
{
    cr_assert_eq(freshet_check_deny(last_check()->handle, status, code), FRESHET_OK);
    rig_run();
}

static inline void fail_last(void)
{
    cr_assert_eq(freshet_check_fail(last_check()->handle), FRESHET_OK);
    rig_run();
}

static inline void visit_go_in(struct visit *visit)
{
    visit->decided = true;
    visit->answer = fr_visit_open(&visit->core, &visit->client->view, &visit->refusal);
}

static inline void visit_decided(struct fr_admission *admission, const struct fr_verdict *verdict)
{
    struct visit *visit = admission->user;
    if (verdict->kind == FR_VERDICT_ALLOW) {
        visit_go_in(visit);
        return;
    }
    visit->decided = true;
    visit->answer = fr_visit_refused(verdict, &visit->refusal);
    if (verdict->location != NULL)
        snprintf(visit->location, sizeof(visit->location), "%s", verdict->location);
    fr_visit_end(&visit->core); /* in the callback of its own admission */
}

/* `target` is path and query; `request_view` may be NULL. */
static inline void visit_begin(struct visit *visit, struct client *client, const char *target,
                               const struct fr_request_view *headers, const struct fr_guards *mount)
{
    const char *query = strchr(target, '?');
    struct fr_request_view request_view =
        headers == NULL ? (struct fr_request_view){.header_count = 0} : *headers;
    request_view.path = freshet_span(target, query == NULL ? strlen(target) : (size_t)(query - target));
    request_view.query = query == NULL ? freshet_span(NULL, 0) : freshet_span_text(query + 1);
    rig_join();
    *visit = (struct visit){.client = client, .core = {.worker = rig.workers[0]}};
    *client = (struct client){.blocked = false};
    cr_assert_eq(fr_route_find(rig.freshet, request_view.path, &visit->core.loader, &visit->core.params),
                 FRESHET_OK);
    visit->answer = fr_visit_begin(&visit->core, &request_view,
                                   mount == NULL ? &(struct fr_guards){NULL, 0} : mount, &visit->refusal);
    if (visit->answer != FR_VISIT_YES) {
        visit->decided = true;
    } else if (visit->core.admission == NULL) {
        visit_go_in(visit);
    } else {
        visit->core.admission->decided = visit_decided;
        visit->core.admission->user = visit;
        fr_admission_run(visit->core.admission);
        cr_assert(!visit->decided, "never within the call that came from outside");
    }
    rig_run();
}

static inline void visit_plain(struct visit *visit, struct client *client, const char *target)
{
    visit_begin(visit, client, target, NULL, NULL);
}

static inline bool request_has(enum freshet_status status, struct freshet_span value, const char *text)
{
    return status == FRESHET_OK && freshet_span_equal(value, freshet_span_text(text));
}

static inline bool has_attribute(const struct freshet_request *request, const char *name, const char *text)
{
    struct freshet_span value;
    enum freshet_status status = freshet_request_attribute(request, name, &value);
    return request_has(status, value, text);
}

static inline bool has_query(const struct freshet_request *request, const char *name, const char *text)
{
    struct freshet_span value;
    enum freshet_status status = freshet_request_query(request, name, 0, &value);
    return request_has(status, value, text);
}

#endif
