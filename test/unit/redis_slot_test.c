/* Slots of keys, and the partitions that topics are put into. */
#include "bus/redis/cluster/slot.h"

#include <criterion/criterion.h>
#include <freshet/redis.h>
#include <stdio.h>
#include <string.h>

static unsigned slot(const char *key)
{
    return fr_redis_slot_of(freshet_span_text(key));
}

Test(redis_slot, keys_have_the_slots_of_the_specification)
{
    cr_assert_eq(slot("123456789"), 0x31C3);
    cr_assert_eq(slot(""), 0);
    cr_assert_eq(slot("foo"), 12182);
    cr_assert_eq(slot("hello"), 866);
}

Test(redis_slot, a_hash_tag_is_what_is_in_the_first_braces)
{
    cr_assert_eq(slot("{user1000}.following"), slot("user1000"));
    cr_assert_eq(slot("freshet:{foo}x{bar}"), slot("foo"));
    cr_assert_eq(slot("foo{{bar}}zap"), slot("{bar"));
    cr_assert_eq(slot("foo{}{bar}"), 8363); /* nothing in it: the whole key, as CLUSTER KEYSLOT says */
    cr_assert_neq(slot("foo{bar"), slot("bar"));
}

/* contract 7.9: the tag leads into the same 64 slots as the topic's own name. */
Test(redis_slot, the_tag_of_a_partition_has_a_slot_of_it)
{
    for (unsigned partition = 0; partition < FR_REDIS_PARTITIONS; partition++) {
        char digits[16];
        snprintf(digits, sizeof(digits), "%u", fr_redis_partition_tag(partition));
        cr_assert_eq(slot(digits) / 64, partition);
    }
}

/* However many masters share the slots evenly, the counts of partitions differ by three at most. */
Test(redis_slot, partitions_are_spread_as_evenly_as_the_slots)
{
    for (unsigned masters = 1; masters <= 128; masters++) {
        unsigned least = FR_REDIS_PARTITIONS, most = 0;
        unsigned counts[128] = {0};
        for (unsigned partition = 0; partition < FR_REDIS_PARTITIONS; partition++) {
            char digits[16];
            snprintf(digits, sizeof(digits), "%u", fr_redis_partition_tag(partition));
            counts[slot(digits) * masters / FR_REDIS_SLOTS]++;
        }
        for (unsigned i = 0; i < masters; i++) {
            least = counts[i] < least ? counts[i] : least;
            most = counts[i] > most ? counts[i] : most;
        }
        cr_assert_leq(most - least, 3, "%u masters: %u to %u", masters, least, most);
        cr_assert_geq(least, FR_REDIS_PARTITIONS / masters - 1);
    }
}

Test(redis_slot, topics_are_spread_over_the_partitions)
{
    unsigned counts[FR_REDIS_PARTITIONS] = {0};
    for (int i = 0; i < 50000; i++) {
        char topic[32];
        snprintf(topic, sizeof(topic), "board/%d", i);
        counts[fr_redis_partition_of(freshet_span_text(topic))]++;
    }
    for (unsigned i = 0; i < FR_REDIS_PARTITIONS; i++)
        cr_assert(counts[i] > 100 && counts[i] < 300, "%u: %u", i, counts[i]);
}

static void expect_channel(const char *prefix, const char *topic, const char *expected)
{
    char channel[128];
    size_t len = freshet_redis_cluster_channel(channel, sizeof(channel), prefix, freshet_span_text(topic));
    cr_assert_str_eq(channel, expected);
    cr_assert_eq(len, strlen(expected));
}

/* contract 7.9: the vectors of README, for publishers in other languages. */
Test(redis_slot, a_publisher_finds_the_channel_of_a_topic)
{
    char channel[8];
    expect_channel(NULL, "counter", "freshet:{73}counter");
    expect_channel(NULL, "board/a%2Fb", "freshet:{25}board/a%2Fb");
    expect_channel("app:", "chat/42", "app:{8}chat/42");
    cr_assert_eq(freshet_redis_cluster_channel(NULL, 0, NULL, freshet_span_text("counter")),
                 strlen("freshet:{73}counter"));
    freshet_redis_cluster_channel(channel, sizeof(channel), NULL, freshet_span_text("counter"));
    cr_assert_str_eq(channel, "freshet");
    cr_assert_eq(freshet_redis_cluster_channel(NULL, 0, NULL, freshet_span(NULL, 5)),
                 freshet_redis_cluster_channel(NULL, 0, NULL, freshet_span_text("")));
}
