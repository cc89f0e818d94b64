/* How many loads of one loader are out at once, over all workers; the rest wait their turn, shared feeds
 * first. */
#ifndef FR_GATE_H
#define FR_GATE_H

#include "base/list.h"
#include <pthread.h>
#include <stdbool.h>

struct fr_gate {
    pthread_mutex_t lock;
    unsigned limit, inside;
    struct fr_list waiting[2];            /* shared feeds, single ones */
    void (*grant)(struct fr_list *place); /* under the lock: must not block or come back */
};

void fr_gate_init(struct fr_gate *gate, unsigned limit, void (*grant)(struct fr_list *place));
void fr_gate_deinit(struct fr_gate *gate);
/* True: inside. False: `place` waits, grant(place) will come, on any thread, once it is inside. */
bool fr_gate_enter(struct fr_gate *gate, struct fr_list *place, bool shared);
/* Lets the next one in. */
void fr_gate_leave(struct fr_gate *gate);
/* Gives up waiting. False: it is inside already, its grant has come. */
bool fr_gate_cancel(struct fr_gate *gate, struct fr_list *place);

#endif
