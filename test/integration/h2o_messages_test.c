/* Message loaders end to end: two processes with a real h2o each, one real Redis, raw clients on both. */
#include "h2o_rig.h"
#include "redis_server.h"
#include <freshet/redis.h>
#include <sys/wait.h>

enum { PROCESSES = 2, STREAMS = 8, PUBLISHES = 200, TOTAL = PROCESSES * PUBLISHES + 1 };

#define TOPIC "chat/r1"

TestSuite(h2o_messages, .timeout = 60);

/* What the other process is told and tells. */
struct other {
    pid_t pid;
    int to, from;
    int ports[RIG_WORKERS];
};

static void add_chat(void)
{
    struct freshet_error error;
    struct freshet_channel *channel;
    cr_assert_eq(freshet_channel_new(&channel, "chat/:room", &error), FRESHET_OK);
    struct freshet_loader_options loader = {
        .size = sizeof(loader), .name = "chat", .route = "chat/:room", .channel = channel, .messages = true};
    cr_assert_eq(freshet_loader_new(rig.freshet, &loader, NULL, &error), FRESHET_OK, "%s", error.text);
    freshet_channel_destroy(channel);
}

static void start_freshet(const struct redis_server *server)
{
    struct freshet_redis_options redis = {.size = sizeof(redis), .url = server->url};
    struct freshet_options options = {0};
    struct freshet_error error;
    cr_assert_eq(freshet_redis_bus_new(&options.bus, &redis, &error), FRESHET_OK, "%s", error.text);
    rig.worker_count = RIG_WORKERS;
    rig.add_loaders = add_chat;
    rig_up(NULL, &options);
}

/* {"by": process, "n": number} */
static void publish_all(char process)
{
    struct freshet_topic topic = {.len = strlen(TOPIC), .text = TOPIC};
    for (unsigned i = 0; i < PUBLISHES; i++) {
        char payload[] = {'\x82', '\xa2', 'b', 'y', process, '\xa1', 'n', '\xcd', (char)(i >> 8), (char)i};
        cr_assert_eq(freshet_publish(rig.freshet, &topic, freshet_span(payload, sizeof(payload)), NULL, NULL),
                     FRESHET_OK);
    }
}

/* The other process: says its ports, publishes when it reads a byte, ends when nobody can send one any more.
 */
static void run_other(const struct redis_server *server, int in, int out)
{
    int ports[RIG_WORKERS];
    char byte;
    start_freshet(server);
    for (unsigned i = 0; i < RIG_WORKERS; i++)
        ports[i] = rig.workers[i].port;
    if (write(out, ports, sizeof(ports)) != sizeof(ports))
        _exit(1);
    while (read(in, &byte, 1) == 1)
        publish_all(1);
    rig_down();
    _exit(0);
}

/* Before this process has threads. */
static void start_other(struct other *other, const struct redis_server *server)
{
    int down[2], up[2];
    cr_assert(pipe(down) == 0 && pipe(up) == 0);
    other->pid = fork();
    cr_assert(other->pid >= 0);
    if (other->pid == 0) {
        close(down[1]);
        close(up[0]);
        run_other(server, down[0], up[1]);
    }
    close(down[0]);
    close(up[1]);
    other->to = down[1];
    other->from = up[0];
    cr_assert_eq(read(other->from, other->ports, sizeof(other->ports)), sizeof(other->ports));
}

