/* The bus on a real cluster, while things move in it. One instance listens to topics of all masters, another
 * one publishes to them without a pause. The oracle: when it is quiet again, the listener has heard of the
 * newest publish of each topic, or was told after that to load (its subscription was acknowledged, or the
 * mark "everything" came). */
#include "redis_cluster.h"
#include "redis_rig.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#define TOPICS   60    /* enough for each of three masters to have some */
#define FRESH_MS 20000 /* ten times what the contract states */

static struct redis_cluster cluster;
static struct rig here, there;

static struct publisher {
    pthread_t thread;
    atomic_bool stopped;
    _Atomic(int64_t) issued_us[TOPICS]; /* the newest publish */
    atomic_int newest[TOPICS];
} publisher;

static const char *topic_of(int number)
{
    static _Thread_local char name[32];
    snprintf(name, sizeof(name), "board/%d", number);
    return name;
}

static unsigned slot_of(int number)
{
    char channel[64], answer[16];
    freshet_redis_cluster_channel(channel, sizeof(channel), NULL, freshet_span_text(topic_of(number)));
    cr_assert(
        redis_server_ask(&cluster.nodes[0], answer, sizeof(answer), "CLUSTER", "KEYSLOT", channel, NULL));
    return (unsigned)atoi(answer);
}

static void set_up(void)
{
    redis_cluster_start(&cluster, 3, 1);
    rig_start_url(&here, cluster.url);
    rig_start_url(&there, cluster.url);
    for (int i = 0; i < TOPICS; i++)
        rig_subscribe(&here, topic_of(i), (uint64_t)i + 1);
    for (int i = 0; i < TOPICS; i++)
        rig_expect_subscribed(&here, topic_of(i), 1);
    rig_wait_proved(&here, 1);
    rig_wait_proved(&there, 1);
}

static void tear_down(void)
{
    rig_stop(&there);
    rig_stop(&here);
    redis_cluster_stop(&cluster);
}

TestSuite(redis_cluster, .init = set_up, .fini = tear_down, .timeout = 180);

/* ---- the publisher and the oracle ---- */

static void *publish_on(void *user)
{
    char body[16];
    (void)user;
    for (int i = 0; !publisher.stopped; i = (i + 1) % TOPICS) {
        publisher.issued_us[i] = recorder_now_us();
        snprintf(body, sizeof(body), "%d", ++publisher.newest[i]);
        cr_assert_eq(rig_publish(&there, topic_of(i), body, true, NULL), FRESHET_OK);
        nanosleep(&(struct timespec){.tv_nsec = 2 * 1000 * 1000}, NULL);
    }
    return NULL;
}

static void begin_to_publish(void)
{
    publisher.stopped = false;
    cr_assert_eq(pthread_create(&publisher.thread, NULL, publish_on, NULL), 0);
}

static bool is_fresh(int number)
{
    struct record record;
    int64_t issued_us = publisher.issued_us[number];
    if (recorder_get_newest(&here.heard, RECORD_MESSAGE, topic_of(number), &record) &&
        atoi(record.body) >= publisher.newest[number])
        return true;
    return recorder_has_since(&here.heard, RECORD_SUBSCRIBED, topic_of(number), issued_us) ||
           recorder_has_since(&here.heard, RECORD_EVERYTHING, NULL, issued_us);
}

/* contract 7.9: no topic is stale, without a further publish. */
static void end_and_expect_all_fresh(void)
{
    int64_t end_ms = rig_now_ms() + FRESH_MS;
    publisher.stopped = true;
    pthread_join(publisher.thread, NULL);
    for (int i = 0; i < TOPICS; i++)
        while (!is_fresh(i)) {
            cr_assert_lt(rig_now_ms(), end_ms, "%s is stale; published %d. Listener: %s Publisher: %s",
                         topic_of(i), publisher.newest[i], here.heard.log, there.heard.log);
            rig_nap(end_ms + 1000, NULL);
        }
    while (rig_stats(&there).queued > 0)
        rig_nap(end_ms, there.heard.log);
}

