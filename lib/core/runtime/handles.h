/* Handles that applications hold: values, never pointers, that outlive what they name. Generations never
 * repeat; slots do. Handles outlive freshets, so a table belongs to the process. */
#ifndef FR_HANDLES_H
#define FR_HANDLES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct fr_handle {
    uint64_t generation;
    uint32_t slot;
};

struct fr_handle_slot {
    void *entry; /* NULL: free */
    uint64_t generation;
};

/* A table of handles. While the lock is held, the freshet of an entry that is found is alive. */
struct fr_handles {
    pthread_mutex_t lock;
    struct fr_handle_slot *slots;
    uint32_t capacity, used;
    uint32_t next; /* where the search for a free slot begins */
    uint64_t generation;
};

/* Takes the lock. False: no memory. */
bool fr_handles_add(struct fr_handles *handles, void *entry, struct fr_handle *handle);

/* Under the lock. NULL: stale. */
void *fr_handles_find(const struct fr_handles *handles, struct fr_handle handle);
/* Under the lock; `handle` is in the table. */
void fr_handles_remove(struct fr_handles *handles, struct fr_handle handle);
/* Under the lock: gives the memory of an empty table back. */
void fr_handles_trim(struct fr_handles *handles);

#endif
