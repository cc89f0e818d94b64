#include "core/runtime/message_ring.h"

#include <stdlib.h>

#define FIRST_CAPACITY 8

void fr_message_ring_init(struct fr_message_ring *ring, uint32_t max_count, size_t max_bytes)
{
    *ring = (struct fr_message_ring){.max_count = max_count, .max_bytes = max_bytes};
}

void fr_message_ring_widen(struct fr_message_ring *ring, uint32_t max_count, size_t max_bytes)
{
    ring->max_count = max_count > ring->max_count ? max_count : ring->max_count;
    ring->max_bytes = max_bytes > ring->max_bytes ? max_bytes : ring->max_bytes;
}

static struct fr_message_item *item_at(const struct fr_message_ring *ring, uint32_t index)
{
    return &ring->items[(ring->first + index) & (ring->capacity - 1)];
}

static void free_places(struct fr_message_ring *ring)
{
    free(ring->items);
    ring->items = NULL;
    ring->capacity = ring->first = 0;
}

bool fr_message_ring_shift(struct fr_message_ring *ring, struct fr_message_item *item)
{
    *item = (struct fr_message_item){.number = ring->last};
    if (ring->count == 0)
        return false;
    *item = *item_at(ring, 0);
    ring->first++;
    ring->bytes -= item->cost;
    /* What a burst needed is given back. */
    if (--ring->count == 0 && ring->capacity > FIRST_CAPACITY)
        free_places(ring);
    return true;
}

/* False: there was none. */
static bool drop_oldest(struct fr_message_ring *ring)
{
    struct fr_message_item item;
    if (!fr_message_ring_shift(ring, &item))
        return false;
    if (item.is_gap)
        ring->lost_gap = item.number;
    fr_bytes_release(item.bytes);
    return true;
}

void fr_message_ring_clear(struct fr_message_ring *ring)
{
    while (drop_oldest(ring))
        ;
    free_places(ring);
}

static bool grow(struct fr_message_ring *ring)
{
    uint32_t capacity = ring->capacity == 0 ? FIRST_CAPACITY : ring->capacity * 2;
    struct fr_message_item *items = calloc(capacity, sizeof(*items));
    if (items == NULL)
        return false;
    for (uint32_t i = 0; i < ring->count; i++)
        items[i] = *item_at(ring, i);
    free(ring->items);
    ring->items = items;
    ring->capacity = capacity;
    ring->first = 0;
    return true;
}

/* Without memory for more places the oldest makes room, if there is one. */
static bool make_room(struct fr_message_ring *ring, size_t cost)
{
    while (ring->count > 0 && (ring->count >= ring->max_count || ring->bytes + cost > ring->max_bytes))
        drop_oldest(ring);
    return ring->count < ring->capacity || grow(ring) || drop_oldest(ring);
}

void fr_message_ring_push(struct fr_message_ring *ring, struct fr_bytes *bytes, bool is_gap)
{
    fr_message_ring_push_for(ring, bytes, bytes == NULL ? 0 : bytes->span.len, is_gap);
}

void fr_message_ring_push_for(struct fr_message_ring *ring, struct fr_bytes *bytes, size_t cost, bool is_gap)
{
    uint64_t number = ++ring->last;
    if (bytes == NULL || !make_room(ring, cost)) {
        if (is_gap)
            ring->lost_gap = number;
        return;
    }
    ring->count++;
    ring->bytes += cost;
    *item_at(ring, ring->count - 1) = (struct fr_message_item){
        .number = number, .bytes = fr_bytes_acquire(bytes), .cost = cost, .is_gap = is_gap};
}

void fr_message_ring_skip(struct fr_message_ring *ring, uint64_t lost)
{
    ring->last += lost;
}

const struct fr_message_item *fr_message_ring_after(const struct fr_message_ring *ring, uint64_t seen)
{
    uint32_t low = 0, high = ring->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (item_at(ring, middle)->number <= seen)
            low = middle + 1;
        else
            high = middle;
    }
    return low == ring->count ? NULL : item_at(ring, low);
}
