/* Errors that are not about the connection: each is an answer, and breaks no link. */
#include "redis_peer.h"
#include "redis_relay.h"
#include "redis_rig.h"
#include <sys/stat.h>
#include <unistd.h>

#define TIMEOUT_MS 800 /* of a silent link: it is asked after a quarter */

struct scene {
    struct redis_server server;
    struct redis_relay relay;
    struct rig rig;
};

static void start(struct scene *scene, const char *const *arguments, uint32_t probe_interval_ms)
{
    redis_server_start(&scene->server, arguments);
    redis_relay_start(&scene->relay, scene->server.port);
    struct freshet_redis_options options = rig_options(scene->relay.url);
    options.link_timeout_ms = TIMEOUT_MS;
    options.probe_interval_ms = probe_interval_ms;
    rig_start(&scene->rig, &options);
    rig_subscribe(&scene->rig, "x", 1);
    rig_expect_subscribed(&scene->rig, "x", 1);
}

static void stop(struct scene *scene)
{
    rig_stop(&scene->rig);
    redis_relay_stop(&scene->relay);
    redis_server_stop(&scene->server);
}

static unsigned count_pings(const struct redis_server *server)
{
    char answer[16384];
    unsigned calls = 0, rejected = 0;
    cr_assert(redis_server_ask(server, answer, sizeof(answer), "INFO", "commandstats", NULL));
    const char *at = strstr(answer, "cmdstat_ping:");
    if (at != NULL)
        sscanf(at, "cmdstat_ping:calls=%u,usec=%*u,usec_per_call=%*f,rejected_calls=%u", &calls, &rejected);
    return calls + rejected;
}

static void wait_for_pings(struct scene *scene, unsigned more)
{
    unsigned before = count_pings(&scene->server);
    for (int64_t end_ms = rig_now_ms() + WAIT_MS; count_pings(&scene->server) < before + more;)
        rig_nap(end_ms, scene->rig.heard.log);
}

static void expect_no_loss(struct scene *scene)
{
    cr_assert_eq(recorder_count_state(&scene->rig.heard, FRESHET_BUS_DOWN), 0, "%s", scene->rig.heard.log);
    cr_assert_eq(redis_relay_count(&scene->relay, "freshet-subscribe"), 1);
    cr_assert_eq(recorder_count(&scene->rig.heard, RECORD_SUBSCRIBED, "x"), 1);
}

/* The disk is gone, and the last snapshot has failed: Redis refuses writes, and PING. */
static void lose_disk(const struct redis_server *server)
{
    char directory[128], answer[256] = "";
    snprintf(directory, sizeof(directory), "%s/gone", server->directory);
    cr_assert_eq(mkdir(directory, 0700), 0);
    cr_assert(redis_server_ask(server, NULL, 0, "CONFIG", "SET", "save", "3600 1", NULL));
    cr_assert(redis_server_ask(server, NULL, 0, "CONFIG", "SET", "dir", directory, NULL));
    cr_assert_eq(rmdir(directory), 0);
    cr_assert(redis_server_ask(server, NULL, 0, "BGSAVE", NULL));
    for (int64_t end_ms = rig_now_ms() + WAIT_MS; strncmp(answer, "-MISCONF", 8) != 0;) {
        rig_nap(end_ms, answer);
        cr_assert(redis_server_ask(server, answer, sizeof(answer), "PING", NULL));
    }
}

static const char *const with_config[] = {"--enable-protected-configs", "yes", NULL};

/* contract 7.6: what stands, stands */
Test(redis_errors, keeps_links_whose_pings_are_answered_with_misconf, .timeout = 120)
{
    struct scene scene;
    start(&scene, with_config, FRESHET_NEVER);
    lose_disk(&scene.server);
    wait_for_pings(&scene, 10);
    cr_assert_eq(rig_publish(&scene.rig, "x", "body", false, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&scene.rig.heard, RECORD_MESSAGE, "x", 1, WAIT_MS));
    expect_no_loss(&scene);
    cr_assert_eq(redis_relay_count(&scene.relay, "freshet-command"), 1);
    stop(&scene);
}

