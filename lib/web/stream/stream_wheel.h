/* When streams want to be looked at: a ring of slots of 4 ms. Filing costs a few instructions and no
 * allocation; times over 2 s away are looked at early and filed again. Pure. */
#ifndef FR_STREAM_WHEEL_H
#define FR_STREAM_WHEEL_H

#include "base/list.h"
#include <stdint.h>

#define FR_WHEEL_SLOTS   1024u
#define FR_WHEEL_TICK_MS 4u

/* Milliseconds run through all of uint32_t and begin again: only differences count. */
struct fr_wheel {
    struct fr_list slots[FR_WHEEL_SLOTS];
    uint32_t done;    /* the last tick whose slot has been emptied */
    uint32_t next_ms; /* nothing is due before it */
    size_t count;
};

void fr_wheel_init(struct fr_wheel *wheel, uint32_t now_ms);
/* Files `node`, new (unlinked) or filed before; it is due at `due_ms`, at the earliest in the next slot. */
void fr_wheel_put(struct fr_wheel *wheel, struct fr_list *node, uint32_t due_ms, uint32_t now_ms);
void fr_wheel_remove(struct fr_wheel *wheel, struct fr_list *node);
/* The next node that is due, taken out, or NULL. */
struct fr_list *fr_wheel_shift(struct fr_wheel *wheel, uint32_t now_ms);
/* Any node that is filed, left in, or NULL. */
struct fr_list *fr_wheel_any(struct fr_wheel *wheel);
/* Makes all due in the next slot. */
void fr_wheel_hurry(struct fr_wheel *wheel, uint32_t now_ms);
/* Milliseconds until something may be due; INT32_MAX: nothing is filed. */
int32_t fr_wheel_wait(struct fr_wheel *wheel, uint32_t now_ms);

#endif
