#include "web/stream/stream_due.h"
#include "core/codec/frame.h"
#include <freshet/instance.h>

#define WRITE_TIMEOUT_STEP_BYTES 65536

static struct fr_stream_group *group_of(const struct fr_stream *stream)
{
    return stream->config->group;
}

struct freshet_span fr_stream_payload(const struct fr_stream *stream, const struct fr_bytes *frame)
{
    return stream->chunked ? frame->span : fr_frame_body(frame->span);
}

uint32_t fr_stream_after(uint32_t from_ms, uint64_t wait_ms)
{
    return from_ms + (uint32_t)(wait_ms < INT32_MAX ? wait_ms : INT32_MAX);
}

static bool is_before(uint32_t one_ms, uint32_t other_ms)
{
    return (int32_t)(one_ms - other_ms) < 0;
}

bool fr_stream_is_past(const struct fr_stream *stream, uint32_t at_ms)
{
    return !is_before(group_of(stream)->now_ms, at_ms);
}

/* Until when the frame that starts now may take. */
static uint32_t write_deadline(const struct fr_stream *stream)
{
    uint64_t timeout_ms = stream->config->write_timeout_ms;
    size_t size = stream->frame == NULL ? 0 : fr_stream_payload(stream, stream->frame).len;
    if (timeout_ms == FRESHET_NEVER)
        return fr_stream_after(stream->since_ms, INT32_MAX);
    return fr_stream_after(stream->since_ms, timeout_ms * (1 + size / WRITE_TIMEOUT_STEP_BYTES));
}

/* What waits before it in the kernel may have more time; it can't be done earlier then. */
void fr_stream_allow(struct fr_stream *stream)
{
    uint32_t until_ms = write_deadline(stream);
    if (!stream->watches || is_before(stream->allowed_ms, until_ms))
        stream->allowed_ms = until_ms;
}

void fr_stream_watch(struct fr_stream *stream)
{
    stream->watches = true;
    stream->watched = stream->config->ops->written(stream);
    stream->confirm_ms = stream->allowed_ms;
}

static bool ages(const struct fr_stream *stream)
{
    return stream->config->max_age_ms != FRESHET_NEVER && stream->end == NULL &&
           stream->state < FR_STREAM_ENDING;
}

bool fr_stream_wants_end(const struct fr_stream *stream)
{
    const struct fr_stream_group *group = group_of(stream);
    if (group->draining && stream->end == NULL && stream->state < FR_STREAM_ENDING)
        return true;
    return ages(stream) && !is_before(group->now_ms, stream->expires_ms);
}

/* When its state has a deadline. */
static uint32_t state_due(const struct fr_stream *stream)
{
    uint32_t now_ms = group_of(stream)->now_ms;
    if (stream->state == FR_STREAM_LINGERING)
        return fr_stream_after(stream->since_ms, FR_STREAM_LINGER_MS);
    if (stream->state != FR_STREAM_IDLE)
        return stream->allowed_ms;
    if (stream->config->heartbeat_ms == FRESHET_NEVER)
        return fr_stream_after(now_ms, INT32_MAX);
    return fr_stream_after(stream->since_ms, stream->config->heartbeat_ms);
}

bool fr_stream_has_watch(const struct fr_stream *stream)
{
    return stream->watches && stream->state < FR_STREAM_ENDING;
}

uint32_t fr_stream_due(const struct fr_stream *stream)
{
    if (fr_stream_wants_end(stream))
        return group_of(stream)->now_ms;
    uint32_t at_ms = state_due(stream);
    if (ages(stream) && is_before(stream->expires_ms, at_ms))
        at_ms = stream->expires_ms;
    if (fr_stream_has_watch(stream) && is_before(stream->confirm_ms, at_ms))
        at_ms = stream->confirm_ms;
    return at_ms;
}