/* contract 7.6: and what is new, comes in and is proved */
Test(redis_errors, connects_to_a_server_that_answers_pings_with_misconf, .timeout = 120)
{
    struct scene scene;
    struct rig other;
    start(&scene, with_config, 0);
    rig_wait_proved(&scene.rig, 1);
    lose_disk(&scene.server);
    rig_start_url(&other, scene.server.url);
    rig_subscribe(&other, "x", 1);
    rig_expect_subscribed(&other, "x", 1);
    rig_wait_proved(&other, 1);
    cr_assert_eq(rig_publish(&other, "x", "body", false, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&scene.rig.heard, RECORD_MESSAGE, "x", 1, WAIT_MS));
    for (int64_t end_ms = rig_now_ms() + WAIT_MS; rig_stats(&other).witnesses == 0;)
        rig_nap(end_ms, other.heard.log);
    expect_no_loss(&scene);
    rig_stop(&other);
    stop(&scene);
}

/* contract 7.6: BUSY is no gap; what is published meanwhile is delivered when the script has ended */
Test(redis_errors, keeps_its_subscriptions_while_a_script_is_busy, .timeout = 120)
{
    struct scene scene;
    char command[256], answer[256];
    start(&scene, NULL, 0);
    rig_wait_proved(&scene.rig, 1);
    cr_assert(redis_server_ask(&scene.server, NULL, 0, "CONFIG", "SET", "busy-reply-threshold", "50", NULL));
    snprintf(command, sizeof(command), "redis-cli -p %d EVAL 'while true do end' 0 >/dev/null 2>&1 &",
             scene.server.port);
    cr_assert_eq(system(command), 0);
    do {
        cr_assert(redis_server_ask(&scene.server, answer, sizeof(answer), "PING", NULL));
    } while (strncmp(answer, "-BUSY", 5) != 0);
    cr_assert_eq(rig_publish(&scene.rig, "x", "body", false, NULL), FRESHET_OK);
    rig_subscribe(&scene.rig, "y", 2);
    cr_assert(recorder_wait_log(&scene.rig.heard, "redis subscribe link: refused: SUBSCRIBE: BUSY", WAIT_MS));
    cr_assert(recorder_wait_log(&scene.rig.heard, "redis command link: not ready yet: \"BUSY", WAIT_MS));
    for (int64_t end_ms = rig_now_ms() + WAIT_MS, until_ms = rig_now_ms() + 3 * TIMEOUT_MS;
         rig_now_ms() < until_ms;)
        rig_nap(end_ms, "");
    cr_assert_eq(recorder_count(&scene.rig.heard, RECORD_PUBLISHED, NULL), 0);
    cr_assert(redis_server_ask(&scene.server, NULL, 0, "SCRIPT", "KILL", NULL));
    cr_assert(recorder_wait(&scene.rig.heard, RECORD_MESSAGE, "x", 1, WAIT_MS));
    rig_expect_subscribed(&scene.rig, "y", 1);
    rig_wait_proved(&scene.rig, 2);
    expect_no_loss(&scene);
    stop(&scene);
}

/* What a scripted peer says to one command, all the time. */
struct refusal {
    const char *verb, *error;
};

static bool refuse(void *user, const struct redis_peer_call *call)
{
    const struct refusal *refusal = user;
    if (strcmp(call->verb, refusal->verb) != 0)
        return false;
    redis_peer_say(call, refusal->error);
    return true;
}

