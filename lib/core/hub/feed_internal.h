/* A feed from inside: what feed.c (its life, and what it does next), feed_load.c (one load), feed_result.c
 * (what clients are shown) and feed_cache.c (what is known to be current) share. */
#ifndef FR_FEED_INTERNAL_H
#define FR_FEED_INTERNAL_H

#include "base/clock.h"
#include "core/hub/feed.h"
#include "core/hub/feed_plan.h"
#include "core/load/load.h"
#include "core/load/loader.h"
#include "core/runtime/context.h"

static inline int64_t fr_feed_now_us(const struct fr_feed *feed)
{
    return fr_worker_now_us(feed->worker);
}

static inline const struct freshet_loader_options *fr_feed_options(const struct fr_feed *feed)
{
    return &feed->key->loader->options;
}

static inline bool fr_feed_has_audience(const struct fr_feed *feed)
{
    return !fr_list_is_empty(&feed->fanouts);
}

static inline bool fr_feed_is_confirmed(const struct fr_feed *feed)
{
    return feed->subscription->state == FR_TOPIC_CONFIRMED;
}

static inline void fr_feed_mark(struct fr_feed *feed, enum freshet_load_cause cause)
{
    feed->marks |= 1u << cause;
}

static inline bool fr_feed_is_marked(const struct fr_feed *feed, enum freshet_load_cause cause)
{
    return (feed->marks & 1u << cause) != 0;
}

/* The one place that changes the state, and logs it. */
void fr_feed_enter(struct fr_feed *feed, enum fr_feed_state state);
/* The one place that chooses what a feed does next. */
void fr_feed_decide(struct fr_feed *feed);
/* When and why it would load next. */
struct fr_feed_plan fr_feed_make_plan(const struct fr_feed *feed, int64_t now_us);
/* No load is wanted any more. */
void fr_feed_clear_marks(struct fr_feed *feed);

/* Its time has come: loads, once guards and gate let it, or takes what the cache has. */
void fr_feed_begin_load(struct fr_feed *feed);
/* The timer of a running load. */
void fr_feed_check_load_time(struct fr_feed *feed);
/* The one connection of a feed has left, and the word of it is on its way: nothing is loaded any more, since
 * what its guards found has gone with it. */
bool fr_feed_has_left(const struct fr_feed *feed);

/* Tells all fanouts what there is, and lets those in who asked. */
void fr_feed_update_fanouts(struct fr_feed *feed);
/* An error that is in force already is not told twice, unless a snapshot went out since (`again`). Without
 * memory for the frame the streams keep what they have. */
void fr_feed_raise_error(struct fr_feed *feed, const char *code, const char *text, bool again);
/* The load failed: says so, and marks the feed for a retry. */
void fr_feed_fail(struct fr_feed *feed, const char *code, const char *text);
/* A snapshot's bytes are there; NULL: it has not changed. */
void fr_feed_succeed(struct fr_feed *feed, struct fr_bytes *bytes);
/* What an answer means for clients and for the marks. */
void fr_feed_take_result(struct fr_feed *feed, const struct fr_load *load);

/* Before a load begins: what makes it unnecessary, if the loader's cache has it, with a reference, or NULL.
 */
struct fr_bytes *fr_feed_find_cached(struct fr_feed *feed);
/* What a load answered, NULL if that was "unchanged": stores it in the cache for others. */
void fr_feed_keep_cached(struct fr_feed *feed, struct fr_bytes *bytes);
/* Whether the snapshot may be shown to one who comes, without a load (contract 4.9). */
bool fr_feed_is_known(struct fr_feed *feed);
/* Whether a load has begun since the last that this freshet has heard of the topic, and has not failed. */
bool fr_feed_has_looked(struct fr_feed *feed);
/* Whether something of the cache was invalidated since the running load began: who comes after that is not
 * served by it. */
bool fr_feed_is_outdated(struct fr_feed *feed);

#endif