static void wait_until_all_are_confirmed(void)
{
    int64_t end_ms = rig_now_ms() + FRESH_MS;
    for (struct freshet_bus_stats stats = rig_stats(&here);
         stats.confirmed != stats.subscriptions || stats.state != FRESHET_BUS_PROVED;
         stats = rig_stats(&here))
        rig_nap(end_ms, here.heard.log);
}

/* Publishes to each topic once, and waits until each has come. */
static void expect_a_delivery_on_each(void)
{
    size_t before[TOPICS];
    for (int i = 0; i < TOPICS; i++) {
        before[i] = recorder_count(&here.heard, RECORD_MESSAGE, topic_of(i));
        cr_assert_eq(rig_publish(&there, topic_of(i), "x", false, NULL), FRESHET_OK);
    }
    for (int i = 0; i < TOPICS; i++)
        cr_assert(recorder_wait(&here.heard, RECORD_MESSAGE, topic_of(i), before[i] + 1, WAIT_MS), "%s: %s",
                  topic_of(i), here.heard.log);
}

/* ---- tests ---- */

/* contract 7.9: topics of all masters are subscribed, and publishes reach them from another instance. */
Test(redis_cluster, carries_topics_of_all_masters)
{
    expect_a_delivery_on_each();
    cr_assert_eq(recorder_count(&here.heard, RECORD_EVERYTHING, NULL), 0);
    cr_assert_eq(recorder_count(&here.heard, RECORD_LOST, NULL), 0);
}

/* contract 7.9: whatever freshet_redis_cluster_channel() says, a publisher that knows nothing else can use.
 */
Test(redis_cluster, hears_a_publisher_that_only_knows_the_channel)
{
    for (int i = 0; i < TOPICS; i++) {
        char channel[64], answer[32];
        freshet_redis_cluster_channel(channel, sizeof(channel), NULL, freshet_span_text(topic_of(i)));
        int owner = redis_cluster_owner(&cluster, (int)slot_of(i));
        cr_assert(
            redis_server_ask(&cluster.nodes[owner], answer, sizeof(answer), "SPUBLISH", channel, "x", NULL));
        cr_assert_str_eq(answer, "1");
        cr_assert(recorder_wait(&here.heard, RECORD_MESSAGE, topic_of(i), 1, WAIT_MS));
    }
}

/* contract 7.9, 7.4: slots move under publishes; their topics are lost, acknowledged at the new owner, and no
 * other is touched. */
Test(redis_cluster, slots_move_while_publishes_run)
{
    begin_to_publish();
    redis_cluster_migrate(&cluster, 0, 400, 1);
    redis_cluster_migrate(&cluster, 6000, 6200, 2);
    redis_cluster_settle(&cluster);
    end_and_expect_all_fresh();
    wait_until_all_are_confirmed();
    for (int i = 0; i < TOPICS; i++) {
        unsigned slot = slot_of(i);
        bool has_moved = slot <= 400 || (slot >= 6000 && slot <= 6200);
        size_t lost = recorder_count(&here.heard, RECORD_LOST, topic_of(i));
        cr_assert_eq(lost > 0, has_moved, "%s, slot %u", topic_of(i), slot);
        cr_assert_eq(recorder_count(&here.heard, RECORD_SUBSCRIBED, topic_of(i)), lost + 1);
    }
    expect_a_delivery_on_each();
    cr_assert_eq(recorder_count_state(&here.heard, FRESHET_BUS_DOWN), 0);
}

/* contract 7.9 */
Test(redis_cluster, a_slot_that_moves_to_and_fro_is_followed)
{
    int slot = (int)slot_of(7), from = redis_cluster_owner(&cluster, slot);
    begin_to_publish();
    for (int i = 0; i < 6; i++) {
        redis_cluster_migrate(&cluster, slot, slot, (from + 1 + i % 3) % 3);
        redis_cluster_await_owner(&cluster, slot, (from + 1 + i % 3) % 3);
    }
    end_and_expect_all_fresh();
    wait_until_all_are_confirmed();
    expect_a_delivery_on_each();
}

