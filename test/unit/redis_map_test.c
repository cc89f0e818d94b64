/* The slot map, read from what nodes of all kinds say. */
#include "bus/redis/cluster/map.h"
#include "redis_reply.h"

#include <stdlib.h>

#define NODE(host, port) "*4\r\n" host ":" #port "\r\n$2\r\nid\r\n*0\r\n"
#define IP               "$9\r\n127.0.0.1\r\n"

static struct fr_redis_map map;
static struct freshet_error error;
static struct fr_redis_address asked = {.name = "10.0.0.1", .port = 7000};

static enum freshet_status take(const char *wire)
{
    redisReply *reply = reply_of(wire);
    fr_redis_map_deinit(&map);
    enum freshet_status status = fr_redis_map_read(&map, reply, &asked, &error);
    freeReplyObject(reply);
    return status;
}

static void expect_owner(unsigned slot, const char *name, unsigned port)
{
    const struct fr_redis_address *owner = fr_redis_map_owner(&map, (uint16_t)slot);
    cr_assert_not_null(owner);
    cr_assert_str_eq(owner->name, name);
    cr_assert_eq(owner->port, port);
}

static void tear_down(void)
{
    fr_redis_map_deinit(&map);
}

TestSuite(redis_map, .fini = tear_down);

Test(redis_map, masters_own_their_slots_and_replicas_are_nodes_too)
{
    cr_assert_eq(take("*2\r\n"
                      "*4\r\n:0\r\n:8191\r\n" NODE(IP, 7001)
                          NODE(IP, 7004) "*3\r\n:8192\r\n:16383\r\n" NODE(IP, 7002)),
                 FRESHET_OK);
    expect_owner(0, "127.0.0.1", 7001);
    expect_owner(8191, "127.0.0.1", 7001);
    expect_owner(8192, "127.0.0.1", 7002);
    expect_owner(16383, "127.0.0.1", 7002);
    cr_assert_eq(map.node_count, 3);
    cr_assert(fr_redis_map_has(&map, &(struct fr_redis_address){.name = "127.0.0.1", .port = 7004}));
    cr_assert_not(fr_redis_map_has(&map, &(struct fr_redis_address){.name = "localhost", .port = 7004}));
}

Test(redis_map, slots_in_no_range_are_nobodys)
{
    cr_assert_eq(take("*1\r\n*3\r\n:5\r\n:5\r\n" NODE(IP, 7001)), FRESHET_OK);
    cr_assert_null(fr_redis_map_owner(&map, 4));
    cr_assert_null(fr_redis_map_owner(&map, 6));
    expect_owner(5, "127.0.0.1", 7001);
}

/* contract 7.9: a node without an endpoint is where the one that was asked is. */
Test(redis_map, a_missing_host_is_that_of_the_node_that_was_asked)
{
    cr_assert_eq(
        take("*2\r\n*3\r\n:0\r\n:1\r\n" NODE("$-1\r\n", 7001) "*3\r\n:2\r\n:3\r\n" NODE("$0\r\n\r\n", 7002)),
        FRESHET_OK);
    expect_owner(0, "10.0.0.1", 7001);
    expect_owner(2, "10.0.0.1", 7002);
}

Test(redis_map, hosts_may_be_names_and_ipv6)
{
    cr_assert_eq(
        take("*2\r\n*3\r\n:0\r\n:1\r\n" NODE("$12\r\nredis-1.test\r\n",
                                             7001) "*3\r\n:2\r\n:3\r\n" NODE("$11\r\n2001:db8::1\r\n", 7002)),
        FRESHET_OK);
    expect_owner(0, "redis-1.test", 7001);
    expect_owner(2, "2001:db8::1", 7002);
}

Test(redis_map, a_node_that_has_no_name_yet_is_reached_by_its_number)
{
    cr_assert_eq(take("*2\r\n*3\r\n:0\r\n:1\r\n*4\r\n$1\r\n?\r\n:7001\r\n$2\r\nid\r\n*2\r\n$2\r\nip\r\n" IP
                      "*3\r\n:2\r\n:3\r\n" NODE("$1\r\n?\r\n", 7002)),
                 FRESHET_OK);
    expect_owner(0, "127.0.0.1", 7001);
    cr_assert_null(fr_redis_map_owner(&map, 2), "it cannot be reached, so its slots are nobody's");
}

Test(redis_map, old_versions_say_less_of_a_node)
{
    cr_assert_eq(take("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n" IP ":7001\r\n"), FRESHET_OK);
    expect_owner(16383, "127.0.0.1", 7001);
}

Test(redis_map, a_slot_moves_to_a_node_that_may_be_new)
{
    struct fr_redis_address other = {.name = "10.0.0.9", .port = 7009};
    cr_assert_eq(take("*1\r\n*3\r\n:0\r\n:16383\r\n" NODE(IP, 7001)), FRESHET_OK);
    cr_assert(fr_redis_map_move(&map, 77, &other));
    cr_assert(fr_redis_map_move(&map, 78, &other));
    expect_owner(77, "10.0.0.9", 7009);
    expect_owner(79, "127.0.0.1", 7001);
    cr_assert_eq(map.node_count, 2);
}

static void expect_refused(const char *wire, const char *words)
{
    cr_assert_eq(take(wire), FRESHET_INVALID, "%s", wire);
    cr_assert_not_null(strstr(error.text, words), "%s", error.text);
    cr_assert_eq(map.node_count, 0);
}

/* contract 7.9: what is no slot map says what is wrong with it. */
Test(redis_map, a_bad_answer_is_refused_with_a_reason)
{
    expect_refused("-NOPERM this user has no permissions\r\n", "NOPERM this user");
    expect_refused("-ERR This instance has cluster support disabled\r\n", "cluster support disabled");
    expect_refused("+OK\r\n", "is no list");
    expect_refused("*0\r\n", "no node owns a slot");
    expect_refused("*1\r\n+range\r\n", "a range of slots is none");
    expect_refused("*1\r\n*2\r\n:0\r\n:1\r\n", "a range of slots is none");
    expect_refused("*1\r\n*3\r\n:5\r\n:4\r\n" NODE(IP, 7001), "a range of slots is none");
    expect_refused("*1\r\n*3\r\n:0\r\n:16384\r\n" NODE(IP, 7001), "a range of slots is none");
    expect_refused("*1\r\n*3\r\n:-1\r\n:3\r\n" NODE(IP, 7001), "a range of slots is none");
    expect_refused("*1\r\n*3\r\n:0\r\n:1\r\n$4\r\nnode\r\n", "a node is no address and port");
    expect_refused("*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n" IP "$4\r\n7001\r\n", "a node is no address and port");
    expect_refused("*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n:1\r\n:7001\r\n", "a node is no address and port");
}

Test(redis_map, a_node_without_a_good_port_owns_nothing)
{
    cr_assert_eq(take("*2\r\n*3\r\n:0\r\n:1\r\n" NODE(IP, 0) "*3\r\n:2\r\n:3\r\n" NODE(IP, 7001)),
                 FRESHET_OK);
    cr_assert_null(fr_redis_map_owner(&map, 0));
    expect_refused("*1\r\n*3\r\n:0\r\n:1\r\n" NODE(IP, 65536), "no node owns a slot");
}
