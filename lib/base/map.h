/* An intrusive hash map from bytes to nodes. Keyed hashing (SipHash-1-3), since clients choose the keys. */
#ifndef FR_MAP_H
#define FR_MAP_H

#include <freshet/span.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fr_map_node {
    struct fr_map_node *next;
    uint64_t hash;
    struct freshet_span key; /* owned by whoever embeds the node, unchanged while it is in the map */
};

struct fr_map {
    struct fr_map_node **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
    uint64_t seed[2];
};

/* False: no memory. */
bool fr_map_init(struct fr_map *map);
/* The nodes are the caller's. A zeroed map is fine. */
void fr_map_deinit(struct fr_map *map);

struct fr_map_node *fr_map_get(const struct fr_map *map, struct freshet_span key);
/* `key` must not be in the map. Cannot fail: when it cannot grow, chains get longer. */
void fr_map_put(struct fr_map *map, struct freshet_span key, struct fr_map_node *node);
void fr_map_remove(struct fr_map *map, struct fr_map_node *node);
/* Visits every node; after NULL comes the first, NULL ends. The node given may be removed only after the
 * call. */
struct fr_map_node *fr_map_next(const struct fr_map *map, const struct fr_map_node *node);

#endif
