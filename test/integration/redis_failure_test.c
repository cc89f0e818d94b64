/* A real Redis that goes away in every way it can. */
#include "redis_rig.h"
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define TOPICS 250

static void subscribe_many(struct rig *rig)
{
    char topic[32];
    for (int i = 0; i < TOPICS; i++) {
        snprintf(topic, sizeof(topic), "t/%d", i);
        rig_subscribe(rig, topic, (uint64_t)i + 1);
    }
}

/* contract 7.4: each subscription is acknowledged anew, and deliveries work again */
static void expect_healed(struct rig *rig, size_t times)
{
    size_t before = recorder_count(&rig->heard, RECORD_MESSAGE, "t/7");
    cr_assert(recorder_wait(&rig->heard, RECORD_SUBSCRIBED, NULL, times * TOPICS, WAIT_MS));
    rig_expect_subscribed(rig, "t/7", times);
    rig_wait_proved(rig, times);
    cr_assert_eq(rig_publish(rig, "t/7", "healed", false, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&rig->heard, RECORD_MESSAGE, "t/7", before + 1, WAIT_MS));
}

/* contract 7.3 */
Test(redis_failure, connects_to_a_server_that_comes_later, .timeout = 120)
{
    struct redis_server server;
    struct rig rig;
    int token;
    redis_server_prepare(&server);
    rig_start_url(&rig, server.url);
    subscribe_many(&rig);
    cr_assert_eq(rig_publish(&rig, "t/1", "early", false, &token), FRESHET_OK);
    cr_assert(recorder_wait_log(&rig.heard, "Connection refused", WAIT_MS));
    cr_assert_eq(rig_stats(&rig).state, FRESHET_BUS_DOWN);
    cr_assert_eq(recorder_count(&rig.heard, RECORD_PUBLISHED, NULL), 0);
    redis_server_run(&server, NULL);
    expect_healed(&rig, 1);
    cr_assert(recorder_wait(&rig.heard, RECORD_PUBLISHED, NULL, 2, WAIT_MS));
    rig_stop(&rig);
    redis_server_stop(&server);
}

/* contract 7.4, 3.4 */
Test(redis_failure, heals_after_a_kill_and_delivers_what_was_published_meanwhile, .timeout = 120)
{
    struct redis_server server;
    struct rig rig;
    struct record record;
    int tokens[3];
    redis_server_start(&server, NULL);
    rig_start_url(&rig, server.url);
    subscribe_many(&rig);
    expect_healed(&rig, 1);
    redis_server_kill(&server);
    rig_wait_down(&rig, 1);
    const char *bodies[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++)
        cr_assert_eq(rig_publish(&rig, "t/9", bodies[i], false, &tokens[i]), FRESHET_OK);
    redis_server_run(&server, NULL);
    cr_assert(recorder_wait(&rig.heard, RECORD_PUBLISHED, NULL, 4, WAIT_MS));
    for (size_t i = 0; i < 3; i++) {
        cr_assert(recorder_get(&rig.heard, RECORD_PUBLISHED, NULL, i + 1, &record));
        cr_assert_eq(record.token, &tokens[i]);
        cr_assert_eq(record.status, FRESHET_OK);
    }
    expect_healed(&rig, 2);
    cr_assert_geq(rig_stats(&rig).reconnects, 2);
    rig_stop(&rig);
    redis_server_stop(&server);
}

/* contract 7.3 */
Test(redis_failure, finds_a_stopped_server_within_the_link_timeout, .timeout = 120)
{
    struct redis_server server;
    struct rig rig;
    struct timespec begin, end;
    redis_server_start(&server, NULL);
    struct freshet_redis_options options = rig_options(server.url);
    options.link_timeout_ms = 1000;
    options.probe_interval_ms = FRESHET_NEVER;
    rig_start(&rig, &options);
    rig_subscribe(&rig, "x", 1);
    rig_expect_subscribed(&rig, "x", 1);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    redis_server_signal(&server, SIGSTOP);
    rig_wait_down(&rig, 1);
    clock_gettime(CLOCK_MONOTONIC, &end);
    cr_assert_leq(end.tv_sec - begin.tv_sec, 10);
    redis_server_signal(&server, SIGCONT);
    rig_expect_subscribed(&rig, "x", 2);
    rig_stop(&rig);
    redis_server_stop(&server);
}

