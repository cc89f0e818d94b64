#include "web/stream/stream.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "core/guard/admission.h"
#include "web/stream/stream_due.h"
#include "web/stream/stream_end.h"
#include "web/stream/views.h"
#include <assert.h>
#include <freshet/instance.h>
#include <string.h>

static void pump(struct fr_stream *stream);

static struct fr_stream_group *group_of(const struct fr_stream *stream)
{
    return stream->config->group;
}

/* One that is the encoder's is filed when it comes back. */
static void file(struct fr_stream *stream)
{
    struct fr_stream_group *group = group_of(stream);
    if (stream->state == FR_STREAM_ENCODING)
        return;
    fr_wheel_put(&group->wheel, &stream->link, fr_stream_due(stream), group->now_ms);
}

static void unfile(struct fr_stream *stream)
{
    if (stream->state == FR_STREAM_ENCODING)
        fr_list_remove(&stream->link);
    else
        fr_wheel_remove(&group_of(stream)->wheel, &stream->link);
}

static void release_frames(struct fr_stream *stream)
{
    if (fr_stream_gzip(stream) != NULL)
        fr_encoder_forget(stream);
    fr_bytes_release(stream->frame);
    fr_bytes_release(stream->end);
    stream->frame = stream->end = NULL;
}

/* Told and counted once, whichever way it ends. */
static void count_end(struct fr_stream *stream, enum freshet_close_reason reason)
{
    stream->config->ops->ended(stream, reason);
    fr_stream_end(group_of(stream)->worker, &stream->quota, reason);
    fr_view_close(&stream->view);
    fr_views_destroy(stream->views);
    stream->views = NULL;
    release_frames(stream);
}

const char *fr_stream_state_text(enum fr_stream_state state)
{
    static const char *const texts[] = {
        [FR_STREAM_OPENING] = "opening",   [FR_STREAM_IDLE] = "idle",     [FR_STREAM_WRITING] = "writing",
        [FR_STREAM_ENCODING] = "encoding", [FR_STREAM_ENDING] = "ending", [FR_STREAM_LINGERING] = "lingering",
        [FR_STREAM_CLOSED] = "closed"};
    return texts[state];
}

/* The one place that changes the state. */
static void enter(struct fr_stream *stream, enum fr_stream_state state)
{
    if (state == stream->state)
        return;
    const struct freshet_log *log = fr_worker_log(group_of(stream)->worker);
    if (fr_log_takes(log, FRESHET_LOG_DEBUG))
        fr_log(log, FRESHET_LOG_DEBUG, "stream %p: %s -> %s", (void *)stream,
               fr_stream_state_text(stream->state), fr_stream_state_text(state));
    stream->state = (uint8_t)state;
}

static void enter_closed(struct fr_stream *stream, enum freshet_close_reason reason)
{
    struct fr_stream_group *group = group_of(stream);
    assert(stream->state != FR_STREAM_CLOSED);
    bool counted = stream->state == FR_STREAM_LINGERING;
    unfile(stream);
    enter(stream, FR_STREAM_CLOSED);
    group->count--;
    if (!counted)
        count_end(stream, reason);
    stream->config->ops->close(stream);
}

static void enter_lingering(struct fr_stream *stream)
{
    enter(stream, FR_STREAM_LINGERING);
    stream->since_ms = group_of(stream)->now_ms;
    count_end(stream, stream->reason);
    file(stream);
    stream->config->ops->finish(stream);
}

/* The connection was full: from now on there is a deadline. */
static void enter_writing(struct fr_stream *stream)
{
    if (stream->state == FR_STREAM_IDLE)
        enter(stream, FR_STREAM_WRITING);
    file(stream);
}

/* False: not idle, nothing may be started. */
static bool enter_idle(struct fr_stream *stream)
{
    enum fr_stream_state before = stream->state;
    fr_bytes_release(stream->frame);
    stream->frame = NULL;
    stream->since_ms = group_of(stream)->now_ms;
    if (before == FR_STREAM_ENDING) {
        enter_lingering(stream);
        return false;
    }
    bool watched = stream->watches;
    enter(stream, FR_STREAM_IDLE);
    if (!watched)
        fr_stream_watch(stream);
    if (before != FR_STREAM_IDLE || !watched)
        file(stream);
    return true;
}

static void count_bytes(struct fr_stream *stream, size_t bytes)
{
    stream->bytes += bytes;
    fr_count(&fr_worker_counters(group_of(stream)->worker)->bytes_sent, bytes);
}

/* Sends what is left of the frame. True: all of it was taken, and the stream is idle again. */
static bool push(struct fr_stream *stream)
{
    struct freshet_span all = fr_stream_payload(stream, stream->frame);
    struct freshet_span rest = freshet_span(all.data + stream->offset, all.len - stream->offset);
    ssize_t taken = stream->config->ops->send(stream, rest);
    if (taken < 0) {
        enter_closed(stream, FRESHET_CLOSE_WRITE_ERROR);
        return false;
    }
    count_bytes(stream, (size_t)taken);
    stream->offset += (uint32_t)taken;
    if ((size_t)taken == rest.len)
        return enter_idle(stream);
    enter_writing(stream);
    return false;
}

