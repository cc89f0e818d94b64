/* Each allocation of a freshet's life fails once: the first, the second and so on, until a life has no
 * further one to fail. */
#include "core_rig.h"
#include "wrapped_rig.h"

enum { CLIENTS = 5, TOPICS = 3 };

static const char *const paths[CLIENTS] = {"shared/a", "shared/a", "single/b", "single/c", "single/b"};
static const char *const topics[TOPICS] = {"shared/a", "single/b", "single/c"};
static struct client clients[CLIENTS];
static struct client listeners[2]; /* of messages, one on each worker */
static unsigned char said;         /* the newest message to them */
static unsigned states[TOPICS];    /* what the application's store says */
static unsigned expected_results, results;
static char payload[900] = "\xc5\x03\x81"; /* its body does not fit the stack */

static unsigned *state_of(const char *topic, size_t len)
{
    for (unsigned i = 0; i < TOPICS; i++)
        if (strlen(topics[i]) == len && memcmp(topics[i], topic, len) == 0)
            return &states[i];
    cr_assert_fail("no such topic");
    return NULL;
}

static void load_state(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    char text[32];
    (void)user;
    snprintf(text, sizeof(text), "state %u", *state_of(context->topic.data, context->topic.len));
    freshet_load_answer(load, freshet_span_text(text));
}

static struct freshet_cache *cache;

static bool add_loader(const char *name, const char *route, bool is_shared, bool is_messages)
{
    struct freshet_channel *channel;
    struct freshet_loader_options options = {.size = sizeof(options),
                                             .name = name,
                                             .route = route,
                                             .load = is_messages ? NULL : load_state,
                                             .shared = is_shared,
                                             .messages = is_messages,
                                             .cache = is_shared ? cache : NULL,
                                             .on_loop = true};
    if (freshet_channel_new(&channel, route, NULL) != FRESHET_OK)
        return false;
    options.channel = channel;
    enum freshet_status status = freshet_loader_new(rig.freshet, &options, NULL, NULL);
    freshet_channel_destroy(channel);
    return status == FRESHET_OK;
}

static void build(void)
{
    said = 0;
    rig_insist((struct freshet_options){.linger_ms = 1000});
    while (freshet_cache_new(&cache, rig.freshet, NULL, NULL) != FRESHET_OK)
        ;
    while (!add_loader("shared", "shared/:id", true, false))
        ;
    while (!add_loader("single", "single/:id", false, false))
        ;
    while (!add_loader("chat", "chat/:id", false, true))
        ;
    while (rig.worker_count < 2)
        rig_insist_worker();
}

static void open_client(struct client *client, unsigned worker, const char *path)
{
    struct freshet_refusal refusal;
    client->lost |= client_try(client, worker, path, NULL, &refusal) != FR_VISIT_YES;
    rig_run();
    if (rig.bus->subscribes > 0)
        rig_acknowledge();
    rig_run();
}

static void open_clients(void)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        open_client(&clients[i], i % 2, paths[i]);
    for (unsigned i = 0; i < 2; i++)
        open_client(&listeners[i], i, "chat/d");
}

static void close_clients(void)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        client_close(&clients[i]);
    for (unsigned i = 0; i < 2; i++)
        client_close(&listeners[i]);
}

static void count_result(enum freshet_status status, int64_t receivers, void *user)
{
    (void)status;
    (void)receivers;
    (void)user;
    results++;
}

static void change(const char *name, struct freshet_span what)
{
    struct freshet_topic topic = rig_topic(name);
    (*state_of(name, strlen(name)))++;
    enum freshet_status status = freshet_publish(rig.freshet, &topic, what, count_result, NULL);
    expected_results += status != FRESHET_NO_MEMORY;
    rig_run();
}

static void say(void)
{
    char body[64];
    size_t len;
    char map[] = {'\x81', '\x91', 5, (char)++said}; /* {[5]: said}: the key takes a buffer of its own */
    struct freshet_message message = {.publisher = freshet_span_text("somebody"),
                                      .sequence = said,
                                      .time_us = 1,
                                      .payload = freshet_span(map, sizeof(map))};
    cr_assert_eq(freshet_message_encode(&message, body, sizeof(body), &len), FRESHET_OK);
    rig.bus->sink.message(rig.bus->sink.context, freshet_span_text("chat/d"), freshet_span(body, len), false);
}

/* Messages in pairs, so that one may be lost behind another, or with none behind it. */
static void say_all(void)
{
    for (unsigned i = 0; i < 3; i++) {
        say();
        say();
        rig_run();
    }
}

/* Each message once, in order, and no hole that was not told. */
static void check_heard(const struct client *listener)
{
    unsigned last = 0;
    bool told = true; /* that something is missing */
    for (const char *at = listener->messages; *at != '\0'; at += strcspn(at, " ") + 1) {
        unsigned number;
        if (sscanf(at, "{\"[5]\":%u}", &number) != 1) {
            cr_assert_eq(strncmp(at, "{\"lost\":", 8), 0, "%s", at);
            told = true;
            continue;
        }
        cr_assert(number == last + 1 || (told && number > last), "%u after %u: %s", number, last,
                  listener->messages);
        last = number;
        told = false;
    }
    cr_assert(last == said || told, "%u is missing: %s", said, listener->messages);
}

static void check_listeners(bool may_be_lost)
{
    for (unsigned i = 0; i < 2; i++) {
        cr_assert(may_be_lost || !listeners[i].lost);
        if (!listeners[i].lost)
            check_heard(&listeners[i]);
    }
}

static void change_all(void)
{
    say_all();
    change(topics[0], freshet_span(NULL, 0));
    change(topics[1], freshet_span(payload, sizeof(payload)));
    change(topics[2], freshet_span(NULL, 0));
    rig_message(topics[0]);
    rig_run();
}

/* The promise of the contract, within the time of a retry. */
static void check_newest(bool may_be_lost)
{
    rig_pass_ms(400);
    for (unsigned i = 0; i < CLIENTS; i++) {
        char text[32];
        snprintf(text, sizeof(text), "state %u", *state_of(paths[i], strlen(paths[i])));
        cr_assert(may_be_lost || !clients[i].lost);
        cr_assert(clients[i].lost || client_has(&clients[i], text), "stream %u: %s", i, clients[i].last);
    }
    check_listeners(may_be_lost);
}

static void end(void)
{
    close_clients();
    freshet_cache_release(cache);
    rig_end();
    cr_assert_eq(results, expected_results);
    check_nothing_is_left();
}

/* A whole life whose n-th allocation fails; false: it has fewer. */
static bool live_with_failure(long n)
{
    atomic_store(&live, 0);
    until_failure = n;
    build();
    open_clients();
    change_all();
    free(freshet_stats_prometheus(rig.freshet));
    check_newest(true);
    close_clients();
    rig_pass_ms(1500); /* everything is given back */
    bool failed = until_failure == 0;
    until_failure = 0;
    cr_assert_eq(rig_stats().topics, 0);
    cr_assert_eq(rig_stats().feeds, 0);
    cr_assert_eq(rig_stats().loads_running, 0);
    cr_assert_eq(rig.bus->subscribes, rig.bus->unsubscribes);
    open_clients();
    change_all();
    check_newest(false);
    end();
    return failed;
}

/* contract 3.2, 3.3, 4.5 and the promise: no crash, no leak, no publish forgotten, and usable afterwards */
Test(no_memory, any_allocation_may_fail, .timeout = 120)
{
    long n = 1;
    while (live_with_failure(n))
        n++;
    cr_assert_gt(n, 50, "only %ld allocations were made to fail: is malloc wrapped?", n - 1);
}