/* contract 7.5: a server that stands still makes no proof, and is found by its silence alone */
Test(redis_failure, loses_the_proof_while_the_server_stands_still_and_keeps_its_links, .timeout = 120)
{
    struct redis_server server;
    struct rig rig;
    redis_server_start(&server, NULL);
    struct freshet_redis_options options = rig_options(server.url);
    options.probe_interval_ms = 200;
    options.link_timeout_ms = 60000;
    rig_start(&rig, &options);
    rig_subscribe(&rig, "x", 1);
    rig_wait_proved(&rig, 1);
    redis_server_signal(&server, SIGSTOP);
    cr_assert(recorder_wait_state(&rig.heard, FRESHET_BUS_UP, 2, WAIT_MS));
    redis_server_signal(&server, SIGCONT);
    rig_wait_proved(&rig, 2);
    cr_assert_geq(rig_stats(&rig).probes_lost, 1);
    cr_assert_eq(rig_stats(&rig).reconnects, 0);
    cr_assert_eq(recorder_count(&rig.heard, RECORD_SUBSCRIBED, "x"), 1);
    rig_stop(&rig);
    redis_server_stop(&server);
}

Test(redis_failure, heals_after_its_subscribe_link_is_killed, .timeout = 120)
{
    struct redis_server server;
    struct rig rig;
    redis_server_start(&server, NULL);
    rig_start_url(&rig, server.url);
    subscribe_many(&rig);
    expect_healed(&rig, 1);
    cr_assert(redis_server_ask(&server, NULL, 0, "CLIENT", "KILL", "TYPE", "pubsub", NULL));
    rig_wait_down(&rig, 1);
    expect_healed(&rig, 2);
    rig_stop(&rig);
    redis_server_stop(&server);
}

/* Down means: no subscription is in force. Without the command link they are. */
Test(redis_failure, keeps_its_subscriptions_when_only_the_command_link_breaks, .timeout = 120)
{
    struct redis_server server;
    struct rig rig;
    redis_server_start(&server, NULL);
    rig_start_url(&rig, server.url);
    subscribe_many(&rig);
    expect_healed(&rig, 1);
    cr_assert(redis_server_ask(&server, NULL, 0, "CLIENT", "KILL", "TYPE", "normal", NULL));
    cr_assert(recorder_wait_state(&rig.heard, FRESHET_BUS_UP, 2, WAIT_MS));
    rig_wait_proved(&rig, 2);
    cr_assert_eq(recorder_count_state(&rig.heard, FRESHET_BUS_DOWN), 0);
    cr_assert_eq(recorder_count(&rig.heard, RECORD_SUBSCRIBED, NULL), TOPICS);
    rig_stop(&rig);
    redis_server_stop(&server);
}

Test(redis_failure, comes_back_when_its_output_buffer_limit_cuts_it_off, .timeout = 120)
{
    struct redis_server server;
    struct rig rig;
    static char body[60000];
    memset(body, 'x', sizeof(body));
    redis_server_start(&server, NULL);
    rig_start_url(&rig, server.url);
    rig_subscribe(&rig, "big", 1);
    rig_wait_proved(&rig, 1);
    cr_assert(redis_server_ask(&server, NULL, 0, "CONFIG", "SET", "client-output-buffer-limit",
                               "pubsub 8kb 8kb 1", NULL));
    for (int i = 0; i < 200 && recorder_count_state(&rig.heard, FRESHET_BUS_DOWN) == 0; i++) {
        enum freshet_status status = rig.bus->ops->publish(rig.bus, freshet_span_text("big"),
                                                           freshet_span(body, sizeof(body)), false, NULL);
        cr_assert(status == FRESHET_OK || status == FRESHET_FULL);
    }
    rig_wait_down(&rig, 1);
    cr_assert(redis_server_ask(&server, NULL, 0, "CONFIG", "SET", "client-output-buffer-limit",
                               "pubsub 32mb 8mb 60", NULL));
    rig_expect_subscribed(&rig, "big", 2);
    cr_assert_eq(rig_publish(&rig, "big", "end", false, NULL), FRESHET_OK);
    rig_wait_proved(&rig, 2);
    rig_stop(&rig);
    redis_server_stop(&server);
}

