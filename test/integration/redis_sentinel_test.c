/* The bus and the data link behind real sentinels: whichever way the master changes, nothing that was
 * accepted is lost, and nobody stays behind. */
#include "redis_peer.h"
#include "redis_relay.h"
#include "redis_rig.h"
#include "redis_sentinel.h"
#include <signal.h>
#include <stdatomic.h>

#define FRESH_MS 1000 /* contract 7.8: after the new master is elected */

static struct redis_sentinel group;
static struct rig rig;

static void start(const char *url)
{
    rig_start_url(&rig, url);
    rig_subscribe(&rig, "x", 1);
    rig_expect_subscribed(&rig, "x", 1);
    rig_wait_proved(&rig, 1);
}

static void start_all(void)
{
    redis_sentinel_start(&group, NULL);
    start(group.url);
}

static void stop_all(void)
{
    rig_stop(&rig);
    redis_sentinel_stop(&group);
}

static unsigned clients_of(int server, const char *name)
{
    static char text[65536];
    unsigned count = 0;
    cr_assert(redis_server_ask(&group.servers[server], text, sizeof(text), "CLIENT", "LIST", NULL));
    for (const char *at = text; (at = strstr(at, name)) != NULL; at++)
        count++;
    return count;
}

/* A publish of the rig's comes back to it, by the server that is the master. */
static void expect_delivery(int master, size_t count)
{
    cr_assert_eq(rig_publish(&rig, "x", "", true, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&rig.heard, RECORD_MESSAGE, "x", count, WAIT_MS), "%s", rig.heard.log);
    cr_assert_eq(clients_of(master, "name=freshet-subscribe"), 1);
}

static void expect_fresh_since(int64_t elected_ms)
{
    rig_expect_subscribed(&rig, "x", 2);
    cr_assert_lt(rig_now_ms() - elected_ms, 10 * FRESH_MS);
}

/* contract 7.8 */
Test(redis_sentinel, follows_a_failover_that_is_asked_for, .timeout = 120)
{
    start_all();
    int master = redis_sentinel_failover(&group);
    expect_fresh_since(rig_now_ms());
    expect_delivery(master, 1);
    cr_assert(recorder_log_has(&rig.heard, "the sentinels name another master"), "%s", rig.heard.log);
    stop_all();
}

/* contract 7.8 */
Test(redis_sentinel, follows_when_the_master_is_killed_and_when_it_is_back, .timeout = 120)
{
    start_all();
    redis_server_kill(&group.servers[0]);
    cr_assert_eq(rig_publish(&rig, "x", "", true, NULL), FRESHET_OK);
    int master = redis_sentinel_await_master(&group, 0);
    expect_fresh_since(rig_now_ms());
    cr_assert(recorder_wait(&rig.heard, RECORD_PUBLISHED, NULL, 1, WAIT_MS), "%s", rig.heard.log);
    expect_delivery(master, 1);
    redis_sentinel_restart(&group, 0);
    redis_sentinel_await_replica(&group, 0);
    expect_delivery(master, 2);
    cr_assert_eq(recorder_count(&rig.heard, RECORD_SUBSCRIBED, "x"), 2, "the old one is nobody's master: %s",
                 rig.heard.log);
    stop_all();
}

/* contract 7.8: it hangs, is replaced, and goes on as if nothing had happened */
Test(redis_sentinel, leaves_a_master_that_was_replaced_whatever_it_answers, .timeout = 120)
{
    struct redis_sentinel_options options = {.replicas = 2};
    redis_sentinel_start(&group, &options);
    start(group.url);
    redis_server_signal(&group.servers[0], SIGSTOP);
    int master = redis_sentinel_await_master(&group, 0);
    expect_fresh_since(rig_now_ms());
    redis_server_signal(&group.servers[0], SIGCONT);
    expect_delivery(master, 1);
    cr_assert_eq(clients_of(master, "name=freshet-command"), 1);
    stop_all();
}

