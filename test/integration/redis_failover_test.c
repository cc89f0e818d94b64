/* A master is replaced while links stand, and what was accepted meanwhile must not be lost: two instances
 * behind addresses that move, the state in a store that is elsewhere. */
#include "redis_relay.h"
#include "redis_rig.h"

/* R2 replicates R1. Each instance has an address of its own, so that one can be moved before the other. */
struct scene {
    struct redis_server first, second;
    struct redis_relay to_a, to_b;
    struct rig a, b;
};

static void follow(const struct redis_server *replica, const struct redis_server *master)
{
    char port[16];
    snprintf(port, sizeof(port), "%d", master->port);
    cr_assert(redis_server_ask(replica, NULL, 0, "REPLICAOF", "127.0.0.1", port, NULL));
}

static void promote(const struct redis_server *server)
{
    cr_assert(redis_server_ask(server, NULL, 0, "REPLICAOF", "NO", "ONE", NULL));
}

static void allow(const struct redis_server *server, const char *but)
{
    cr_assert(redis_server_ask(server, NULL, 0, "ACL", "SETUSER", "b", "on", ">word", "&freshet:*", "+@all",
                               but, NULL));
}

/* `but`: a right that B lacks; NULL: B has no user of its own. */
static void start_without(struct scene *scene, uint32_t probe_interval_of_b_ms, const char *but)
{
    char url[96];
    redis_server_start(&scene->first, NULL);
    redis_server_start(&scene->second, NULL);
    if (but != NULL) {
        allow(&scene->first, but);
        allow(&scene->second, but);
    }
    follow(&scene->second, &scene->first);
    redis_relay_start(&scene->to_a, scene->first.port);
    redis_relay_start(&scene->to_b, scene->first.port);
    struct freshet_redis_options options = rig_options(scene->to_a.url);
    options.probe_interval_ms = 200;
    rig_start(&scene->a, &options);
    snprintf(url, sizeof(url), "redis://%s%s", but == NULL ? "" : "b:word@", strchr(scene->to_b.url, '1'));
    options = rig_options(url);
    options.probe_interval_ms = probe_interval_of_b_ms;
    rig_start(&scene->b, &options);
    rig_subscribe(&scene->a, "x", 1);
    rig_expect_subscribed(&scene->a, "x", 1);
    rig_wait_proved(&scene->a, 1);
    rig_wait_proved(&scene->b, 1);
}

static void start(struct scene *scene, uint32_t probe_interval_of_b_ms)
{
    start_without(scene, probe_interval_of_b_ms, NULL);
}

static void stop(struct scene *scene)
{
    rig_stop(&scene->a);
    rig_stop(&scene->b);
    redis_relay_stop(&scene->to_a);
    redis_relay_stop(&scene->to_b);
    redis_server_stop(&scene->first);
    redis_server_stop(&scene->second);
}

static void move_addresses(struct scene *scene)
{
    redis_relay_move(&scene->to_a, scene->second.port);
    redis_relay_move(&scene->to_b, scene->second.port);
}

/* B publishes, and it is accepted, without having reached A. */
static void publish_in_vain(struct scene *scene)
{
    struct record record;
    cr_assert_eq(rig_publish(&scene->b, "x", "", true, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&scene->b.heard, RECORD_PUBLISHED, NULL, 1, WAIT_MS));
    cr_assert(recorder_get(&scene->b.heard, RECORD_PUBLISHED, NULL, 0, &record));
    cr_assert_eq(record.status, FRESHET_OK);
    cr_assert_eq(record.receivers, 0);
    cr_assert_eq(recorder_count(&scene->a.heard, RECORD_MESSAGE, "x"), 0);
}

static void expect_made_good(struct scene *scene)
{
    cr_assert(recorder_wait(&scene->a.heard, RECORD_EVERYTHING, NULL, 1, WAIT_MS), "%s", scene->b.heard.log);
    cr_assert_eq(rig_stats(&scene->b).doubts, 1);
    /* And once: the mark has been vouched for in its turn. */
    cr_assert_eq(rig_publish(&scene->b, "x", "", true, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&scene->a.heard, RECORD_MESSAGE, "x", 1, WAIT_MS));
    cr_assert_eq(recorder_count(&scene->a.heard, RECORD_EVERYTHING, NULL), 1);
}

