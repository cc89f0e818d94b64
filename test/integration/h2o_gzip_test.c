/* Streams in gzip over h2o: what of them depends on the mount, the loaders, the pool and time. The events
 * themselves: e2e/gzip_test.py. */
#include "gunzip.h"
#include "h2o_rig.h"
#include "web/h2o/socket.h"
#include <semaphore.h>

TestSuite(h2o_gzip, .timeout = 60);

static struct gunzip unzipped;

static struct rig_client *ask(unsigned worker, const char *path, const char *headers)
{
    char request[512];
    struct rig_client *client = rig_connect_to(worker, 0);
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, headers);
    rig_send(client, request);
    return client;
}

static struct rig_client *ask_gzip(unsigned worker, const char *path)
{
    return ask(worker, path, "Accept-Encoding: gzip\r\n");
}

/* Reads until `text` is among the events. */
static void expect(struct rig_client *client, const char *text)
{
    int64_t until_ms = rig_now_ms() + RIG_DEADLINE_MS;
    do
        gunzip(&unzipped, client->in, client->len);
    while (strstr(unzipped.text, text) == NULL && rig_read(client, until_ms));
    cr_assert_not_null(strstr(unzipped.text, text), "no \"%s\" in: %.2000s", text, unzipped.text);
}

static void expect_encoding(struct rig_client *client, bool gzip)
{
    rig_expect(client, "\r\n\r\n");
    cr_assert_eq(strstr(client->in, "\r\ncontent-encoding: gzip\r\n") != NULL, gzip, "%s", client->in);
    cr_assert_not_null(strstr(client->in, "\r\nvary: Accept-Encoding\r\n"));
    rig_hang_up(client);
}

static void set_padding(size_t bytes)
{
    pthread_mutex_lock(&rig.lock);
    rig.padding = bytes;
    pthread_mutex_unlock(&rig.lock);
}

static uint64_t deflated(void)
{
    struct freshet_stats stats = rig_stats();
    return stats.gzip_deflated + stats.gzip_continued;
}

/* contract 5.11, 5.4 */
Test(h2o_gzip, a_sign_of_life_is_a_comment_and_the_next_event_comes_behind_it)
{
    rig_up(&(struct freshet_h2o_mount_options){.heartbeat_ms = 20}, NULL);
    struct rig_client *client = ask_gzip(0, "/live/counter");
    expect(client, "data: 0\n\n: \n\n: \n\n");
    rig_publish(1);
    expect(client, "data: 1\n\n: \n\n");
    rig_hang_up(client);
    rig_down();
}

/* contract 5.11, 6.4 */
Test(h2o_gzip, a_drained_stream_is_a_whole_file)
{
    rig_up(NULL, NULL);
    struct rig_client *client = ask_gzip(0, "/live/counter");
    expect(client, "data: 0\n\n");
    cr_assert_not(unzipped.whole);
    rig_drain(RIG_DEADLINE_MS, 0);
    expect(client, "\"code\":\"going-away\",\"retry_ms\":0}\n\n");
    cr_assert(unzipped.whole);
    rig_expect_end(client);
    cr_assert_str_eq(client->in + client->len - 5, "0\r\n\r\n");
    rig_hang_up(client);
    RIG_WAIT(atomic_load(&rig.workers[0].drained));
    rig_down();
}

/* contract 5.11: once for all workers, and not by their loops */
Test(h2o_gzip, large_frames_are_deflated_once_by_the_pool)
{
    rig.worker_count = 2;
    rig_up(NULL, NULL);
    struct rig_client *clients[6], *plain = ask(0, "/live/counter", "");
    rig_expect(plain, "data: 0\n\n");
    for (unsigned i = 0; i < 6; i++) {
        clients[i] = ask_gzip(i % 2, "/live/counter");
        expect(clients[i], "data: 0\n\n");
    }
    set_padding(300000);
    for (int round = 1; round < 4; round++) {
        char event[32];
        snprintf(event, sizeof(event), "data: %d.", round);
        uint64_t before = deflated();
        rig_publish(round);
        for (unsigned i = 0; i < 6; i++) {
            expect(clients[i], event);
            cr_assert_geq(unzipped.len, 300000 * (size_t)round);
            cr_assert_lt(unzipped.body_len, 3000 * (size_t)round);
        }
        cr_assert_eq(deflated() - before, 1);
    }
    rig_expect(plain, "data: 3.");
    for (unsigned i = 0; i < 6; i++)
        rig_hang_up(clients[i]);
    rig_hang_up(plain);
    rig_down();
}

