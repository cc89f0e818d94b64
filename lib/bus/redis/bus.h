/* The Redis bus: lanes with topics, and shards which take them. A Redis that stands alone has one of each, a
 * cluster has a lane for each partition and a fleet of shards. bus.c is what other threads call; turns.c is
 * what happens on the bus thread. */
#ifndef FR_REDIS_BUS_H
#define FR_REDIS_BUS_H

#include "bus/redis/fleet.h"
#include "bus/redis/link/guide.h"

struct event;

struct fr_redis_bus {
    struct freshet_bus bus;
    struct fr_redis_config config;
    char everything[sizeof("/everything")];
    char probes[sizeof("/probe/") + 32];
    struct freshet_bus_sink sink; /* from start on */
    unsigned forks;               /* fr_forks() of the process that started it */
    struct fr_redis_loop loop;

    /* Of these, what is any thread's; they stand from before the thread starts until after it has ended. */
    struct fr_redis_lane *lanes;
    size_t lane_count; /* 1, or FR_REDIS_PARTITIONS */
    struct fr_redis_outbox_room room;

    /* The bus thread's, but for what is any thread's of them. */
    struct fr_redis_guide guide; /* of a URL of sentinels */
    struct fr_redis_shard only;  /* if there is no fleet */
    struct fr_redis_fleet fleet; /* of a URL of a cluster */
    struct event *housekeeping, *stop_timer;
    bool stopping;

    /* Any thread. */
    atomic_bool started; /* from a start that went well until it is stopped */
    atomic_int state;
    atomic_bool overflowed;      /* signals were answered for which a mark must go out */
    atomic_uint_fast64_t errors; /* beside those of the shards */
};

bool fr_redis_bus_has_fleet(const struct fr_redis_bus *bus);

/* Before the thread starts. FRESHET_NO_MEMORY; fr_redis_bus_turns_deinit() cleans up in any case. */
enum freshet_status fr_redis_bus_turns_init(struct fr_redis_bus *bus);
void fr_redis_bus_turns_deinit(struct fr_redis_bus *bus);
/* On the bus thread. */
void fr_redis_bus_begin(struct fr_redis_bus *bus);
void fr_redis_bus_settle(void *bus);
void fr_redis_bus_end(struct fr_redis_bus *bus, uint64_t deadline_ms);
/* Wants a channel of the lane, which is taken over. */
void fr_redis_bus_want(struct fr_redis_bus *bus, struct fr_redis_lane *lane,
                       struct fr_redis_channel *channel);
/* Takes a publish of the lane over. */
void fr_redis_bus_add(struct fr_redis_bus *bus, struct fr_redis_lane *lane, struct fr_redis_publish *publish);

#endif
