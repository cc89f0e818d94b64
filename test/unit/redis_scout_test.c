/* Who is asked for the slot map, and who is believed; MOVED and ASK. */
#include "bus/redis/cluster/redirect.h"
#include "bus/redis/cluster/scout.h"
#include <criterion/criterion.h>
#include <string.h>

static struct fr_redis_address seeds[] = {{.name = "seed-1", .port = 1}, {.name = "seed-2", .port = 2}};
static struct fr_redis_map map;
static struct fr_redis_scout scout;

static void set_up(void)
{
    fr_redis_map_init(&map);
    fr_redis_scout_init(&scout, seeds, 2);
}

static void tear_down(void)
{
    fr_redis_map_deinit(&map);
}

TestSuite(redis_scout, .init = set_up, .fini = tear_down);

static void expect_next(const char *name)
{
    struct fr_redis_address next = fr_redis_scout_next(&scout, &map);
    cr_assert_str_eq(next.name, name);
}

static bool believes(bool works, uint64_t epoch)
{
    struct fr_redis_outlook outlook = {.works = works, .epoch = epoch};
    return fr_redis_scout_believes(&scout, &map, &outlook);
}

static void know_a_node(const char *name)
{
    struct fr_redis_address address = {.port = 9};
    strcpy(address.name, name);
    cr_assert(fr_redis_map_move(&map, 0, &address));
}

Test(redis_scout, seeds_are_asked_in_turn_and_nodes_before_them)
{
    expect_next("seed-1");
    expect_next("seed-2");
    expect_next("seed-1");
    know_a_node("node-1");
    know_a_node("node-2");
    expect_next("node-2");
    expect_next("seed-1");
    expect_next("seed-2");
    expect_next("node-1");
}

Test(redis_scout, a_map_that_became_smaller_is_no_trouble)
{
    know_a_node("node-1");
    know_a_node("node-2");
    for (int i = 0; i < 3; i++)
        fr_redis_scout_next(&scout, &map);
    fr_redis_map_deinit(&map);
    expect_next("seed-2");
}

/* contract 7.9: a node that is cut off says so, and knows of older things. */
Test(redis_scout, a_node_without_its_cluster_or_with_an_older_epoch_is_not_believed)
{
    cr_assert(believes(true, 5));
    cr_assert_not(believes(false, 5));
    cr_assert_not(believes(true, 4));
    cr_assert(believes(true, 5));
    cr_assert(believes(true, 6));
}

Test(redis_scout, when_no_node_works_the_newest_is_believed_after_a_round)
{
    cr_assert(believes(true, 5));
    know_a_node("node-1");
    for (int i = 0; i < 3; i++)
        cr_assert_not(believes(false, 5));
    cr_assert_not(believes(false, 4));
    cr_assert(believes(false, 5));
}

Test(redis_scout, a_cluster_that_was_made_anew_is_believed_after_a_round)
{
    cr_assert(believes(true, 50));
    cr_assert_not(believes(true, 1));
    cr_assert_not(believes(true, 1));
    cr_assert(believes(true, 1));
    cr_assert(believes(true, 1));
}

static bool read(struct fr_redis_outlook *outlook, const char *info)
{
    return fr_redis_outlook_read(outlook, freshet_span_text(info));
}

Test(redis_scout, an_outlook_is_read_from_cluster_info)
{
    struct fr_redis_outlook outlook;
    cr_assert(read(&outlook, "cluster_state:ok\r\ncluster_slots_ok:16384\r\ncluster_current_epoch:17\r\n"));
    cr_assert(outlook.works);
    cr_assert_eq(outlook.epoch, 17);
    cr_assert(read(&outlook, "cluster_state:fail\r\ncluster_current_epoch:17"));
    cr_assert_not(outlook.works);
    cr_assert_not(read(&outlook, ""));
    cr_assert_not(read(&outlook, "cluster_state:ok\r\n"));
    cr_assert_not(read(&outlook, "cluster_state:ok\r\ncluster_current_epoch:x\r\n"));
}

static struct fr_redis_redirect redirect(const char *error)
{
    struct fr_redis_address asked = {.name = "10.0.0.1", .port = 7000};
    return fr_redis_redirect_read(freshet_span_text(error), &asked);
}

static void expect_redirect(const char *error, enum fr_redis_redirect_kind kind, unsigned slot,
                            const char *name, unsigned port)
{
    struct fr_redis_redirect found = redirect(error);
    cr_assert_eq(found.kind, kind, "%s", error);
    cr_assert_eq(found.slot, slot, "%s", error);
    cr_assert_eq(found.address.port, port, "%s", error);
    cr_assert_str_eq(found.address.name, name, "%s", error);
}

Test(redis_redirect, moved_and_ask_say_slot_and_node)
{
    expect_redirect("MOVED 3999 127.0.0.1:6381", FR_REDIS_REDIRECT_MOVED, 3999, "127.0.0.1", 6381);
    expect_redirect("ASK 16383 redis-1.test:6381", FR_REDIS_REDIRECT_ASK, 16383, "redis-1.test", 6381);
    expect_redirect("MOVED 0 2001:db8::1:6381", FR_REDIS_REDIRECT_MOVED, 0, "2001:db8::1", 6381);
    expect_redirect("MOVED 1 :6381", FR_REDIS_REDIRECT_MOVED, 1, "10.0.0.1", 6381);
}

Test(redis_redirect, a_node_that_is_not_named_is_somewhere)
{
    expect_redirect("MOVED 1 ?:6381", FR_REDIS_REDIRECT_MOVED, 1, "", 0);
    expect_redirect("MOVED 1 127.0.0.1:0", FR_REDIS_REDIRECT_MOVED, 1, "", 0);
    expect_redirect("MOVED 1 127.0.0.1", FR_REDIS_REDIRECT_MOVED, 1, "", 0);
    expect_redirect("MOVED 1", FR_REDIS_REDIRECT_MOVED, 1, "", 0);
}

Test(redis_redirect, other_errors_are_none)
{
    const char *errors[] = {
        "",           "MOVED",           "MOVED x 127.0.0.1:1", "MOVED 16384 127.0.0.1:1",
        "MOVED -1 a", "ERR MOVED 1 a:1", "MOVEDX 1 a:1",        "CROSSSLOT Keys in request"};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        cr_assert_eq(redirect(errors[i]).kind, FR_REDIS_REDIRECT_NONE, "%s", errors[i]);
}
