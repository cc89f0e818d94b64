/* The shards of a cluster: one for each master that has something for us. The fleet keeps the slot map, makes
 * shards for new masters and ends those of old ones, and moves each lane to the shard that has its slot.
 *
 * The map is asked for once in each probe interval, and at once when a node sends us to another one, takes
 * channels from us unasked, or is lost. It also vouches for publishes: what a node had accepted, and another
 * one says a second later that the slot is still its own, has reached all who listen. When a slot goes before
 * that is said, the mark "everything" follows it. On the loop, unless it says otherwise. */
#ifndef FR_REDIS_FLEET_H
#define FR_REDIS_FLEET_H

#include "bus/redis/link/mapper.h"
#include "bus/redis/shard/shard.h"
#include <pthread.h>

/* One node with its shard. */
struct fr_redis_member {
    struct fr_list link;
    struct fr_redis_address address;
    struct fr_redis_shard shard;
};

/* All of it outlives the fleet. */
struct fr_redis_fleet_options {
    const struct fr_redis_config *config;
    struct fr_redis_loop *loop;
    const struct freshet_bus_sink *sink;
    struct fr_redis_lane *lanes; /* one for each partition */
    const char *everything, *probes;
    void *user;
    /* Its state is another one, or may be. */
    void (*state)(void *user, const char *reason);
    /* While it ends: something that it waited for is over. */
    void (*ended)(void *user);
};

struct fr_redis_fleet {
    struct fr_redis_fleet_options options;
    struct fr_redis_mapper mapper;
    struct fr_list members;
    bool used[FR_REDIS_PARTITIONS];        /* something was ever subscribed or published there */
    int64_t moved_us[FR_REDIS_PARTITIONS]; /* when a node sent the lane to another one last */
    bool ending;

    pthread_mutex_t lock; /* for `members` and `retired`: the loop changes them, any thread reads */
    struct freshet_bus_stats retired;     /* counters of shards that have ended */
    atomic_uint_fast64_t doubts, vouched; /* any thread reads */
};

/* Before the thread starts. FRESHET_NO_MEMORY; deinit cleans up in any case. */
enum freshet_status fr_redis_fleet_init(struct fr_redis_fleet *fleet,
                                        const struct fr_redis_fleet_options *options);
/* Before the lanes. A zeroed one is fine. */
void fr_redis_fleet_deinit(struct fr_redis_fleet *fleet);
void fr_redis_fleet_begin(struct fr_redis_fleet *fleet);
/* Sends what is to be sent. */
void fr_redis_fleet_settle(struct fr_redis_fleet *fleet);
/* Several times in a second; ends the shards that have nothing for us. */
void fr_redis_fleet_keep_house(struct fr_redis_fleet *fleet);
void fr_redis_fleet_end(struct fr_redis_fleet *fleet);
/* Everything is answered, and vouched for if that can be had. */
bool fr_redis_fleet_is_done(struct fr_redis_fleet *fleet);
/* Asks for a login, and says it on each command link. */
void fr_redis_fleet_log_in(struct fr_redis_fleet *fleet);
/* After the thread has ended: ends the shards. What is in doubt then is told to nobody. */
void fr_redis_fleet_disband(struct fr_redis_fleet *fleet);
/* Down while no shard has its subscribe link up, proved when all are. */
enum freshet_bus_state fr_redis_fleet_state(struct fr_redis_fleet *fleet);
/* Any thread: adds its counters and those of its shards. */
void fr_redis_fleet_add_stats(struct fr_redis_fleet *fleet, struct freshet_bus_stats *stats);
/* Something is subscribed or published on this lane. */
void fr_redis_fleet_use(struct fr_redis_fleet *fleet, struct fr_redis_lane *lane);

#endif