/* Sentinels of its own way, so that it can be kept from hearing of them. */
static void start_behind_relays(struct rig *other, struct redis_relay *relays)
{
    char url[256] = "redis+sentinel://";
    for (int i = 0; i < REDIS_SENTINELS; i++) {
        redis_relay_start(&relays[i], group.sentinels[i].port);
        snprintf(url + strlen(url), sizeof(url) - strlen(url), "%s%s", i == 0 ? "" : ",",
                 strstr(relays[i].url, "127."));
    }
    strcat(url, "/main");
    rig_start_url(other, url);
    rig_wait_proved(other, 1);
}

/* contract 7.8, 7.4: it publishes to the old master for as long as that takes it */
Test(redis_sentinel, publish_that_only_an_old_master_took_makes_all_load_again, .timeout = 120)
{
    struct rig other;
    struct redis_relay relays[REDIS_SENTINELS];
    size_t published = 0;
    char answer[64] = "";
    start_all();
    start_behind_relays(&other, relays);
    for (int i = 0; i < REDIS_SENTINELS; i++)
        redis_relay_hold(&relays[i], NULL);
    cr_assert(
        redis_server_ask(&group.sentinels[0], answer, sizeof(answer), "SENTINEL", "FAILOVER", "main", NULL));
    cr_assert_str_eq(answer, "OK");
    for (int64_t end_ms = rig_now_ms() + WAIT_MS; rig_stats(&other).doubts == 0; published++) {
        cr_assert_eq(rig_publish(&other, "x", "", true, NULL), FRESHET_OK);
        rig_nap(end_ms, other.heard.log);
    }
    rig_expect_subscribed(&rig, "x", 2);
    cr_assert(recorder_wait(&rig.heard, RECORD_EVERYTHING, NULL, 1, WAIT_MS), "%s", other.heard.log);
    cr_assert(recorder_wait(&other.heard, RECORD_PUBLISHED, NULL, published, WAIT_MS));
    rig_stop(&other);
    for (int i = 0; i < REDIS_SENTINELS; i++)
        redis_relay_stop(&relays[i]);
    stop_all();
}

/* contract 7.8 */
Test(redis_sentinel, any_sentinel_will_do, .timeout = 120)
{
    redis_sentinel_start(&group, NULL);
    redis_server_kill(&group.sentinels[0]);
    redis_server_signal(&group.sentinels[1], SIGSTOP);
    start(group.url);
    redis_server_signal(&group.sentinels[1], SIGCONT);
    expect_delivery(0, 1);
    redis_server_kill(&group.sentinels[2]);
    cr_assert(redis_server_ask(&group.servers[0], NULL, 0, "CLIENT", "KILL", "TYPE", "pubsub", NULL));
    rig_expect_subscribed(&rig, "x", 2);
    expect_delivery(0, 2);
    stop_all();
}

/* contract 7.8: the links stand while nobody can be asked */
Test(redis_sentinel, does_without_sentinels_while_the_master_stands, .timeout = 120)
{
    start_all();
    for (int i = 0; i < REDIS_SENTINELS; i++)
        redis_server_kill(&group.sentinels[i]);
    expect_delivery(0, 1);
    cr_assert_eq(rig_stats(&rig).reconnects, 0);
    stop_all();
}

/* contract 7.8 */
Test(redis_sentinel, says_which_sentinel_knows_no_such_master, .timeout = 120)
{
    char url[192], text[128];
    redis_sentinel_start(&group, NULL);
    snprintf(url, sizeof(url), "%.*sthe-other", (int)(strrchr(group.url, '/') + 1 - group.url), group.url);
    rig_start_url(&rig, url);
    snprintf(text, sizeof(text), "it knows no master called \"the-other\"");
    cr_assert(recorder_wait_log(&rig.heard, text, WAIT_MS), "%s", rig.heard.log);
    cr_assert(recorder_log_has(&rig.heard, "redis subscribe link: sentinel 127.0.0.1:"));
    stop_all();
}

