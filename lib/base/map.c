#include "map.h"

#include "random.h"
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 16

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static void mix(uint64_t v[4])
{
    v[0] += v[1], v[1] = rotate(v[1], 13), v[1] ^= v[0], v[0] = rotate(v[0], 32);
    v[2] += v[3], v[3] = rotate(v[3], 16), v[3] ^= v[2];
    v[0] += v[3], v[3] = rotate(v[3], 21), v[3] ^= v[0];
    v[2] += v[1], v[1] = rotate(v[1], 17), v[1] ^= v[2], v[2] = rotate(v[2], 32);
}

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; one round a word and three at the end. */
static uint64_t hash(const uint64_t seed[2], struct freshet_span key)
{
    uint64_t v[4] = {seed[0] ^ UINT64_C(0x736f6d6570736575), seed[1] ^ UINT64_C(0x646f72616e646f6d),
                     seed[0] ^ UINT64_C(0x6c7967656e657261), seed[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t last = (uint64_t)key.len << 56;
    size_t whole = key.len & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t word;
        memcpy(&word, key.data + i, 8);
        v[3] ^= word;
        mix(v);
        v[0] ^= word;
    }
    for (size_t i = whole; i < key.len; i++)
        last |= (uint64_t)(unsigned char)key.data[i] << (8 * (i - whole));
    v[3] ^= last;
    mix(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    mix(v);
    mix(v);
    mix(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static struct fr_map_node **bucket(const struct fr_map *map, uint64_t hash)
{
    return &map->buckets[hash & (map->bucket_count - 1)];
}

bool fr_map_init(struct fr_map *map)
{
    *map = (struct fr_map){.bucket_count = FIRST_BUCKETS, .seed = {fr_random(), fr_random()}};
    map->buckets = calloc(FIRST_BUCKETS, sizeof(*map->buckets));
    return map->buckets != NULL;
}

void fr_map_deinit(struct fr_map *map)
{
    free(map->buckets);
    *map = (struct fr_map){0};
}

struct fr_map_node *fr_map_get(const struct fr_map *map, struct freshet_span key)
{
    uint64_t wanted = hash(map->seed, key);
    struct fr_map_node *node = *bucket(map, wanted);
    while (node != NULL && (node->hash != wanted || !freshet_span_equal(node->key, key)))
        node = node->next;
    return node;
}

static void grow(struct fr_map *map)
{
    struct fr_map bigger = *map;
    bigger.bucket_count *= 2;
    bigger.buckets = calloc(bigger.bucket_count, sizeof(*bigger.buckets));
    if (bigger.buckets == NULL)
        return;
    for (size_t i = 0; i < map->bucket_count; i++) {
        for (struct fr_map_node *node = map->buckets[i], *next; node != NULL; node = next) {
            next = node->next;
            struct fr_map_node **head = bucket(&bigger, node->hash);
            node->next = *head;
            *head = node;
        }
    }
    free(map->buckets);
    *map = bigger;
}

void fr_map_put(struct fr_map *map, struct freshet_span key, struct fr_map_node *node)
{
    if (map->count >= map->bucket_count)
        grow(map);
    node->key = key;
    node->hash = hash(map->seed, key);
    struct fr_map_node **head = bucket(map, node->hash);
    node->next = *head;
    *head = node;
    map->count++;
}

void fr_map_remove(struct fr_map *map, struct fr_map_node *node)
{
    struct fr_map_node **link = bucket(map, node->hash);
    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
    map->count--;
}

struct fr_map_node *fr_map_next(const struct fr_map *map, const struct fr_map_node *node)
{
    size_t i = 0;
    if (node != NULL) {
        if (node->next != NULL)
            return node->next;
        i = (node->hash & (map->bucket_count - 1)) + 1;
    }
    for (; i < map->bucket_count; i++)
        if (map->buckets[i] != NULL)
            return map->buckets[i];
    return NULL;
}
