/* Who owns which slot of a cluster, as one of its nodes says. Pure.
 *
 * It is read from CLUSTER SLOTS, which every version has and which names for each node the one address that
 * is meant for this kind of connection; CLUSTER SHARDS leaves the choice of port and endpoint to us. */
#ifndef FR_REDIS_MAP_H
#define FR_REDIS_MAP_H

#include "bus/redis/cluster/slot.h"
#include "bus/redis/proto/address.h"
#include <freshet/status.h>
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FR_REDIS_MAX_NODES 4096 /* a cluster of Redis is made for 1,000 */
#define FR_REDIS_NOBODY    UINT16_MAX

/* A zeroed one has no nodes and must not be asked for owners. */
struct fr_redis_map {
    struct fr_redis_address *nodes; /* masters and replicas, each once */
    size_t node_count, node_room;
    uint16_t owners[FR_REDIS_SLOTS]; /* places in `nodes`; FR_REDIS_NOBODY */
};

/* No slot has an owner. */
void fr_redis_map_init(struct fr_redis_map *map);
/* A zeroed one is fine. */
void fr_redis_map_deinit(struct fr_redis_map *map);

/* Reads the answer to CLUSTER SLOTS of the node that was reached as `asked`; its name stands for every host
 * that is left out. Slots of a node that has no usable address are nobody's. FRESHET_INVALID: the answer is
 * none, and `error` says what is wrong with it; FRESHET_NO_MEMORY. Then the map has no nodes. */
enum freshet_status fr_redis_map_read(struct fr_redis_map *map, const redisReply *reply,
                                      const struct fr_redis_address *asked, struct freshet_error *error);
/* The slot is that node's from here on. False: no memory, or too many nodes. */
bool fr_redis_map_move(struct fr_redis_map *map, uint16_t slot, const struct fr_redis_address *address);
/* Whether it is a node that the map names. */
bool fr_redis_map_has(const struct fr_redis_map *map, const struct fr_redis_address *address);
/* The address of the slot's owner; NULL: nobody's. Lives until the map changes. */
const struct fr_redis_address *fr_redis_map_owner(const struct fr_redis_map *map, uint16_t slot);

#endif