/* contract 7.8, 7.7: the passwords are two */
Test(redis_sentinel, logs_in_at_sentinels_and_servers_each_with_its_own_password, .timeout = 120)
{
    char url[192];
    struct redis_sentinel_options with = {.password = "of-the-data", .sentinel_password = "of-the-sentinels"};
    redis_sentinel_start(&group, &with);
    snprintf(url, sizeof(url), "redis+sentinel://:of-the-data@%s", strstr(group.url, "127."));
    struct freshet_redis_options options = rig_options(url);
    options.sentinel_password = "of-the-sentinels";
    rig_start(&rig, &options);
    rig_subscribe(&rig, "x", 1);
    rig_expect_subscribed(&rig, "x", 1);
    rig_wait_proved(&rig, 1);
    expect_delivery(0, 1);
    rig_stop(&rig);
    rig_start_url(&rig, url);
    cr_assert(recorder_wait_log(&rig.heard, "login refused", WAIT_MS) ||
                  recorder_log_has(&rig.heard, "NOAUTH"),
              "%s", rig.heard.log);
    cr_assert_not(recorder_log_has(&rig.heard, "of-the-data"));
    stop_all();
}

/* contract 7.8: what redis.h says is enough */
Test(redis_sentinel, user_of_the_sentinels_needs_few_rights, .timeout = 120)
{
    char text[64];
    redis_sentinel_start(&group, NULL);
    for (int i = 0; i < REDIS_SENTINELS; i++) {
        cr_assert(redis_server_ask(&group.sentinels[i], text, sizeof(text), "ACL", "SETUSER", "watcher", "on",
                                   ">word", "resetchannels", "&+switch-master",
                                   "+sentinel|get-master-addr-by-name", "+subscribe", "+unsubscribe", "+ping",
                                   "+client|setname", NULL));
        cr_assert_str_eq(text, "OK");
    }
    struct freshet_redis_options options = rig_options(group.url);
    options.sentinel_user = "watcher";
    options.sentinel_password = "word";
    rig_start(&rig, &options);
    rig_subscribe(&rig, "x", 1);
    rig_expect_subscribed(&rig, "x", 1);
    rig_wait_proved(&rig, 1);
    expect_delivery(redis_sentinel_failover(&group), 1);
    for (int i = 0; i < REDIS_SENTINELS; i++) {
        cr_assert(redis_server_ask(&group.sentinels[i], text, sizeof(text), "ACL", "LOG", NULL));
        cr_assert_str_eq(text, "", "nothing was refused");
    }
    stop_all();
}

/* ---- the data link ---- */

struct data_scene {
    atomic_int answered;
    atomic_int status;
    char text[128];
};

static void note_answer(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    struct data_scene *scene = user;
    if (reply != NULL)
        snprintf(scene->text, sizeof(scene->text), "%.*s", (int)reply->text.len, reply->text.data);
    atomic_store(&scene->status, (int)status);
    atomic_fetch_add(&scene->answered, 1);
}

static void command(struct freshet_redis_data *data, struct data_scene *scene, const char *verb,
                    const char *key, const char *value)
{
    struct freshet_span words[] = {freshet_span_text(verb), freshet_span_text(key),
                                   freshet_span_text(value == NULL ? "" : value)};
    int before = atomic_load(&scene->answered);
    cr_assert_eq(freshet_redis_command(data, words, value == NULL ? 2 : 3, WAIT_MS, note_answer, scene),
                 FRESHET_OK);
    for (int64_t end_ms = rig_now_ms() + WAIT_MS; atomic_load(&scene->answered) == before;)
        rig_nap(end_ms, "no answer");
}

