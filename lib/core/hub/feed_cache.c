/* What a feed knows to be current, by itself and by the cache of its loader. Both go by the number of the
 * topic (fr_topics_current()): it changes as soon as this freshet hears of a publish or a doubt, which may be
 * before the feed does. */
#include "core/hub/feed_internal.h"
#include "core/load/cache.h"

static uint64_t change_of(struct fr_feed *feed)
{
    return fr_topics_current(&feed->worker->freshet->topics, feed->key->topic);
}

struct fr_bytes *fr_feed_find_cached(struct fr_feed *feed)
{
    struct freshet_cache *cache = fr_feed_options(feed)->cache;
    struct freshet_span topic = feed->key->topic;
    struct fr_bytes *bytes;
    feed->running = (struct fr_cache_stamp){.number = 0};
    if (cache == NULL) {
        feed->running.token.change = change_of(feed);
        return NULL;
    }
    if (fr_feed_is_marked(feed, FRESHET_CAUSE_SETTLE)) { /* it is there to see more than was loaded before */
        feed->running.token = fr_cache_token(cache, topic);
        return NULL;
    }
    /* Without memory the stamp says that nothing is known, and the load goes its way. */
    fr_cache_find(cache, topic, fr_feed_key_rest(feed->key), &bytes, &feed->running);
    return bytes;
}

void fr_feed_keep_cached(struct fr_feed *feed, struct fr_bytes *bytes)
{
    struct freshet_cache *cache = fr_feed_options(feed)->cache;
    feed->running.put_us = fr_feed_now_us(feed);
    if (cache != NULL && bytes != NULL)
        fr_cache_keep(cache, feed->key->topic, fr_feed_key_rest(feed->key), &feed->running, bytes);
}

bool fr_feed_is_known(struct fr_feed *feed)
{
    struct freshet_cache *cache = fr_feed_options(feed)->cache;
    if (feed->failures > 0 || feed->shown.token.change == 0)
        return false;
    if (cache != NULL)
        return fr_cache_would_give(cache, feed->key->topic, fr_feed_key_rest(feed->key), &feed->shown);
    return feed->shown.token.change == change_of(feed);
}

bool fr_feed_has_looked(struct fr_feed *feed)
{
    bool is_out = feed->state == FR_FEED_LOADING;
    uint64_t began = is_out ? feed->running.token.change : feed->shown.token.change;
    return (is_out || feed->failures == 0) && began != 0 && began == change_of(feed);
}

bool fr_feed_is_outdated(struct fr_feed *feed)
{
    struct freshet_cache *cache = fr_feed_options(feed)->cache;
    return cache != NULL &&
           fr_cache_token(cache, feed->key->topic).invalidations != feed->running.token.invalidations;
}