/* Takes the reference. */
static bool start(struct fr_stream *stream, struct fr_bytes *frame)
{
    stream->frame = frame;
    stream->offset = 0;
    stream->since_ms = group_of(stream)->now_ms;
    fr_stream_allow(stream);
    return push(stream);
}

static bool start_end(struct fr_stream *stream)
{
    struct fr_bytes *last = fr_stream_last_frame(stream, stream->end);
    stream->end = NULL;
    if (last == NULL) {
        enter_closed(stream, FRESHET_CLOSE_NO_MEMORY);
        return false;
    }
    enter(stream, FR_STREAM_ENDING);
    return start(stream, last);
}

/* False: no memory, the stream is closed. */
static bool set_end_saying(struct fr_stream *stream, enum freshet_close_reason reason,
                           const struct fr_end *end)
{
    stream->end = fr_frame_end(end);
    if (stream->end == NULL) {
        enter_closed(stream, FRESHET_CLOSE_NO_MEMORY);
        return false;
    }
    stream->reason = (uint8_t)reason;
    file(stream);
    return true;
}

static bool set_end(struct fr_stream *stream, enum freshet_close_reason reason)
{
    struct fr_end end = fr_stream_describe_end(stream, &stream->view, reason);
    return set_end_saying(stream, reason, &end);
}

/* Each of its views has ended and told why: the stream has nothing to add. */
static bool set_end_without_views(struct fr_stream *stream)
{
    struct fr_end end = {.code = freshet_span_text("no-views"), .retry_ms = -1};
    return set_end_saying(stream, FRESHET_CLOSE_DENIED, &end);
}

/* The stream leaves the wheel. Takes the reference. */
static bool enter_encoding(struct fr_stream *stream, struct fr_bytes *frame)
{
    enter(stream, FR_STREAM_ENCODING);
    stream->frame = frame;
    return false;
}

/* Takes the reference. */
static bool start_encoded(struct fr_stream *stream, struct fr_bytes *frame, enum fr_view_news news)
{
    frame = fr_encoder_encode(stream, news, frame);
    if (frame != NULL)
        return start(stream, frame);
    /* It may have been lost while the frame was encoded. */
    return stream->end != NULL || set_end(stream, FRESHET_CLOSE_NO_MEMORY);
}

/* As this stream is told it. Takes the reference. */
static bool start_news(struct fr_stream *stream, struct fr_bytes *frame, enum fr_view_news news)
{
    if (fr_stream_gzip(stream) == NULL)
        return start(stream, frame);
    if (fr_encoder_defer(stream, news, frame))
        return enter_encoding(stream, frame);
    return start_encoded(stream, frame, news);
}

static bool start_next(struct fr_stream *stream)
{
    struct fr_bytes *frame;
    enum fr_view_news news =
        stream->views == NULL ? fr_view_take(&stream->view, &frame) : fr_views_take(stream->views, &frame);
    switch (news) {
    case FR_NEWS_NONE:
        return false;
    case FR_NEWS_NO_MEMORY:
        return set_end(stream, FRESHET_CLOSE_NO_MEMORY);
    case FR_NEWS_OVER:
        return set_end_without_views(stream);
    default:
        return start_news(stream, frame, news);
    }
}

/* Sends until nothing is left or the connection is full. */
static void pump(struct fr_stream *stream)
{
    bool idle = stream->state == FR_STREAM_IDLE;
    while (idle)
        idle = stream->end != NULL ? start_end(stream) : start_next(stream);
}

static void begin_end(struct fr_stream *stream, enum freshet_close_reason reason)
{
    if (set_end(stream, reason))
        pump(stream);
}

void fr_stream_init(struct fr_stream *stream, const struct fr_stream_config *config, bool chunked)
{
    stream->config = config;
    stream->chunked = chunked;
    stream->state = FR_STREAM_OPENING;
    stream->since_ms = config->group->now_ms;
    stream->view.in_gzip = config->gzip_at != 0;
    fr_stream_allow(stream);
    fr_list_init(&stream->link);
    if (config->max_age_ms != FRESHET_NEVER)
        stream->expires_ms = fr_stream_after(config->group->now_ms, fr_random_jitter(config->max_age_ms));
    config->group->count++;
    file(stream);
}

void fr_stream_deinit(struct fr_stream *stream)
{
    assert(stream->state == FR_STREAM_OPENING);
    unfile(stream);
    enter(stream, FR_STREAM_CLOSED);
    group_of(stream)->count--;
    fr_view_close(&stream->view);
    fr_views_destroy(stream->views);
    stream->views = NULL;
    release_frames(stream);
}

