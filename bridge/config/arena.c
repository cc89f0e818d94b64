#include "config/arena.h"
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    alignas(max_align_t) char bytes[];
};

void *arena_alloc(struct arena *arena, size_t size)
{
    struct arena_block *block = calloc(1, sizeof(*block) + size);
    if (block == NULL) {
        fputs("freshet-bridge: no memory for the configuration\n", stderr);
        exit(1);
    }
    block->next = arena->first;
    arena->first = block;
    return block->bytes;
}

char *arena_text(struct arena *arena, const char *bytes, size_t len)
{
    char *text = arena_alloc(arena, len + 1);
    memcpy(text, bytes, len);
    return text;
}

void arena_free(struct arena *arena)
{
    while (arena->first != NULL) {
        struct arena_block *block = arena->first;
        arena->first = block->next;
        free(block);
    }
}
