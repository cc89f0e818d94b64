/* What the readers of event streams in gzip have in their windows: the frames that a stream was sent last,
 * from the oldest one that a later frame may refer to, and everything that was sent since, in order.
 *
 * Streams that were sent the same share one history, so equal pointers are equal windows. Only the frames'
 * events count, not the chunks around them. */
#ifndef FR_GZIP_HISTORY_H
#define FR_GZIP_HISTORY_H

#include "base/bytes.h"
#include "base/map.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a frame is, which decides what later frames may refer to. */
enum fr_gzip_kind {
    FR_GZIP_OTHER = 0, /* comments, errors, ends: never deflated; they only stand in the window */
    FR_GZIP_STATE,     /* a whole state: the next one resembles this one, and nothing before it */
    FR_GZIP_MESSAGE,   /* resembles the few messages before it */
    FR_GZIP_NAMED,     /* of a stream of several views: resembles the last one of its view */
    FR_GZIP_RARE       /* in histories alone: not deflated, since few streams were sent it */
};

/* One frame of a history. Two words without a gap, since histories are found by these bytes. */
struct fr_gzip_sent {
    struct fr_bytes *frame;
    uintptr_t kind;
};

/* More is never kept. */
#define FR_GZIP_MOST_SENT 128

struct fr_gzip_history {
    struct fr_map_node node; /* its key is `sent` */
    atomic_uint holders; /* the last one leaves under the lock, so that nobody finds what is being freed */
    size_t count;
    struct fr_gzip_sent sent[]; /* the frames are references */
};

/* All of a coder, under its lock. Zeroed before fr_map_init(). */
struct fr_gzip_histories {
    struct fr_map by_sent;
};

/* NULL, which is an empty history, is fine in all of these. */

/* Any thread that is sure that it is held. */
struct fr_gzip_history *fr_gzip_history_acquire(struct fr_gzip_history *history);
/* Without the lock. False: nothing has happened, since this is the last holder. */
bool fr_gzip_history_release_early(struct fr_gzip_history *history);

/* The rest under the lock. Those that return a history return a reference; without memory the history is
 * empty, and what comes next refers to nothing. */

void fr_gzip_history_release(struct fr_gzip_histories *histories, struct fr_gzip_history *history);
/* What a stream has before it once it was sent `frame`, too. */
struct fr_gzip_history *fr_gzip_history_after(struct fr_gzip_histories *histories,
                                              const struct fr_gzip_history *before, struct fr_bytes *frame,
                                              enum fr_gzip_kind kind, bool deflated);
/* The newest part of it, as much as `frame` should refer to: the less, the more streams have the same.
 * `alone`: one stream is sent the frame, so that sharing is no matter. */
struct fr_gzip_history *fr_gzip_history_useful(struct fr_gzip_histories *histories,
                                               struct fr_gzip_history *before, const struct fr_bytes *frame,
                                               enum fr_gzip_kind kind, bool alone);

#endif
