/* The Redis bus: shards, and which of them has which topic. bus.c is what other threads call; turns.c is what
 * happens on the bus thread. */
#ifndef FR_REDIS_BUS_H
#define FR_REDIS_BUS_H

#include "bus/redis/link/guide.h"
#include "bus/redis/shard/shard.h"

struct event;

struct fr_redis_bus {
    struct freshet_bus bus;
    struct fr_redis_config config;
    char everything[sizeof("/everything")];
    char probes[sizeof("/probe/") + 32];
    struct freshet_bus_sink sink; /* from start on */
    struct fr_redis_loop loop;

    /* The bus thread's, but for what is any thread's of a shard. */
    struct fr_redis_guide guide; /* of a URL of sentinels */
    struct fr_redis_shard only;
    struct event *housekeeping, *stop_timer;
    bool stopping;

    /* Any thread. */
    atomic_bool started; /* and not yet stopped */
    atomic_int state;
    atomic_bool overflowed;      /* signals were answered for which a mark must go out */
    atomic_uint_fast64_t errors; /* beside those of the shards */
};

/* Any thread: whose topic it is. */
struct fr_redis_shard *fr_redis_bus_shard_of(struct fr_redis_bus *bus, struct freshet_span topic);

/* Before the thread starts. FRESHET_NO_MEMORY; fr_redis_bus_turns_deinit() cleans up in any case. */
enum freshet_status fr_redis_bus_turns_init(struct fr_redis_bus *bus);
void fr_redis_bus_turns_deinit(struct fr_redis_bus *bus);
/* On the bus thread. */
void fr_redis_bus_begin(struct fr_redis_bus *bus);
void fr_redis_bus_settle(void *bus);
void fr_redis_bus_end(struct fr_redis_bus *bus, uint64_t deadline_ms);

#endif
