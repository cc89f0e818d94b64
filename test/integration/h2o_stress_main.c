/* Two workers, clients that come and go, publishes from two threads, then a drain under load: for the thread
 * sanitizer, with which Criterion does not work. */
#define H2O_RIG_PLAIN
#include "checks.h"
#include "h2o_rig.h"

#define STEADY    40
#define CHURN     300
#define PUBLISHES 400
#define COUNTER   "/live/counter"
#define VIEWS     "/live?v=%2Fcounter~&v=%2Fboard%2Fb1~&v=%2Fcounter%3Fagain~&v=%2Fnowhere~"

static void ask(struct rig_client *client, const char *path)
{
    char request[128];
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    rig_send(client, request);
}

static void *publish(void *user)
{
    for (int i = 0; i < PUBLISHES; i++) {
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
        ask(client, i % 5 == 0 ? VIEWS : i % 3 == 0 ? "/live/board/b1" : COUNTER);
        if (i % 2 == 0)
            rig_expect(client, "data: ");
        rig_hang_up(client);
    }
    return user;
}

int main(void)
{
    static struct rig_client *clients[STEADY];
    rig.worker_count = RIG_WORKERS;
    rig_up(&(struct freshet_h2o_mount_options){.heartbeat_ms = 20}, NULL);
    for (unsigned i = 0; i < STEADY; i++) {
        clients[i] = rig_connect_to(i % RIG_WORKERS, 0);
        ask(clients[i], i % 4 == 0 ? VIEWS : COUNTER);
        rig_expect(clients[i], "data: ");
    }
    pthread_t threads[3];
    pthread_create(&threads[0], NULL, publish, NULL);
    pthread_create(&threads[1], NULL, publish, NULL);
    pthread_create(&threads[2], NULL, come_and_go, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    rig_publish(123456);
    unsigned newest = 0;
    for (unsigned i = 0; i < STEADY; i++) {
        rig_expect(clients[i], "data: 123456\n\n\r\n");
        newest++;
    }
    rig_drain(RIG_DEADLINE_MS, 0);
    unsigned ended = 0;
    for (unsigned i = 0; i < STEADY; i++) {
        rig_expect(clients[i], "going-away");
        rig_hang_up(clients[i]);
        ended++;
    }
    for (unsigned i = 0; i < RIG_WORKERS; i++)
        RIG_WAIT(atomic_load(&rig.workers[i].drained));
    check(rig_stats().streams == 0, "all are counted");
    rig_down();
    check(newest == STEADY, "every stream shows the newest");
    check(ended == STEADY, "every stream is told the end");
    return checks_end();
}
