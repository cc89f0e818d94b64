#include "web/stream/stream_end.h"
#include "base/random.h"
#include "core/codec/frame.h"
#include "core/guard/admission.h"
#include "web/stream/encoder.h"
#include <string.h>

static const char *end_code(enum freshet_close_reason reason)
{
    switch (reason) {
    case FRESHET_CLOSE_DRAIN:
        return "going-away";
    case FRESHET_CLOSE_NO_MEMORY:
        return "no-memory";
    case FRESHET_CLOSE_MAX_AGE:
        return "max-age";
    default:
        return "topic-moved";
    }
}

struct fr_end fr_stream_describe_end(const struct fr_stream *stream, const struct fr_view *view,
                                     enum freshet_close_reason reason)
{
    const struct fr_stream_config *config = stream->config;
    if (reason == FRESHET_CLOSE_DENIED) {
        const struct fr_verdict *verdict = view->admission->verdict;
        const char *location = verdict->location == NULL ? "" : verdict->location;
        return (struct fr_end){freshet_span_text(verdict->code), -1, freshet_span_text(location)};
    }
    uint64_t retry_ms = reason == FRESHET_CLOSE_DRAIN
                            ? fr_random_between(0, config->group->spread_ms)
                            : fr_random_between(config->retry_min_ms, config->retry_max_ms);
    return (struct fr_end){.code = freshet_span_text(end_code(reason)), .retry_ms = (int64_t)retry_ms};
}

struct fr_bytes *fr_stream_last_frame(struct fr_stream *stream, struct fr_bytes *event)
{
    if (fr_stream_gzip(stream) != NULL)
        event = fr_encoder_finish(stream, event);
    if (event == NULL || !stream->chunked)
        return event;
    size_t last_len = strlen(FR_LAST_CHUNK);
    struct fr_bytes *both = fr_bytes_new(event->span.len + last_len);
    if (both != NULL) {
        memcpy(fr_bytes_room(both), event->span.data, event->span.len);
        memcpy(fr_bytes_room(both) + event->span.len, FR_LAST_CHUNK, last_len);
    }
    fr_bytes_release(event);
    return both;
}
