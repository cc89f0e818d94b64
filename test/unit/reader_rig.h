/* A client that takes differences, on top of core_rig.h. */
#ifndef READER_RIG_H
#define READER_RIG_H

#include "core_rig.h"
#include "page_text.h"

#define TEXT_ROOM 400000

/* What a page that takes differences holds. */
struct reader {
    struct client client;
    struct page_text page;
    char room[2][TEXT_ROOM];
    unsigned unchanged, errors;
};

static inline void reader_take(struct reader *reader)
{
    struct fr_bytes *frame;
    for (enum fr_view_news news; (news = fr_view_take(&reader->client.view, &frame)) != FR_NEWS_NONE;) {
        reader->unchanged += news == FR_NEWS_UNCHANGED;
        reader->errors += news == FR_NEWS_ERROR;
        if (news == FR_NEWS_SNAPSHOT)
            cr_assert(page_text_read(&reader->page, frame), "it is to what the client holds");
        fr_bytes_release(frame);
    }
}

/* It takes only when told so. */
static inline enum fr_visit_answer reader_try(struct reader *reader, unsigned worker,
                                              const struct fr_version *held)
{
    struct freshet_refusal refusal;
    struct fr_visit visit = {.worker = rig.workers[worker], .has_held = held != NULL};
    if (held != NULL)
        visit.held = *held;
    memset(reader, 0, sizeof(*reader));
    reader->page.text = reader->room[0];
    reader->page.before = reader->room[1];
    reader->client.blocked = true;
    reader->client.view.takes_differences = true;
    if (fr_route_find(rig.freshet, freshet_span_text("/board/a"), &visit.loader, &visit.params) != FRESHET_OK)
        return FR_VISIT_LATER;
    return fr_visit_open(&visit, &reader->client.view, &refusal);
}

#endif