/* contract 7.9: a replica that is asked to takes over. */
Test(redis_cluster, a_failover_that_is_asked_for_loses_nothing)
{
    begin_to_publish();
    int replica = redis_cluster_replica(&cluster, 1);
    redis_cluster_failover(&cluster, replica);
    redis_cluster_settle(&cluster);
    end_and_expect_all_fresh();
    wait_until_all_are_confirmed();
    expect_a_delivery_on_each();
}

/* contract 7.9: a master dies. Its topics alone are not in force until its replica has taken over; readiness
 * says so. */
Test(redis_cluster, a_master_that_is_killed_is_replaced)
{
    begin_to_publish();
    int replica = redis_cluster_replica(&cluster, 2);
    redis_cluster_kill(&cluster, 2);
    cr_assert(recorder_wait_state(&here.heard, FRESHET_BUS_UP, 2, WAIT_MS), "%s", here.heard.log);
    redis_cluster_await_owner(&cluster, 16000, replica);
    end_and_expect_all_fresh();
    wait_until_all_are_confirmed();
    expect_a_delivery_on_each();
    for (int i = 0; i < TOPICS; i++)
        cr_assert_eq(recorder_count(&here.heard, RECORD_LOST, topic_of(i)) > 0, slot_of(i) >= 10922,
                     "%s, slot %u", topic_of(i), slot_of(i));
    cr_assert_eq(recorder_count_state(&here.heard, FRESHET_BUS_DOWN), 0);
    redis_cluster_restart(&cluster, 2);
    redis_cluster_await_replica(&cluster, 2);
    expect_a_delivery_on_each();
}

/* contract 7.9: a master sleeps while another one takes its place, and accepts publishes when it wakes. */
Test(redis_cluster, a_master_that_slept_through_its_replacement_hides_nothing)
{
    begin_to_publish();
    int replica = redis_cluster_replica(&cluster, 0);
    redis_server_signal(&cluster.nodes[0], SIGSTOP);
    for (int i = 0; redis_cluster_owner_as_seen_by(&cluster, 1, 0) != replica; i++) {
        cr_assert_lt(i, 3000);
        redis_server_nap();
    }
    redis_server_signal(&cluster.nodes[0], SIGCONT);
    redis_cluster_settle(&cluster);
    end_and_expect_all_fresh();
    wait_until_all_are_confirmed();
    expect_a_delivery_on_each();
}

/* contract 7.9: a node is added, takes slots, gives them back and goes. */
Test(redis_cluster, nodes_come_and_go)
{
    begin_to_publish();
    int added = redis_cluster_add(&cluster, -1);
    redis_cluster_migrate(&cluster, 3000, 3300, added);
    redis_cluster_settle(&cluster);
    end_and_expect_all_fresh();
    wait_until_all_are_confirmed();
    begin_to_publish();
    redis_cluster_migrate(&cluster, 3000, 3300, 2);
    redis_cluster_settle(&cluster);
    redis_cluster_remove(&cluster, added);
    end_and_expect_all_fresh();
    wait_until_all_are_confirmed();
    expect_a_delivery_on_each();
}

static long long read_info(int node, const char *section, const char *name)
{
    char *text = malloc(65536), pattern[64];
    cr_assert(redis_server_ask(&cluster.nodes[node], text, 65536, "INFO", section, NULL));
    snprintf(pattern, sizeof(pattern), "%s", name);
    const char *at = strstr(text, pattern);
    long long value = at == NULL ? 0 : atoll(at + strlen(pattern));
    free(text);
    return value;
}

static long long read_cluster_info(int node, const char *name)
{
    char text[4096];
    cr_assert(redis_server_ask(&cluster.nodes[node], text, sizeof(text), "CLUSTER", "INFO", NULL));
    const char *at = strstr(text, name);
    return at == NULL ? 0 : atoll(at + strlen(name));
}

