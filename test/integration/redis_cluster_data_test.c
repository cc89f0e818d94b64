/* The program's own commands in a real cluster: each goes to the node that has its key, while slots move and
 * masters are replaced. */
#include "redis_cluster.h"

#include <criterion/criterion.h>
#include <freshet/redis.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEYS        60
#define DEADLINE_MS 20000

static struct redis_cluster cluster;
static struct freshet_redis_data *data;

static struct answer {
    pthread_mutex_t lock;
    pthread_cond_t came;
    unsigned count;
    enum freshet_status status;
    char text[64];
} answer = {.lock = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER};

static void set_up(void)
{
    struct freshet_redis_data_options options = {.size = sizeof(options), .link.size = sizeof(options.link)};
    redis_cluster_start(&cluster, 3, 1);
    options.link.url = cluster.url;
    cr_assert_eq(freshet_redis_data_new(&data, &options, NULL), FRESHET_OK);
}

static void tear_down(void)
{
    freshet_redis_data_destroy(data);
    redis_cluster_stop(&cluster);
}

TestSuite(redis_cluster_data, .init = set_up, .fini = tear_down, .timeout = 120);

static void on_reply(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    (void)user;
    pthread_mutex_lock(&answer.lock);
    answer.count++;
    answer.status = status;
    answer.text[0] = '\0';
    if (status == FRESHET_OK && reply->type == FRESHET_REDIS_INTEGER)
        snprintf(answer.text, sizeof(answer.text), "%lld", (long long)reply->integer);
    else if (status == FRESHET_OK && reply->type != FRESHET_REDIS_ARRAY)
        snprintf(answer.text, sizeof(answer.text), "%.*s", (int)reply->text.len,
                 reply->text.len == 0 ? "" : reply->text.data);
    pthread_cond_signal(&answer.came);
    pthread_mutex_unlock(&answer.lock);
}

static const char *ask(const char *verb, const char *key, const char *value)
{
    struct freshet_span words[] = {freshet_span_text(verb), freshet_span_text(key == NULL ? "" : key),
                                   freshet_span_text(value == NULL ? "" : value)};
    size_t count = key == NULL ? 1 : value == NULL ? 2 : 3;
    pthread_mutex_lock(&answer.lock);
    unsigned before = answer.count;
    cr_assert_eq(freshet_redis_command(data, words, count, DEADLINE_MS, on_reply, NULL), FRESHET_OK);
    while (answer.count == before)
        pthread_cond_wait(&answer.came, &answer.lock);
    cr_assert_eq(answer.status, FRESHET_OK, "%s %s: status %d", verb, words[1].data, (int)answer.status);
    pthread_mutex_unlock(&answer.lock);
    return answer.text;
}

static const char *key_of(int number)
{
    static char key[32];
    snprintf(key, sizeof(key), "key/%d", number);
    return key;
}

static void expect_all_counted(const char *count)
{
    for (int i = 0; i < KEYS; i++)
        cr_assert_str_eq(ask("INCR", key_of(i), NULL), count, "%s", key_of(i));
}

static int slot_of(const char *key)
{
    return atoi(ask("CLUSTER", "KEYSLOT", key));
}

static struct freshet_data_stats stats_of(void)
{
    struct freshet_data_stats stats;
    freshet_redis_data_stats(data, &stats);
    return stats;
}

/* contract 7.9: nobody sees that there are several nodes, and no node is asked for what is not its own. */
Test(redis_cluster_data, commands_go_to_the_node_of_their_key)
{
    expect_all_counted("1");
    expect_all_counted("2");
    cr_assert_str_eq(ask("PING", NULL, NULL), "PONG");
    for (int node = 0; node < 3; node++) {
        char text[16384];
        cr_assert(redis_server_ask(&cluster.nodes[node], text, sizeof(text), "INFO", "errorstats", NULL));
        cr_assert_null(strstr(text, "errorstat_MOVED"), "%s", text);
    }
    cr_assert_eq(stats_of().links_up, 1);
    cr_assert_eq(stats_of().errors, 0);
}

