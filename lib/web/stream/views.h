/* Several views on one stream: each has its own guards, feed, errors and end, and one waiting place; what is
 * sent says which view it is for. Without sockets; on the worker's thread. */
#ifndef FR_VIEWS_H
#define FR_VIEWS_H

#include "core/codec/frame.h"
#include "core/hub/view.h"
#include "core/hub/visit.h"
#include <stdbool.h>
#include <stddef.h>

/* So many views one stream may have. */
#define FR_VIEWS_MOST 64

struct fr_stream;

enum fr_named_view_state {
    FR_NAMED_VIEW_NEW = 0,
    FR_NAMED_VIEW_CHECKING, /* its guards are out */
    FR_NAMED_VIEW_OPEN,
    FR_NAMED_VIEW_ENDED /* with its `end` still to be sent, or without */
};

struct fr_named_view {
    struct fr_view view;
    struct fr_views *views;
    struct fr_list ready;  /* in views->ready: may have something to send */
    struct fr_visit visit; /* until the view is open */
    enum fr_named_view_state state;
    struct fr_bytes *end;
    char *name;
};

struct fr_views {
    struct fr_stream *stream;
    struct fr_list ready;
    struct fr_request_copy
        *request_copy; /* the most that was kept of the request: views share its headers; NULL: nothing */
    const struct fr_view *taken; /* whose news fr_views_take() gave out last; NULL: an `end` */
    size_t count;
    bool failed; /* the stream cannot go on: no memory to tell a client of something */
    struct fr_named_view all[];
};

/* Room for `count`. NULL: no memory. */
struct fr_views *fr_views_new(struct fr_stream *stream, size_t count);
/* NULL is fine. */
void fr_views_destroy(struct fr_views *views);
/* Whether there is a view of this name. */
bool fr_views_has(const struct fr_views *views, struct freshet_span name);
/* One more view, before the stream is opened; it is visited or refused next. `name` is printable ASCII and
 * copied; `held` is what the client says it has, NULL: nothing. NULL: no memory, the stream can't go on. */
struct fr_named_view *fr_views_add(struct fr_views *views, struct freshet_span name,
                                   const struct fr_version *held);
/* Its route was found: opens it, now or when its guards have decided, or has its refusal sent. Takes `params`
 * over. */
void fr_named_view_visit(struct fr_named_view *named, struct freshet_loader *loader, struct fr_params *params,
                         struct fr_request_view *request_view, const struct fr_guards *mount);
/* Has a refusal for good sent. */
void fr_named_view_refuse(struct fr_named_view *named, const struct freshet_refusal *refusal);

/* As fr_view_take(), in turn; FR_NEWS_OVER: every view has ended and was told so. */
enum fr_view_news fr_views_take(struct fr_views *views, struct fr_bytes **frame);

/* What the host is told of a view with a name. May close the stream. */
void fr_views_ready(struct fr_view *view);
void fr_views_lost(struct fr_view *view, enum freshet_close_reason reason);

#endif
