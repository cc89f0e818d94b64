/* A lane: topics that stay together wherever they go, what is wanted of them, and what is published to them.
 * A Redis that stands alone has one lane with all topics. A cluster has one for each partition, which moves
 * from shard to shard with its slot. On the loop, unless it says otherwise. */
#ifndef FR_REDIS_LANE_H
#define FR_REDIS_LANE_H

#include "base/list.h"
#include "bus/redis/link/config.h"
#include "bus/redis/proto/outbox.h"
#include "bus/redis/proto/subscriptions.h"
#include <freshet/bus.h>
#include <stdatomic.h>

#define FR_REDIS_NEVER_ACCEPTED INT64_MIN

struct fr_redis_shard;

/* All of it outlives the lane. */
struct fr_redis_lane_options {
    const struct fr_redis_config *config;
    const struct freshet_bus_sink *sink; /* hears of topics: the lane tells it itself */
    const char *everything;              /* name of the mark's channel, behind the prefix */
    struct fr_redis_outbox_room *room;
    void *user;      /* the bus's, for what it delivers to a lane */
    bool is_sharded; /* of a cluster: SSUBSCRIBE and SPUBLISH, on channels with a hash tag */
    unsigned tag;    /* with `is_sharded`: the hash tag, behind the prefix of each channel */
};

struct fr_redis_lane {
    struct fr_redis_lane_options options;
    char prefix_text[288];
    struct freshet_span prefix;   /* of its channels; any thread reads */
    uint16_t slot;                /* of all its channels in a cluster */
    struct fr_redis_shard *shard; /* where it is; NULL: nowhere */
    struct fr_list link;          /* in the shard's list */
    uint32_t
        epoch; /* counts the shards it has been at: an answer to what it asked at an earlier one is dropped */
    struct fr_redis_subscriptions subscriptions;
    struct fr_redis_outbox outbox;
    struct fr_redis_channel *mark; /* the channel of the mark, until it is wanted */
    int64_t accepted_us;    /* when the last publish was accepted that no witness has vouched for yet; else
                               FR_REDIS_NEVER_ACCEPTED */
    atomic_bool overflowed; /* any thread: signals were answered for which a mark must go out */
};

/* False: no memory; deinit cleans up in any case. */
bool fr_redis_lane_init(struct fr_redis_lane *lane, const struct fr_redis_lane_options *options);
/* Its outbox must be closed. A zeroed one is fine. */
void fr_redis_lane_deinit(struct fr_redis_lane *lane);

/* Wants a channel, which is taken over; with the first one that of the mark "everything". */
void fr_redis_lane_want(struct fr_redis_lane *lane, struct fr_redis_channel *channel);
/* From here on all it has to say is said to this shard. */
void fr_redis_lane_join(struct fr_redis_lane *lane, struct fr_redis_shard *shard);
/* The shard has it no more: nothing is confirmed, what was not answered waits. If something was accepted
 * there that nobody vouched for, the mark is owed. */
void fr_redis_lane_leave(struct fr_redis_lane *lane);
/* Its slot was still the shard's after this time. */
void fr_redis_lane_vouch(struct fr_redis_lane *lane, int64_t asked_us);

/* The part of a channel behind the prefix; false: the channel is not the lane's. */
bool fr_redis_lane_topic(const struct fr_redis_lane *lane, struct freshet_span channel,
                         struct freshet_span *topic);
/* The topic is none of the program's, but a name of ours. */
bool fr_redis_lane_is_control(struct freshet_span topic);

#endif
