#include "core/hub/repeats.h"

#include "base/hash.h"
#include "base/random.h"
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 16

void fr_repeats_deinit(struct fr_repeats *repeats)
{
    free(repeats->hashes);
    *repeats = (struct fr_repeats){.hashes = NULL};
}

/* Only a ring that has never been full grows, so the oldest is first. */
static void grow(struct fr_repeats *repeats)
{
    uint32_t capacity = repeats->capacity == 0 ? FIRST_CAPACITY : repeats->capacity * 2;
    uint64_t *hashes = realloc(repeats->hashes, capacity * sizeof(*hashes));
    if (hashes == NULL)
        return;
    repeats->hashes = hashes;
    repeats->capacity = capacity;
    repeats->next = repeats->count;
}

static bool has(const struct fr_repeats *repeats, uint64_t hash)
{
    for (uint32_t i = 0; i < repeats->count; i++)
        if (repeats->hashes[i] == hash)
            return true;
    return false;
}

static void add(struct fr_repeats *repeats, uint64_t hash)
{
    if (repeats->count == repeats->capacity && repeats->next == 0 && repeats->capacity < FR_REPEATS_MOST)
        grow(repeats);
    if (repeats->capacity == 0)
        return;
    repeats->hashes[repeats->next] = hash;
    repeats->next = (repeats->next + 1) % repeats->capacity;
    repeats->count += repeats->count < repeats->capacity;
}

bool fr_repeats_note(struct fr_repeats *repeats, struct freshet_span body)
{
    if (repeats->count == 0) {
        repeats->seed[0] = fr_random();
        repeats->seed[1] = fr_random();
    }
    uint64_t hash = fr_hash(repeats->seed, body);
    if (has(repeats, hash))
        return true;
    add(repeats, hash);
    return false;
}
