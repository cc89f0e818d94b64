/* Guards on the loop, on the pool, and answered by another thread; identities that change; clients that come
 * and go on two workers; a drain while guards are out. For the thread sanitizer. contract 4.8, 6.4 */
#define H2O_RIG_PLAIN
#include "checks.h"
#include "h2o_rig.h"

#define STEADY      12
#define CHURN       150
#define PUBLISHES   300
#define MOST_CHECKS 1024

/* Those that the other thread answers. */
static struct {
    pthread_mutex_t lock;
    struct freshet_check checks[MOST_CHECKS];
    unsigned count;
    unsigned answered, stale;
    bool stop;
} later = {.lock = PTHREAD_MUTEX_INITIALIZER};

static atomic_uint calls;

static void guard_later(struct freshet_check check, const struct freshet_request *request, void *user)
{
    (void)request;
    (void)user;
    pthread_mutex_lock(&later.lock);
    RIG_HOLDS(later.count < MOST_CHECKS, 0);
    later.checks[later.count++] = check;
    pthread_mutex_unlock(&later.lock);
}

/* Allows, mostly. */
static void guard_now(struct freshet_check check, const struct freshet_request *request, void *user)
{
    struct freshet_span id;
    unsigned call = atomic_fetch_add(&calls, 1);
    (void)user;
    if (freshet_request_param(request, "id", 0, &id) == FRESHET_OK)
        freshet_check_set(check, "id", id);
    if (call % 31 == 30)
        freshet_check_fail(check);
    else
        freshet_check_allow(check);
}

static void *answer_later(void *user)
{
    for (bool stop = false; !stop;) {
        pthread_mutex_lock(&later.lock);
        bool one = later.count > 0;
        struct freshet_check check = later.checks[one ? --later.count : 0];
        stop = later.stop && !one;
        pthread_mutex_unlock(&later.lock);
        if (!one) {
            poll(NULL, 0, 1);
            continue;
        }
        freshet_check_set(check, "user", freshet_span_text("ann"));
        if (freshet_check_allow(check) == FRESHET_OK)
            later.answered++;
        else
            later.stale++;
        RIG_HOLDS(freshet_check_deny(check, 403, "twice") == FRESHET_STALE, 0);
    }
    return user;
}

static enum freshet_status tell_identity(const struct freshet_request *request,
                                         struct freshet_identity *identity, struct freshet_refusal *refusal,
                                         void *user)
{
    (void)request;
    (void)refusal;
    (void)user;
    identity->len = 1;
    identity->text[0] = (char)('a' + atomic_load(&calls) % 3);
    return FRESHET_OK;
}

static void load_count(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    struct freshet_span id;
    if (context->request != NULL)
        freshet_request_attribute(context->request, "id", &id);
    rig_load(load, context, user);
}

static void add_loaders(void)
{
    static const struct freshet_guard on_loop = {.guard = guard_now}, elsewhere = {.guard = guard_later};
    static const struct freshet_guard both[] = {{.guard = guard_now, .on_pool = true},
                                                {.guard = guard_later, .timeout_ms = FRESHET_NEVER}};
    struct freshet_loader_options options[] = {
        {.name = "single", .route = "single/:id", .use = both, .use_count = 2},
        {.name = "later", .route = "later", .use = &elsewhere, .use_count = 1, .shared = true},
        {.name = "moving", .route = "moving", .use = &on_loop, .use_count = 1, .identity = tell_identity}};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        options[i].size = sizeof(options[i]);
        options[i].channel = rig.counter_channel;
        options[i].load = load_count;
        RIG_EQUAL(freshet_loader_new(rig.freshet, &options[i], NULL, NULL), FRESHET_OK, 0);
    }
}

static const char *const paths[] = {"/live/single/1", "/live/later", "/live/moving"};

static struct rig_client *ask(unsigned number)
{
    char request[128];
    struct rig_client *client = rig_connect_to(number % RIG_WORKERS, 0);
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[number % 3]);
    rig_send(client, request);
    return client;
}

static void *publish(void *user)
{
    for (int i = 0; i < PUBLISHES; i++) {
        rig_publish(i);
        if (i % 8 == 0)
            poll(NULL, 0, 1);
    }
    return user;
}

static void *come_and_go(void *user)
{
    for (unsigned i = 0; i < CHURN; i++) {
        struct rig_client *client = ask(i);
        if (i % 2 == 0)
            rig_expect(client, "\n\n");
        rig_hang_up(client);
    }
    return user;
}

/* A guard that failed at connect refuses for now: a browser would come back. */
static struct rig_client *open_steady(unsigned number)
{
    for (;;) {
        struct rig_client *client = ask(number);
        rig_expect(client, "\n\n");
        if (strstr(client->in, ": freshet 1") != NULL)
            return client;
        rig_hang_up(client);
    }
}

static unsigned end_all(struct rig_client **clients)
{
    struct rig_client *asking[STEADY];
    for (unsigned i = 0; i < STEADY; i++)
        asking[i] = ask(i); /* some of their guards are out when the drain begins */
    rig_drain(RIG_DEADLINE_MS, 0);
    unsigned ended = 0;
    for (unsigned i = 0; i < STEADY; i++) {
        rig_expect(clients[i], "event: end");
        rig_hang_up(clients[i]);
        rig_hang_up(asking[i]);
        ended++;
    }
    for (unsigned i = 0; i < RIG_WORKERS; i++)
        RIG_WAIT(atomic_load(&rig.workers[i].drained));
    return ended;
}

int main(void)
{
    static struct rig_client *clients[STEADY];
    pthread_t threads[3], answering;
    rig.worker_count = RIG_WORKERS;
    rig.add_loaders = add_loaders;
    rig_up(NULL, &(struct freshet_options){.guard_interval_ms = 5});
    pthread_create(&answering, NULL, answer_later, NULL);
    for (unsigned i = 0; i < STEADY; i++)
        clients[i] = open_steady(i);
    pthread_create(&threads[0], NULL, publish, NULL);
    pthread_create(&threads[1], NULL, come_and_go, NULL);
    pthread_create(&threads[2], NULL, come_and_go, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    rig_publish(123456);
    unsigned newest = 0;
    for (unsigned i = 0; i < STEADY; i++) {
        rig_expect(clients[i], "data: 123456\n\n\r\n");
        newest++;
    }
    unsigned ended = end_all(clients);
    struct freshet_stats stats = rig_stats();
    check(stats.streams == 0 && stats.streams_moved > 0 && stats.guards_failed > 0, "all are counted");
    rig_down();
    pthread_mutex_lock(&later.lock);
    later.stop = true;
    pthread_mutex_unlock(&later.lock);
    pthread_join(answering, NULL);
    check(newest == STEADY, "every stream shows the newest");
    check(ended == STEADY, "every stream is told the end");
    check(later.answered > 0, "guards were answered later");
    return checks_end();
}
