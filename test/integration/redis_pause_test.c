/* Servers that are slow, that hold publishes back, and links that are half-open: what is rebuilt, and what is
 * not. */
#include "redis_relay.h"
#include "redis_rig.h"

#define TIMEOUT_MS 1000 /* of a silent link; the default is five times that */

struct scene {
    struct redis_server server;
    struct redis_relay relay;
    struct rig rig;
};

static void start(struct scene *scene, uint32_t link_timeout_ms)
{
    redis_server_start(&scene->server, NULL);
    redis_relay_start(&scene->relay, scene->server.port);
    struct freshet_redis_options options = rig_options(scene->relay.url);
    options.link_timeout_ms = link_timeout_ms;
    rig_start(&scene->rig, &options);
    rig_subscribe(&scene->rig, "x", 1);
    rig_expect_subscribed(&scene->rig, "x", 1);
    rig_wait_proved(&scene->rig, 1);
}

static void stop(struct scene *scene)
{
    rig_stop(&scene->rig);
    redis_relay_stop(&scene->relay);
    redis_server_stop(&scene->server);
}

static void expect_links(struct scene *scene, unsigned subscribing, unsigned commanding)
{
    cr_assert_eq(redis_relay_count(&scene->relay, "freshet-subscribe"), subscribing, "%s",
                 scene->rig.heard.log);
    cr_assert_eq(redis_relay_count(&scene->relay, "freshet-command"), commanding, "%s", scene->rig.heard.log);
    cr_assert_eq(recorder_count_state(&scene->rig.heard, FRESHET_BUS_DOWN), subscribing - 1);
    cr_assert_eq(recorder_count(&scene->rig.heard, RECORD_SUBSCRIBED, "x"), subscribing);
}

/* contract 7.5: not proved, nothing rebuilt, nothing loaded; and all goes on where it was */
Test(redis_pause, keeps_its_links_while_publishes_are_held_back, .timeout = 120)
{
    struct scene scene;
    start(&scene, TIMEOUT_MS);
    cr_assert(redis_server_ask(&scene.server, NULL, 0, "CLIENT", "PAUSE", "6000", "WRITE", NULL));
    int64_t begin_ms = rig_now_ms();
    cr_assert_eq(rig_publish(&scene.rig, "x", "waits", false, NULL), FRESHET_OK);
    cr_assert(recorder_wait_state(&scene.rig.heard, FRESHET_BUS_UP, 2, WAIT_MS));
    cr_assert(recorder_wait_log(&scene.rig.heard, "Redis holds publishes back", WAIT_MS));
    cr_assert(recorder_wait(&scene.rig.heard, RECORD_MESSAGE, "x", 1, WAIT_MS));
    cr_assert_gt(rig_now_ms() - begin_ms, 5000, "that was no pause");
    rig_wait_proved(&scene.rig, 2);
    expect_links(&scene, 1, 1);
    cr_assert_eq(recorder_count(&scene.rig.heard, RECORD_MESSAGE, "x"), 1);
    cr_assert_eq(recorder_count(&scene.rig.heard, RECORD_EVERYTHING, NULL), 0);
    cr_assert_eq(rig_stats(&scene.rig).doubts, 0);
    stop(&scene);
}

/* The witness is there before the pause, since something was just published. */
Test(redis_pause, keeps_its_links_when_the_pause_begins_with_something_in_doubt, .timeout = 120)
{
    struct scene scene;
    start(&scene, TIMEOUT_MS);
    cr_assert_eq(rig_publish(&scene.rig, "x", "", true, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&scene.rig.heard, RECORD_MESSAGE, "x", 1, WAIT_MS));
    cr_assert(redis_server_ask(&scene.server, NULL, 0, "CLIENT", "PAUSE", "4000", "WRITE", NULL));
    cr_assert(recorder_wait_state(&scene.rig.heard, FRESHET_BUS_UP, 2, WAIT_MS));
    rig_wait_proved(&scene.rig, 2);
    expect_links(&scene, 1, 1);
    cr_assert_eq(rig_stats(&scene.rig).doubts, 0);
    stop(&scene);
}

/* contract 7.5: each answer takes two to three seconds, as the default time-out has to bear */
Test(redis_pause, keeps_its_links_while_each_answer_takes_seconds, .timeout = 120)
{
    struct scene scene;
    start(&scene, 0);
    redis_relay_delay(&scene.relay, true);
    cr_assert(recorder_wait_state(&scene.rig.heard, FRESHET_BUS_UP, 2, WAIT_MS));
    for (size_t i = 1; i <= 4; i++) {
        cr_assert_eq(rig_publish(&scene.rig, "x", "body", false, NULL), FRESHET_OK);
        cr_assert(recorder_wait(&scene.rig.heard, RECORD_PUBLISHED, NULL, i, WAIT_MS));
        cr_assert(recorder_wait(&scene.rig.heard, RECORD_MESSAGE, "x", i, WAIT_MS));
    }
    cr_assert_eq(recorder_count_state(&scene.rig.heard, FRESHET_BUS_PROVED), 1, "steadily not proved");
    redis_relay_delay(&scene.relay, false);
    rig_wait_proved(&scene.rig, 2);
    expect_links(&scene, 1, 1);
    stop(&scene);
}

