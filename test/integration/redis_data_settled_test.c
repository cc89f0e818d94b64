/* What becomes of commands that were sent and not answered in time. */
#include "base/clock.h"
#include "each_row.h"
#include "redis_peer.h"
#include <criterion/criterion.h>
#include <freshet/redis.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define WAIT_S 20

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char order[32];    /* 'r' for a result, its status' digit, 's' for settled, 'l' for settled late */
    int64_t at_us[32]; /* when each of these was noted */
    struct redis_peer peer;
    struct redis_peer_call held; /* of the change; under the lock */
    bool is_held;
} rig = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void note(const char *what)
{
    pthread_mutex_lock(&rig.lock);
    rig.at_us[strlen(rig.order)] = fr_clock_monotonic_us();
    strncat(rig.order, what, sizeof(rig.order) - strlen(rig.order) - 1);
    pthread_cond_broadcast(&rig.changed);
    pthread_mutex_unlock(&rig.lock);
}

static void on_reply(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    char text[] = {'r', (char)('0' + status), '\0'};
    cr_assert_eq(user, &rig);
    cr_assert_eq(reply != NULL, status == FRESHET_OK);
    note(text);
}

static void on_settled(bool late, void *user)
{
    cr_assert_eq(user, &rig);
    note(late ? "l" : "s");
}

static void wait_for(const char *order)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&rig.lock);
    while (strlen(rig.order) < strlen(order) && pthread_cond_timedwait(&rig.changed, &rig.lock, &until) == 0)
        ;
    cr_assert_str_eq(rig.order, order);
    pthread_mutex_unlock(&rig.lock);
}

/* Says nothing to INCR, and nothing at all behind it. */
static bool hold(void *user, const struct redis_peer_call *call)
{
    (void)user;
    pthread_mutex_lock(&rig.lock);
    bool held = rig.is_held && rig.held.connection == call->connection;
    if (strcmp(call->verb, "INCR") == 0) {
        rig.held = *call;
        rig.is_held = held = true;
        pthread_cond_broadcast(&rig.changed);
    }
    pthread_mutex_unlock(&rig.lock);
    return held;
}

static void wait_held(void)
{
    pthread_mutex_lock(&rig.lock);
    while (!rig.is_held)
        pthread_cond_wait(&rig.changed, &rig.lock);
    pthread_mutex_unlock(&rig.lock);
}

static struct freshet_data_stats stats_of(struct freshet_redis_data *data)
{
    struct freshet_data_stats stats;
    freshet_redis_data_stats(data, &stats);
    return stats;
}