static sem_t may_answer;

static void load_slowly(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    (void)context;
    (void)user;
    sem_wait(&may_answer);
    freshet_load_answer(load, freshet_span_text("slow"));
}

static void add_slow_loader(void)
{
    struct freshet_error error;
    struct freshet_loader_options slow = {.size = sizeof(slow),
                                          .name = "slow",
                                          .route = "slow/:boardId",
                                          .channel = rig.board_channel,
                                          .load = load_slowly};
    cr_assert_eq(freshet_loader_new(rig.freshet, &slow, NULL, &error), FRESHET_OK, "%s", error.text);
}

/* Publishes and says in how many bytes the state of that round came. */
static size_t push(struct rig_client *client, int round)
{
    char event[32];
    size_t before = unzipped.body_len;
    snprintf(event, sizeof(event), "data: %d.", round);
    rig_publish(round);
    expect(client, event);
    return unzipped.body_len - before;
}

/* contract 5.11: a load that blocks for ever keeps nobody's state back */
Test(h2o_gzip, large_frames_do_not_wait_for_the_slow_loads_of_others)
{
    sem_init(&may_answer, 0, 0);
    rig.add_loaders = add_slow_loader;
    rig_up(NULL, &(struct freshet_options){.pool_threads = 1});
    struct rig_client *client = ask_gzip(0, "/live/counter"), *slow = ask(0, "/live/slow/s", "");
    expect(client, "data: 0\n\n");
    RIG_WAIT(rig_stats().loads_running == 1);
    set_padding(200000);
    uint64_t before = deflated();
    for (int round = 1; round < 4; round++)
        cr_assert_gt(push(client, round), 200000);
    cr_assert_eq(deflated(), before);
    sem_post(&may_answer);
    rig_expect(slow, "data: slow\n\n");
    int round = 4;
    while (push(client, round) > 200000) /* until the pool has come to the one that it was given first */
        cr_assert_lt(++round, 15);
    rig_drain(RIG_DEADLINE_MS, 0);
    expect(client, "event: end\n");
    cr_assert(unzipped.whole);
    rig_hang_up(client);
    rig_hang_up(slow);
    rig_down();
}

/* contract 5.11, 6.3, 6.4: under a sanitizer nothing is touched that is gone */
Test(h2o_gzip, streams_may_go_while_their_frame_is_deflated)
{
    rig.worker_count = 2;
    rig_up(NULL, NULL);
    set_padding(900000);
    for (int round = 1; round < 15; round++) {
        struct rig_client *clients[4];
        for (unsigned i = 0; i < 4; i++)
            clients[i] = ask_gzip(i % 2, i < 2 ? "/live/counter" : "/live/board/b");
        rig_publish(round);
        if (round % 3 != 0)
            expect(clients[round % 4], ": freshet 1 ");
        for (unsigned i = 0; i < 4; i++)
            rig_hang_up(clients[i]);
    }
    struct rig_client *last = ask_gzip(0, "/live/counter");
    expect(last, ": freshet 1 ");
    rig_drain(RIG_DEADLINE_MS, 0);
    rig_expect_end(last);
    gunzip(&unzipped, last->in, last->len);
    cr_assert(unzipped.whole);
    rig_hang_up(last);
    rig_down();
}

static void add_more_loaders(void)
{
    struct freshet_error error;
    struct freshet_loader_options secret = {.size = sizeof(secret),
                                            .name = "secret",
                                            .route = "secret",
                                            .channel = rig.counter_channel,
                                            .load = rig_load,
                                            .shared = true,
                                            .no_gzip = true};
    struct freshet_loader_options messages = {.size = sizeof(messages),
                                              .name = "messages",
                                              .route = "messages",
                                              .channel = rig.counter_channel,
                                              .messages = true};
    cr_assert_eq(freshet_loader_new(rig.freshet, &secret, NULL, &error), FRESHET_OK, "%s", error.text);
    cr_assert_eq(freshet_loader_new(rig.freshet, &messages, NULL, &error), FRESHET_OK, "%s", error.text);
}

