#include "core/hub/dedup.h"

#include "base/hash.h"
#include "base/random.h"
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 16

void fr_dedup_deinit(struct fr_dedup *dedup)
{
    free(dedup->hashes);
    *dedup = (struct fr_dedup){.hashes = NULL};
}

/* Only a ring that has never been full grows, so the oldest is first. */
static void grow(struct fr_dedup *dedup)
{
    uint32_t capacity = dedup->capacity == 0 ? FIRST_CAPACITY : dedup->capacity * 2;
    uint64_t *hashes = realloc(dedup->hashes, capacity * sizeof(*hashes));
    if (hashes == NULL)
        return;
    dedup->hashes = hashes;
    dedup->capacity = capacity;
    dedup->next = dedup->count;
}

static bool has(const struct fr_dedup *dedup, uint64_t hash)
{
    for (uint32_t i = 0; i < dedup->count; i++)
        if (dedup->hashes[i] == hash)
            return true;
    return false;
}

static void add(struct fr_dedup *dedup, uint64_t hash)
{
    if (dedup->count == dedup->capacity && dedup->next == 0 && dedup->capacity < FR_DEDUP_MOST)
        grow(dedup);
    if (dedup->capacity == 0)
        return;
    dedup->hashes[dedup->next] = hash;
    dedup->next = (dedup->next + 1) % dedup->capacity;
    dedup->count += dedup->count < dedup->capacity;
}

bool fr_dedup_note(struct fr_dedup *dedup, struct freshet_span body)
{
    if (dedup->count == 0) {
        dedup->seed[0] = fr_random();
        dedup->seed[1] = fr_random();
    }
    uint64_t hash = fr_hash(dedup->seed, body);
    if (has(dedup, hash))
        return true;
    add(dedup, hash);
    return false;
}
