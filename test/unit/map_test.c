#include <criterion/criterion.h>

#include "failing_memory.h"

#include "base/map.c"

#include <stdio.h>

#define ITEMS 1000

struct item {
    struct fr_map_node node;
    char key[16];
    unsigned visits;
};

static struct item items[ITEMS];

static struct freshet_span key_of(size_t i)
{
    snprintf(items[i].key, sizeof(items[i].key), "topic/%zu", i);
    return freshet_span_text(items[i].key);
}

static void fill(struct fr_map *map)
{
    cr_assert(fr_map_init(map));
    for (size_t i = 0; i < ITEMS; i++) {
        cr_assert_null(fr_map_get(map, key_of(i)));
        fr_map_put(map, key_of(i), &items[i].node);
    }
    cr_assert_eq(map->count, ITEMS);
}

static void expect_all_found(const struct fr_map *map)
{
    for (size_t i = 0; i < ITEMS; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%s", items[i].key);
        cr_assert_eq(fr_map_get(map, freshet_span_text(key)), &items[i].node);
    }
}

Test(map, finds_what_was_put_while_it_grows)
{
    struct fr_map map;
    fill(&map);
    cr_assert_geq(map.bucket_count, ITEMS / 2);
    expect_all_found(&map);
    cr_assert_null(fr_map_get(&map, freshet_span_text("topic/1000")));
    cr_assert_null(fr_map_get(&map, freshet_span_text("")));
    fr_map_deinit(&map);
}

Test(map, works_on_when_it_cannot_grow)
{
    struct fr_map map;
    allocations_left = 1;
    fill(&map);
    cr_assert_eq(map.bucket_count, FIRST_BUCKETS);
    expect_all_found(&map);
    allocations_left = 0;
    struct fr_map none;
    cr_assert_not(fr_map_init(&none));
    fr_map_deinit(&none);
    fr_map_deinit(&map);
}

Test(map, removes)
{
    struct fr_map map;
    fill(&map);
    for (size_t i = 0; i < ITEMS; i += 2)
        fr_map_remove(&map, &items[i].node);
    cr_assert_eq(map.count, ITEMS / 2);
    for (size_t i = 0; i < ITEMS; i++)
        cr_assert_eq(fr_map_get(&map, key_of(i)), i % 2 == 0 ? NULL : &items[i].node);
    fr_map_put(&map, key_of(0), &items[0].node);
    cr_assert_eq(fr_map_get(&map, key_of(0)), &items[0].node);
    fr_map_deinit(&map);
}

Test(map, visits_every_node_once)
{
    struct fr_map map;
    fill(&map);
    for (struct fr_map_node *node = NULL; (node = fr_map_next(&map, node)) != NULL;)
        ((struct item *)node)->visits++;
    for (size_t i = 0; i < ITEMS; i++)
        cr_assert_eq(items[i].visits, 1);
    fr_map_deinit(&map);
}

Test(map, a_node_may_be_removed_once_the_next_is_known)
{
    struct fr_map map;
    fill(&map);
    struct fr_map_node *node = fr_map_next(&map, NULL);
    for (size_t visits = 0; node != NULL; visits++) {
        struct fr_map_node *next = fr_map_next(&map, node);
        struct item *item = (struct item *)node;
        item->visits++;
        if (visits % 3 != 0) {
            fr_map_remove(&map, node);
            memset(&item->node, 0, sizeof(item->node));
        }
        node = next;
    }
    for (size_t i = 0; i < ITEMS; i++)
        cr_assert_eq(items[i].visits, 1);
    cr_assert_eq(map.count, (ITEMS + 2) / 3);
    fr_map_deinit(&map);
}

Test(map, a_zeroed_map_may_be_taken_down)
{
    struct fr_map map = {0};
    fr_map_deinit(&map);
}

/* SipHash-1-3 under the key 00 01 ... 0f, for the first bytes of 00 01 02 ...; values of a program of its
 * own, which gives the paper's value for SipHash-2-4. */
Test(map, hashes_with_siphash_1_3)
{
    static const uint64_t seed[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    static const char bytes[] = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f";
    cr_assert_eq(fr_hash(seed, freshet_span(NULL, 0)), UINT64_C(0xabac0158050fc4dc));
    cr_assert_eq(fr_hash(seed, freshet_span(bytes, 7)), UINT64_C(0xd3927d989bb11140));
    cr_assert_eq(fr_hash(seed, freshet_span(bytes, 15)), UINT64_C(0xd320d86d2a519956));
    cr_assert_eq(fr_hash(seed, freshet_span(bytes, 16)), UINT64_C(0xcc4fdd1a7d908b66));
}
