/* What every bus must do, over each backend: two buses that share a broker or a server. */
#include "bus_recorder.h"
#include "redis_cluster.h"
#include "redis_server.h"
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <freshet/redis.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS   20000
#define MAX_BYTES 65536

enum backend { MEMORY, REDIS, CLUSTER, BACKENDS };

struct pair {
    struct freshet_bus *bus[2];
    struct recorder heard[2];
    struct freshet_memory_broker *broker;
    struct redis_server server;
    struct redis_cluster cluster;
    enum backend backend;
};

static void make_bus(struct pair *pair, int which)
{
    enum freshet_status status;
    if (pair->backend == MEMORY) {
        status = freshet_memory_bus_new(&pair->bus[which], pair->broker);
    } else {
        const char *url = pair->backend == REDIS ? pair->server.url : pair->cluster.url;
        struct freshet_redis_options options = {.size = sizeof(options), .url = url};
        status = freshet_redis_bus_new(&pair->bus[which], &options, NULL);
    }
    cr_assert_eq(status, FRESHET_OK);
}

static void set_up(struct pair *pair, enum backend backend)
{
    memset(pair, 0, sizeof(*pair));
    pair->backend = backend;
    if (backend == MEMORY)
        pair->broker = freshet_memory_broker_new();
    else if (backend == REDIS)
        redis_server_start(&pair->server, NULL);
    else
        redis_cluster_start(&pair->cluster, 3, 0);
    for (int i = 0; i < 2; i++) {
        make_bus(pair, i);
        recorder_init(&pair->heard[i]);
        struct freshet_bus_sink sink = recorder_sink(&pair->heard[i]);
        cr_assert_eq(pair->bus[i]->ops->start(pair->bus[i], &sink, NULL), FRESHET_OK);
        cr_assert(recorder_wait_state(&pair->heard[i], FRESHET_BUS_PROVED, 1, WAIT_MS));
    }
}

static void tear_down(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        pair->bus[i]->ops->stop(pair->bus[i], 1000);
        pair->heard[i].stopped = true;
    }
    for (int i = 0; i < 2; i++) {
        freshet_bus_destroy(pair->bus[i]);
        cr_assert_eq(pair->heard[i].after_stop, 0);
        recorder_deinit(&pair->heard[i]);
    }
    freshet_memory_broker_release(pair->broker);
    if (pair->backend == REDIS)
        redis_server_stop(&pair->server);
    if (pair->backend == CLUSTER)
        redis_cluster_stop(&pair->cluster);
}

static void subscribe(struct pair *pair, int which, const char *topic, uint64_t subscription)
{
    cr_assert_eq(pair->bus[which]->ops->subscribe(pair->bus[which], freshet_span_text(topic), subscription),
                 FRESHET_OK);
}

static void subscribe_and_wait(struct pair *pair, int which, const char *topic, uint64_t subscription)
{
    size_t before = recorder_count(&pair->heard[which], RECORD_SUBSCRIBED, topic);
    subscribe(pair, which, topic, subscription);
    cr_assert(recorder_wait(&pair->heard[which], RECORD_SUBSCRIBED, topic, before + 1, WAIT_MS));
}

static void publish(struct pair *pair, int which, const char *topic, const char *body)
{
    cr_assert_eq(pair->bus[which]->ops->publish(pair->bus[which], freshet_span_text(topic),
                                                freshet_span_text(body), false, NULL),
                 FRESHET_OK);
}

/* A new topic that keeps its order with this one: in a cluster, one of the same partition. */
static void name_beside(const char *topic, char *name, size_t size)
{
    static int turn;
    char wanted[64], found[64];
    freshet_redis_cluster_channel(wanted, sizeof(wanted), "", freshet_span_text(topic));
    do {
        snprintf(name, size, "beside/%d", turn++);
        freshet_redis_cluster_channel(found, sizeof(found), "", freshet_span_text(name));
    } while (strncmp(wanted, found, (size_t)(strchr(wanted, '}') - wanted) + 1) != 0);
}

