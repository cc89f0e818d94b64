/* Where a key lives in a Redis Cluster, and where we put topics. Pure.
 *
 * A cluster has 16,384 slots; a key's is its CRC16, and each master owns some of them. One command of sharded
 * pub/sub may only name channels of one slot. If each topic kept the slot that its name gives it, 50,000
 * topics would be 50,000 commands. So topics are put into 256 partitions, each with one slot for all its
 * channels: a partition takes in the topics of 64 slots in a row, and its hash tag leads back into these 64.
 * A master thus has as much of the topics as it has of the slots, up to one partition at either end of a
 * range. */
#ifndef FR_REDIS_SLOT_H
#define FR_REDIS_SLOT_H

#include <freshet/span.h>
#include <stdint.h>

#define FR_REDIS_SLOTS      16384
#define FR_REDIS_PARTITIONS 256

/* The slot of a key as CLUSTER KEYSLOT says it: of the part in the first braces, if there is something in
 * them. */
uint16_t fr_redis_slot_of(struct freshet_span key);
/* The partition of a topic: its slot, divided by 64. */
unsigned fr_redis_partition_of(struct freshet_span topic);
/* The hash tag of a partition: the smallest number whose digits have a slot of this partition. */
unsigned fr_redis_partition_tag(unsigned partition);

#endif
