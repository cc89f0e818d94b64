/* A stream's hold on a feed. It owns no bytes: it remembers what it took last and takes the newest when it
 * can write, so a slow stream costs no memory and skips what it missed. On the worker's thread. */
#ifndef FR_VIEW_H
#define FR_VIEW_H

#include "base/bytes.h"
#include "base/list.h"
#include "core/channel/pattern.h"
#include "core/codec/frame.h"
#include "core/runtime/worker.h"
#include <freshet/loader.h>
#include <freshet/span.h>
#include <stdbool.h>
#include <stdint.h>

struct fr_admission;
struct fr_fanout;
struct fr_peer;
struct fr_snapshot;

/* Embedded in a stream; zeroed before it is opened. */
struct fr_view {
    struct fr_list link;      /* in its fanout: among those behind, or those that have all */
    struct fr_fanout *fanout; /* NULL: closed */
    uint32_t snapshot_seen;   /* number of the snapshot taken last; 0: none yet */
    uint32_t error_seen;      /* number of the load-error taken last; 0: none yet */
    struct fr_snapshot *held; /* what the client says it has; forgotten with the first news, but if it takes
                                 differences this is the snapshot sent last. NULL: nothing */
    const char *name;         /* on a stream of several: what the client calls it; else NULL */
    struct fr_admission *admission; /* NULL: no guards */
    uint32_t message_seen;          /* of a message loader: number of the message taken last, its low bits */
    bool message_gap : 1; /* some of these stayed in a feed before this one, and it has not been told so */
    bool in_gzip : 1;     /* its stream is in gzip; set before it is opened */
    bool takes_differences : 1; /* likewise: the client can apply them */
    bool joining : 1;           /* waits for the feed's word on what is current */
    bool is_once : 1;           /* likewise: of freshet_load_once(), which is told in place of the host */
};

/* Opens the view on a fanout that was got for it. `admission`, admitted, is taken over; NULL: no guards.
 * `held` is what the client says it has, NULL: nothing. See visit.h for the way there. */
void fr_view_open(struct fr_view *view, struct fr_fanout *fanout, struct fr_admission *admission,
                  const struct fr_version *held);
/* There is something to take; there will be nothing any more. It may be gone then. */
void fr_view_tell_ready(struct fr_view *view);
void fr_view_tell_lost(struct fr_view *view, enum freshet_close_reason reason);
/* Closed ones are fine. */
void fr_view_close(struct fr_view *view);

enum fr_view_news {
    FR_NEWS_NONE = 0,
    FR_NEWS_SNAPSHOT,  /* *frame is the snapshot */
    FR_NEWS_UNCHANGED, /* the client holds it already: a comment will do; *frame is one */
    FR_NEWS_ERROR,     /* *frame is a load-error */
    FR_NEWS_MESSAGE,   /* of a message loader */
    FR_NEWS_GAP,       /* messages of it were lost */
    FR_NEWS_NO_MEMORY, /* there is news, but no memory to tell it: the stream has to begin anew */
    FR_NEWS_OVER       /* of several views: all have ended */
};

/* The newest that this view has not taken, or of messages the oldest that is kept, which then counts as
 * taken; *frame is one reference for the caller. FR_NEWS_NONE: it has everything, and view_ready() will come.
 */
enum fr_view_news fr_view_take(struct fr_view *view, struct fr_bytes **frame);

/* How many views in gzip are told the same as this one, on its worker; 1 at least. */
size_t fr_view_gzip_readers(const struct fr_view *view);

/* The topic of an open view. */
struct freshet_span fr_view_topic(const struct fr_view *view);

/* What an open stream holds of the limits; zeroed: nothing. */
struct fr_quota {
    struct fr_peer *peer; /* NULL: clients are not counted, or this one has no key */
    uint32_t views;
};

/* Room for one more stream, of so many views, under max_streams and, with `peer` not empty,
 * max_streams_per_peer: each view counts, since each costs a topic, a feed and its loads. FRESHET_OK,
 * FRESHET_FULL, FRESHET_NO_MEMORY; then *code says why. The worker's thread, as the rest. */
enum freshet_status fr_stream_begin(struct fr_worker *worker, struct freshet_span peer, uint32_t views,
                                    struct fr_quota *quota, const char **code);
/* Takes that back: the stream was refused after all, and was never open. */
void fr_stream_cancel(struct fr_worker *worker, struct fr_quota *quota);
/* Counts it as opened. */
void fr_stream_count_open(struct fr_worker *worker, bool in_gzip);
/* Counts it as closed. */
void fr_stream_end(struct fr_worker *worker, struct fr_quota *quota, enum freshet_close_reason reason);

#endif
