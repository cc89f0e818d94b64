/* Which node to ask for the slot map, and whether to believe it. Pure.
 *
 * Nodes are asked in turn, those of the map first and then those that the program named: whoever is asked may
 * be the one that is cut off from the others and still takes itself for a master. Such a node says so itself
 * after the cluster's node timeout (cluster_state:fail), and what it knows is older: each failover and each
 * move of a slot raises the cluster's epoch. So a map is believed if its node is part of a cluster that works
 * and knows of nothing older than what was believed last. When nobody can say that, because a part of the
 * slots is nobody's, or because the cluster was made anew, a full round of doubtful answers is enough. */
#ifndef FR_REDIS_SCOUT_H
#define FR_REDIS_SCOUT_H

#include "bus/redis/cluster/map.h"

struct fr_redis_scout {
    const struct fr_redis_address *seeds;
    size_t seed_count;
    size_t turn;    /* of the next to ask, among all candidates */
    size_t doubted; /* answers since the last that was believed */
    uint64_t epoch; /* of the map that was believed last */
};

/* What a node says of itself and its cluster in CLUSTER INFO. */
struct fr_redis_outlook {
    bool works; /* cluster_state:ok */
    uint64_t epoch;
};

/* The seeds must outlive the scout; there is at least one. */
void fr_redis_scout_init(struct fr_redis_scout *scout, const struct fr_redis_address *seeds,
                         size_t seed_count);
/* The next to ask. */
struct fr_redis_address fr_redis_scout_next(struct fr_redis_scout *scout, const struct fr_redis_map *map);
/* False: this is no answer to CLUSTER INFO. */
bool fr_redis_outlook_read(struct fr_redis_outlook *outlook, struct freshet_span info);
/* Whether the map of a node with this outlook is to take the place of `map`. */
bool fr_redis_scout_believes(struct fr_redis_scout *scout, const struct fr_redis_map *map,
                             const struct fr_redis_outlook *outlook);

#endif
