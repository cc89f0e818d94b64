/* The store in this process: hashes of texts behind a mutex. */
#ifndef BRIDGE_STORE_MEMORY_H
#define BRIDGE_STORE_MEMORY_H

#include <freshet/redis.h>
#include <freshet/status.h>

struct store_memory;

/* NULL: no memory. */
struct store_memory *store_memory_new(void);
void store_memory_destroy(struct store_memory *memory);

/* As store_command(), without a prefix; `reply` runs within the call and outside of the lock. FRESHET_FULL:
 * too many keys. FRESHET_UNSUPPORTED: no such command. */
void store_memory_command(struct store_memory *memory, freshet_redis_reply_cb reply, void *user,
                          const char *const *words);

#endif
