/* What each client has open, and how fast it asks for new topics: for max_streams_per_peer and
 * max_new_topics_per_s_per_peer. Any thread. */
#ifndef FR_PEERS_H
#define FR_PEERS_H

#include "base/bucket.h"
#include "base/list.h"
#include "base/map.h"
#include <freshet/span.h>
#include <freshet/status.h>
#include <pthread.h>

struct fr_peer {
    struct fr_map_node node;
    struct fr_list idle; /* in peers->idle while it has nothing open */
    size_t views;
    struct fr_bucket new_topics;
    char key[];
};

struct fr_peers {
    pthread_mutex_t lock;
    struct fr_map map;
    struct fr_list idle; /* left with a bucket that is not full yet; the first of them goes first */
};

/* False: no memory. */
bool fr_peers_init(struct fr_peers *peers);
void fr_peers_deinit(struct fr_peers *peers);

/* Counts one more stream, of so many views. FRESHET_FULL: `limit` (0: none) are open. One that is let in may
 * pass the limit with all but the first of its views: else a page of many could never come in.
 * FRESHET_NO_MEMORY. */
enum freshet_status fr_peers_enter(struct fr_peers *peers, struct freshet_span key, size_t views,
                                   size_t limit, struct fr_peer **out);
/* Who asked for new topics in the last second is remembered for as long. */
void fr_peers_leave(struct fr_peers *peers, struct fr_peer *peer, size_t views, int64_t now_us);

/* Whether it may have one more new topic, which then counts. */
bool fr_peers_permit(struct fr_peers *peers, struct fr_peer *peer, uint32_t per_s, int64_t now_us);

#endif