static void stop_other(struct other *other)
{
    int status;
    close(other->to);
    cr_assert_eq(waitpid(other->pid, &status, 0), other->pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(other->from);
}

static struct rig_client *open_stream(int port)
{
    rig.workers[0].port = port;
    struct rig_client *client = rig_get("/live/" TOPIC);
    rig_expect(client, ": freshet 1");
    return client;
}

/* So many processes are subscribed. */
static void wait_for_subscriptions(const struct redis_server *server, unsigned count)
{
    char answer[64] = "", expected[64];
    snprintf(expected, sizeof(expected), "freshet:" TOPIC " %u", count);
    RIG_WAIT(redis_server_ask(server, answer, sizeof(answer), "PUBSUB", "NUMSUB", "freshet:" TOPIC, NULL) &&
             strcmp(answer, expected) == 0);
}

/* One that is published twice, as after a broken link. */
static void publish_repeated(const struct redis_server *server)
{
    char body[64];
    size_t len;
    struct freshet_message message = {
        .publisher = freshet_span_text("script"), .sequence = 1, .payload = freshet_span("\xa4last", 5)};
    cr_assert_eq(freshet_message_encode(&message, body, sizeof(body), &len), FRESHET_OK);
    const char *arguments[] = {"PUBLISH", "freshet:" TOPIC, body};
    const size_t lens[] = {7, strlen("freshet:" TOPIC), len};
    for (int i = 0; i < 2; i++)
        cr_assert(redis_server_ask_v(server, NULL, 0, 3, arguments, lens));
}

/* The `number`-th data line of what came, behind events of its own name. */
static const char *next_data(const char **at, char *line, size_t size)
{
    const char *found = strstr(*at, "data: ");
    if (found == NULL)
        return NULL;
    found += strlen("data: ");
    snprintf(line, size, "%.*s", (int)strcspn(found, "\n"), found);
    *at = found;
    return line;
}

/* All messages in the order in which they came, gaps of the beginning left out. */
static unsigned read_messages(const struct rig_client *client, char (*messages)[32])
{
    char line[64];
    unsigned count = 0;
    for (const char *at = client->in; next_data(&at, line, sizeof(line)) != NULL;) {
        if (strstr(line, "lost") != NULL) {
            cr_assert_str_eq(line, "{\"lost\":null}");
            cr_assert_eq(count, 0, "a gap after %u messages", count);
            continue;
        }
        cr_assert_lt(count, TOTAL, "%s is one too many", line);
        snprintf(messages[count++], sizeof(messages[0]), "%.31s", line);
    }
    return count;
}

/* contract 3.5: of one publisher in order */
static void check_publishers(char (*messages)[32])
{
    int next[PROCESSES] = {0};
    for (unsigned i = 0; i < TOTAL - 1; i++) {
        int by, number;
        cr_assert_eq(sscanf(messages[i], "{\"by\":%d,\"n\":%d}", &by, &number), 2, "%s", messages[i]);
        cr_assert(by == 0 || by == 1);
        cr_assert_eq(number, next[by]++);
    }
    cr_assert_str_eq(messages[TOTAL - 1], "\"last\"");
    cr_assert(next[0] == PUBLISHES && next[1] == PUBLISHES);
}

/* contract 7.4, 3.4, 3.5, 5.5 */
Test(h2o_messages, streams_of_two_processes_see_each_message_once_and_in_one_order)
{
    struct redis_server server = {0};
    struct other other;
    struct rig_client *clients[STREAMS];
    static char first[TOTAL][32], messages[TOTAL][32];
    redis_server_start(&server, NULL);
    start_other(&other, &server);
    start_freshet(&server);
    int own_port = rig.workers[0].port;
    const int ports[] = {own_port, rig.workers[1].port, other.ports[0], other.ports[1]};
    for (unsigned i = 0; i < STREAMS; i++)
        clients[i] = open_stream(ports[i % 4]);
    rig.workers[0].port = own_port;
    wait_for_subscriptions(&server, PROCESSES);

    cr_assert_eq(write(other.to, "p", 1), 1);
    publish_all(0);
    for (unsigned i = 0; i < STREAMS; i++) {
        rig_expect(clients[i], "\"by\":0,\"n\":199");
        rig_expect(clients[i], "\"by\":1,\"n\":199");
    }
    publish_repeated(&server);
    RIG_WAIT(rig_stats().messages_repeated == RIG_WORKERS);
    for (unsigned i = 0; i < STREAMS; i++) {
        rig_expect(clients[i], "\"last\"");
        cr_assert_eq(read_messages(clients[i], i == 0 ? first : messages), TOTAL);
        cr_assert(i == 0 || memcmp(first, messages, sizeof(first)) == 0, "stream %u has another order", i);
        rig_hang_up(clients[i]);
    }
    check_publishers(first);
    cr_assert_eq(rig_stats().messages_lost, 0);
    rig_down();
    stop_other(&other);
    redis_server_stop(&server);
}

/* contract 4.1, 5.5, 7.4 */
Test(h2o_messages, lost_redis_is_told_and_its_return_is_a_gap)
{
    struct redis_server server = {0};
    struct freshet_topic topic = {.len = strlen(TOPIC), .text = TOPIC};
    redis_server_start(&server, NULL);
    start_freshet(&server);
    struct rig_client *client = open_stream(rig.workers[0].port);
    wait_for_subscriptions(&server, 1);
    cr_assert_eq(freshet_publish(rig.freshet, &topic, freshet_span("\x01", 1), NULL, NULL), FRESHET_OK);
    rig_expect(client, "data: 1\n\n");
    rig_forget(client);
    redis_server_kill(&server);
    rig_expect(client, "event: load-error\ndata: {\"code\":\"bus-down\",");
    cr_assert_null(strstr(client->in, "event: gap"));
    /* Sent when the link is back, maybe before the subscription is: then it is part of the gap. */
    cr_assert_eq(freshet_publish(rig.freshet, &topic, freshet_span("\x02", 1), NULL, NULL), FRESHET_OK);
    redis_server_run(&server, NULL);
    rig_expect(client, "event: gap\ndata: {\"lost\":null}\n\n");
    RIG_WAIT(rig_stats().bus.queued == 0);
    cr_assert_eq(freshet_publish(rig.freshet, &topic, freshet_span("\x03", 1), NULL, NULL), FRESHET_OK);
    rig_expect(client, "data: 3\n\n");
    rig_hang_up(client);
    rig_down();
    redis_server_stop(&server);
}
