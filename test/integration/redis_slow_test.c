/* A Redis behind a slow name server, and a cluster behind a slow way. Looking up is faked, and so is the
 * server: a real one that is asked over loopback is never slow. */
#include "redis_peer.h"
#include "redis_rig.h"
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>

#define CONNECT_MS 200 /* given to an attempt */

static long name_ms;  /* that the name server takes */
static long piece_ms; /* between two pieces of the slot map */

static void wait_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **out)
{
    int (*find)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&find = dlsym(RTLD_NEXT, "getaddrinfo");
    if (strstr(host, ".example") == NULL)
        return find(host, port, hints, out);
    if (hints->ai_flags & AI_NUMERICHOST)
        return EAI_NONAME;
    wait_ms(name_ms);
    return find("127.0.0.1", port, hints, out);
}

static void say_slots(const struct redis_peer_call *call, int port)
{
    char pieces[][64] = {"*1\r\n*3\r\n", ":0\r\n:16383\r\n", "*2\r\n", "$9\r\n127.0.0.1\r\n", ""};
    snprintf(pieces[4], sizeof(pieces[4]), ":%d\r\n", port);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        redis_peer_say(call, pieces[i]);
        wait_ms(piece_ms);
    }
}

static void say_master(const struct redis_peer_call *call, int port)
{
    char text[64], digits[8];
    int len = snprintf(digits, sizeof(digits), "%d", port);
    snprintf(text, sizeof(text), "*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n", len, digits);
    redis_peer_say(call, text);
}

/* A master, a sentinel that names it, and the only node of a cluster. `user`: the peer itself. */
static bool be_all(void *user, const struct redis_peer_call *call)
{
    const struct redis_peer *peer = user;
    int port = atoi(strrchr(peer->url, ':') + 1);
    const char *what = call->command->elements > 1 ? call->command->element[1]->str : "";
    if (strcmp(call->verb, "SENTINEL") == 0)
        say_master(call, port);
    else if (strcmp(call->verb, "CLUSTER") == 0 && strcmp(what, "INFO") == 0)
        redis_peer_say(call, "$43\r\ncluster_state:ok\r\ncluster_current_epoch:1\r\n\r\n");
    else if (strcmp(call->verb, "CLUSTER") == 0)
        say_slots(call, port);
    else
        return false;
    return true;
}

/* `hosts`: with a %s for the port, once or twice. */
static void expect_found(const char *hosts)
{
    struct redis_peer peer;
    struct rig rig;
    char url[128];
    redis_peer_start(&peer, be_all, &peer);
    snprintf(url, sizeof(url), hosts, strrchr(peer.url, ':') + 1, strrchr(peer.url, ':') + 1);
    struct freshet_redis_options options = rig_options(url);
    options.probe_interval_ms = FRESHET_NEVER;
    options.connect_timeout_ms = CONNECT_MS;
    rig_start(&rig, &options);
    cr_assert(recorder_wait_state(&rig.heard, FRESHET_BUS_UP, 1, WAIT_MS), "%s", rig.heard.log);
    rig_stop(&rig);
    redis_peer_stop(&peer);
}

/* contract 7.3: it is looked up for longer than an attempt lasts */
Test(redis_slow, server_is_found_behind_a_slow_name_server, .timeout = 120)
{
    name_ms = 3 * CONNECT_MS;
    expect_found("redis://a.example:%s");
}

/* contract 7.3, 7.8 */
Test(redis_slow, sentinels_are_found_behind_a_slow_name_server, .timeout = 120)
{
    name_ms = 3 * CONNECT_MS;
    expect_found("redis+sentinel://a.example:%s,b.example:%s/main");
}

/* contract 7.3, 7.9: no name is found within the connect timeout, and there is no other node to ask */
Test(redis_slow, nodes_are_found_behind_a_slow_name_server, .timeout = 120)
{
    name_ms = 3 * CONNECT_MS;
    expect_found("redis+cluster://a.example:%s,b.example:%s");
}

/* contract 7.9: all of it takes longer than the connect timeout, but it comes */
Test(redis_slow, a_map_that_keeps_coming_is_waited_for, .timeout = 120)
{
    piece_ms = CONNECT_MS / 3;
    expect_found("redis+cluster://127.0.0.1:%s,127.0.0.1:%s");
}