/* contract 7.8: the link for commands, too */
Test(redis_sentinel, data_link_follows_the_master, .timeout = 120)
{
    struct freshet_redis_data *data;
    struct data_scene scene = {.answered = 0};
    redis_sentinel_start(&group, NULL);
    struct freshet_redis_data_options options = {.size = sizeof(options), .link = rig_options(group.url)};
    cr_assert_eq(freshet_redis_data_new(&data, &options, NULL), FRESHET_OK);
    command(data, &scene, "SET", "key", "old");
    cr_assert_str_eq(scene.text, "OK");
    redis_sentinel_failover(&group);
    command(data, &scene, "SET", "key", "new");
    for (int64_t end_ms = rig_now_ms() + WAIT_MS; strcmp(scene.text, "OK") != 0;) {
        rig_nap(end_ms, scene.text);
        command(data, &scene, "SET", "key", "new");
    }
    command(data, &scene, "GET", "key", NULL);
    cr_assert_str_eq(scene.text, "new");
    freshet_redis_data_destroy(data);
    redis_sentinel_stop(&group);
}

static void wait_for_reader(int server)
{
    for (int64_t end_ms = rig_now_ms() + WAIT_MS; clients_of(server, "name=freshet-data") == 0;)
        rig_nap(end_ms, "the link is elsewhere");
}

/* contract 7.8: a link that only reads leaves the master in peace */
Test(redis_sentinel, link_that_only_reads_goes_to_a_replica_and_to_the_master_if_there_is_none,
     .timeout = 120)
{
    struct freshet_redis_data *data;
    struct data_scene scene = {.answered = 0};
    redis_sentinel_start(&group, &(struct redis_sentinel_options){.replicas = 2});
    struct freshet_redis_data_options options = {
        .size = sizeof(options), .link = rig_options(group.url), .replica_too = true};
    cr_assert_eq(freshet_redis_data_new(&data, &options, NULL), FRESHET_OK);
    command(data, &scene, "GET", "key", NULL);
    cr_assert_eq(clients_of(0, "name=freshet-data"), 0);
    int first = clients_of(1, "name=freshet-data") == 1 ? 1 : 2;
    wait_for_reader(first);
    redis_server_kill(&group.servers[first]);
    wait_for_reader(3 - first);
    command(data, &scene, "GET", "key", NULL);
    redis_server_kill(&group.servers[3 - first]);
    wait_for_reader(0);
    redis_sentinel_restart(&group, 3 - first);
    wait_for_reader(3 - first);
    command(data, &scene, "GET", "key", NULL);
    freshet_redis_data_destroy(data);
    redis_sentinel_stop(&group);
}

/* ---- sentinels that are not what they should be ---- */

/* One that knows a master, or nothing. */
struct teller {
    struct redis_peer peer;
    int master; /* its port; 0: it does not answer */
    atomic_uint asked;
};

static bool tell(void *user, const struct redis_peer_call *call)
{
    struct teller *teller = user;
    char port[8], answer[64];
    if (strcmp(call->verb, "SENTINEL") != 0)
        return false;
    atomic_fetch_add(&teller->asked, 1);
    snprintf(port, sizeof(port), "%d", teller->master);
    snprintf(answer, sizeof(answer), "*2\r\n$9\r\n127.0.0.1\r\n$%zu\r\n%s\r\n", strlen(port), port);
    if (teller->master != 0)
        redis_peer_say(call, answer);
    return true;
}

static void start_tellers(struct teller *tellers, char *url, size_t size)
{
    for (int i = 0; i < 2; i++)
        redis_peer_start(&tellers[i].peer, tell, &tellers[i]);
    snprintf(url, size, "redis+sentinel://%s,%s/main", strstr(tellers[0].peer.url, "127."),
             strstr(tellers[1].peer.url, "127."));
    rig_start_url(&rig, url);
}

