/* Several views on one stream: each has its own guards, feed, errors and end, and one waiting place; what is
 * sent says which view it is for. Without sockets; on the worker's thread. */
#ifndef FR_VIEWS_H
#define FR_VIEWS_H

#include "core/codec/frame.h"
#include "core/hub/entry.h"
#include "core/hub/view.h"
#include <stdbool.h>
#include <stddef.h>

/* On one stream. */
#define FR_VIEWS_MOST 64

struct fr_stream;

enum fr_named_view_state {
    FR_NAMED_VIEW_CHECKING = 1, /* its guards are out */
    FR_NAMED_VIEW_OPEN,
    FR_NAMED_VIEW_ENDED /* with its `end` still to be sent, or without */
};

struct fr_named_view {
    struct fr_view view;
    struct fr_views *views;
    struct fr_list ready; /* in views->ready: may have something to send */
    struct fr_entry entry;
    struct fr_version held;
    bool has_held;
    enum fr_named_view_state state;
    struct fr_bytes *end;
    char *name;
};

struct fr_views {
    struct fr_stream *stream;
    struct fr_list ready;
    struct fr_request_copy
        *request_copy; /* the most that was kept of the request: views share its headers; NULL: nothing */
    size_t count;
    bool failed; /* the stream cannot go on: no memory to tell a client of something */
    struct fr_named_view all[];
};

/* What one view asks for. */
struct fr_view_wish {
    struct freshet_span name;             /* printable ASCII; copied */
    const struct fr_version *held;        /* NULL: nothing */
    struct freshet_loader *loader;        /* NULL: refused */
    struct fr_params *params;             /* taken over */
    struct fr_request_view *request_view; /* with loader */
    const struct fr_guards *guards;       /* of the mount */
    struct freshet_refusal refusal;       /* without loader */
};

/* Room for `count`. NULL: no memory. */
struct fr_views *fr_views_new(struct fr_stream *stream, size_t count);
/* NULL is fine. */
void fr_views_destroy(struct fr_views *views);
/* Whether there is a view of this name. */
bool fr_views_has(const struct fr_views *views, struct freshet_span name);
/* Opens it, or has its refusal sent. Before the stream is opened. */
void fr_views_add(struct fr_views *views, struct fr_worker *worker, const struct fr_view_wish *wish);

/* As fr_view_take(), in turn; FR_NEWS_OVER: every view has ended and was told so. */
enum fr_view_news fr_views_take(struct fr_views *views, struct fr_bytes **frame);

/* From the host, for views with a name. May close the stream. */
void fr_views_ready(struct fr_view *view);
void fr_views_lost(struct fr_view *view, enum freshet_close_reason reason);

#endif
