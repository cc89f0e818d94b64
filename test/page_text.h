/* What a page that takes differences makes of the frames of a view: the text, and its version. */
#ifndef TEST_PAGE_TEXT_H
#define TEST_PAGE_TEXT_H

#include "core/codec/frame.h"
#include "difference_apply.h"
#include <stdio.h>

struct page_text {
    char version[FR_VERSION_HEX + 1];
    char *text, *before; /* room for the longest */
    size_t len;
    unsigned wholes, differences;
};

/* Takes a line that begins so, and gives the rest of it; false: the next one does not. */
static inline bool page_text_line(struct freshet_span *rest, const char *begin, struct freshet_span *line)
{
    size_t skipped = strlen(begin);
    const char *end = rest->len < skipped || memcmp(rest->data, begin, skipped) != 0
                          ? NULL
                          : memchr(rest->data, '\n', rest->len);
    if (end == NULL)
        return false;
    *line = freshet_span(rest->data + skipped, (size_t)(end - rest->data) - skipped);
    *rest = freshet_span(end + 1, rest->len - skipped - line->len - 1);
    return true;
}

/* It is to what the page has. */
static inline bool page_text_patch(struct page_text *page, struct freshet_span rest)
{
    struct freshet_span from, pieces;
    if (!page_text_line(&rest, "data: ", &from) || !page_text_line(&rest, "data: ", &pieces) ||
        !freshet_span_equal(from, freshet_span_text(page->version)))
        return false;
    char *before = page->text;
    page->text = page->before;
    page->before = before;
    page->differences++;
    return apply_difference(pieces, freshet_span(before, page->len), page->text, &page->len);
}

static inline void page_text_replace(struct page_text *page, struct freshet_span rest)
{
    struct freshet_span line;
    page->len = 0;
    page->wholes++;
    for (bool first = true; page_text_line(&rest, "data: ", &line); first = false) {
        if (!first)
            page->text[page->len++] = '\n';
        memcpy(page->text + page->len, line.data, line.len);
        page->len += line.len;
    }
}

/* A snapshot, or a difference to the one before; false: neither. */
static inline bool page_text_read(struct page_text *page, const struct fr_bytes *frame)
{
    struct freshet_span rest = fr_frame_body(frame->span), version, nothing;
    bool right = page_text_line(&rest, "id: ", &version);
    if (right && page_text_line(&rest, "event: difference", &nothing))
        right = page_text_patch(page, rest);
    else if (right)
        page_text_replace(page, rest);
    if (right)
        snprintf(page->version, sizeof(page->version), "%.*s", (int)version.len, version.data);
    return right;
}

#endif
