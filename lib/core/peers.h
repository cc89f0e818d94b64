/* How many streams each client has open, for max_streams_per_peer. Any thread. */
#ifndef FR_PEERS_H
#define FR_PEERS_H

#include "base/map.h"
#include <freshet/span.h>
#include <freshet/status.h>
#include <pthread.h>

struct fr_peer {
    struct fr_map_node node;
    size_t streams;
    char key[];
};

struct fr_peers {
    pthread_mutex_t lock;
    struct fr_map map;
};

/* False: no memory. */
bool fr_peers_init(struct fr_peers *peers);
void fr_peers_deinit(struct fr_peers *peers);

/* Counts one more. FRESHET_FULL: `limit` are open. FRESHET_NO_MEMORY. */
enum freshet_status fr_peers_enter(struct fr_peers *peers, struct freshet_span key, size_t limit,
                                   struct fr_peer **out);
void fr_peers_leave(struct fr_peers *peers, struct fr_peer *peer);

#endif