void fr_stream_opened(struct fr_stream *stream, size_t bytes)
{
    assert(stream->state == FR_STREAM_OPENING);
    count_bytes(stream, bytes);
    enter_idle(stream);
    pump(stream);
}

void fr_stream_ready(struct fr_stream *stream)
{
    if (stream->state == FR_STREAM_IDLE)
        pump(stream);
}

void fr_stream_lost(struct fr_stream *stream, enum freshet_close_reason reason)
{
    if (stream->end == NULL && stream->state < FR_STREAM_ENDING)
        begin_end(stream, reason);
}

void fr_stream_writable(struct fr_stream *stream, size_t taken)
{
    if (stream->state != FR_STREAM_WRITING && stream->state != FR_STREAM_ENDING)
        return;
    struct fr_stream_group *group = group_of(stream);
    uint32_t since_ms = stream->since_ms;
    count_bytes(stream, taken);
    stream->offset += (uint32_t)taken;
    bool done = stream->offset == fr_stream_payload(stream, stream->frame).len;
    bool idle = done ? enter_idle(stream) : push(stream);
    if (done || idle)
        fr_histogram_add(&fr_worker_counters(group->worker)->write_time,
                         (int64_t)(group->now_ms - since_ms) * FR_US_PER_MS);
    if (idle)
        pump(stream);
}

bool fr_stream_received(struct fr_stream *stream, size_t bytes)
{
    bool fits = bytes <= FR_STREAM_MAX_CLIENT_BYTES - stream->client_bytes;
    if (fits)
        stream->client_bytes += (uint32_t)bytes;
    else
        enter_closed(stream, FRESHET_CLOSE_FLOOD);
    return fits;
}

void fr_stream_client_gone(struct fr_stream *stream)
{
    enter_closed(stream, FRESHET_CLOSE_CLIENT);
}

void fr_stream_broken(struct fr_stream *stream)
{
    enter_closed(stream, FRESHET_CLOSE_WRITE_ERROR);
}

void fr_stream_unanswered(struct fr_stream *stream)
{
    enter_closed(stream, FRESHET_CLOSE_WRITE_TIMEOUT);
}

/* Encoding a large frame again would give the same: what the frame is does not matter. */
void fr_stream_encoded(struct fr_stream *stream)
{
    struct fr_bytes *frame = stream->frame;
    stream->frame = NULL;
    enter(stream, FR_STREAM_IDLE);
    file(stream);
    if (start_encoded(stream, frame, FR_NEWS_SNAPSHOT))
        pump(stream);
}

/* An idle stream that is due has been silent for too long. */
static void send_heartbeat(struct fr_stream *stream)
{
    stream->since_ms = group_of(stream)->now_ms;
    file(stream);
    if (start_news(stream, fr_bytes_acquire(stream->config->heartbeat), FR_NEWS_NONE))
        pump(stream);
}

/* The time of what is watched is over. */
static void check_watched(struct fr_stream *stream)
{
    uint32_t since = stream->config->ops->written(stream) - stream->watched;
    uint32_t queued = stream->config->ops->queued(stream);
    if (queued > since) {
        enter_closed(stream, FRESHET_CLOSE_WRITE_TIMEOUT);
        return;
    }
    stream->watches = queued > 0;
    if (stream->watches)
        fr_stream_watch(stream);
    file(stream);
}

void fr_stream_check(struct fr_stream *stream)
{
    if (!fr_stream_is_past(stream, fr_stream_due(stream)))
        file(stream);
    else if (fr_stream_wants_end(stream))
        begin_end(stream, group_of(stream)->draining ? FRESHET_CLOSE_DRAIN : FRESHET_CLOSE_MAX_AGE);
    else if (fr_stream_has_watch(stream) && fr_stream_is_past(stream, stream->confirm_ms))
        check_watched(stream);
    else if (stream->state == FR_STREAM_IDLE)
        send_heartbeat(stream);
    else
        enter_closed(stream, FRESHET_CLOSE_WRITE_TIMEOUT);
}

void fr_stream_group_drain(struct fr_stream_group *group, uint32_t spread_ms)
{
    group->draining = true;
    group->spread_ms = spread_ms;
    fr_wheel_hurry(&group->wheel, group->now_ms);
}

/* Any stream of the group, or NULL. */
static struct fr_stream *any_of(struct fr_stream_group *group)
{
    struct fr_list *link = fr_wheel_any(&group->wheel);
    if (link != NULL)
        return FR_CONTAINER(link, struct fr_stream, link);
    return group->encoder == NULL ? NULL : fr_encoder_next(group->encoder, NULL);
}

bool fr_stream_group_cut(struct fr_stream_group *group, size_t limit)
{
    for (size_t i = 0; i < limit; i++) {
        struct fr_stream *stream = any_of(group);
        if (stream == NULL)
            return false;
        enter_closed(stream, FRESHET_CLOSE_DRAIN_CUT);
    }
    return true;
}
