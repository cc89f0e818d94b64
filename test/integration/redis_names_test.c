/* A name with two addresses, such as that of a group where one is the master. Looking up is faked: there is
 * no such name on a test machine. */
#include "redis_peer.h"
#include "redis_rig.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <semaphore.h>
#include <stdlib.h>

static int ports[2];

struct answer {
    struct addrinfo info;
    struct sockaddr_in address;
};

static struct addrinfo *make(int port, struct addrinfo *next)
{
    struct answer *answer = calloc(1, sizeof(*answer));
    answer->address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    answer->info = (struct addrinfo){.ai_family = AF_INET,
                                     .ai_socktype = SOCK_STREAM,
                                     .ai_addr = (struct sockaddr *)&answer->address,
                                     .ai_addrlen = sizeof(answer->address),
                                     .ai_next = next};
    return &answer->info;
}

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **out)
{
    (void)host, (void)port;
    if (hints->ai_flags & AI_NUMERICHOST)
        return EAI_NONAME;
    *out = make(ports[0], make(ports[1], NULL));
    return 0;
}

void freeaddrinfo(struct addrinfo *first)
{
    for (struct addrinfo *next; first != NULL; first = next) {
        next = first->ai_next;
        free(first);
    }
}

static bool be_a_replica(void *user, const struct redis_peer_call *call)
{
    (void)user;
    if (strcmp(call->verb, "ROLE") != 0)
        return false;
    redis_peer_say(call, "*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:6380\r\n$9\r\nconnected\r\n:1\r\n");
    return true;
}

static bool be_silent(void *user, const struct redis_peer_call *call)
{
    (void)user, (void)call;
    return true;
}

static void expect_second(redis_peer_script first)
{
    struct redis_peer peers[2];
    struct rig rig;
    for (int i = 0; i < 2; i++) {
        redis_peer_start(&peers[i], i == 0 ? first : NULL, NULL);
        ports[i] = atoi(strrchr(peers[i].url, ':') + 1);
    }
    struct freshet_redis_options options = rig_options("redis://group.example");
    options.probe_interval_ms = FRESHET_NEVER;
    options.connect_timeout_ms = 100;
    rig_start(&rig, &options);
    rig_subscribe(&rig, "x", 1);
    cr_assert(recorder_wait(&rig.heard, RECORD_SUBSCRIBED, "x", 1, 10000), "%s", rig.heard.log);
    rig_stop(&rig);
    for (int i = 0; i < 2; i++)
        redis_peer_stop(&peers[i]);
}

/* contract 7.3, 7.5 */
Test(redis_names, tries_the_next_address_after_one_that_is_no_master, .timeout = 120)
{
    expect_second(be_a_replica);
}

Test(redis_names, tries_the_next_address_after_one_that_is_silent, .timeout = 120)
{
    expect_second(be_silent);
}

static void on_reply(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    (void)reply;
    cr_assert_eq(status, FRESHET_OK);
    sem_post(user);
}

/* contract 7.5: the program's own link, too, goes on until there is a master */
Test(redis_names, data_link_tries_the_next_address_after_one_that_is_no_master, .timeout = 120)
{
    struct redis_peer peers[2];
    sem_t answered;
    for (int i = 0; i < 2; i++) {
        redis_peer_start(&peers[i], i == 0 ? be_a_replica : NULL, NULL);
        ports[i] = atoi(strrchr(peers[i].url, ':') + 1);
    }
    sem_init(&answered, 0, 0);
    struct freshet_redis_data *data;
    struct freshet_redis_data_options options = {.size = sizeof(options),
                                                 .link = rig_options("redis://group.example")};
    struct freshet_span get[] = {freshet_span_text("GET"), freshet_span_text("key")};
    cr_assert_eq(freshet_redis_data_new(&data, &options, NULL), FRESHET_OK);
    cr_assert_eq(freshet_redis_command(data, get, 2, 60000, on_reply, &answered), FRESHET_OK);
    sem_wait(&answered);
    freshet_redis_data_destroy(data);
    for (int i = 0; i < 2; i++)
        redis_peer_stop(&peers[i]);
}
