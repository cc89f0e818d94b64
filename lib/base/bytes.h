/* Immutable counted bytes, shared between threads. */
#ifndef FR_BYTES_H
#define FR_BYTES_H

#include "base/refcount.h"
#include <freshet/span.h>
#include <stdatomic.h>
#include <stddef.h>

struct fr_bytes {
    struct fr_refcount references;
    struct freshet_span span;
    void (*release)(void *user); /* of bytes given by somebody else; NULL: they follow this struct */
    void *user;
};

/* Room for `len` bytes to be written at fr_bytes_room() before the first share; one reference. NULL: no
 * memory. */
struct fr_bytes *fr_bytes_new(size_t len);
char *fr_bytes_room(struct fr_bytes *bytes);
struct fr_bytes *fr_bytes_copy(struct freshet_span span);
/* Takes `span` over; `release` runs once, also when this returns NULL. */
struct fr_bytes *fr_bytes_give(struct freshet_span span, void (*release)(void *user), void *user);

struct fr_bytes *fr_bytes_acquire(struct fr_bytes *bytes);
/* NULL is fine. */
void fr_bytes_release(struct fr_bytes *bytes);

#endif
