/* What makes two streams share a feed: loader, topic, route parameters and identity. Counted, immutable, any
 * thread. */
#ifndef FR_FEED_KEY_H
#define FR_FEED_KEY_H

#include "base/refcount.h"
#include "core/channel/pattern.h"
#include "core/request/request.h"
#include <freshet/channel.h>
#include <freshet/span.h>
#include <stdatomic.h>

struct freshet_loader;

struct fr_feed_key {
    struct fr_refcount references;
    struct freshet_loader *loader; /* a reference */
    struct fr_params *params;
    struct fr_request_copy *request_copy; /* of the one connection; NULL for several */
    struct freshet_span name;             /* the loader's */
    struct freshet_span topic;
    struct freshet_span identity;
    struct freshet_span id; /* all of it in one, for maps */
    char text[];
};

/* Takes references to all. `request_copy` counts only for a loader whose connections share nothing. NULL: no
 * memory.
 */
struct fr_feed_key *fr_feed_key_new(struct freshet_loader *loader, const struct freshet_topic *topic,
                                    struct freshet_span identity, struct fr_params *params,
                                    struct fr_request_copy *request_copy);
struct fr_feed_key *fr_feed_key_acquire(struct fr_feed_key *key);
/* What follows the topic in `key`: a zero byte, the identity, the route parameters. */
struct freshet_span fr_feed_key_rest(const struct fr_feed_key *key);
void fr_feed_key_release(struct fr_feed_key *key); /* NULL is fine */

#endif
