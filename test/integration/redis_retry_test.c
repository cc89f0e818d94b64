/* A program of its own: it takes half a minute, and others run meanwhile. */
#include "redis_rig.h"
#include <time.h>

/* contract 7.6: alone, every 30 s, and the link stays */
Test(redis_refusal, tries_a_forbidden_channel_again_after_half_a_minute, .timeout = 250)
{
    struct redis_server server;
    struct rig rig;
    struct timespec begin, end;
    char url[128];
    redis_server_start(&server, NULL);
    cr_assert(redis_server_ask(&server, NULL, 0, "ACL", "SETUSER", "bob", "on", ">word", "resetchannels",
                               "&freshet:ok", "&freshet:/*", "+@all", NULL));
    snprintf(url, sizeof(url), "redis://bob:word@127.0.0.1:%d", server.port);
    rig_start_url(&rig, url);
    rig_subscribe(&rig, "ok", 1);
    rig_subscribe(&rig, "later", 2);
    cr_assert(recorder_wait(&rig.heard, RECORD_REFUSED, "later", 1, WAIT_MS));
    rig_expect_subscribed(&rig, "ok", 1);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    cr_assert(redis_server_ask(&server, NULL, 0, "ACL", "SETUSER", "bob", "&freshet:later", NULL));
    cr_assert(recorder_wait(&rig.heard, RECORD_SUBSCRIBED, "later", 1, 200000));
    clock_gettime(CLOCK_MONOTONIC, &end);
    cr_assert_geq(end.tv_sec - begin.tv_sec, 25);
    cr_assert_eq(recorder_count(&rig.heard, RECORD_REFUSED, NULL), 1);
    cr_assert_eq(recorder_count(&rig.heard, RECORD_SUBSCRIBED, "ok"), 1);
    cr_assert_eq(recorder_count_state(&rig.heard, FRESHET_BUS_DOWN), 0);
    rig_stop(&rig);
    redis_server_stop(&server);
}