/* contract 7.6: whatever the words */
Test(redis_errors, takes_errors_it_has_never_heard_of_for_answers, .timeout = 120)
{
    static const struct refusal refusals[] = {
        {"PING", "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to\r\n"},
        {"PING", "-NOPERM this user has no permissions to run the 'ping' command\r\n"},
        {"PING", "-OOM command not allowed when used memory > 'maxmemory'.\r\n"},
        {"PING", "-NOREPLICAS Not enough good replicas to write.\r\n"},
        {"PING", "-WHOKNOWS a proxy of its own kind\r\n"},
        {"ROLE", "-ERR unknown command 'ROLE', with args beginning with: \r\n"},
        {"ROLE", "-NOPERM this user has no permissions to run the 'role' command\r\n"},
        {"ROLE", "-WHOKNOWS a proxy of its own kind\r\n"},
        {"CLIENT", "-ERR unknown command 'CLIENT', with args beginning with: \r\n"},
        {"UNSUBSCRIBE", "-WHOKNOWS a proxy of its own kind\r\n"},
    };
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct redis_peer peer;
        struct rig rig;
        struct refusal refusal = refusals[i];
        redis_peer_start(&peer, refuse, &refusal);
        struct freshet_redis_options options = rig_options(peer.url);
        options.probe_interval_ms = FRESHET_NEVER;
        rig_start(&rig, &options);
        rig_subscribe(&rig, "x", 1);
        rig_expect_subscribed(&rig, "x", 1);
        rig.bus->ops->unsubscribe(rig.bus, freshet_span_text("x"));
        rig_subscribe(&rig, "x", 2);
        rig_expect_subscribed(&rig, "x", 2);
        cr_assert_eq(rig_publish(&rig, "x", "", true, NULL), FRESHET_OK);
        cr_assert(recorder_wait(&rig.heard, RECORD_PUBLISHED, NULL, 1, WAIT_MS));
        cr_assert_eq(rig_stats(&rig).reconnects, 0, "%s", refusal.error);
        cr_assert_eq(recorder_count_state(&rig.heard, FRESHET_BUS_DOWN), 0, "%s", refusal.error);
        rig_stop(&rig);
        redis_peer_stop(&peer);
    }
}

/* contract 7.6: these are about the connection */
Test(redis_errors, tries_again_later_when_the_connection_itself_is_refused, .timeout = 120)
{
    static const struct refusal refusals[] = {
        {"CLIENT", "-DENIED Redis is running in protected mode because protected mode is enabled\r\n"},
        {"PING", "-NOAUTH Authentication required.\r\n"},
        {"PING", "-LOADING Redis is loading the dataset in memory\r\n"},
        {"ROLE", "-BUSY Redis is busy running a script.\r\n"},
    };
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct redis_peer peer;
        struct rig rig;
        struct refusal refusal = refusals[i];
        redis_peer_start(&peer, refuse, &refusal);
        rig_start_url(&rig, peer.url);
        cr_assert(recorder_wait_log(&rig.heard, "redis subscribe link: ", WAIT_MS));
        char words[16];
        snprintf(words, sizeof(words), "\"%.6s", refusal.error + 1);
        cr_assert(recorder_wait_log(&rig.heard, words, WAIT_MS), "%s", rig.heard.log);
        cr_assert_eq(rig_stats(&rig).state, FRESHET_BUS_DOWN);
        rig_stop(&rig);
        redis_peer_stop(&peer);
    }
}

/* contract 7.6: pub/sub works there, so nothing else would say it */
Test(redis_errors, node_of_a_cluster_is_told_of_once_with_the_right_form, .timeout = 120)
{
    struct redis_server server;
    struct rig rig;
    char bus_port[8];
    const char *told = "a node of a cluster: use redis+cluster://host1,host2", *first;
    snprintf(bus_port, sizeof(bus_port), "%d", redis_server_free_port());
    redis_server_start(&server,
                       (const char *[]){"--cluster-enabled", "yes", "--cluster-port", bus_port, NULL});
    rig_start_url(&rig, server.url);
    rig_wait_proved(&rig, 1);
    cr_assert(redis_server_ask(&server, NULL, 0, "CLIENT", "KILL", "TYPE", "pubsub", NULL));
    rig_wait_proved(&rig, 2);
    first = strstr(rig.heard.log, told);
    cr_assert_not_null(first, "%s", rig.heard.log);
    cr_assert_null(strstr(first + 1, told), "%s", rig.heard.log);
    rig_stop(&rig);
    redis_server_stop(&server);
}
