#include "core/runtime/gate.h"

void fr_gate_init(struct fr_gate *gate, unsigned limit, void (*grant)(struct fr_list *place))
{
    *gate = (struct fr_gate){.limit = limit, .grant = grant};
    pthread_mutex_init(&gate->lock, NULL);
    fr_list_init(&gate->waiting[0]);
    fr_list_init(&gate->waiting[1]);
}

void fr_gate_deinit(struct fr_gate *gate)
{
    pthread_mutex_destroy(&gate->lock);
}

bool fr_gate_enter(struct fr_gate *gate, struct fr_list *place, bool shared)
{
    pthread_mutex_lock(&gate->lock);
    bool inside = gate->inside < gate->limit;
    if (inside)
        gate->inside++;
    else
        fr_list_append(&gate->waiting[shared ? 0 : 1], place);
    pthread_mutex_unlock(&gate->lock);
    return inside;
}

void fr_gate_leave(struct fr_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    struct fr_list *next = fr_list_shift(&gate->waiting[0]);
    if (next == NULL)
        next = fr_list_shift(&gate->waiting[1]);
    if (next == NULL)
        gate->inside--;
    else
        gate->grant(next);
    pthread_mutex_unlock(&gate->lock);
}

bool fr_gate_cancel(struct fr_gate *gate, struct fr_list *place)
{
    pthread_mutex_lock(&gate->lock);
    bool waiting = !fr_list_is_empty(place);
    if (waiting)
        fr_list_remove(place);
    pthread_mutex_unlock(&gate->lock);
    return waiting;
}