static void stall(void *context, struct freshet_span topic, struct freshet_span body, bool oversized)
{
    (void)context, (void)topic, (void)body, (void)oversized;
    nanosleep(&(struct timespec){.tv_sec = 2 * TIMEOUT_MS / 1000}, NULL);
}

/* contract 7.3: silent is who was asked; here nobody could ask, since the process stood still
 */
Test(redis_pause, keeps_its_links_over_a_stall_of_its_own, .timeout = 120)
{
    struct scene scene;
    redis_server_start(&scene.server, NULL);
    redis_relay_start(&scene.relay, scene.server.port);
    struct freshet_redis_options options = rig_options(scene.relay.url);
    options.link_timeout_ms = TIMEOUT_MS;
    cr_assert_eq(freshet_redis_bus_new(&scene.rig.bus, &options, NULL), FRESHET_OK);
    recorder_init(&scene.rig.heard);
    struct freshet_bus_sink sink = recorder_sink(&scene.rig.heard);
    sink.message = stall;
    cr_assert_eq(scene.rig.bus->ops->start(scene.rig.bus, &sink, NULL), FRESHET_OK);
    rig_subscribe(&scene.rig, "x", 1);
    rig_expect_subscribed(&scene.rig, "x", 1);
    rig_wait_proved(&scene.rig, 1);
    for (size_t i = 1; i <= 3; i++) {
        cr_assert_eq(rig_publish(&scene.rig, "x", "", true, NULL), FRESHET_OK);
        cr_assert(recorder_wait(&scene.rig.heard, RECORD_PUBLISHED, NULL, i, WAIT_MS));
    }
    expect_links(&scene, 1, 1);
    stop(&scene);
}

/* contract 7.3: the command link alone; the subscriptions stay in force, so nothing is loaded */
Test(redis_pause, finds_a_half_open_command_link_and_rebuilds_it_alone, .timeout = 120)
{
    struct scene scene;
    start(&scene, TIMEOUT_MS);
    redis_relay_hold(&scene.relay, "freshet-command");
    int64_t begin_ms = rig_now_ms();
    cr_assert_eq(rig_publish(&scene.rig, "x", "again", false, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&scene.rig.heard, RECORD_MESSAGE, "x", 1, WAIT_MS));
    cr_assert_lt(rig_now_ms() - begin_ms, 10 * TIMEOUT_MS);
    rig_wait_proved(&scene.rig, 2);
    expect_links(&scene, 1, 2);
    cr_assert_eq(recorder_count(&scene.rig.heard, RECORD_EVERYTHING, NULL), 0);
    stop(&scene);
}

/* contract 7.3 */
Test(redis_pause, finds_a_half_open_subscribe_link_and_rebuilds_it_alone, .timeout = 120)
{
    struct scene scene;
    start(&scene, TIMEOUT_MS);
    redis_relay_hold(&scene.relay, "freshet-subscribe");
    int64_t begin_ms = rig_now_ms();
    rig_wait_down(&scene.rig, 1);
    cr_assert_lt(rig_now_ms() - begin_ms, 10 * TIMEOUT_MS);
    rig_expect_subscribed(&scene.rig, "x", 2);
    rig_wait_proved(&scene.rig, 2);
    expect_links(&scene, 2, 1);
    stop(&scene);
}

/* contract 7.3 */
Test(redis_pause, finds_both_links_half_open, .timeout = 120)
{
    struct scene scene;
    start(&scene, TIMEOUT_MS);
    redis_relay_hold(&scene.relay, NULL);
    int64_t begin_ms = rig_now_ms();
    rig_wait_down(&scene.rig, 1);
    rig_wait_proved(&scene.rig, 2);
    cr_assert_lt(rig_now_ms() - begin_ms, 10 * TIMEOUT_MS);
    expect_links(&scene, 2, 2);
    stop(&scene);
}

/* Half-open while the server pauses: a new link would wait as well, so it is found when the pause is over. */
Test(redis_pause, finds_a_half_open_command_link_after_a_pause, .timeout = 120)
{
    struct scene scene;
    start(&scene, TIMEOUT_MS);
    cr_assert(redis_server_ask(&scene.server, NULL, 0, "CLIENT", "PAUSE", "3000", "WRITE", NULL));
    redis_relay_hold(&scene.relay, "freshet-command");
    cr_assert_eq(rig_publish(&scene.rig, "x", "again", false, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&scene.rig.heard, RECORD_MESSAGE, "x", 1, WAIT_MS));
    rig_wait_proved(&scene.rig, 2);
    expect_links(&scene, 1, 2);
    stop(&scene);
}
