/* What other tests stand on: a cluster and a group of sentinels that really do what their helpers say. */
#include "redis_cluster.h"
#include "redis_sentinel.h"

#include <criterion/criterion.h>
#include <string.h>

Test(redis_groups, a_cluster_moves_slots_and_fails_over, .timeout = 120)
{
    struct redis_cluster cluster;
    char answer[128];
    redis_cluster_start(&cluster, 3, 1);
    cr_assert_eq(redis_cluster_owner(&cluster, 0), 0);
    cr_assert_eq(redis_cluster_owner(&cluster, 16383), 2);
    cr_assert(
        redis_server_ask(&cluster.nodes[2], answer, sizeof(answer), "SET", "foo", "bar", NULL)); /* 12182 */
    cr_assert_str_eq(answer, "OK");
    redis_cluster_migrate(&cluster, 12182, 12183, 0);
    redis_cluster_await_owner(&cluster, 12182, 0);
    cr_assert(redis_server_ask(&cluster.nodes[0], answer, sizeof(answer), "GET", "foo", NULL));
    cr_assert_str_eq(answer, "bar");
    int added = redis_cluster_add(&cluster, -1);
    redis_cluster_migrate(&cluster, 12182, 12182, added);
    redis_cluster_await_owner(&cluster, 12182, added);
    int replica = redis_cluster_replica(&cluster, 1);
    cr_assert_eq(replica, 4);
    redis_cluster_failover(&cluster, replica);
    redis_cluster_await_owner(&cluster, 8000, replica);
    replica = redis_cluster_replica(&cluster, 0);
    redis_cluster_kill(&cluster, 0);
    redis_cluster_await_owner(&cluster, 0, replica);
    redis_cluster_restart(&cluster, 0);
    redis_cluster_await_replica(&cluster, 0);
    cr_assert_eq(redis_cluster_replica(&cluster, replica), 0);
    redis_cluster_migrate(&cluster, 12182, 12182, 2);
    redis_cluster_remove(&cluster, added);
    redis_cluster_settle(&cluster);
    redis_cluster_stop(&cluster);
}

Test(redis_groups, sentinels_replace_a_master_that_is_asked_to_go_or_killed, .timeout = 120)
{
    struct redis_sentinel group;
    redis_sentinel_start(&group, &(struct redis_sentinel_options){
                                     .replicas = 2, .password = "data", .sentinel_password = "watch"});
    cr_assert_eq(redis_sentinel_await_master(&group, -1), 0);
    int second = redis_sentinel_failover(&group);
    cr_assert_neq(second, 0);
    redis_sentinel_await_replica(&group, 0);
    redis_server_kill(&group.servers[second]);
    int third = redis_sentinel_await_master(&group, second);
    cr_assert_neq(third, second);
    redis_sentinel_restart(&group, second);
    redis_sentinel_await_replica(&group, second);
    redis_sentinel_stop(&group);
}
