#include "map.h"

#include "hash.h"
#include "random.h"
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 16

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
    uint64_t wanted = fr_hash(map->seed, key);
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
    node->hash = fr_hash(map->seed, key);
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
