/* A feed whose messages are the news: nothing is loaded, each message from the bus is shown to all streams of
 * its fanout, once and in the order of the bus. It belongs to its fanout and lives on the fanout's worker;
 * what a stream has not taken yet is a distance in one ring that all of them share. On the worker's thread.
 */
#ifndef FR_MESSAGE_FEED_H
#define FR_MESSAGE_FEED_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/timers.h"
#include "core/hub/dedup.h"
#include "core/hub/subscription.h"
#include "core/hub/view.h"
#include "core/runtime/message_ring.h"
#include "core/runtime/topics.h"
#include <freshet/status.h>
#include <stdbool.h>
#include <stdint.h>

struct fr_fanout;

struct fr_message_feed {
    struct fr_fanout *fanout;
    struct fr_subscription *subscription;
    struct fr_listener listener;
    enum fr_topic_state state;   /* what clients have been told of, or will be by `grace` */
    struct fr_timer grace;       /* runs while the subscription is not in force, until clients are told */
    struct fr_message_ring ring; /* of frames; each costs what its message has on the bus */
    uint64_t swept;              /* every stream that can write has taken up to this number */
    size_t unswept_bytes;        /* what those after it cost in the ring */
    size_t caught_up;            /* views that have all */
    struct fr_bytes *gap;        /* the frame that says that nobody knows how many were lost */
    struct fr_dedup dedup;
};

/* FRESHET_FULL, FRESHET_NO_MEMORY. */
enum freshet_status fr_message_feed_new(struct fr_fanout *fanout, struct fr_message_feed **out);
void fr_message_feed_destroy(struct fr_message_feed *feed); /* NULL is fine */

/* From its fanout: a view joins, with all there is from now on; parts, perhaps to join another feed; all have
 * been told of what there is. */
void fr_message_feed_join(struct fr_message_feed *feed, struct fr_view *view);
void fr_message_feed_part(struct fr_message_feed *feed, struct fr_view *view);
void fr_message_feed_swept(struct fr_message_feed *feed);
/* Whether there is a message or a gap to take; and fr_view_take() for these. */
bool fr_message_feed_has_news(const struct fr_message_feed *feed, const struct fr_view *view);
enum fr_view_news fr_message_feed_take(struct fr_message_feed *feed, struct fr_view *view,
                                       struct fr_bytes **frame);

#endif
