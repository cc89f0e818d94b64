#include "web/stream/stream_dump.h"

#include "core/hub/dump_hub.h"
#include "web/stream/views.h"
#include <inttypes.h>

static const char *view_state_text(enum fr_named_view_state state)
{
    static const char *const texts[] = {[FR_NAMED_VIEW_NEW] = "new",
                                        [FR_NAMED_VIEW_CHECKING] = "checking",
                                        [FR_NAMED_VIEW_OPEN] = "open",
                                        [FR_NAMED_VIEW_ENDED] = "ended"};
    return texts[state];
}

static void dump_views(FILE *file, const struct fr_views *views)
{
    fprintf(file, "views %zu\n", views->count);
    for (size_t i = 0; i < views->count; i++) {
        fprintf(file, "    view %s: ", view_state_text(views->all[i].state));
        fr_dump_view(file, &views->all[i].view);
        fprintf(file, "\n");
    }
}

static void dump_stream(FILE *file, const struct fr_stream *stream)
{
    fprintf(file, "  stream %p: %s for %u ms, sent %" PRIu64 " bytes, ", (const void *)stream,
            fr_stream_state_text(stream->state), stream->config->group->now_ms - stream->since_ms,
            stream->bytes);
    if (stream->config->gzip_at != 0)
        fprintf(file, "in gzip, ");
    if (stream->frame != NULL && stream->state != FR_STREAM_ENCODING)
        fprintf(file, "a frame is out at byte %u, ", stream->offset);
    if (stream->end != NULL)
        fprintf(file, "its end waits, ");
    if (stream->views != NULL) {
        dump_views(file, stream->views);
        return;
    }
    fr_dump_view(file, &stream->view);
    fprintf(file, "\n");
}

void fr_stream_group_dump(const struct fr_stream_group *group, struct fr_dump *dump)
{
    fprintf(dump->file, "  streams %zu%s\n", group->count, group->draining ? ", draining" : "");
    for (size_t i = 0; i < FR_WHEEL_SLOTS; i++) {
        const struct fr_list *slot = &group->wheel.slots[i];
        for (const struct fr_list *link = slot->next; link != slot; link = link->next)
            if (fr_dump_row(dump))
                dump_stream(dump->file, FR_CONTAINER(link, struct fr_stream, link));
    }
    const struct fr_stream *stream = NULL;
    while (group->encoder != NULL && (stream = fr_encoder_next(group->encoder, stream)) != NULL)
        if (fr_dump_row(dump))
            dump_stream(dump->file, stream);
    fr_dump_end_rows(dump, "streams");
}