/* With a link that stands: what is asked leaves at once. */
static struct freshet_redis_data *make(uint32_t link_timeout_ms)
{
    struct freshet_redis_data *data;
    struct freshet_redis_data_options options = {.size = sizeof(options)};
    redis_peer_start(&rig.peer, hold, NULL);
    options.link = (struct freshet_redis_options){.size = sizeof(options.link),
                                                  .url = rig.peer.url,
                                                  .probe_interval_ms = FRESHET_NEVER,
                                                  .link_timeout_ms = link_timeout_ms};
    cr_assert_eq(freshet_redis_data_new(&data, &options, NULL), FRESHET_OK);
    for (int left = WAIT_S * 1000; stats_of(data).links_up == 0; left--) {
        cr_assert_gt(left, 0);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return data;
}

static enum freshet_status change(struct freshet_redis_data *data, const char *verb, uint32_t deadline_ms)
{
    const struct freshet_span arguments[] = {freshet_span_text(verb), freshet_span_text("key")};
    return freshet_redis_change(data, arguments, 2, deadline_ms, on_reply, on_settled, &rig);
}

/* ---- when one that was sent is over ---- */

enum event { NOTHING, ANSWER, CUT, DESTROY };

static const struct fate {
    const char *verb; /* INCR is not answered */
    uint32_t deadline_ms, link_timeout_ms;
    const char *before; /* the order up to the event */
    enum event event;
    const char *order;
    int64_t apart_ms; /* so long, or longer, passes from the result until it is settled */
} fates[] = {
    {"DECR", 60000, 60000, "", NOTHING, "r0s", 0},
    /* It ran when its result had long been told. */
    {"INCR", 20, 60000, "r7", ANSWER, "r7l", 0},
    /* Nobody will answer any more, and nothing is on its way any more. */
    {"INCR", 20, 60000, "r7", CUT, "r7l", 0},
    {"INCR", 60000, 60000, "", CUT, "r7s", 0},
    /* The link is given up. What it sent may be held on the way, and arrive when it has long been made anew.
     */
    {"INCR", 60000, 400, "", NOTHING, "r7l", 390},
    {"INCR", 20, 60000, "r7", DESTROY, "r7l", 0},
    {"INCR", 60000, 60000, "", DESTROY, "r:s", 0}, /* ':' is behind '9': FRESHET_CLOSED */
};

static void cause(enum event event, struct freshet_redis_data *data)
{
    if (event == ANSWER)
        redis_peer_say(&rig.held, ":1\r\n");
    else if (event == CUT)
        shutdown(rig.held.fd, SHUT_RDWR);
    else if (event == DESTROY)
        freshet_redis_data_destroy(data);
}

/* contract 7.2 */
EACH_ROW(redis_data_settled, is_over_with_its_answer_or_with_its_link, fates)
{
    const struct fate *fate = &fates[*number];
    struct freshet_redis_data *data = make(fate->link_timeout_ms);
    cr_assert_eq(change(data, fate->verb, fate->deadline_ms), FRESHET_OK);
    if (strcmp(fate->verb, "INCR") == 0)
        wait_held();
    if (fate->before[0] != '\0')
        wait_for(fate->before);
    if (fate->event != NOTHING)
        cr_assert_eq(stats_of(data).queued, 1, "it is not over");
    cause(fate->event, data);
    wait_for(fate->order);
    cr_assert_geq(rig.at_us[2] - rig.at_us[0], fate->apart_ms * FR_US_PER_MS);
    if (fate->event != DESTROY) {
        cr_assert_eq(stats_of(data).queued, 0);
        cr_assert_eq(stats_of(data).unanswered, fate->order[1] == '7');
        freshet_redis_data_destroy(data);
    }
    redis_peer_stop(&rig.peer);
    cr_assert_str_eq(rig.order, fate->order, "fate %zu: once", *number);
}

/* contract 7.2: nothing has left, so nothing can happen */
Test(redis_data_settled, command_that_never_left_is_over_at_its_deadline, .timeout = 120)
{
    freshet_redis_data_destroy(make(60000));
    redis_peer_stop(&rig.peer);
    struct freshet_redis_data *data;
    struct freshet_redis_data_options options = {.size = sizeof(options),
                                                 .link = {.size = sizeof(options.link), .url = rig.peer.url}};
    cr_assert_eq(freshet_redis_data_new(&data, &options, NULL), FRESHET_OK);
    cr_assert_eq(change(data, "INCR", 20), FRESHET_OK);
    wait_for("r7s");
    cr_assert_eq(stats_of(data).links_up, 0);
    cr_assert_eq(stats_of(data).good_age_ms, -1);
    freshet_redis_data_destroy(data);
}

/* contract 7.2: nobody wants the answer */
Test(redis_data_settled, reply_and_settled_may_be_null, .timeout = 120)
{
    const struct freshet_span arguments[] = {freshet_span_text("DECR"), freshet_span_text("key")};
    struct freshet_redis_data *data = make(60000);
    cr_assert_eq(freshet_redis_command(data, arguments, 2, 0, NULL, NULL), FRESHET_OK);
    cr_assert_eq(freshet_redis_change(data, arguments, 2, 0, NULL, on_settled, &rig), FRESHET_OK);
    cr_assert_eq(freshet_redis_change(data, arguments, 2, 0, on_reply, NULL, &rig), FRESHET_OK);
    wait_for("sr0");
    const struct freshet_span held[] = {freshet_span_text("INCR"), freshet_span_text("key")};
    cr_assert_eq(freshet_redis_command(data, held, 2, 20, NULL, NULL), FRESHET_OK);
    cr_assert_eq(freshet_redis_change(data, held, 2, 20, NULL, on_settled, &rig), FRESHET_OK);
    cr_assert_eq(freshet_redis_change(data, held, 2, 20, on_reply, NULL, &rig), FRESHET_OK);
    wait_for("sr0r7");
    shutdown(rig.held.fd, SHUT_RDWR);
    wait_for("sr0r7l");
    freshet_redis_data_destroy(data);
    redis_peer_stop(&rig.peer);
    cr_assert_str_eq(rig.order, "sr0r7l");
}