/* contract 7.9: a publish costs the work of the slot's master; the others hear nothing of it. */
Test(redis_cluster, a_publish_is_the_work_of_one_master)
{
    int number = 0, owner = redis_cluster_owner(&cluster, (int)slot_of(number));
    long long calls[3], sent[3];
    for (int node = 0; node < 3; node++) {
        calls[node] = read_info(node, "commandstats", "cmdstat_spublish:calls=");
        sent[node] = read_cluster_info(node, "cluster_stats_messages_publishshard_sent:");
    }
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(rig_publish(&there, topic_of(number), "x", false, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&here.heard, RECORD_MESSAGE, topic_of(number), 1000, WAIT_MS));
    for (int node = 0; node < 3; node++) {
        long long more = read_info(node, "commandstats", "cmdstat_spublish:calls=") - calls[node];
        if (node == owner)
            cr_assert_geq(more, 1000);
        else
            cr_assert_lt(more, 100, "node %d: probes alone, and not %lld", node, more);
        /* Its own replica is told, which others may listen to. */
        more = read_cluster_info(node, "cluster_stats_messages_publishshard_sent:") - sent[node];
        cr_assert_lt(more, node == owner ? 1100 : 100, "node %d sent %lld", node, more);
    }
    /* The same as plain PUBLISH, which every node hears of. */
    long long heard = read_cluster_info(2, "cluster_stats_messages_publish_received:");
    for (int i = 0; i < 100; i++)
        cr_assert(redis_server_ask(&cluster.nodes[0], NULL, 0, "PUBLISH", "plain", "x", NULL));
    int64_t end_ms = rig_now_ms() + WAIT_MS;
    while (read_cluster_info(2, "cluster_stats_messages_publish_received:") < heard + 100)
        rig_nap(end_ms, NULL);
}

/* contract 7.9: nodes that keep their address to themselves are where the one is that was asked. */
Test(redis_cluster, nodes_that_do_not_say_where_they_are_are_found)
{
    struct rig late;
    for (int node = 0; node < 6; node++)
        cr_assert(redis_server_ask(&cluster.nodes[node], NULL, 0, "CONFIG", "SET",
                                   "cluster-preferred-endpoint-type", "unknown-endpoint", NULL));
    rig_start_url(&late, cluster.url);
    rig_wait_proved(&late, 1);
    for (int i = 0; i < TOPICS; i++)
        rig_subscribe(&late, topic_of(i), (uint64_t)i + 1);
    for (int i = 0; i < TOPICS; i++)
        rig_expect_subscribed(&late, topic_of(i), 1);
    int slot = (int)slot_of(7), to = (redis_cluster_owner(&cluster, slot) + 1) % 3;
    redis_cluster_migrate(&cluster, slot, slot, to);
    rig_expect_subscribed(&late, topic_of(7), 2);
    rig_stop(&late);
}

/* Publishes to a topic and moves its slot, before or after another node has vouched for the publish. Returns
 * how many marks came. */
static size_t publish_and_move(int number, bool is_vouched)
{
    int slot = (int)slot_of(number), to = (redis_cluster_owner(&cluster, slot) + 1) % 3;
    int64_t end_ms = rig_now_ms() + WAIT_MS;
    size_t messages = recorder_count(&here.heard, RECORD_MESSAGE, topic_of(number));
    uint64_t vouched = rig_stats(&there).witnesses;
    cr_assert_eq(rig_publish(&there, topic_of(number), "x", true, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&here.heard, RECORD_MESSAGE, topic_of(number), messages + 1, WAIT_MS));
    while (is_vouched && rig_stats(&there).witnesses == vouched)
        rig_nap(end_ms, there.heard.log);
    size_t marks = recorder_count(&here.heard, RECORD_EVERYTHING, NULL);
    size_t subscribed = recorder_count(&here.heard, RECORD_SUBSCRIBED, topic_of(number));
    redis_cluster_migrate(&cluster, slot, slot, to);
    cr_assert(recorder_wait(&here.heard, RECORD_SUBSCRIBED, topic_of(number), subscribed + 1, WAIT_MS));
    /* The publisher finds out by its next map at the latest, and its mark comes before what it says then. */
    recorder_wait(&here.heard, RECORD_EVERYTHING, NULL, marks + 1, is_vouched ? 2500 : WAIT_MS);
    return recorder_count(&here.heard, RECORD_EVERYTHING, NULL) - marks;
}

