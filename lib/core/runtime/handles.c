#include "core/runtime/handles.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64

static bool grow(struct fr_handles *handles)
{
    uint32_t capacity = handles->capacity == 0 ? FIRST_CAPACITY : handles->capacity * 2;
    struct fr_handle_slot *slots = realloc(handles->slots, capacity * sizeof(*slots));
    if (slots == NULL)
        return false;
    memset(slots + handles->capacity, 0, (capacity - handles->capacity) * sizeof(*slots));
    handles->next = handles->capacity;
    handles->slots = slots;
    handles->capacity = capacity;
    return true;
}

bool fr_handles_add(struct fr_handles *handles, void *entry, struct fr_handle *handle)
{
    pthread_mutex_lock(&handles->lock);
    bool room = handles->used < handles->capacity || grow(handles);
    if (room) {
        while (handles->slots[handles->next].entry != NULL)
            handles->next = (handles->next + 1) % handles->capacity;
        *handle = (struct fr_handle){.generation = ++handles->generation, .slot = handles->next};
        handles->slots[handle->slot] = (struct fr_handle_slot){entry, handle->generation};
        handles->used++;
    }
    pthread_mutex_unlock(&handles->lock);
    return room;
}

void *fr_handles_find(const struct fr_handles *handles, struct fr_handle handle)
{
    if (handle.slot >= handles->capacity)
        return NULL;
    const struct fr_handle_slot *slot = &handles->slots[handle.slot];
    return slot->generation == handle.generation ? slot->entry : NULL;
}

void fr_handles_remove(struct fr_handles *handles, struct fr_handle handle)
{
    handles->slots[handle.slot].entry = NULL;
    handles->next = handle.slot;
    handles->used--;
}

void fr_handles_trim(struct fr_handles *handles)
{
    if (handles->used > 0)
        return;
    free(handles->slots);
    handles->slots = NULL;
    handles->capacity = 0;
}
