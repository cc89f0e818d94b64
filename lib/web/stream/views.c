#include "web/stream/views.h"

#include "base/bytes.h"
#include "base/random.h"
#include "core/runtime/counters.h"
#include "web/stream/stream_end.h"
#include <stdlib.h>
#include <string.h>

static struct freshet_span name_of(const struct fr_named_view *named)
{
    return freshet_span_text(named->name);
}

/* The view has something to send, perhaps. */
static void queue(struct fr_named_view *named)
{
    if (fr_list_is_empty(&named->ready))
        fr_list_append(&named->views->ready, &named->ready);
}

static int64_t retry_ms(const struct fr_named_view *named)
{
    const struct fr_stream_config *config = named->views->stream->config;
    return (int64_t)fr_random_between(config->retry_min_ms, config->retry_max_ms);
}

static void enter_ended(struct fr_named_view *named, const struct fr_end *end, int status)
{
    named->state = FR_NAMED_VIEW_ENDED;
    fr_visit_end(&named->visit);
    named->end = fr_frame_end_view(end, name_of(named), status);
    if (named->end == NULL)
        named->views->failed = true;
    fr_view_close(&named->view);
    queue(named);
}

static void count(struct fr_named_view *named, bool denied)
{
    struct fr_counters *counters = fr_worker_counters(named->views->stream->config->group->worker);
    fr_count(denied ? &counters->streams_denied : &counters->streams_refused, 1);
}

/* `answer` is no, or not now. */
static void refuse(struct fr_named_view *named, enum fr_visit_answer answer,
                   const struct freshet_refusal *refusal)
{
    bool final = answer == FR_VISIT_NO;
    struct fr_end end = {.code = freshet_span_text(refusal->code), .retry_ms = final ? -1 : retry_ms(named)};
    count(named, final);
    enter_ended(named, &end, final ? refusal->status : 0);
}

static void open_named(struct fr_named_view *named)
{
    struct freshet_refusal refusal = {0};
    enum fr_visit_answer answer = fr_visit_open(&named->visit, &named->view, &refusal);
    named->state = FR_NAMED_VIEW_OPEN;
    if (answer != FR_VISIT_YES)
        refuse(named, answer, &refusal);
}

static void on_decided(struct fr_admission *admission, const struct fr_verdict *verdict)
{
    struct fr_named_view *named = admission->user;
    struct freshet_refusal refusal;
    if (verdict->kind == FR_VERDICT_ALLOW) {
        open_named(named);
    } else if (verdict->kind == FR_VERDICT_REDIRECT) {
        struct fr_end end = {freshet_span_text(verdict->code), -1, freshet_span_text(verdict->location)};
        count(named, true);
        enter_ended(named, &end, 302);
    } else {
        enum fr_visit_answer answer = fr_visit_refused(verdict, &refusal);
        refuse(named, answer, &refusal);
    }
    fr_stream_ready(named->views->stream);
}

struct fr_views *fr_views_new(struct fr_stream *stream, size_t count)
{
    struct fr_views *views = calloc(1, sizeof(*views) + count * sizeof(struct fr_named_view));
    if (views == NULL)
        return NULL;
    views->stream = stream;
    fr_list_init(&views->ready);
    return views;
}

void fr_views_destroy(struct fr_views *views)
{
    if (views == NULL)
        return;
    for (size_t i = 0; i < views->count; i++) {
        struct fr_named_view *named = &views->all[i];
        fr_visit_end(&named->visit);
        fr_view_close(&named->view);
        fr_bytes_release(named->end);
        free(named->name);
    }
    fr_request_copy_release(views->request_copy);
    free(views);
}

bool fr_views_has(const struct fr_views *views, struct freshet_span name)
{
    for (size_t i = 0; i < views->count; i++)
        if (freshet_span_equal(name_of(&views->all[i]), name))
            return true;
    return false;
}

