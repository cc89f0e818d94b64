/* The newest messages of a topic, oldest first, bounded in count and bytes. Each has a number, one more than
 * the one before; whoever finds a number missing knows how many it has lost. Pure; the owner locks. */
#ifndef FR_MESSAGE_RING_H
#define FR_MESSAGE_RING_H

#include "base/bytes.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fr_message_item {
    uint64_t number;
    struct fr_bytes *bytes; /* a reference */
    size_t cost;            /* what it counts towards max_bytes */
    bool is_gap;            /* stands for nobody knows how many lost ones */
};

struct fr_message_ring {
    struct fr_message_item *items; /* `capacity`, a power of two; NULL: 0 */
    uint32_t capacity, first, count;
    uint32_t max_count;
    size_t bytes, max_bytes;
    uint64_t last;     /* number given out last */
    uint64_t lost_gap; /* of the newest gap that is no longer kept; 0: none */
};

/* Allocates nothing. The newest message is kept even if it is over `max_bytes` by itself. */
void fr_message_ring_init(struct fr_message_ring *ring, uint32_t max_count, size_t max_bytes);
/* Forgets all messages, not their numbers. Also the end of a ring. */
void fr_message_ring_clear(struct fr_message_ring *ring);

/* Raises the bounds, if these are higher. */
void fr_message_ring_widen(struct fr_message_ring *ring, uint32_t max_count, size_t max_bytes);

/* Takes a reference of its own. The oldest make room. Without memory, or with `bytes` NULL, the number is
 * given out and the message lost. It costs its bytes. */
void fr_message_ring_push(struct fr_message_ring *ring, struct fr_bytes *bytes, bool is_gap);
/* The same for a message that stands for others of `cost` bytes. */
void fr_message_ring_push_for(struct fr_message_ring *ring, struct fr_bytes *bytes, size_t cost, bool is_gap);
/* Numbers of messages that were lost on the way here. */
void fr_message_ring_skip(struct fr_message_ring *ring, uint64_t lost);
/* The oldest kept after number `seen`; NULL: none. Valid until the ring changes. */
const struct fr_message_item *fr_message_ring_after(const struct fr_message_ring *ring, uint64_t seen);
/* Takes the oldest out, with its reference. False: none is kept; the number is then the one given out last.
 */
bool fr_message_ring_shift(struct fr_message_ring *ring, struct fr_message_item *item);

#endif
