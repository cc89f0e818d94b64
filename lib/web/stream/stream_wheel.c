#include "web/stream/stream_wheel.h"

/* Half of the ring is for what comes, the other half for what is late, so that neither meets the other. */
#define AHEAD (FR_WHEEL_SLOTS / 2 - 1)

/* Ticks run through 30 bits and begin again, together with the milliseconds. */
#define TICK_MASK (UINT32_MAX / FR_WHEEL_TICK_MS)

static uint32_t tick_of(uint32_t ms)
{
    return ms / FR_WHEEL_TICK_MS;
}

static struct fr_list *slot_of(struct fr_wheel *wheel, uint32_t tick)
{
    return &wheel->slots[tick % FR_WHEEL_SLOTS];
}

void fr_wheel_init(struct fr_wheel *wheel, uint32_t now_ms)
{
    for (uint32_t i = 0; i < FR_WHEEL_SLOTS; i++)
        fr_list_init(&wheel->slots[i]);
    wheel->done = tick_of(now_ms);
    wheel->next_ms = now_ms;
    wheel->count = 0;
}

/* Whole ticks from the one that now_ms is in; between 1 and AHEAD. */
static uint32_t ticks_until(uint32_t due_ms, uint32_t now_ms)
{
    int32_t wait = (int32_t)(due_ms - now_ms);
    if (wait <= 0)
        return 1;
    uint32_t ticks = ((uint32_t)wait + now_ms % FR_WHEEL_TICK_MS + FR_WHEEL_TICK_MS - 1) / FR_WHEEL_TICK_MS;
    return ticks < AHEAD ? ticks : AHEAD;
}

void fr_wheel_put(struct fr_wheel *wheel, struct fr_list *node, uint32_t due_ms, uint32_t now_ms)
{
    fr_wheel_remove(wheel, node);
    uint32_t tick = tick_of(now_ms) + ticks_until(due_ms, now_ms);
    fr_list_append(slot_of(wheel, tick), node);
    uint32_t at_ms = tick * FR_WHEEL_TICK_MS;
    if (wheel->count == 0 || (int32_t)(at_ms - wheel->next_ms) < 0)
        wheel->next_ms = at_ms;
    wheel->count++;
}

void fr_wheel_remove(struct fr_wheel *wheel, struct fr_list *node)
{
    if (fr_list_is_empty(node))
        return;
    fr_list_remove(node);
    wheel->count--;
}

static void gather(struct fr_wheel *wheel, uint32_t tick)
{
    struct fr_list all;
    fr_list_init(&all);
    for (uint32_t i = 0; i < FR_WHEEL_SLOTS; i++)
        fr_list_splice(&all, &wheel->slots[i]);
    fr_list_splice(slot_of(wheel, tick), &all);
    wheel->next_ms = tick * FR_WHEEL_TICK_MS;
}

struct fr_list *fr_wheel_shift(struct fr_wheel *wheel, uint32_t now_ms)
{
    uint32_t last = tick_of(now_ms);
    if (((last - wheel->done) & TICK_MASK) > FR_WHEEL_SLOTS / 2) {
        /* After a long pause. */
        gather(wheel, last);
        wheel->done = (last - 1) & TICK_MASK;
    }
    for (; wheel->done != last; wheel->done = (wheel->done + 1) & TICK_MASK) {
        struct fr_list *node = fr_list_shift(slot_of(wheel, wheel->done + 1));
        if (node != NULL) {
            wheel->count--;
            return node;
        }
    }
    return NULL;
}

struct fr_list *fr_wheel_any(struct fr_wheel *wheel)
{
    if (wheel->count == 0)
        return NULL;
    uint32_t tick = wheel->done;
    while (fr_list_is_empty(slot_of(wheel, tick)))
        tick++;
    return slot_of(wheel, tick)->next;
}

void fr_wheel_hurry(struct fr_wheel *wheel, uint32_t now_ms)
{
    gather(wheel, tick_of(now_ms) + 1);
}

int32_t fr_wheel_wait(struct fr_wheel *wheel, uint32_t now_ms)
{
    if (wheel->count == 0)
        return INT32_MAX;
    /* next_ms is a lower bound: the node that set it may be gone. */
    uint32_t tick = tick_of(wheel->next_ms);
    while (fr_list_is_empty(slot_of(wheel, tick)))
        tick++;
    wheel->next_ms = tick * FR_WHEEL_TICK_MS;
    int32_t wait = (int32_t)(wheel->next_ms - now_ms);
    return wait > 0 ? wait : 0;
}
