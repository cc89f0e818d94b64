/* What a real Redis cannot be brought to say at will: a scripted peer says it. */
#include "redis_peer.h"
#include "redis_rig.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static void start(struct rig *rig, const struct redis_peer *peer, uint32_t connect_timeout_ms)
{
    struct freshet_redis_options options = rig_options(peer->url);
    options.probe_interval_ms = FRESHET_NEVER;
    options.connect_timeout_ms = connect_timeout_ms;
    rig_start(rig, &options);
}

static bool is_verb(const struct redis_peer_call *call, const char *verb)
{
    return strcmp(call->verb, verb) == 0;
}

static bool refuse_publishes(void *user, const struct redis_peer_call *call)
{
    if (!is_verb(call, "PUBLISH"))
        return false;
    redis_peer_say(call, user);
    return true;
}

static void expect_refused_publish(char *error, const char *clear_text)
{
    struct redis_peer peer;
    struct rig rig;
    struct record record;
    redis_peer_start(&peer, refuse_publishes, error);
    start(&rig, &peer, 0);
    cr_assert_eq(rig_publish(&rig, "x", "body", false, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&rig.heard, RECORD_PUBLISHED, NULL, 1, WAIT_MS));
    cr_assert(recorder_get(&rig.heard, RECORD_PUBLISHED, NULL, 0, &record));
    cr_assert_eq(record.status, FRESHET_REFUSED);
    cr_assert(recorder_log_has(&rig.heard, clear_text), "%s", rig.heard.log);
    cr_assert_eq(recorder_count_state(&rig.heard, FRESHET_BUS_DOWN), 0);
    rig_stop(&rig);
    redis_peer_stop(&peer);
}

/* contract 7.6 */
Test(redis_peer, says_in_clear_text_that_a_cluster_node_refuses_a_publish, .timeout = 120)
{
    char moved[] = "-MOVED 3999 127.0.0.1:6381\r\n", slots[] = "-CROSSSLOT Keys do not hash\r\n";
    expect_refused_publish(moved, "a node of a cluster: use redis+cluster://");
    expect_refused_publish(slots, "a node of a cluster: use redis+cluster://");
}

static bool hand_subscriptions_over_once(void *user, const struct redis_peer_call *call)
{
    atomic_int *left = user;
    if (!is_verb(call, "SUBSCRIBE") || atomic_fetch_sub(left, 1) <= 0)
        return false;
    redis_peer_say(call, "-MOVED 3999 127.0.0.1:6381\r\n");
    return true;
}

/* contract 7.6 */
Test(redis_peer, connects_anew_when_a_cluster_node_refuses_subscriptions, .timeout = 120)
{
    struct redis_peer peer;
    struct rig rig;
    atomic_int left = 1;
    redis_peer_start(&peer, hand_subscriptions_over_once, &left);
    start(&rig, &peer, 0);
    rig_subscribe(&rig, "x", 1);
    rig_expect_subscribed(&rig, "x", 1);
    cr_assert(recorder_log_has(&rig.heard, "MOVED 3999"));
    cr_assert_geq(rig_stats(&rig).errors, 1);
    rig_stop(&rig);
    redis_peer_stop(&peer);
}

static bool load_for_a_while(void *user, const struct redis_peer_call *call)
{
    atomic_int *left = user;
    if (!is_verb(call, "PING") || atomic_fetch_sub(left, 1) <= 0)
        return false;
    redis_peer_say(call, "-LOADING Redis is loading the dataset in memory\r\n");
    return true;
}

/* contract 7.6: with the normal backoff, so before the second of a refused login */
Test(redis_peer, waits_for_a_server_that_loads_its_data, .timeout = 120)
{
    struct redis_peer peer;
    struct rig rig;
    atomic_int left = 6;
    redis_peer_start(&peer, load_for_a_while, &left);
    start(&rig, &peer, 0);
    rig_subscribe(&rig, "x", 1);
    rig_expect_subscribed(&rig, "x", 1);
    cr_assert(recorder_log_has(&rig.heard, "not ready yet: \"LOADING"));
    rig_stop(&rig);
    redis_peer_stop(&peer);
}

static bool swallow(void *user, const struct redis_peer_call *call)
{
    const char *verb = user;
    return verb[0] == '\0' || is_verb(call, verb);
}

static void expect_connect_timeout(char *swallowed)
{
    struct redis_peer peer;
    struct rig rig;
    redis_peer_start(&peer, swallow, swallowed);
    start(&rig, &peer, 100);
    cr_assert(recorder_wait_log(&rig.heard, "no answer within the connect timeout", WAIT_MS));
    cr_assert_eq(rig_stats(&rig).state, FRESHET_BUS_DOWN);
    rig_stop(&rig);
    redis_peer_stop(&peer);
}

