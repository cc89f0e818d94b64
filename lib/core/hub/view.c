#include "core/hub/view.h"

#include "base/log.h"
#include "core/guard/admission.h"
#include "core/hub/fanout.h"
#include "core/hub/message_feed.h"
#include "core/hub/once.h"
#include "core/load/loader.h"
#include "core/runtime/context.h"
#include <stdlib.h>
#include <string.h>

static void forget_held(struct fr_view *view)
{
    fr_snapshot_release(view->held);
    view->held = NULL;
}

void fr_view_tell_ready(struct fr_view *view)
{
    if (view->is_once)
        fr_once_ready(view);
    else
        view->fanout->worker->host.view_ready(view);
}

void fr_view_tell_lost(struct fr_view *view, enum freshet_close_reason reason)
{
    if (view->is_once)
        fr_once_lost(view);
    else
        view->fanout->worker->host.view_lost(view, reason);
}

/* ---- guards of an open view ---- */

static void lose(struct fr_view *view, const struct fr_verdict *verdict)
{
    view->admission->verdict = verdict;
    fr_view_tell_lost(view, FRESHET_CLOSE_DENIED);
    /* The view may be gone. */
}

static struct fr_feed_key *key_of_identity(const struct fr_view *view,
                                           const struct freshet_identity *identity)
{
    const struct fr_admission *admission = view->admission;
    struct freshet_topic topic = {.len = (uint16_t)view->fanout->key->topic.len};
    memcpy(topic.text, view->fanout->key->topic.data, topic.len);
    return fr_feed_key_new(admission->loader, &topic, freshet_span(identity->text, identity->len),
                           admission->params, admission->request_copy);
}

/* What belongs to the feed before is forgotten: the new one's snapshot is sent in full. */
static void move(struct fr_view *view, const struct freshet_identity *identity)
{
    struct fr_worker *worker = view->fanout->worker;
    struct fr_feed_key *key = key_of_identity(view, identity);
    struct fr_fanout *fanout = NULL;
    enum freshet_status status = key == NULL ? FRESHET_NO_MEMORY : fr_fanout_get(worker, key, &fanout);
    fr_feed_key_release(key);
    if (status != FRESHET_OK) {
        fr_view_tell_lost(view, FRESHET_CLOSE_NO_MEMORY);
        return;
    }
    forget_held(view);
    fr_fanout_part(view->fanout, view);
    view->snapshot_seen = view->error_seen = 0;
    fr_count(&worker->counters.streams_moved, 1);
    fr_fanout_join(fanout, view);
}

/* Allowed again. */
static void go_on(struct fr_view *view)
{
    struct freshet_loader *loader = view->admission->loader;
    struct freshet_request request = fr_loader_request(loader, view->admission->request_copy,
                                                       view->admission->params, view->admission->attributes);
    struct freshet_identity identity;
    struct freshet_refusal refusal;
    fr_admission_open(view->admission, fr_loader_shares(loader));
    if (!fr_loader_shares(loader)) {
        fr_fanout_admitted(view->fanout);
        return;
    }
    if (fr_loader_identity(loader, &request, &identity, &refusal) != FRESHET_OK) {
        struct fr_verdict verdict = {.kind = FR_VERDICT_DENY, .status = refusal.status};
        memcpy(verdict.code, refusal.code, sizeof(verdict.code));
        lose(view, &verdict);
    } else if (!freshet_span_equal(view->fanout->key->identity, freshet_span(identity.text, identity.len))) {
        move(view, &identity);
    } else {
        fr_view_tell_ready(view);
    }
}

static void on_decided(struct fr_admission *admission, const struct fr_verdict *verdict)
{
    struct fr_view *view = admission->user;
    if (verdict->kind == FR_VERDICT_ALLOW)
        go_on(view);
    else
        lose(view, verdict);
}

static void keep_admission(struct fr_view *view, struct fr_admission *admission)
{
    view->admission = admission;
    if (admission == NULL)
        return;
    admission->decided = on_decided;
    admission->user = view;
    fr_admission_open(admission, fr_loader_shares(admission->loader));
}

void fr_view_open(struct fr_view *view, struct fr_fanout *fanout, struct fr_admission *admission,
                  const struct fr_version *held)
{
    /* Without memory for what the client holds it gets the snapshot once more. */
    view->held = held == NULL ? NULL : fr_snapshot_of_version(held);
    view->takes_differences &= !fanout->key->loader->options.no_differences;
    keep_admission(view, admission);
    fr_fanout_join(fanout, view);
}

/* What it will never take. */
static void count_skipped(const struct fr_view *view)
{
    const struct fr_update *update = &view->fanout->update;
    if (view->snapshot_seen != 0)
        fr_count(&view->fanout->worker->counters.snapshots_skipped,
                 update->snapshot_number - view->snapshot_seen);
}

void fr_view_close(struct fr_view *view)
{
    if (view->fanout != NULL)
        count_skipped(view);
    forget_held(view);
    fr_admission_destroy(view->admission);
    view->admission = NULL;
    if (view->fanout != NULL)
        fr_fanout_part(view->fanout, view);
}

/* In place of the whole. */
static enum fr_difference_state take_difference(struct fr_view *view, struct fr_bytes **frame)
{
    struct fr_counters *counters = &view->fanout->worker->counters;
    size_t size = view->fanout->update.snapshot->frame->span.len;
    if (!view->takes_differences || view->held == NULL ||
        (view->in_gzip && size < FR_DIFFERENCE_LEAST_IN_GZIP_BYTES))
        return FR_DIFFERENCE_NONE;
    enum fr_difference_state state = fr_fanout_differ(view->fanout, view->held, frame);
    if (state == FR_DIFFERENCE_MADE) {
        const struct fr_bytes *whole = view->fanout->update.snapshot->frame;
        fr_count(&counters->differences_pushed, 1);
        fr_count(&counters->differences_saved_bytes, whole->span.len - (*frame)->span.len);
    }
    return state;
}

