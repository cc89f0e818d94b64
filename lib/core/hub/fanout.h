/* A feed's streams on one worker. The feed may live on another: its side and the streams' side meet in two
 * pieces of mail, and a slot that holds only the newest. Counted: each side holds it, and so does mail on its
 * way. */
#ifndef FR_FANOUT_H
#define FR_FANOUT_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/mailbox.h"
#include "base/map.h"
#include "base/refcount.h"
#include "base/timers.h"
#include "core/hub/snapshot.h"
#include "core/hub/view.h"
#include "core/load/feed_key.h"
#include "core/runtime/topics.h"
#include "core/runtime/worker_internal.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fr_feed;
struct fr_message_feed;

/* Why a fanout has no feed any more. */
enum fr_feed_loss {
    FR_FEED_KEPT = 0,
    FR_FEED_MOVED,    /* its worker leaves: there will be another one elsewhere */
    FR_FEED_NO_MEMORY /* none for a feed: the streams end */
};

/* What a fanout shows. The first two are references. */
struct fr_update {
    struct fr_snapshot *snapshot;
    struct fr_bytes *error;
    uint32_t snapshot_number;
    uint32_t error_number;
};

/* A frame as a view of some name is told it. */
struct fr_named_frame {
    struct fr_bytes *plain, *named; /* NULL: nothing */
    char *name;
};
/* Kept of a fanout: who keeps up gets differences, who does not the whole snapshot, and both an error. */
#define FR_NAMED_FRAMES 3

struct fr_fanout {
    struct fr_refcount references;
    struct fr_worker *worker; /* of the streams; holds a reference */
    struct fr_feed_key *key;
    struct fr_topic *topic;

    /* The streams' side. */
    struct fr_map_node node;  /* shared: in worker->fanouts */
    struct fr_list joining;   /* views that wait for the feed's answer */
    struct fr_list behind;    /* have not been told of the newest */
    struct fr_list told;      /* have */
    struct fr_task sweep;     /* tells those behind */
    size_t views, gzip_views; /* of all; of these, in gzip */
    struct fr_update update;
    struct fr_message_feed *messages;             /* of a message loader: lives here instead of with a home */
    struct fr_named_frame named[FR_NAMED_FRAMES]; /* made last; the oldest is replaced next */
    unsigned named_next;
    struct fr_timer again;    /* a difference is being made: its views are told again then */
    bool has_timer;           /* room for it is reserved */
    uint32_t awaited;         /* number of the snapshot that it is to */
    int64_t awaited_since_us; /* when the first view had to wait for it */
    bool closed;              /* has no view and is out of the map */

    /* Both sides, under `lock`. */
    pthread_mutex_t lock;
    struct fr_worker *home;      /* where the feed lives, with a reference; NULL: to be found */
    struct fr_worker *posted_to; /* where `to_feed` was posted to last */
    struct fr_mail to_feed;
    struct fr_mail to_views;
    bool to_feed_posted, to_views_posted;
    bool asks, leaves;        /* to the feed */
    bool has_update, answers; /* to the views, as the next two */
    enum fr_feed_loss loss;
    struct fr_update next;

    /* The feed's side. */
    struct fr_list in_feed;
    struct fr_feed *feed;
    bool waits; /* asked, and not answered yet */
};

/* The fanout of a feed key on this worker, new or known (known only if shared): a view must join a new one at
 * once. FRESHET_FULL: too many topics; FRESHET_NO_MEMORY. */
enum freshet_status fr_fanout_get(struct fr_worker *worker, struct fr_feed_key *key, struct fr_fanout **out);
/* The view waits for the feed's answer. */
void fr_fanout_join(struct fr_fanout *fanout, struct fr_view *view);
/* The last one to part closes the fanout. */
void fr_fanout_part(struct fr_fanout *fanout, struct fr_view *view);

/* From its message feed: there is something new to take. */
void fr_fanout_wake(struct fr_fanout *fanout);

/* From the feed: show this, and if `answers`, let those in who asked. Takes references of its own.
 */
void fr_fanout_update(struct fr_fanout *fanout, const struct fr_update *update, bool answers);
/* From the feed: it is gone, and a new one has to be found. The feed's side gives its reference up. */
void fr_fanout_lose(struct fr_fanout *fanout);

/* The view of a feed of one connection. */
struct fr_view *fr_fanout_only_view(const struct fr_fanout *fanout);
/* Its guards have allowed the load that waits for them. */
void fr_fanout_admitted(struct fr_fanout *fanout);

/* ---- fanout_frames.c ---- */

/* A frame of this fanout, or the freshet's `unchanged`, as a view of that name is told it: encoded once for
 * all that call it so. One reference; NULL: no memory. */
struct fr_bytes *fr_fanout_name(struct fr_fanout *fanout, struct fr_bytes *frame, const char *name);
/* Drops what was made of frames that the fanout does not show. */
void fr_fanout_forget_named(struct fr_fanout *fanout);

/* From what a view holds to the snapshot shown, as fr_snapshot_differ(). With FR_DIFFERENCE_MAKING
 * view_ready() comes again. */
enum fr_difference_state fr_fanout_differ(struct fr_fanout *fanout, struct fr_snapshot *held,
                                          struct fr_bytes **frame);
/* No view waits for a difference any more. */
void fr_fanout_stop_waiting(struct fr_fanout *fanout);

#endif