/* What was published to the topic before is through when this comes back. */
static void pass_barrier(struct pair *pair, int from, int to, const char *topic)
{
    char barrier[32];
    name_beside(topic, barrier, sizeof(barrier));
    subscribe_and_wait(pair, to, barrier, 1);
    publish(pair, from, barrier, "");
    cr_assert(recorder_wait(&pair->heard[to], RECORD_MESSAGE, barrier, 1, WAIT_MS));
}

#define EACH_BACKEND(name)                                                                                   \
    ParameterizedTestParameters(bus, name)                                                                   \
    {                                                                                                        \
        static int backends[] = {MEMORY, REDIS, CLUSTER};                                                    \
        return cr_make_param_array(int, backends, BACKENDS);                                                 \
    }                                                                                                        \
    ParameterizedTest(int *backend, bus, name, .timeout = 120)

/* contract 7.1 */
EACH_BACKEND(delivers_to_every_subscriber_and_to_the_publisher)
{
    struct pair pair;
    set_up(&pair, (enum backend) * backend);
    subscribe_and_wait(&pair, 0, "counter", 1);
    subscribe_and_wait(&pair, 1, "counter", 1);
    publish(&pair, 0, "counter", "one");
    for (int i = 0; i < 2; i++) {
        struct record record;
        cr_assert(recorder_wait(&pair.heard[i], RECORD_MESSAGE, "counter", 1, WAIT_MS));
        cr_assert(recorder_get(&pair.heard[i], RECORD_MESSAGE, "counter", 0, &record));
        cr_assert_str_eq(record.body, "one");
        cr_assert_not(record.oversized);
    }
    tear_down(&pair);
}

/* contract 3.2 */
EACH_BACKEND(answers_each_publish_once_with_its_receivers)
{
    struct pair pair;
    struct record record;
    int tokens[3];
    set_up(&pair, (enum backend) * backend);
    subscribe_and_wait(&pair, 0, "a", 1);
    subscribe_and_wait(&pair, 1, "a", 1);
    subscribe_and_wait(&pair, 1, "b", 2);
    const char *topics[] = {"a", "b", "nobody"};
    for (int i = 0; i < 3; i++)
        cr_assert_eq(pair.bus[0]->ops->publish(pair.bus[0], freshet_span_text(topics[i]),
                                               freshet_span_text("x"), false, &tokens[i]),
                     FRESHET_OK);
    cr_assert(recorder_wait(&pair.heard[0], RECORD_PUBLISHED, NULL, 3, WAIT_MS));
    /* Of different topics, so in any order. */
    memset(tokens, 0, sizeof(tokens));
    for (size_t i = 0; i < 3; i++) {
        cr_assert(recorder_get(&pair.heard[0], RECORD_PUBLISHED, NULL, i, &record));
        int *token = record.token;
        cr_assert_eq(record.status, FRESHET_OK);
        cr_assert_eq(record.receivers, 2 - (token - tokens));
        cr_assert_eq((*token)++, 0);
    }
    cr_assert_eq(recorder_count(&pair.heard[1], RECORD_PUBLISHED, NULL), 0);
    tear_down(&pair);
    cr_assert(true);
}

struct publisher {
    struct freshet_bus *bus;
    int number, count;
};

static void *publish_numbers(void *user)
{
    const struct publisher *publisher = user;
    for (int i = 0; i < publisher->count; i++) {
        char body[32];
        int len = snprintf(body, sizeof(body), "%d %d", publisher->number, i);
        while (publisher->bus->ops->publish(publisher->bus, freshet_span_text("order"),
                                            freshet_span(body, (size_t)len), false, NULL) != FRESHET_OK)
            ;
    }
    return NULL;
}

