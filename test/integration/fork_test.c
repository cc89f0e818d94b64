/* fork() after freshet_new(): the child leaves its parent alone, and may begin anew (freshet/instance.h). */
#include "redis_server.h"
#include "unit/wait.h"
#include <criterion/criterion.h>
#include <freshet/freshet.h>
#include <freshet/redis.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_S = 50 };

static struct redis_server server;
static struct freshet *freshet;
static struct freshet_redis_data *data;
static struct freshet_cache *cache;
static struct freshet_topic topic;
static sem_t published, replied;
static enum freshet_status published_status;

static struct freshet *new_freshet(void)
{
    struct freshet *made;
    struct freshet_options options = {.size = sizeof(options)};
    struct freshet_redis_options redis = {.size = sizeof(redis), .url = server.url};
    if (freshet_redis_bus_new(&options.bus, &redis, NULL) != FRESHET_OK)
        return NULL;
    return freshet_new(&made, &options, NULL) == FRESHET_OK ? made : NULL;
}

static void on_published(enum freshet_status status, int64_t receivers, void *user)
{
    (void)receivers;
    (void)user;
    published_status = status;
    sem_post(&published);
}

static void on_reply(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    (void)reply;
    *(enum freshet_status *)user = status;
    sem_post(&replied);
}

static enum freshet_status publish(struct freshet *by)
{
    return freshet_publish(by, &topic, freshet_span(NULL, 0), on_published, NULL);
}

static enum freshet_status ping(enum freshet_status *status)
{
    return freshet_redis_command(data, &(struct freshet_span){"PING", 4}, 1, 0, on_reply, status);
}

static void check_parent(void)
{
    enum freshet_status status = FRESHET_INVALID;
    cr_assert_eq(publish(freshet), FRESHET_OK);
    cr_assert(wait_for(&published));
    cr_assert_eq(published_status, FRESHET_OK);
    cr_assert_eq(ping(&status), FRESHET_OK);
    cr_assert(wait_for(&replied));
    cr_assert_eq(status, FRESHET_OK);
}

static void begin(void)
{
    struct freshet_channel *channel;
    sem_init(&published, 0, 0);
    sem_init(&replied, 0, 0);
    redis_server_start(&server, NULL);
    freshet = new_freshet();
    cr_assert_not_null(freshet);
    struct freshet_redis_data_options options = {.size = sizeof(options),
                                                 .link = {.size = sizeof(options.link), .url = server.url}};
    cr_assert_eq(freshet_redis_data_new(&data, &options, NULL), FRESHET_OK);
    cr_assert_eq(freshet_cache_new(&cache, freshet, NULL, NULL), FRESHET_OK);
    cr_assert_eq(freshet_channel_new(&channel, "counter", NULL), FRESHET_OK);
    cr_assert_eq(freshet_channel_topic(channel, NULL, 0, &topic, NULL), FRESHET_OK);
    freshet_channel_destroy(channel);
    check_parent();
}

static void end(void)
{
    freshet_cache_release(cache);
    freshet_redis_data_destroy(data);
    freshet_destroy(freshet, 1000);
    redis_server_stop(&server);
}

/* Runs it in a child; 0: all was as it should be, else the line that was not. */
static int run_in_child(int (*run)(void))
{
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_S);
        _exit(run());
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status), "the child did not end by itself: %d", status);
    return WEXITSTATUS(status);
}

#define EXPECT(condition)                                                                                    \
    if (!(condition))                                                                                        \
    return __LINE__ % 255 + 1

/* contract 3.1: nothing of it reaches the parent's connections, and nothing waits for threads that are not
 * here */
static int use_the_parents(void)
{
    enum freshet_status status;
    struct freshet_cached cached;
    struct freshet_cache_token token;
    struct freshet_error error = {""};
    struct freshet_cache *another;
    EXPECT(publish(freshet) == FRESHET_CLOSED);
    EXPECT(ping(&status) == FRESHET_CLOSED);
    EXPECT(!freshet_ready(freshet));
    EXPECT(freshet_topic_streams(freshet, &topic) == 0);
    EXPECT(freshet_dump(freshet, stdout, 0) == FRESHET_CLOSED);
    EXPECT(freshet_cache_new(&another, freshet, NULL, &error) == FRESHET_CLOSED);
    EXPECT(error.text[0] != '\0');
    EXPECT(freshet_cache_look_up(cache, freshet_span_text("counter"), freshet_span(NULL, 0), &cached,
                                 &token) == FRESHET_INVALID);
    freshet_cache_release(cache);
    freshet_redis_data_destroy(data);
    freshet_destroy(freshet, 10000);
    return 0;
}

static int make_its_own(void)
{
    struct freshet *own = new_freshet();
    EXPECT(own != NULL);
    EXPECT(publish(own) == FRESHET_OK);
    EXPECT(wait_for(&published));
    EXPECT(published_status == FRESHET_OK);
    freshet_destroy(own, 1000);
    EXPECT(publish(freshet) == FRESHET_CLOSED);
    return 0;
}

Test(forks, child_that_publishes_and_destroys_leaves_its_parent_alone, .timeout = 120)
{
    begin();
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(run_in_child(use_the_parents), 0);
        check_parent();
    }
    struct freshet_stats stats;
    freshet_stats_get(freshet, &stats);
    cr_assert_eq(stats.bus.reconnects, 0);
    cr_assert_eq(stats.bus.errors, 0);
    end();
}

Test(forks, child_may_make_a_freshet_of_its_own, .timeout = 120)
{
    begin();
    cr_assert_eq(run_in_child(make_its_own), 0);
    check_parent();
    end();
}
