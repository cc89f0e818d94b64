/* Keeps the slot map of a cluster: a short-lived link asks one node after the other. On the loop.
 *
 * It asks once in each interval, another node each time: whoever is cut off from the cluster and does not
 * know is found out by the others only. It asks at once when its owner has seen a sign, and several times in
 * a second while the owner says that something is not where it should be. */
#ifndef FR_REDIS_MAPPER_H
#define FR_REDIS_MAPPER_H

#include "bus/redis/cluster/map.h"
#include "bus/redis/cluster/scout.h"
#include "bus/redis/link/link.h"

/* All of it outlives the mapper. */
struct fr_redis_mapper_options {
    const struct fr_redis_config *config;
    const struct freshet_log *log;
    struct fr_redis_loop *loop;
    const char *name; /* of its connections, for CLIENT LIST */
    uint32_t interval_ms;
    void *user;
    /* There is a newer map, which may say the same as the one before. */
    void (*mapped)(void *user);
    bool (*is_troubled)(void *user);
};

struct fr_redis_mapper {
    struct fr_redis_mapper_options options;
    struct fr_redis_map map;
    struct fr_redis_address asked; /* the node that gave the map, or is being asked for one */
    int64_t asked_us;              /* when it was asked */

    struct fr_redis_scout scout;
    struct fr_redis_link asking;
    struct fr_redis_outlook outlook;
    unsigned answers;             /* how many have come on this link */
    int64_t begun_us;             /* the attempt */
    int64_t next_us, earliest_us; /* the next attempt, and when it may be made */
    size_t failures;              /* in a row: answers that were not believed, and none */
    size_t mute;                  /* in a row: none */
    struct event *timer;
    char told[512];              /* logged last; empty: there is a map */
    atomic_uint_fast64_t errors; /* any thread reads */
};

/* FRESHET_NO_MEMORY; deinit cleans up in any case. */
enum freshet_status fr_redis_mapper_init(struct fr_redis_mapper *mapper,
                                         const struct fr_redis_mapper_options *options);
/* A zeroed one is fine. */
void fr_redis_mapper_deinit(struct fr_redis_mapper *mapper);
/* Asks as soon as may be; the first call begins it. */
void fr_redis_mapper_ask(struct fr_redis_mapper *mapper);
/* Whose slot it is; NULL: nobody's, or there is no map. Until the map changes. */
const struct fr_redis_address *fr_redis_mapper_owner(const struct fr_redis_mapper *mapper, uint16_t slot);
/* A node says that the slot is another one's: that holds until the next map. False: no memory. */
bool fr_redis_mapper_move(struct fr_redis_mapper *mapper, uint16_t slot,
                          const struct fr_redis_address *owner);

#endif