static unsigned count_witnesses(struct rig *rig)
{
    return (unsigned)rig_stats(rig).witnesses;
}

static void wait_for_witnesses(struct rig *rig, unsigned count)
{
    for (int64_t end_ms = rig_now_ms() + WAIT_MS; count_witnesses(rig) < count;)
        rig_nap(end_ms, rig->heard.log);
}

/* contract 3.2, 7.4: A has moved already, B has not asked for the role yet */
Test(redis_failover, makes_good_what_a_master_accepted_that_was_one_no_more, .timeout = 120)
{
    struct scene scene;
    start(&scene, 10000);
    promote(&scene.second);
    follow(&scene.first, &scene.second);
    move_addresses(&scene);
    rig_expect_subscribed(&scene.a, "x", 2);
    publish_in_vain(&scene);
    expect_made_good(&scene);
    stop(&scene);
}

/* contract 7.5: the old master is never told, and goes on saying that it is one */
Test(redis_failover, finds_in_a_split_brain_that_its_publishes_reach_nobody, .timeout = 120)
{
    struct scene scene;
    char answer[256];
    start(&scene, 60000); /* the doubt sends probes of its own */
    promote(&scene.second);
    move_addresses(&scene);
    redis_relay_cut(&scene.to_a, NULL);
    rig_expect_subscribed(&scene.a, "x", 2);
    publish_in_vain(&scene);
    expect_made_good(&scene);
    cr_assert_eq(rig_stats(&scene.b).elsewhere, 1);
    cr_assert(recorder_log_has(&scene.b.heard, "the address leads to another server by now"));
    cr_assert(redis_server_ask(&scene.first, answer, sizeof(answer), "ROLE", NULL));
    cr_assert_eq(strncmp(answer, "master", 6), 0, "nobody has told it");
    stop(&scene);
}

/* contract 7.6: ROLE may not be asked, and still it is found */
Test(redis_failover, finds_a_demoted_master_without_asking_for_its_role, .timeout = 120)
{
    struct scene scene;
    start_without(&scene, 0, "-role");
    promote(&scene.second);
    follow(&scene.first, &scene.second);
    move_addresses(&scene);
    rig_expect_subscribed(&scene.a, "x", 2);
    publish_in_vain(&scene);
    expect_made_good(&scene);
    cr_assert_eq(rig_stats(&scene.b).elsewhere, 1);
    stop(&scene);
}

/* contract 7.4: nobody vouches, so it stays in doubt until the link ends */
Test(redis_failover, makes_a_split_brain_good_in_the_end_when_no_witness_can_be_had, .timeout = 120)
{
    struct scene scene;
    start(&scene, 0);
    promote(&scene.second);
    redis_relay_move(&scene.to_a, scene.second.port);
    redis_relay_move(&scene.to_b, 1); /* nobody listens there */
    redis_relay_cut(&scene.to_a, NULL);
    rig_expect_subscribed(&scene.a, "x", 2);
    publish_in_vain(&scene);
    cr_assert(recorder_wait_log(&scene.b.heard, "redis witness: ", WAIT_MS));
    cr_assert_eq(rig_stats(&scene.b).reconnects, 0, "a witness that cannot come does no harm");
    cr_assert_eq(count_witnesses(&scene.b), 0);
    redis_relay_move(&scene.to_b, scene.second.port);
    redis_relay_cut(&scene.to_b, "freshet-command");
    expect_made_good(&scene);
    stop(&scene);
}

/* contract 7.4: nothing was published that nobody has vouched for, so nobody loads more than the gap asks for
 */