/* contract 7.8: it names a server that is a replica, or none at all */
Test(redis_sentinel, one_that_names_no_master_does_not_keep_the_bus_from_it, .timeout = 120)
{
    struct redis_server master, replica;
    char url[128];
    redis_server_start(&master, NULL);
    redis_server_start(&replica, NULL);
    snprintf(url, sizeof(url), "%d", master.port);
    cr_assert(redis_server_ask(&replica, NULL, 0, "REPLICAOF", "127.0.0.1", url, NULL));
    struct teller tellers[] = {{.master = replica.port}, {.master = master.port}};
    start_tellers(tellers, url, sizeof(url));
    rig_wait_proved(&rig, 1);
    cr_assert_geq(atomic_load(&tellers[1].asked), 1);
    rig_stop(&rig);
    tellers[0].master = 1;
    rig_start_url(&rig, url);
    rig_wait_proved(&rig, 1);
    rig_stop(&rig);
    for (int i = 0; i < 2; i++)
        redis_peer_stop(&tellers[i].peer);
    redis_server_stop(&replica);
    redis_server_stop(&master);
}

/* contract 7.8 */
Test(redis_sentinel, one_that_takes_questions_and_gives_no_answers_is_passed_by, .timeout = 120)
{
    struct redis_server master;
    char url[128];
    redis_server_start(&master, NULL);
    struct teller tellers[] = {{.master = 0}, {.master = master.port}};
    start_tellers(tellers, url, sizeof(url));
    rig_wait_proved(&rig, 1);
    cr_assert_geq(atomic_load(&tellers[0].asked), 1);
    rig_stop(&rig);
    for (int i = 0; i < 2; i++)
        redis_peer_stop(&tellers[i].peer);
    redis_server_stop(&master);
}

/* contract 7.8: for who left the scheme as it was */
Test(redis_sentinel, url_of_one_server_that_leads_to_a_sentinel_says_so, .timeout = 120)
{
    redis_sentinel_start(&group, NULL);
    rig_start_url(&rig, group.sentinels[0].url);
    cr_assert(recorder_wait_log(&rig.heard, "a sentinel: use redis+sentinel://host1,host2/name", WAIT_MS),
              "%s", rig.heard.log);
    stop_all();
}

/* contract 7.8: and the other way round */
Test(redis_sentinel, url_of_sentinels_that_leads_to_a_server_says_so, .timeout = 120)
{
    struct redis_server server;
    char url[64];
    redis_server_start(&server, NULL);
    snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:%d/main", server.port);
    rig_start_url(&rig, url);
    cr_assert(recorder_wait_log(&rig.heard, "it is no sentinel: use redis://", WAIT_MS), "%s", rig.heard.log);
    rig_stop(&rig);
    redis_server_stop(&server);
}

/* contract 7.8: sentinels and servers alike */
Test(redis_sentinel, all_of_it_goes_over_tls, .timeout = 120)
{
    struct redis_server data, sentinel, other;
    char url[96], ca[128];
    redis_server_start_tls(&data);
    redis_server_prepare(&sentinel);
    redis_server_prepare(&other); /* for its port */
    sentinel.tls_port = other.port;
    snprintf(sentinel.certificates, sizeof(sentinel.certificates), "%s", data.certificates);
    snprintf(sentinel.config, sizeof(sentinel.config), "%s/sentinel.conf", sentinel.directory);
    FILE *file = fopen(sentinel.config, "w");
    cr_assert_not_null(file);
    fprintf(file, "tls-replication yes\nsentinel monitor main 127.0.0.1 %d 1\n", data.tls_port);
    fclose(file);
    redis_server_run(&sentinel, (const char *[]){"--sentinel", NULL});
    snprintf(url, sizeof(url), "rediss+sentinel://127.0.0.1:%d/main", sentinel.tls_port);
    snprintf(ca, sizeof(ca), "%s/ca.pem", data.certificates);
    struct freshet_redis_options options = rig_options(url);
    options.tls_ca_file = ca;
    rig_start(&rig, &options);
    rig_wait_proved(&rig, 1);
    rig_stop(&rig);
    redis_server_stop(&sentinel);
    redis_server_stop(&other);
    redis_server_stop(&data);
}