/* contract 7.9 */
Test(redis_cluster_data, a_slot_that_has_moved_is_followed)
{
    expect_all_counted("1");
    redis_cluster_migrate(&cluster, 0, 500, 1);
    redis_cluster_migrate(&cluster, 6000, 6500, 2);
    expect_all_counted("2");
    redis_cluster_settle(&cluster);
    expect_all_counted("3");
    cr_assert_eq(stats_of().errors, 0);
}

/* contract 7.9: the slot is being moved; a key that is not at its old node any more, or not yet, is at the
 * new one. */
Test(redis_cluster_data, a_slot_that_is_moving_is_asked_at_both_nodes)
{
    cr_assert_str_eq(ask("SET", "{t}here", "1"), "OK");
    int slot = slot_of("{t}here"), owner = redis_cluster_owner(&cluster, slot), other = (owner + 1) % 3;
    redis_cluster_open_migration(&cluster, slot, other);
    cr_assert_str_eq(ask("SET", "{t}there", "2"), "OK");
    cr_assert_str_eq(ask("GET", "{t}there", NULL), "2");
    cr_assert_str_eq(ask("GET", "{t}here", NULL), "1");
    char text[64];
    char number[16];
    snprintf(number, sizeof(number), "%d", slot);
    cr_assert(redis_server_ask(&cluster.nodes[other], text, sizeof(text), "CLUSTER", "COUNTKEYSINSLOT",
                               number, NULL));
    cr_assert_str_eq(text, "1");
    redis_cluster_migrate(&cluster, slot, slot, other);
    cr_assert_str_eq(ask("GET", "{t}there", NULL), "2");
    cr_assert_str_eq(ask("GET", "{t}here", NULL), "1");
    cr_assert_eq(stats_of().errors, 0);
}

/* contract 7.9: what is asked while a master is being replaced waits for the new one. */
Test(redis_cluster_data, a_master_that_is_killed_is_replaced)
{
    expect_all_counted("1");
    char key[32];
    int number = 0;
    while (redis_cluster_owner(&cluster, slot_of(key_of(number))) != 2)
        number++;
    snprintf(key, sizeof(key), "%s", key_of(number));
    redis_cluster_await_replica(&cluster, redis_cluster_replica(&cluster, 2));
    redis_cluster_kill(&cluster, 2);
    int64_t end = time(NULL) + 20;
    while (stats_of().links_up != 0) {
        cr_assert_lt(time(NULL), end);
        redis_server_nap();
    }
    cr_assert_str_eq(ask("INCR", key, NULL), "2");
    while (stats_of().links_up != 1) {
        cr_assert_lt(time(NULL), end);
        redis_server_nap();
    }
    cr_assert_neq(redis_cluster_owner(&cluster, slot_of(key)), 2);
}

/* contract 7.9 */
Test(redis_cluster_data, keys_of_two_slots_are_refused_in_the_words_of_redis)
{
    struct freshet_span words[] = {freshet_span_text("MGET"), freshet_span_text("a"), freshet_span_text("b")};
    pthread_mutex_lock(&answer.lock);
    cr_assert_eq(freshet_redis_command(data, words, 3, DEADLINE_MS, on_reply, NULL), FRESHET_OK);
    while (answer.count == 0)
        pthread_cond_wait(&answer.came, &answer.lock);
    pthread_mutex_unlock(&answer.lock);
    cr_assert_eq(strncmp(answer.text, "CROSSSLOT", 9), 0, "%s", answer.text);
}

/* contract 7.9 */
Test(redis_cluster_data_alone, replicas_are_not_asked)
{
    struct freshet_redis_data_options options = {
        .size = sizeof(options), .link.size = sizeof(options.link), .replica_too = true};
    struct freshet_error error = {""};
    options.link.url = "redis+cluster://127.0.0.1:1";
    cr_assert_eq(freshet_redis_data_new(&data, &options, &error), FRESHET_INVALID);
    cr_assert_not_null(strstr(error.text, "replica_too"), "%s", error.text);
}