Test(redis_failover, restart_without_a_publish_in_the_window_marks_nothing, .timeout = 120)
{
    struct scene scene;
    start(&scene, 0);
    cr_assert_eq(rig_publish(&scene.b, "x", "", true, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&scene.a.heard, RECORD_MESSAGE, "x", 1, WAIT_MS));
    wait_for_witnesses(&scene.b, 1);
    redis_server_kill(&scene.first);
    rig_wait_down(&scene.a, 1);
    rig_wait_down(&scene.b, 1);
    redis_server_run(&scene.first, NULL);
    rig_wait_proved(&scene.a, 2);
    rig_wait_proved(&scene.b, 2);
    cr_assert_eq(rig_publish(&scene.b, "x", "", true, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&scene.a.heard, RECORD_MESSAGE, "x", 2, WAIT_MS));
    wait_for_witnesses(&scene.b, 2);
    cr_assert_eq(recorder_count(&scene.a.heard, RECORD_EVERYTHING, NULL), 0);
    cr_assert_eq(rig_stats(&scene.b).doubts, 0);
    cr_assert_eq(rig_stats(&scene.a).doubts, 0);
    cr_assert_eq(count_witnesses(&scene.a), 0, "one that only listens needs none");
    cr_assert_eq(redis_relay_count(&scene.to_a, "freshet-witness"), 0);
    stop(&scene);
}

/* contract 7.5: what goes out on one server does not come in on the other */
Test(redis_failover, brings_links_on_two_servers_together, .timeout = 120)
{
    struct scene scene;
    start(&scene, 200);
    rig_subscribe(&scene.b, "x", 1);
    rig_expect_subscribed(&scene.b, "x", 1);
    promote(&scene.second);
    redis_relay_move(&scene.to_b, scene.second.port);
    redis_relay_cut(&scene.to_b, "freshet-subscribe");
    rig_wait_proved(&scene.b, 2);
    cr_assert(recorder_log_has(&scene.b.heard, "probes do not come back"), "%s", scene.b.heard.log);
    cr_assert_geq(rig_stats(&scene.b).probes_lost, 2);
    cr_assert_eq(redis_relay_count(&scene.to_b, "freshet-command"), 2);
    cr_assert_eq(redis_relay_count(&scene.to_b, "freshet-subscribe"), 3);
    stop(&scene);
}

/* contract 7.2: a burst of publishes is one witness's business */
Test(redis_failover, makes_few_witnesses_for_many_publishes, .timeout = 120)
{
    enum { PUBLISHES = 3000 };
    struct scene scene;
    start(&scene, 0);
    for (size_t i = 1; i <= PUBLISHES; i++) {
        cr_assert_eq(rig_publish(&scene.b, "x", "body", false, NULL), FRESHET_OK);
        cr_assert(recorder_wait(&scene.a.heard, RECORD_MESSAGE, "x", i, WAIT_MS));
    }
    wait_for_witnesses(&scene.b, 1);
    int64_t took_ms = rig_now_ms() - scene.b.started_ms;
    cr_assert_leq(redis_relay_count(&scene.to_b, "freshet-witness"), 2 + (unsigned)(took_ms / 1500));
    cr_assert_eq(recorder_count(&scene.a.heard, RECORD_EVERYTHING, NULL), 0);
    stop(&scene);
}

/* contract 3.2: the last thing that a program does may well be a publish */
Test(redis_failover, waits_at_its_end_until_the_last_publish_is_vouched_for, .timeout = 120)
{
    struct scene scene;
    start(&scene, 0);
    cr_assert_eq(rig_publish(&scene.b, "x", "", true, NULL), FRESHET_OK);
    scene.b.bus->ops->stop(scene.b.bus, WAIT_MS);
    cr_assert_eq(count_witnesses(&scene.b), 1);
    cr_assert_eq(rig_stats(&scene.b).doubts, 0);
    cr_assert(recorder_wait(&scene.a.heard, RECORD_MESSAGE, "x", 1, WAIT_MS));
    stop(&scene);
}

Test(redis_failover, does_not_wait_at_its_end_for_a_witness_that_cannot_come, .timeout = 120)
{
    struct scene scene;
    start(&scene, 0);
    redis_relay_move(&scene.to_b, 1);
    cr_assert_eq(rig_publish(&scene.b, "x", "", true, NULL), FRESHET_OK);
    int64_t begin_ms = rig_now_ms();
    scene.b.bus->ops->stop(scene.b.bus, 60000);
    cr_assert_lt(rig_now_ms() - begin_ms, WAIT_MS);
    cr_assert_eq(count_witnesses(&scene.b), 0);
    stop(&scene);
}