/* contract 5.11 */
Test(h2o_gzip, a_loader_can_say_no_for_every_stream_it_is_on)
{
    rig.add_loaders = add_more_loaders;
    rig_up(NULL, NULL);
    expect_encoding(ask_gzip(0, "/live/secret"), false);
    expect_encoding(ask_gzip(0, "/live?v=/counter~&v=/secret~"), false);
    expect_encoding(ask_gzip(0, "/live?v=/secret~&v=/counter~"), false);
    expect_encoding(ask_gzip(0, "/live?v=/counter~&v=/board/b~&v=/nothing~"), true);
    expect_encoding(ask_gzip(0, "/live/counter"), true);
    cr_assert_eq(rig_stats().streams_gzip, 2);
    rig_down();
}

Test(h2o_gzip, a_dump_says_which_streams_are_in_gzip)
{
    rig_up(NULL, NULL);
    struct rig_client *plain = ask(0, "/live/counter", ""), *packed = ask_gzip(0, "/live/counter");
    rig_expect(plain, "data: 0\n\n");
    expect(packed, "data: 0\n\n");
    static char text[65536];
    FILE *file = fmemopen(text, sizeof(text), "w");
    cr_assert_eq(freshet_dump(rig.freshet, file, 0), FRESHET_OK);
    fclose(file);
    const char *found = strstr(text, "in gzip, ");
    cr_assert(found != NULL && strstr(found + 1, "in gzip, ") == NULL, "%s", text);
    rig_hang_up(plain);
    rig_hang_up(packed);
    rig_down();
}

/* contract 5.11 */
Test(h2o_gzip, a_mount_can_say_never_or_always)
{
    static const char webkit[] = "Accept-Encoding: gzip\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) "
                                 "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Safari/605.1.15\r\n";
    struct freshet_h2o_mount_options options = {.gzip = FRESHET_H2O_GZIP_NEVER};
    rig_up(&options, NULL);
    expect_encoding(ask_gzip(0, "/live/counter"), false);
    expect_encoding(ask_gzip(0, "/live?v=/counter~"), false);
    rig_down();
    options.gzip = FRESHET_H2O_GZIP_ALWAYS;
    memset(rig.workers, 0, sizeof(rig.workers));
    rig.add_loaders = add_more_loaders;
    rig_up(&options, NULL);
    expect_encoding(ask_gzip(0, "/live/secret"), false);
    expect_encoding(ask_gzip(0, "/live?v=/counter~&v=/secret~"), false);
    expect_encoding(ask(0, "/live/counter", webkit), true);
    expect_encoding(ask(0, "/live/counter", "Accept-Encoding: gzip;q=0\r\n"), false);
    rig_down();
    options.gzip = FRESHET_H2O_GZIP_DEFAULT;
    rig.add_loaders = NULL;
    memset(rig.workers, 0, sizeof(rig.workers));
    rig_up(&options, NULL);
    expect_encoding(ask(0, "/live/counter", webkit), false);
    rig_down();
}

/* contract 5.11, 5.5 */
Test(h2o_gzip, errors_and_messages_stand_between_and_all_come_as_they_were_said)
{
    rig.add_loaders = add_more_loaders;
    rig_up(NULL, NULL);
    set_padding(5000);
    struct rig_client *views = ask_gzip(0, "/live?v=/counter~&v=/messages~&v=/board/b~");
    struct rig_client *messages = ask_gzip(0, "/live/messages");
    expect(messages, ": freshet 1 ");
    expect(views, "event: /board/b\n");
    expect(views, "event: /counter\n");
    for (int round = 1; round < 20; round++) {
        char event[64];
        pthread_mutex_lock(&rig.lock);
        rig.failing = round % 3 == 0;
        pthread_mutex_unlock(&rig.lock);
        rig_publish(round);
        snprintf(event, sizeof(event), "\ndata: %d.", round);
        expect(views, round % 3 != 0 ? event : "event: load-error\ndata: {\"view\":\"/counter\",");
    }
    expect(views, "event: /messages\n");
    expect(messages, "data: null\n\ndata: null\n\n");
    rig_hang_up(views);
    rig_hang_up(messages);
    rig_down();
}

/* contract 5.11 */
Test(h2o_gzip, a_stream_in_gzip_has_little_that_a_plain_one_has_not)
{
    cr_assert_leq(sizeof(struct fr_h2o_gzip_stream) - sizeof(struct fr_h2o_stream), 32);
}