/* contract 7.5: PUBLISH on a replica reaches nobody */
Test(redis_failure, does_not_trust_a_replica_in_place_of_the_master, .timeout = 120)
{
    struct redis_server server, master;
    struct rig rig;
    char port[16];
    redis_server_start(&server, NULL);
    redis_server_start(&master, NULL);
    snprintf(port, sizeof(port), "%d", master.port);
    rig_start_url(&rig, server.url);
    rig_subscribe(&rig, "x", 1);
    rig_wait_proved(&rig, 1);
    cr_assert(redis_server_ask(&server, NULL, 0, "REPLICAOF", "127.0.0.1", port, NULL));
    rig_wait_down(&rig, 1);
    cr_assert(recorder_wait_log(&rig.heard, "not the master", WAIT_MS));
    cr_assert_eq(rig_publish(&rig, "x", "kept", false, NULL), FRESHET_OK);
    cr_assert_eq(recorder_count(&rig.heard, RECORD_PUBLISHED, NULL), 0);
    cr_assert(redis_server_ask(&server, NULL, 0, "REPLICAOF", "NO", "ONE", NULL));
    rig_wait_proved(&rig, 2);
    cr_assert(recorder_wait(&rig.heard, RECORD_PUBLISHED, NULL, 1, WAIT_MS));
    rig_stop(&rig);
    redis_server_stop(&server);
    redis_server_stop(&master);
}

/* contract 3.4: one instance cannot get in for a while, another one is there all the time */
Test(redis_failure, gives_too_many_queued_signals_up_for_everything, .timeout = 120)
{
    enum { SIGNALS = 500, MAX = 100 };
    struct redis_server server;
    struct rig rig, other;
    char topic[32], url[128];
    redis_server_start(&server, NULL);
    rig_start_url(&other, server.url);
    rig_wait_proved(&other, 1);
    snprintf(url, sizeof(url), "redis://late:word@127.0.0.1:%d", server.port);
    struct freshet_redis_options options = rig_options(url);
    options.max_queued_publishes = MAX;
    rig_start(&rig, &options);
    for (int i = 0; i < SIGNALS; i++) {
        snprintf(topic, sizeof(topic), "s/%d", i);
        cr_assert_eq(rig_publish(&rig, topic, "", true, NULL), FRESHET_OK);
    }
    cr_assert(redis_server_ask(&server, NULL, 0, "ACL", "SETUSER", "late", "on", ">word", "allchannels",
                               "+@all", NULL));
    cr_assert(recorder_wait(&other.heard, RECORD_EVERYTHING, NULL, 1, 50000));
    cr_assert(recorder_wait(&rig.heard, RECORD_PUBLISHED, NULL, SIGNALS, WAIT_MS));
    cr_assert_eq(rig_stats(&rig).queued, 0);
    cr_assert_geq(rig_stats(&rig).collapsed, 1);
    rig_stop(&rig);
    rig_stop(&other);
    redis_server_stop(&server);
}

/* contract 3.4: only payloads are refused, with their own status */
Test(redis_failure, refuses_payloads_over_the_bound_and_answers_the_rest_at_stop, .timeout = 120)
{
    enum { MAX = 10 };
    struct redis_server server;
    struct rig rig;
    redis_server_prepare(&server);
    struct freshet_redis_options options = rig_options(server.url);
    options.max_queued_publishes = MAX;
    rig_start(&rig, &options);
    for (int i = 0; i < MAX; i++)
        cr_assert_eq(rig_publish(&rig, "p", "x", false, NULL), FRESHET_OK);
    cr_assert_eq(rig_publish(&rig, "p", "x", false, NULL), FRESHET_FULL);
    rig.bus->ops->stop(rig.bus, 10);
    cr_assert_eq(recorder_count(&rig.heard, RECORD_PUBLISHED, NULL), MAX);
    struct record record;
    cr_assert(recorder_get(&rig.heard, RECORD_PUBLISHED, NULL, 0, &record));
    cr_assert_eq(record.status, FRESHET_CLOSED);
    rig_stop(&rig);
    redis_server_stop(&server);
}