/* contract 3.5 */
EACH_BACKEND(keeps_the_order_of_each_publishing_thread)
{
    enum { THREADS = 4, COUNT = 2000 };
    struct pair pair;
    pthread_t threads[THREADS];
    struct publisher publishers[THREADS];
    int next[THREADS] = {0};
    set_up(&pair, (enum backend) * backend);
    subscribe_and_wait(&pair, 1, "order", 1);
    for (int i = 0; i < THREADS; i++) {
        publishers[i] = (struct publisher){pair.bus[i % 2], i, COUNT};
        pthread_create(&threads[i], NULL, publish_numbers, &publishers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    cr_assert(recorder_wait(&pair.heard[1], RECORD_MESSAGE, "order", THREADS * COUNT, WAIT_MS));
    for (size_t i = 0; i < pair.heard[1].count; i++) {
        int thread, number;
        if (pair.heard[1].records[i].kind != RECORD_MESSAGE)
            continue;
        cr_assert_eq(sscanf(pair.heard[1].records[i].body, "%d %d", &thread, &number), 2);
        cr_assert_eq(number, next[thread]++);
    }
    tear_down(&pair);
}

/* contract 4.1 */
EACH_BACKEND(delivers_everything_published_after_the_acknowledgement)
{
    struct pair pair;
    set_up(&pair, (enum backend) * backend);
    for (int i = 0; i < 50; i++) {
        char topic[32];
        snprintf(topic, sizeof(topic), "race/%d", i);
        subscribe_and_wait(&pair, 0, topic, (uint64_t)i);
        publish(&pair, 1, topic, "after");
        cr_assert(recorder_wait(&pair.heard[0], RECORD_MESSAGE, topic, 1, WAIT_MS));
        cr_assert_lt(recorder_place(&pair.heard[0], RECORD_SUBSCRIBED, topic),
                     recorder_place(&pair.heard[0], RECORD_MESSAGE, topic));
    }
    tear_down(&pair);
}

EACH_BACKEND(delivers_nothing_after_an_unsubscribe_is_through)
{
    struct pair pair;
    set_up(&pair, (enum backend) * backend);
    subscribe_and_wait(&pair, 0, "gone", 1);
    pair.bus[0]->ops->unsubscribe(pair.bus[0], freshet_span_text("gone"));
    /* Its own acknowledgement comes after that of the one before. */
    char other[32];
    name_beside("gone", other, sizeof(other));
    subscribe_and_wait(&pair, 0, other, 2);
    publish(&pair, 1, "gone", "x");
    pass_barrier(&pair, 1, 0, "gone");
    cr_assert_eq(recorder_count(&pair.heard[0], RECORD_MESSAGE, "gone"), 0);
    tear_down(&pair);
}

/* contract 4.11 */
EACH_BACKEND(gives_each_subscription_its_own_acknowledgement)
{
    struct pair pair;
    struct record record;
    set_up(&pair, (enum backend) * backend);
    subscribe_and_wait(&pair, 0, "again", 1);
    for (uint64_t number = 2; number < 20; number++) {
        pair.bus[0]->ops->unsubscribe(pair.bus[0], freshet_span_text("again"));
        subscribe(&pair, 0, "again", number);
    }
    pass_barrier(&pair, 1, 0, "again");
    size_t count = recorder_count(&pair.heard[0], RECORD_SUBSCRIBED, "again");
    uint64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        cr_assert(recorder_get(&pair.heard[0], RECORD_SUBSCRIBED, "again", i, &record));
        cr_assert_gt(record.subscription, last);
        last = record.subscription;
    }
    cr_assert_eq(last, 19);
    publish(&pair, 1, "again", "x");
    cr_assert(recorder_wait(&pair.heard[0], RECORD_MESSAGE, "again", 1, WAIT_MS));
    tear_down(&pair);
}

/* contract 2.1 */
EACH_BACKEND(carries_bodies_and_topics_of_any_bytes)
{
    static const char body[] = {'\0', '\r', '\n', (char)0xff, '*', '3', '\r', '\n', '$', '1'};
    static const char topic[] = "odd topic/%0D%0A/\xc3\xa9\r\n$3";
    struct pair pair;
    struct record record;
    set_up(&pair, (enum backend) * backend);
    subscribe_and_wait(&pair, 0, topic, 7);
    cr_assert_eq(pair.bus[1]->ops->publish(pair.bus[1], freshet_span_text(topic),
                                           freshet_span(body, sizeof(body)), false, NULL),
                 FRESHET_OK);
    publish(&pair, 1, topic, "");
    cr_assert(recorder_wait(&pair.heard[0], RECORD_MESSAGE, topic, 2, WAIT_MS));
    cr_assert(recorder_get(&pair.heard[0], RECORD_MESSAGE, topic, 0, &record));
    cr_assert_eq(record.body_len, sizeof(body));
    cr_assert_arr_eq(record.body, body, sizeof(body));
    cr_assert(recorder_get(&pair.heard[0], RECORD_MESSAGE, topic, 1, &record));
    cr_assert_eq(record.body_len, 0);
    tear_down(&pair);
}

/* contract 2.3 */
EACH_BACKEND(carries_a_body_of_the_default_limit)
{
    struct pair pair;
    struct record record;
    char *body = calloc(1, MAX_BYTES + 1);
    set_up(&pair, (enum backend) * backend);
    subscribe_and_wait(&pair, 0, "large", 1);
    cr_assert_eq(pair.bus[1]->ops->publish(pair.bus[1], freshet_span_text("large"),
                                           freshet_span(body, MAX_BYTES), false, NULL),
                 FRESHET_OK);
    cr_assert(recorder_wait(&pair.heard[0], RECORD_MESSAGE, "large", 1, WAIT_MS));
    cr_assert(recorder_get(&pair.heard[0], RECORD_MESSAGE, "large", 0, &record));
    cr_assert_eq(record.body_len, MAX_BYTES);
    cr_assert_not(record.oversized);
    if (*backend != MEMORY)
        cr_assert_eq(pair.bus[1]->ops->publish(pair.bus[1], freshet_span_text("large"),
                                               freshet_span(body, MAX_BYTES + 1), false, NULL),
                     FRESHET_TOO_LARGE);
    tear_down(&pair);
    free(body);
}

EACH_BACKEND(keeps_thousands_of_topics_apart)
{
    enum { TOPICS = 5000 };
    struct pair pair;
    char topic[32];
    struct freshet_bus_stats stats;
    set_up(&pair, (enum backend) * backend);
    for (int i = 0; i < TOPICS; i++) {
        snprintf(topic, sizeof(topic), "t/%d", i);
        subscribe(&pair, 0, topic, (uint64_t)i + 1);
    }
    cr_assert(recorder_wait(&pair.heard[0], RECORD_SUBSCRIBED, NULL, TOPICS, WAIT_MS));
    for (int i = 0; i < TOPICS; i++) {
        snprintf(topic, sizeof(topic), "t/%d", i);
        publish(&pair, 1, topic, topic);
    }
    cr_assert(recorder_wait(&pair.heard[0], RECORD_MESSAGE, NULL, TOPICS, WAIT_MS));
    for (size_t i = 0; i < pair.heard[0].count; i++)
        if (pair.heard[0].records[i].kind == RECORD_MESSAGE)
            cr_assert_str_eq(pair.heard[0].records[i].topic, pair.heard[0].records[i].body);
    pair.bus[0]->ops->stats(pair.bus[0], &stats);
    cr_assert_geq(stats.confirmed, TOPICS);
    cr_assert_eq(stats.confirmed, stats.subscriptions);
    tear_down(&pair);
}

EACH_BACKEND(refuses_everything_once_stopped)
{
    struct pair pair;
    set_up(&pair, (enum backend) * backend);
    pair.bus[0]->ops->stop(pair.bus[0], 1000);
    pair.heard[0].stopped = true;
    struct freshet_span topic = freshet_span_text("late");
    cr_assert_eq(pair.bus[0]->ops->publish(pair.bus[0], topic, topic, true, NULL), FRESHET_CLOSED);
    cr_assert_eq(pair.bus[0]->ops->subscribe(pair.bus[0], topic, 1), FRESHET_CLOSED);
    tear_down(&pair);
}

EACH_BACKEND(sends_what_is_queued_before_it_stops)
{
    enum { COUNT = 3000 };
    struct pair pair;
    set_up(&pair, (enum backend) * backend);
    subscribe_and_wait(&pair, 1, "last", 1);
    for (int i = 0; i < COUNT; i++)
        publish(&pair, 0, "last", "x");
    pair.bus[0]->ops->stop(pair.bus[0], WAIT_MS);
    cr_assert_eq(recorder_count(&pair.heard[0], RECORD_PUBLISHED, NULL), COUNT);
    cr_assert(recorder_wait(&pair.heard[1], RECORD_MESSAGE, "last", COUNT, WAIT_MS));
    tear_down(&pair);
}
