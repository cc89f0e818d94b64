/* Two workers, clients that come and go, publishes from two threads, then a drain under load: for the thread
 * sanitizer, with which Criterion does not work. */
#define H2O_RIG_PLAIN
#include "checks.h"
#include "h2o_rig.h"

#include "gunzip.h"

#define STEADY    40
#define CHURN     300
#define PUBLISHES 400
#define COUNTER   "/live/counter"
#define VIEWS     "/live?v=%2Fcounter~&v=%2Fboard%2Fb1~&v=%2Fcounter%3Fagain~&v=%2Fnowhere~"

/* What comes for a client that does not read is bounded: it fits into `in` of the rig's clients. */
#define RECEIVE_BYTES 65536

static void ask(struct rig_client *client, const char *path, bool gzip)
{
    char request[160];
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path,
             gzip ? "Accept-Encoding: gzip\r\n" : "");
    rig_send(client, request);
}

/* Of one in gzip, among its events. */
static bool expect_in_gzip(struct rig_client *client, const char *text)
{
    static struct gunzip unzipped;
    int64_t until_ms = rig_now_ms() + RIG_DEADLINE_MS;
    do
        gunzip(&unzipped, client->in, client->len);
    while (strstr(unzipped.text, text) == NULL && rig_read(client, until_ms));
    RIG_HOLDS(strstr(unzipped.text, text) != NULL, 0);
    return unzipped.whole;
}

/* Some are stored, some deflated, some by the pool. */
static void set_padding(size_t bytes)
{
    pthread_mutex_lock(&rig.lock);
    rig.padding = bytes;
    pthread_mutex_unlock(&rig.lock);
}

static void *publish(void *user)
{
    for (int i = 0; i < PUBLISHES; i++) {
        set_padding(i % 50 == 0 ? 100000 : i % 3 == 0 ? 6000 : 0);
        rig_publish(i);
        if (i % 16 == 0)
            poll(NULL, 0, 1);
    }
    return user;
}

static void *come_and_go(void *user)
{
    for (unsigned i = 0; i < CHURN; i++) {
        struct rig_client *client = rig_connect_to(i % RIG_WORKERS, 0);
        ask(client, i % 5 == 0 ? VIEWS : i % 3 == 0 ? "/live/board/b1" : COUNTER, i % 4 >= 2);
        if (i % 4 == 0)
            rig_expect(client, "data: ");
        rig_hang_up(client);
    }
    return user;
}

static bool is_in_gzip(unsigned i)
{
    return i % 2 == 1;
}

int main(void)
{
    static struct rig_client *clients[STEADY];
    rig.worker_count = RIG_WORKERS;
    rig_up(&(struct freshet_h2o_mount_options){.heartbeat_ms = 20}, NULL);
    for (unsigned i = 0; i < STEADY; i++) {
        clients[i] = rig_connect_to(i / 2 % RIG_WORKERS, RECEIVE_BYTES);
        ask(clients[i], i % 8 < 2 ? VIEWS : COUNTER, is_in_gzip(i));
        rig_expect(clients[i], "\r\n\r\n");
    }
    pthread_t threads[3];
    pthread_create(&threads[0], NULL, publish, NULL);
    pthread_create(&threads[1], NULL, publish, NULL);
    pthread_create(&threads[2], NULL, come_and_go, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    set_padding(0);
    rig_publish(123456);
    unsigned newest = 0;
    for (unsigned i = 0; i < STEADY; i++) {
        if (is_in_gzip(i))
            expect_in_gzip(clients[i], "data: 123456\n\n");
        else
            rig_expect(clients[i], "data: 123456\n\n\r\n");
        newest++;
    }
    rig_drain(RIG_DEADLINE_MS, 0);
    unsigned ended = 0;
    for (unsigned i = 0; i < STEADY; i++) {
        if (is_in_gzip(i))
            ended += expect_in_gzip(clients[i], "going-away");
        else
            rig_expect(clients[i], "going-away");
        rig_hang_up(clients[i]);
        ended += !is_in_gzip(i);
    }
    for (unsigned i = 0; i < RIG_WORKERS; i++)
        RIG_WAIT(atomic_load(&rig.workers[i].drained));
    check(rig_stats().streams == 0, "all are counted");
    rig_down();
    check(newest == STEADY, "every stream shows the newest");
    check(ended == STEADY, "every stream is told the end");
    return checks_end();
}
