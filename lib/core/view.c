#include "core/view.h"

#include "base/log.h"
#include "core/fan.h"
#include "core/instance.h"
#include "core/loader.h"
#include <stdio.h>
#include <stdlib.h>

static enum freshet_status refuse(struct freshet_refusal *refusal, enum freshet_status status,
                                  const char *code)
{
    snprintf(refusal->code, sizeof(refusal->code), "%s", code);
    return status;
}

static struct fr_version *copy_version(const struct fr_version *version)
{
    struct fr_version *copy = malloc(sizeof(*copy));
    if (copy != NULL)
        *copy = *version;
    return copy;
}

enum freshet_status fr_view_open(struct fr_worker *worker, struct fr_view *view,
                                 const struct fr_view_request *request, struct freshet_refusal *refusal)
{
    struct freshet_topic topic;
    struct freshet_request asked = {
        .params = request->params, .route = request->loader->route, .peer = request->peer};
    enum freshet_status status = fr_loader_topic(request->loader, &asked, &topic, refusal);
    if (status != FRESHET_OK) {
        fr_params_destroy(request->params);
        return status;
    }
    struct fr_address *address = fr_address_new(request->loader, &topic, request->params);
    if (address == NULL)
        return refuse(refusal, FRESHET_NO_MEMORY, "no-memory");
    struct fr_fan *fan;
    status = fr_fan_get(worker, address, &fan);
    fr_address_release(address);
    if (status == FRESHET_FULL)
        return refuse(refusal, status, "max-topics");
    if (status != FRESHET_OK)
        return refuse(refusal, status, "no-memory");
    /* Without memory for what the client holds it gets the snapshot once more. */
    view->held = request->held == NULL ? NULL : copy_version(request->held);
    fr_fan_join(fan, view);
    return FRESHET_OK;
}

static void forget_held(struct fr_view *view)
{
    free(view->held);
    view->held = NULL;
}

void fr_view_close(struct fr_view *view)
{
    forget_held(view);
    if (view->fan != NULL)
        fr_fan_part(view->fan, view);
}

static enum fr_view_news take_snapshot(struct fr_view *view, const struct fr_show *show,
                                       struct fr_bytes **frame)
{
    struct fr_counters *counters = &view->fan->worker->counters;
    bool same = view->held != NULL && fr_version_equal(view->held, &show->version);
    struct fr_bytes *comment = same ? fr_frame_comment(freshet_span_text("unchanged")) : NULL;
    if (view->snapshot_seen != 0)
        fr_count(&counters->snapshots_skipped, show->snapshot_number - view->snapshot_seen - 1);
    view->snapshot_seen = show->snapshot_number;
    forget_held(view);
    if (comment != NULL) {
        *frame = comment;
        return FR_NEWS_UNCHANGED;
    }
    fr_count(&counters->snapshots_pushed, 1);
    *frame = fr_bytes_acquire(show->snapshot);
    return FR_NEWS_SNAPSHOT;
}

enum fr_view_news fr_view_take(struct fr_view *view, struct fr_bytes **frame)
{
    *frame = NULL;
    if (view->fan == NULL || view->joining)
        return FR_NEWS_NONE;
    const struct fr_show *show = &view->fan->show;
    if (show->snapshot != NULL && view->snapshot_seen != show->snapshot_number)
        return take_snapshot(view, show, frame);
    if (show->error == NULL || view->error_seen == show->error_number)
        return FR_NEWS_NONE;
    view->error_seen = show->error_number;
    forget_held(view); /* the first success after an error is sent in full */
    *frame = fr_bytes_acquire(show->error);
    return FR_NEWS_ERROR;
}

struct freshet_span fr_view_topic(const struct fr_view *view)
{
    return fr_topic_name(view->fan->topic);
}

enum freshet_status fr_stream_begin(struct fr_worker *worker)
{
    struct freshet *freshet = worker->freshet;
    size_t limit = freshet->options.max_streams;
    size_t before = atomic_fetch_add_explicit(&freshet->streams, 1, memory_order_relaxed);
    if (limit != 0 && before >= limit) {
        atomic_fetch_sub_explicit(&freshet->streams, 1, memory_order_relaxed);
        return FRESHET_FULL;
    }
    fr_count(&worker->counters.streams, 1);
    fr_count(&worker->counters.streams_opened, 1);
    return FRESHET_OK;
}

void fr_stream_cancel(struct fr_worker *worker)
{
    atomic_fetch_sub_explicit(&worker->freshet->streams, 1, memory_order_relaxed);
    fr_count_down(&worker->counters.streams);
    fr_count_down(&worker->counters.streams_opened);
}

void fr_stream_end(struct fr_worker *worker, enum freshet_close_reason reason)
{
    atomic_fetch_sub_explicit(&worker->freshet->streams, 1, memory_order_relaxed);
    fr_count_down(&worker->counters.streams);
    fr_count(&worker->counters.streams_closed[reason], 1);
}
