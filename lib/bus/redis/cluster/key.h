/* Which key a command is about, so that it can be sent to the node that has it. Pure. */
#ifndef FR_REDIS_KEY_H
#define FR_REDIS_KEY_H

#include <freshet/span.h>
#include <stdbool.h>
#include <stddef.h>

/* The first key of a command; a cluster wants all of them in one slot. False: it has none, and any node will
 * do.
 *
 * It is the first argument but for the commands that are listed in key.c; of one that is unknown here, and
 * has its keys elsewhere, a node says so (MOVED), which is followed. */
bool fr_redis_key_of(const struct freshet_span *arguments, size_t count, struct freshet_span *key);

#endif