/* contract 7.3: the attempt is over only when the server has answered everything */
Test(redis_peer, gives_up_a_server_that_never_greets, .timeout = 120)
{
    char all[] = "", last[] = "PING";
    expect_connect_timeout(all);
    expect_connect_timeout(last);
}

Test(redis_peer, gives_up_a_server_that_hangs_in_the_handshake_of_tls, .timeout = 120)
{
    char all[] = "", url[64];
    struct redis_peer peer;
    struct rig rig;
    redis_peer_start(&peer, swallow, all);
    snprintf(url, sizeof(url), "rediss%s", strchr(peer.url, ':'));
    struct freshet_redis_options options = rig_options(url);
    options.connect_timeout_ms = 100;
    rig_start(&rig, &options);
    cr_assert(recorder_wait_log(&rig.heard, "no answer within the connect timeout", WAIT_MS));
    rig_stop(&rig);
    redis_peer_stop(&peer);
}

static bool tell_many_replicas(void *user, const struct redis_peer_call *call)
{
    (void)user;
    if (!is_verb(call, "ROLE"))
        return false;
    redis_peer_say(call, "*3\r\n$6\r\nmaster\r\n:0\r\n*40\r\n");
    for (int i = 0; i < 40; i++)
        redis_peer_say(call, "*3\r\n$9\r\n127.0.0.1\r\n$4\r\n6380\r\n$1\r\n0\r\n");
    return true;
}

/* The bound of 16 elements is for pushes, not for the answer to ROLE. */
Test(redis_peer, connects_to_a_master_with_many_replicas, .timeout = 120)
{
    struct redis_peer peer;
    struct rig rig;
    redis_peer_start(&peer, tell_many_replicas, NULL);
    start(&rig, &peer, 0);
    rig_subscribe(&rig, "x", 1);
    cr_assert(recorder_wait(&rig.heard, RECORD_SUBSCRIBED, "x", 1, 5000), "%s", rig.heard.log);
    rig_stop(&rig);
    redis_peer_stop(&peer);
}

struct announcement {
    const char *text;
    atomic_int left;
};

static bool announce_too_much(void *user, const struct redis_peer_call *call)
{
    struct announcement *announcement = user;
    if (!is_verb(call, "SUBSCRIBE") || atomic_fetch_sub(&announcement->left, 1) <= 0)
        return false;
    redis_peer_say(call, announcement->text);
    return true;
}

static void expect_disbelief(const char *text)
{
    struct redis_peer peer;
    struct rig rig;
    struct announcement announcement = {.text = text, .left = 1};
    redis_peer_start(&peer, announce_too_much, &announcement);
    start(&rig, &peer, 0);
    rig_subscribe(&rig, "x", 1);
    rig_expect_subscribed(&rig, "x", 1);
    cr_assert(recorder_log_has(&rig.heard, "an array over the limit was announced"));
    rig_stop(&rig);
    redis_peer_stop(&peer);
}

/* contract 2.2: nested ones count together, since all of a reply is kept until it is complete */
Test(redis_peer, believes_no_array_over_the_limit_once_it_is_up, .timeout = 120)
{
    expect_disbelief("*17\r\n");
    expect_disbelief("*3\r\n*3\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n*11\r\n");
}

/* A child that inherited a link would keep it open after us, and Redis would go on filling it. */
Test(redis_peer, leaves_no_descriptor_to_child_processes, .timeout = 120)
{
    struct redis_peer peer;
    struct rig rig;
    bool before[256], now[256];
    redis_peer_start(&peer, NULL, NULL);
    for (int fd = 0; fd < 256; fd++)
        before[fd] = fcntl(fd, F_GETFD) >= 0;
    start(&rig, &peer, 0);
    rig_subscribe(&rig, "x", 1);
    rig_expect_subscribed(&rig, "x", 1);
    cr_assert_eq(rig_publish(&rig, "x", "body", false, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&rig.heard, RECORD_PUBLISHED, NULL, 1, WAIT_MS));
    int inherited = 0, peers = (int)peer.accepted;
    for (int fd = 0; fd < 256; fd++) {
        now[fd] = !before[fd] && fcntl(fd, F_GETFD) >= 0;
        inherited += now[fd] && (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
    }
    cr_assert_eq(inherited, peers, "%d without close-on-exec, %d of them the peer's", inherited, peers);
    rig_stop(&rig);
    redis_peer_stop(&peer);
    for (int fd = 0; fd < 256; fd++)
        cr_assert(!now[fd] || fcntl(fd, F_GETFD) < 0, "descriptor %d leaks", fd);
}