/* contract 7.9: what its owner had accepted when nobody had vouched for it may have gone to nobody. */
Test(redis_cluster, a_slot_that_goes_with_an_accepted_publish_is_followed_by_a_mark)
{
    uint64_t doubts = rig_stats(&there).doubts;
    cr_assert_geq(publish_and_move(7, false), 1, "%s", there.heard.log);
    cr_assert_geq(rig_stats(&there).doubts, doubts + 1);
}

/* contract 7.9, 7.4: no doubt, no cost */
Test(redis_cluster, a_slot_that_goes_when_all_is_vouched_for_costs_no_mark)
{
    cr_assert_eq(publish_and_move(7, true), 0);
    cr_assert_eq(rig_stats(&there).doubts, 0);
}

static long long count_subscribe_calls(void)
{
    long long calls = 0;
    for (int node = 0; node < cluster.count; node++)
        if (cluster.nodes[node].pid != 0)
            calls += read_info(node, "commandstats", "cmdstat_ssubscribe:calls=");
    return calls;
}

static void wait_until_confirmed(size_t count)
{
    int64_t end_ms = rig_now_ms() + FRESH_MS;
    while (rig_stats(&here).confirmed < count)
        rig_nap(end_ms, here.heard.log);
}

/* contract 7.9: a command takes many topics, all of one partition; the same after a master was replaced. */
Test(redis_cluster, fifty_thousand_topics_are_a_few_hundred_commands)
{
    enum { MANY = 50000 };
    long long before = count_subscribe_calls();
    char name[32];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "many/%d", i);
        rig_subscribe(&here, name, (uint64_t)i + 1);
    }
    wait_until_confirmed(MANY);
    long long calls = count_subscribe_calls() - before;
    cr_assert_lt(calls, 2000, "%lld", calls);
    before = count_subscribe_calls();
    int replica = redis_cluster_replica(&cluster, 0);
    redis_cluster_failover(&cluster, replica);
    redis_cluster_await_owner(&cluster, 0, replica);
    wait_until_confirmed(MANY);
    calls = count_subscribe_calls() - before;
    cr_assert_lt(calls, 600, "%lld", calls);
    snprintf(name, sizeof(name), "many/%d", MANY - 1);
    cr_assert_eq(rig_publish(&there, name, "x", false, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&here.heard, RECORD_MESSAGE, name, 1, WAIT_MS));
}

/* contract 7.9: all of it goes and comes back with its slots. */
Test(redis_cluster, a_cluster_that_was_away_is_used_again)
{
    for (int node = 0; node < 6; node++)
        redis_cluster_kill(&cluster, node);
    rig_wait_down(&here, 1);
    begin_to_publish();
    for (int node = 0; node < 6; node++)
        redis_cluster_restart(&cluster, node);
    redis_cluster_settle(&cluster);
    end_and_expect_all_fresh();
    wait_until_all_are_confirmed();
    expect_a_delivery_on_each();
}

/* contract 7.9: the rights that redis.h names are enough. */
Test(redis_cluster, a_user_needs_no_more_rights_than_are_documented)
{
    struct rig limited;
    char url[512];
    for (int node = 0; node < 6; node++)
        cr_assert(redis_server_ask(&cluster.nodes[node], NULL, 0, "ACL", "SETUSER", "name", "on", ">password",
                                   "resetchannels", "&freshet:*", "+spublish", "+ssubscribe", "+sunsubscribe",
                                   "+ping", "+role", "+client|setname", "+cluster|info", "+cluster|slots",
                                   NULL));
    snprintf(url, sizeof(url), "redis+cluster://name:password@%s", strstr(cluster.url, "127"));
    rig_start_url(&limited, url);
    rig_wait_proved(&limited, 1);
    for (int i = 0; i < TOPICS; i++)
        rig_subscribe(&limited, topic_of(i), (uint64_t)i + 1);
    for (int i = 0; i < TOPICS; i++)
        rig_expect_subscribed(&limited, topic_of(i), 1);
    cr_assert_eq(rig_publish(&limited, topic_of(1), "x", true, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&limited.heard, RECORD_MESSAGE, topic_of(1), 1, WAIT_MS));
    limited.bus->ops->unsubscribe(limited.bus, freshet_span_text(topic_of(1)));
    int slot = (int)slot_of(1), to = (redis_cluster_owner(&cluster, slot) + 1) % 3;
    redis_cluster_migrate(&cluster, slot, slot, to);
    rig_subscribe(&limited, topic_of(1), 1000);
    rig_expect_subscribed(&limited, topic_of(1), 2);
    cr_assert_eq(rig_stats(&limited).errors, 0, "%s", limited.heard.log);
    rig_stop(&limited);
}

