#include "core/peers.h"

#include "base/list.h"
#include <stdlib.h>
#include <string.h>

bool fr_peers_init(struct fr_peers *peers)
{
    pthread_mutex_init(&peers->lock, NULL);
    return fr_map_init(&peers->map);
}

void fr_peers_deinit(struct fr_peers *peers)
{
    fr_map_deinit(&peers->map);
    pthread_mutex_destroy(&peers->lock);
}

/* Under the lock. NULL: no memory. */
static struct fr_peer *find(struct fr_peers *peers, struct freshet_span key)
{
    struct fr_map_node *node = fr_map_get(&peers->map, key);
    if (node != NULL)
        return FR_CONTAINER(node, struct fr_peer, node);
    struct fr_peer *peer = calloc(1, sizeof(*peer) + key.len);
    if (peer == NULL)
        return NULL;
    memcpy(peer->key, key.data, key.len);
    fr_map_put(&peers->map, freshet_span(peer->key, key.len), &peer->node);
    return peer;
}

enum freshet_status fr_peers_enter(struct fr_peers *peers, struct freshet_span key, size_t limit,
                                   struct fr_peer **out)
{
    enum freshet_status status = FRESHET_OK;
    pthread_mutex_lock(&peers->lock);
    struct fr_peer *peer = find(peers, key);
    if (peer == NULL)
        status = FRESHET_NO_MEMORY;
    else if (peer->streams >= limit)
        status = FRESHET_FULL;
    else
        peer->streams++;
    pthread_mutex_unlock(&peers->lock);
    *out = status == FRESHET_OK ? peer : NULL;
    return status;
}

void fr_peers_leave(struct fr_peers *peers, struct fr_peer *peer)
{
    pthread_mutex_lock(&peers->lock);
    bool last = --peer->streams == 0;
    if (last)
        fr_map_remove(&peers->map, &peer->node);
    pthread_mutex_unlock(&peers->lock);
    if (last)
        free(peer);
}
