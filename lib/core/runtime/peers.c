#include "core/runtime/peers.h"

#include <stdlib.h>
#include <string.h>

bool fr_peers_init(struct fr_peers *peers)
{
    pthread_mutex_init(&peers->lock, NULL);
    fr_list_init(&peers->idle);
    return fr_map_init(&peers->map);
}

/* Under the lock, as the next two. */
static void forget(struct fr_peers *peers, struct fr_peer *peer)
{
    fr_list_remove(&peer->idle);
    fr_map_remove(&peers->map, &peer->node);
    free(peer);
}

void fr_peers_deinit(struct fr_peers *peers)
{
    while (!fr_list_is_empty(&peers->idle))
        forget(peers, FR_CONTAINER(peers->idle.next, struct fr_peer, idle));
    fr_map_deinit(&peers->map);
    pthread_mutex_destroy(&peers->lock);
}

static bool is_full(const struct fr_peer *peer, int64_t now_us)
{
    return now_us - peer->new_topics.since_us >= FR_US_PER_S;
}

/* NULL: no memory. */
static struct fr_peer *find(struct fr_peers *peers, struct freshet_span key)
{
    struct fr_map_node *node = fr_map_get(&peers->map, key);
    if (node != NULL)
        return FR_CONTAINER(node, struct fr_peer, node);
    struct fr_peer *peer = calloc(1, sizeof(*peer) + key.len);
    if (peer == NULL)
        return NULL;
    memcpy(peer->key, key.data, key.len);
    fr_list_init(&peer->idle);
    fr_map_put(&peers->map, freshet_span(peer->key, key.len), &peer->node);
    return peer;
}

enum freshet_status fr_peers_enter(struct fr_peers *peers, struct freshet_span key, size_t views,
                                   size_t limit, struct fr_peer **out)
{
    enum freshet_status status = FRESHET_OK;
    pthread_mutex_lock(&peers->lock);
    struct fr_peer *peer = find(peers, key);
    if (peer == NULL) {
        status = FRESHET_NO_MEMORY;
    } else if (limit != 0 && peer->views >= limit) {
        status = FRESHET_FULL;
    } else {
        fr_list_remove(&peer->idle);
        peer->views += views;
    }
    pthread_mutex_unlock(&peers->lock);
    *out = status == FRESHET_OK ? peer : NULL;
    return status;
}

void fr_peers_leave(struct fr_peers *peers, struct fr_peer *peer, size_t views, int64_t now_us)
{
    pthread_mutex_lock(&peers->lock);
    peer->views -= views;
    if (peer->views == 0 && is_full(peer, now_us))
        forget(peers, peer);
    else if (peer->views == 0)
        fr_list_append(&peers->idle, &peer->idle);
    while (!fr_list_is_empty(&peers->idle)) {
        struct fr_peer *first = FR_CONTAINER(peers->idle.next, struct fr_peer, idle);
        if (!is_full(first, now_us))
            break;
        forget(peers, first);
    }
    pthread_mutex_unlock(&peers->lock);
}

bool fr_peers_permit(struct fr_peers *peers, struct fr_peer *peer, uint32_t per_s, int64_t now_us)
{
    pthread_mutex_lock(&peers->lock);
    bool permitted = fr_bucket_take(&peer->new_topics, per_s, now_us);
    pthread_mutex_unlock(&peers->lock);
    return permitted;
}