struct fr_named_view *fr_views_add(struct fr_views *views, struct freshet_span name,
                                   const struct fr_version *held)
{
    struct fr_named_view *named = &views->all[views->count];
    named->name = strndup(name.data, name.len);
    if (named->name == NULL) {
        views->failed = true;
        return NULL;
    }
    views->count++;
    named->views = views;
    named->view.name = named->name;
    named->view.in_gzip = fr_stream_gzip(views->stream) != NULL;
    named->visit = (struct fr_visit){.has_held = held != NULL};
    if (held != NULL)
        named->visit.held = *held;
    fr_list_init(&named->ready);
    return named;
}

static void share(struct fr_views *views, struct fr_request_copy *request_copy)
{
    if (request_copy == NULL ||
        (views->request_copy != NULL && request_copy->header_count <= views->request_copy->header_count))
        return;
    fr_request_copy_release(views->request_copy);
    views->request_copy = fr_request_copy_acquire(request_copy);
}

void fr_named_view_visit(struct fr_named_view *named, struct freshet_loader *loader, struct fr_params *params,
                         struct fr_request_view *request_view, const struct fr_guards *mount)
{
    struct fr_visit *visit = &named->visit;
    struct freshet_refusal refusal;
    visit->worker = named->views->stream->config->group->worker;
    visit->loader = loader;
    visit->params = params;
    request_view->like = named->views->request_copy;
    enum fr_visit_answer answer = fr_visit_begin(visit, request_view, mount, &refusal);
    share(named->views, visit->request_copy);
    if (answer != FR_VISIT_YES) {
        refuse(named, answer, &refusal);
    } else if (visit->admission == NULL) {
        open_named(named);
    } else {
        named->state = FR_NAMED_VIEW_CHECKING;
        visit->admission->decided = on_decided;
        visit->admission->user = named;
        fr_admission_run(visit->admission);
    }
}

void fr_named_view_refuse(struct fr_named_view *named, const struct freshet_refusal *refusal)
{
    refuse(named, FR_VISIT_NO, refusal);
}

static bool is_over(const struct fr_views *views)
{
    for (size_t i = 0; i < views->count; i++)
        if (views->all[i].state != FR_NAMED_VIEW_ENDED)
            return false;
    return true;
}

static enum fr_view_news take_of(struct fr_named_view *named, struct fr_bytes **frame)
{
    bool open = named->state == FR_NAMED_VIEW_OPEN;
    named->views->taken = open ? &named->view : NULL;
    if (open)
        return fr_view_take(&named->view, frame);
    *frame = named->end;
    named->end = NULL;
    return *frame == NULL ? FR_NEWS_NONE : FR_NEWS_ERROR;
}

enum fr_view_news fr_views_take(struct fr_views *views, struct fr_bytes **frame)
{
    *frame = NULL;
    if (views->failed)
        return FR_NEWS_NO_MEMORY;
    for (struct fr_list *link; (link = fr_list_shift(&views->ready)) != NULL;) {
        struct fr_named_view *named = FR_CONTAINER(link, struct fr_named_view, ready);
        enum fr_view_news news = take_of(named, frame);
        if (news == FR_NEWS_NONE)
            continue;
        queue(named); /* behind the others: there may be more */
        return news;
    }
    return is_over(views) ? FR_NEWS_OVER : FR_NEWS_NONE;
}

void fr_views_ready(struct fr_view *view)
{
    struct fr_named_view *named = FR_CONTAINER(view, struct fr_named_view, view);
    queue(named);
    fr_stream_ready(named->views->stream);
}

void fr_views_lost(struct fr_view *view, enum freshet_close_reason reason)
{
    struct fr_named_view *named = FR_CONTAINER(view, struct fr_named_view, view);
    struct fr_stream *stream = named->views->stream;
    if (named->state != FR_NAMED_VIEW_OPEN)
        return;
    struct fr_end end = fr_stream_describe_end(stream, view, reason);
    count(named, reason == FRESHET_CLOSE_DENIED);
    enter_ended(named, &end, 0);
    fr_stream_ready(stream);
}