/* From here on the client holds what the fanout shows. */
static void note_taken(struct fr_view *view)
{
    const struct fr_update *update = &view->fanout->update;
    if (view->snapshot_seen != 0)
        fr_count(&view->fanout->worker->counters.snapshots_skipped,
                 update->snapshot_number - view->snapshot_seen - 1);
    view->snapshot_seen = update->snapshot_number;
    forget_held(view);
    if (view->takes_differences)
        view->held = fr_snapshot_acquire(update->snapshot);
}

static enum fr_view_news take_snapshot(struct fr_view *view, struct fr_snapshot *snapshot,
                                       struct fr_bytes **frame)
{
    bool same = view->snapshot_seen == 0 && view->held != NULL &&
                fr_version_equal(&view->held->version, &snapshot->version);
    if (same) {
        *frame = fr_bytes_acquire(view->fanout->worker->freshet->unchanged);
        note_taken(view);
        return FR_NEWS_UNCHANGED;
    }
    enum fr_difference_state state = take_difference(view, frame);
    if (state == FR_DIFFERENCE_MAKING)
        return FR_NEWS_NONE;
    if (state == FR_DIFFERENCE_NONE)
        *frame = fr_bytes_acquire(snapshot->frame);
    note_taken(view);
    fr_count(&view->fanout->worker->counters.snapshots_pushed, 1);
    return FR_NEWS_SNAPSHOT;
}

/* False: view_ready() comes when its guards have allowed it again. A feed of one connection has them
 * asked before each load. */
static bool is_admitted(struct fr_view *view)
{
    struct fr_admission *admission = view->admission;
    if (admission == NULL || !fr_loader_shares(admission->loader) || fr_admission_is_fresh(admission))
        return true;
    fr_admission_run(admission);
    return false;
}

static enum fr_view_news take_next(struct fr_view *view, struct fr_bytes **frame)
{
    *frame = NULL;
    if (view->fanout == NULL || view->joining || !is_admitted(view))
        return FR_NEWS_NONE;
    if (view->fanout->messages != NULL && fr_message_feed_has_news(view->fanout->messages, view))
        return fr_message_feed_take(view->fanout->messages, view, frame);
    const struct fr_update *update = &view->fanout->update;
    if (update->snapshot != NULL && view->snapshot_seen != update->snapshot_number)
        return take_snapshot(view, update->snapshot, frame);
    if (update->error == NULL || view->error_seen == update->error_number)
        return FR_NEWS_NONE;
    view->error_seen = update->error_number;
    forget_held(view); /* the first success after an error is sent in full */
    *frame = fr_bytes_acquire(update->error);
    return FR_NEWS_ERROR;
}

enum fr_view_news fr_view_take(struct fr_view *view, struct fr_bytes **frame)
{
    enum fr_view_news news = take_next(view, frame);
    if (view->name == NULL || news == FR_NEWS_NONE)
        return news;
    struct fr_bytes *named = fr_fanout_name(view->fanout, *frame, view->name);
    fr_bytes_release(*frame);
    *frame = named;
    return named == NULL ? FR_NEWS_NO_MEMORY : news;
}

size_t fr_view_gzip_readers(const struct fr_view *view)
{
    return view->fanout == NULL || view->fanout->gzip_views == 0 ? 1 : view->fanout->gzip_views;
}

struct freshet_span fr_view_topic(const struct fr_view *view)
{
    return fr_topic_name(view->fanout->topic);
}

/* ---- streams ---- */

static void give_back(struct fr_worker *worker, struct fr_quota *quota)
{
    atomic_fetch_sub_explicit(&worker->freshet->views, quota->views, memory_order_relaxed);
    fr_count_down(&worker->counters.streams);
    if (quota->peer != NULL)
        fr_peers_leave(&worker->freshet->peers, quota->peer, quota->views, fr_worker_now_us(worker));
    quota->peer = NULL;
}

enum freshet_status fr_stream_begin(struct fr_worker *worker, struct freshet_span peer, uint32_t views,
                                    struct fr_quota *quota, const char **code)
{
    struct freshet *freshet = worker->freshet;
    const struct freshet_options *options = &freshet->options;
    size_t before = atomic_fetch_add_explicit(&freshet->views, views, memory_order_relaxed);
    bool full = options->max_streams != 0 && before >= options->max_streams;
    bool counts_peers = options->max_streams_per_peer != 0 || options->max_new_topics_per_s_per_peer != 0;
    enum freshet_status status = full ? FRESHET_FULL : FRESHET_OK;
    *quota = (struct fr_quota){.views = views};
    fr_count(&worker->counters.streams, 1);
    *code = "max-streams";
    if (status == FRESHET_OK && counts_peers && peer.len > 0) {
        status = fr_peers_enter(&freshet->peers, peer, views, options->max_streams_per_peer, &quota->peer);
        *code = status == FRESHET_FULL ? "max-streams-per-peer" : "no-memory";
    }
    if (status != FRESHET_OK)
        give_back(worker, quota);
    return status;
}

void fr_stream_cancel(struct fr_worker *worker, struct fr_quota *quota)
{
    give_back(worker, quota);
}

void fr_stream_count_open(struct fr_worker *worker, bool in_gzip)
{
    if (in_gzip)
        fr_count(&worker->counters.streams_gzip, 1);
    fr_count(&worker->counters.streams_opened, 1);
}

void fr_stream_end(struct fr_worker *worker, struct fr_quota *quota, enum freshet_close_reason reason)
{
    give_back(worker, quota);
    fr_count(&worker->counters.streams_closed[reason], 1);
}
