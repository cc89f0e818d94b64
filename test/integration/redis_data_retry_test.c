/* A store that was away: a real Redis, separate from the bus. The freshet's clock stands still, so that what
 * is loaded again is so for the word of the data link, and not since its delay is over. */
#include "base/clock.h"
#include "redis_server.h"
#include "unit/core_rig.h"
#include <freshet/redis.h>
#include <signal.h>
#include <time.h>

#define WAIT_S 20

static struct redis_server store;
static struct freshet_redis_data *data;
static struct client client;

/* Gives the worker turns until it is so. */
#define UNTIL(condition)                                                                                     \
    do {                                                                                                     \
        for (int left = WAIT_S * 200; rig_run(), !(condition); left--) {                                     \
            cr_assert_gt(left, 0, "%s", #condition);                                                         \
            nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);                                         \
        }                                                                                                    \
    } while (0)

static void answer_load(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    struct freshet_load *load = user;
    if (status == FRESHET_OK)
        freshet_load_answer(*load, reply->text);
    else
        freshet_load_fail(*load, "store-down", NULL);
    free(load);
}

static void ask_store(struct freshet_load handle, const struct freshet_load_context *context, void *user)
{
    const struct freshet_span get[] = {freshet_span_text("GET"), freshet_span_text("key")};
    struct freshet_load *load = malloc(sizeof(*load));
    (void)context, (void)user;
    *load = handle;
    cr_assert_eq(freshet_redis_command(data, get, 2, 100, answer_load, load), FRESHET_OK);
}

static void set(const char *value)
{
    cr_assert(redis_server_ask(&store, NULL, 0, "SET", "key", value, NULL));
}

static void begin(void)
{
    rig_begin((struct freshet_options){0}, 1);
    redis_server_start(&store, NULL);
    set("one");
    struct freshet_redis_data_options options = {.size = sizeof(options), .freshet = rig.freshet};
    options.link = (struct freshet_redis_options){
        .size = sizeof(options.link), .url = store.url, .link_timeout_ms = 500, .probe_interval_ms = 50};
    cr_assert_eq(freshet_redis_data_new(&data, &options, NULL), FRESHET_OK);
    rig_add_loader(&(struct freshet_loader_options){.load = ask_store, .shared = true});
    client_open(&client, 0, "board/b1");
    rig_acknowledge();
    UNTIL(client_has(&client, "one"));
}

/* Until the next try is many seconds away. */
static void fail_for_long(void)
{
    rig_publish("board/b1");
    for (uint64_t failures = 1; failures <= 6; failures++) {
        UNTIL(rig_stats().loads_failed == failures);
        rig.now_us += failures == 6 ? 250 * FR_US_PER_MS : 16 * FR_US_PER_S;
    }
    cr_assert(client_has_error(&client, "store-down"));
}

static void end(uint64_t failed)
{
    UNTIL(client_has(&client, "two"));
    cr_assert_eq(rig_stats().loads_failed, failed);
    client_close(&client);
    rig_leave(0);
    freshet_redis_data_destroy(data);
    rig_end();
    redis_server_stop(&store);
}

/* contract 4.5 */
Test(redis_data_retry, feeds_load_as_soon_as_a_store_that_was_down_is_back, .timeout = 120)
{
    begin();
    redis_server_kill(&store);
    fail_for_long();
    redis_server_run(&store, NULL);
    set("two");
    end(6);
}

/* contract 4.5: its connections stand, or seem to */
Test(redis_data_retry, feeds_load_as_soon_as_a_store_that_was_silent_answers, .timeout = 120)
{
    begin();
    set("two");
    redis_server_signal(&store, SIGSTOP);
    fail_for_long();
    redis_server_signal(&store, SIGCONT);
    end(6);
}

/* contract 7.5: nobody publishes, and no load has failed, but what it read was a replica's */
Test(redis_data_retry, feeds_load_again_when_the_link_had_been_on_a_server_that_was_no_master, .timeout = 120)
{
    begin();
    cr_assert(redis_server_ask(&store, NULL, 0, "REPLICAOF", "127.0.0.1", "1", NULL));
    UNTIL(rig_stats().data.links_up == 0);
    cr_assert(redis_server_ask(&store, NULL, 0, "REPLICAOF", "NO", "ONE", NULL));
    set("two");
    end(0);
}

/* contract 4.5: a short absence is no reason to load what is fine */
Test(redis_data_retry, feeds_that_are_fine_do_nothing_when_the_store_is_back, .timeout = 120)
{
    begin();
    redis_server_kill(&store);
    UNTIL(rig_stats().data.links_up == 0);
    redis_server_run(&store, NULL);
    UNTIL(rig_stats().data.links_up == 1);
    set("two");
    rig_pass_ms(60000);
    cr_assert_eq(rig_stats().loads, 1);
    rig_publish("board/b1");
    end(0);
}
