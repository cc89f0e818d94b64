#include "web/stream/views.h"

#include "base/bytes.h"
#include "base/random.h"
#include "core/runtime/counters.h"
#include "web/stream/stream.h"
#include <stdlib.h>
#include <string.h>

static struct freshet_span name_of(const struct fr_slot *slot)
{
    return freshet_span_text(slot->name);
}

/* The slot has something to send, perhaps. */
static void queue(struct fr_slot *slot)
{
    if (fr_list_is_empty(&slot->ready))
        fr_list_append(&slot->views->ready, &slot->ready);
}

static int64_t retry_ms(const struct fr_slot *slot)
{
    const struct fr_stream_kind *kind = slot->views->stream->kind;
    return (int64_t)fr_random_between(kind->retry_min_ms, kind->retry_max_ms);
}

static void enter_ended(struct fr_slot *slot, const struct fr_end *end, int status)
{
    slot->state = FR_SLOT_ENDED;
    fr_entry_deinit(&slot->entry);
    slot->end = fr_frame_end_view(end, name_of(slot), status);
    if (slot->end == NULL)
        slot->views->failed = true;
    fr_view_close(&slot->view);
    queue(slot);
}

static void count(struct fr_slot *slot, bool denied)
{
    struct fr_counters *counters = fr_worker_counters(slot->views->stream->kind->group->worker);
    fr_count(denied ? &counters->streams_denied : &counters->streams_refused, 1);
}

/* `status` is that of fr_view_open(). */
static void refuse(struct fr_slot *slot, enum freshet_status status, const struct freshet_refusal *refusal)
{
    bool final = status == FRESHET_REFUSED;
    struct fr_end end = {.code = freshet_span_text(refusal->code), .retry_ms = final ? -1 : retry_ms(slot)};
    count(slot, final);
    enter_ended(slot, &end, final ? refusal->status : 0);
}

static void open_slot(struct fr_slot *slot, struct freshet_span peer)
{
    struct freshet_refusal refusal = {0};
    enum freshet_status status =
        fr_entry_open(&slot->entry, &slot->view, peer, slot->has_held ? &slot->held : NULL, &refusal);
    slot->state = FR_SLOT_OPEN;
    if (status != FRESHET_OK)
        refuse(slot, status, &refusal);
}

static void on_decided(struct fr_admission *admission, const struct fr_verdict *verdict)
{
    struct fr_slot *slot = admission->user;
    struct freshet_refusal refusal;
    if (verdict->kind == FR_VERDICT_ALLOW) {
        open_slot(slot, freshet_span(NULL, 0)); /* the entry has kept the peer for its guards */
    } else if (verdict->kind == FR_VERDICT_REDIRECT) {
        struct fr_end end = {freshet_span_text(verdict->code), -1, freshet_span_text(verdict->location)};
        count(slot, true);
        enter_ended(slot, &end, 302);
    } else {
        enum freshet_status status = fr_verdict_refusal(verdict, &refusal);
        refuse(slot, status, &refusal);
    }
    fr_stream_ready(slot->views->stream);
}

struct fr_views *fr_views_new(struct fr_stream *stream, size_t count)
{
    struct fr_views *views = calloc(1, sizeof(*views) + count * sizeof(struct fr_slot));
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
        struct fr_slot *slot = &views->slots[i];
        fr_entry_deinit(&slot->entry);
        fr_view_close(&slot->view);
        fr_bytes_release(slot->end);
        free(slot->name);
    }
    fr_request_copy_release(views->request_copy);
    free(views);
}

bool fr_views_has(const struct fr_views *views, struct freshet_span name)
{
    for (size_t i = 0; i < views->count; i++)
        if (freshet_span_equal(name_of(&views->slots[i]), name))
            return true;
    return false;
}

/* False: no memory. */
static struct fr_slot *new_slot(struct fr_views *views, const struct fr_view_wish *wish)
{
    struct fr_slot *slot = &views->slots[views->count];
    slot->name = strndup(wish->name.data, wish->name.len);
    if (slot->name == NULL)
        return NULL;
    views->count++;
    slot->views = views;
    slot->view.name = slot->name;
    slot->has_held = wish->held != NULL;
    if (slot->has_held)
        slot->held = *wish->held;
    fr_list_init(&slot->ready);
    return slot;
}

static void share(struct fr_views *views, struct fr_request_copy *request_copy)
{
    if (request_copy == NULL ||
        (views->request_copy != NULL && request_copy->header_count <= views->request_copy->header_count))
        return;
    fr_request_copy_release(views->request_copy);
    views->request_copy = fr_request_copy_acquire(request_copy);
}

void fr_views_add(struct fr_views *views, struct fr_worker *worker, const struct fr_view_wish *wish)
{
    struct fr_slot *slot = new_slot(views, wish);
    struct freshet_refusal refusal = wish->refusal;
    enum freshet_status status = FRESHET_REFUSED;
    if (slot == NULL) {
        fr_params_release(wish->params);
        views->failed = true;
        return;
    }
    if (wish->loader != NULL) {
        wish->request_view->like = views->request_copy;
        status = fr_entry_init(&slot->entry, worker, wish->loader, wish->params, wish->request_view,
                               wish->guards, &refusal);
        share(views, slot->entry.request_copy);
    }
    if (status != FRESHET_OK) {
        refuse(slot, status, &refusal);
    } else if (slot->entry.admission == NULL) {
        open_slot(slot, wish->request_view->peer);
    } else {
        slot->state = FR_SLOT_CHECKING;
        slot->entry.admission->decided = on_decided;
        slot->entry.admission->user = slot;
        fr_admission_run(slot->entry.admission);
    }
}

static bool is_over(const struct fr_views *views)
{
    for (size_t i = 0; i < views->count; i++)
        if (views->slots[i].state != FR_SLOT_ENDED)
            return false;
    return true;
}

static enum fr_view_news take_of(struct fr_slot *slot, struct fr_bytes **frame)
{
    if (slot->state == FR_SLOT_OPEN)
        return fr_view_take(&slot->view, frame);
    *frame = slot->end;
    slot->end = NULL;
    return *frame == NULL ? FR_NEWS_NONE : FR_NEWS_ERROR;
}

enum fr_view_news fr_views_take(struct fr_views *views, struct fr_bytes **frame)
{
    *frame = NULL;
    if (views->failed)
        return FR_NEWS_NO_MEMORY;
    for (struct fr_list *link; (link = fr_list_shift(&views->ready)) != NULL;) {
        struct fr_slot *slot = FR_CONTAINER(link, struct fr_slot, ready);
        enum fr_view_news news = take_of(slot, frame);
        if (news == FR_NEWS_NONE)
            continue;
        queue(slot); /* behind the others: there may be more */
        return news;
    }
    return is_over(views) ? FR_NEWS_OVER : FR_NEWS_NONE;
}

void fr_views_ready(struct fr_view *view)
{
    struct fr_slot *slot = FR_CONTAINER(view, struct fr_slot, view);
    queue(slot);
    fr_stream_ready(slot->views->stream);
}

void fr_views_lost(struct fr_view *view, enum freshet_close_reason reason)
{
    struct fr_slot *slot = FR_CONTAINER(view, struct fr_slot, view);
    struct fr_stream *stream = slot->views->stream;
    if (slot->state != FR_SLOT_OPEN)
        return;
    struct fr_end end = fr_stream_describe_end(stream, view, reason);
    count(slot, reason == FRESHET_CLOSE_DENIED);
    enter_ended(slot, &end, 0);
    fr_stream_ready(stream);
}
