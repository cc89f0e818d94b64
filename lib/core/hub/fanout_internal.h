/* What the two sides of a fanout share: fanout.c is the streams', fanout_feed.c the feed's. */
#ifndef FR_FANOUT_INTERNAL_H
#define FR_FANOUT_INTERNAL_H

#include "core/hub/fanout.h"

void fr_fanout_acquire(struct fr_fanout *fanout);
void fr_fanout_release(struct fr_fanout *fanout);

/* Gives up its two references. */
void fr_update_release(struct fr_update *update);

/* What `to_feed` delivers: somebody asks, or all have left. */
void fr_fanout_deliver_to_feed(struct fr_mail *mail);

#endif
