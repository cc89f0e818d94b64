/* A feed and the cache of its loader. */
#include "core/cache.h"
#include "core/feed_internal.h"

struct fr_bytes *fr_feed_find_cached(struct fr_feed *feed)
{
    struct freshet_cache *cache = fr_feed_options(feed)->cache;
    struct fr_bytes *bytes;
    if (cache == NULL)
        return NULL;
    if (fr_feed_is_marked(feed, FRESHET_CAUSE_SETTLE)) { /* it is there to see more than was loaded before */
        feed->token = fr_cache_token(cache, feed->address->topic);
        return NULL;
    }
    /* Without memory the token puts nothing, and the load goes its way. */
    fr_cache_find(cache, feed->address->topic, fr_address_rest(feed->address), &bytes, &feed->token);
    return bytes;
}

void fr_feed_keep_cached(struct fr_feed *feed, struct fr_bytes *bytes)
{
    struct freshet_cache *cache = fr_feed_options(feed)->cache;
    if (cache != NULL)
        fr_cache_keep(cache, feed->address->topic, fr_address_rest(feed->address), feed->token, bytes);
}
