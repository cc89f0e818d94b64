/* Memory that is given back all at once: what a configuration is made of. */
#ifndef BRIDGE_CONFIG_ARENA_H
#define BRIDGE_CONFIG_ARENA_H

#include <stddef.h>

struct arena_block;

/* Zero is empty. */
struct arena {
    struct arena_block *first;
};

/* Zeroed; never NULL: without the few kilobytes of a configuration the program ends with a line on stderr. */
void *arena_alloc(struct arena *arena, size_t size);
/* `len` bytes and a NUL. */
char *arena_text(struct arena *arena, const char *bytes, size_t len);
void arena_free(struct arena *arena);

#endif