/* contract 7.9: a server that is no cluster is told apart, with the URL that it wants. */
Test(redis_cluster_alone, says_that_a_server_is_no_cluster, .timeout = 60)
{
    struct redis_server server;
    struct rig rig;
    char url[64];
    redis_server_start(&server, NULL);
    snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%d", server.port);
    rig_start_url(&rig, url);
    cr_assert(recorder_wait_log(&rig.heard, "it is no cluster, use redis://", WAIT_MS));
    cr_assert_eq(recorder_count_state(&rig.heard, FRESHET_BUS_PROVED), 0);
    rig_stop(&rig);
    redis_server_stop(&server);
}

static unsigned count_logins(const struct redis_server *server)
{
    char answer[16384];
    unsigned calls = 0;
    cr_assert(redis_server_ask(server, answer, sizeof(answer), "INFO", "commandstats", NULL));
    const char *at = strstr(answer, "cmdstat_auth:");
    if (at != NULL)
        sscanf(at, "cmdstat_auth:calls=%u", &calls);
    return calls;
}

/* contract 7.6, 7.9: a wrong password is not tried again and again; some servers lock users out for that. */
Test(redis_cluster_alone, is_patient_where_its_login_is_refused, .timeout = 60)
{
    struct redis_server server;
    struct rig rig;
    char url[64];
    redis_server_start(&server, NULL);
    snprintf(url, sizeof(url), "redis+cluster://nobody:wrong@127.0.0.1:%d", server.port);
    int64_t began_ms = rig_now_ms(), end_ms = began_ms + WAIT_MS;
    rig_start_url(&rig, url);
    while (count_logins(&server) < 3)
        rig_nap(end_ms, rig.heard.log);
    cr_assert_geq(rig_now_ms() - began_ms, 2 * 750); /* a second, less its jitter */
    rig_stop(&rig);
    redis_server_stop(&server);
}

/* contract 7.9: with TLS each node's certificate is checked, and nodes are named by their TLS port. */
Test(redis_cluster_alone, works_over_tls, .timeout = 120)
{
    struct redis_cluster secure;
    struct rig rig;
    char file[128];
    redis_cluster_start_tls(&secure, 3, 0);
    snprintf(file, sizeof(file), "%s/ca.pem", secure.nodes[0].certificates);
    struct freshet_redis_options options = rig_options(secure.url);
    options.tls_ca_file = file;
    options.connect_timeout_ms = 5000;
    rig_start(&rig, &options);
    rig_wait_proved(&rig, 1);
    for (int i = 0; i < TOPICS; i++)
        rig_subscribe(&rig, topic_of(i), (uint64_t)i + 1);
    for (int i = 0; i < TOPICS; i++)
        rig_expect_subscribed(&rig, topic_of(i), 1);
    redis_cluster_migrate(&secure, 0, 300, 1);
    for (int i = 0; i < TOPICS; i++)
        cr_assert_eq(rig_publish(&rig, topic_of(i), "x", true, NULL), FRESHET_OK);
    for (int i = 0; i < TOPICS; i++)
        cr_assert(recorder_wait(&rig.heard, RECORD_MESSAGE, topic_of(i), 1, WAIT_MS), "%s", rig.heard.log);
    rig_stop(&rig);
    redis_cluster_stop(&secure);
}

/* contract 7.9 */
Test(redis_cluster_alone, a_prefix_with_a_brace_is_refused)
{
    struct freshet_redis_options options = rig_options("redis+cluster://127.0.0.1:1");
    struct freshet_error error = {""};
    struct freshet_bus *bus;
    options.prefix = "{app}:";
    cr_assert_eq(freshet_redis_bus_new(&bus, &options, &error), FRESHET_INVALID);
    cr_assert_not_null(strstr(error.text, "'{'"), "%s", error.text);
}
