/* The data link stays with a master that answers, and says how it stands. */
#include "redis_peer.h"
#include "redis_server.h"
#include <criterion/criterion.h>
#include <freshet/freshet.h>
#include <freshet/redis.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAIT_S 20

/* Looks again and again. */
#define UNTIL(condition)                                                                                     \
    do {                                                                                                     \
        for (int left = WAIT_S * 200; !(condition); left--) {                                                \
            cr_assert_gt(left, 0, "%s", #condition);                                                         \
            nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);                                         \
        }                                                                                                    \
    } while (0)

static atomic_uint lines_not_master, lines_role_refused;

static void count_line(enum freshet_log_level level, const char *text, void *user)
{
    (void)user;
    if (level > FRESHET_LOG_WARN)
        return;
    lines_not_master += strstr(text, "not the master") != NULL;
    lines_role_refused += strstr(text, "ROLE is refused") != NULL;
}

static struct freshet_redis_data *make(const char *url, uint32_t probe_ms, bool replica_too,
                                       struct freshet *freshet)
{
    struct freshet_redis_data *data;
    struct freshet_redis_data_options options = {.size = sizeof(options),
                                                 .log = {.write = count_line, .level = FRESHET_LOG_INFO},
                                                 .replica_too = replica_too,
                                                 .freshet = freshet};
    options.link = (struct freshet_redis_options){.size = sizeof(options.link),
                                                  .url = url,
                                                  .probe_interval_ms = probe_ms,
                                                  .backoff_max_ms = 100,
                                                  .link_timeout_ms = 60000};
    cr_assert_eq(freshet_redis_data_new(&data, &options, NULL), FRESHET_OK);
    return data;
}

static struct freshet_data_stats stats_of(struct freshet_redis_data *data)
{
    struct freshet_data_stats stats;
    freshet_redis_data_stats(data, &stats);
    return stats;
}

struct answer {
    sem_t came;
    enum freshet_status status;
    enum freshet_redis_reply_type type;
    char text[128];
};

static void on_reply(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    struct answer *answer = user;
    answer->status = status;
    if (reply != NULL) {
        answer->type = reply->type;
        snprintf(answer->text, sizeof(answer->text), "%.*s", (int)reply->text.len,
                 reply->text.data == NULL ? "" : reply->text.data);
    }
    sem_post(&answer->came);
}

static struct answer ask(struct freshet_redis_data *data, const char *verb, const char *value,
                         uint32_t deadline_ms)
{
    struct answer answer = {.status = FRESHET_OK};
    const struct freshet_span arguments[] = {freshet_span_text(verb), freshet_span_text("key"),
                                             freshet_span_text(value == NULL ? "" : value)};
    sem_init(&answer.came, 0, 0);
    cr_assert_eq(
        freshet_redis_command(data, arguments, value == NULL ? 2 : 3, deadline_ms, on_reply, &answer),
        FRESHET_OK);
    sem_wait(&answer.came);
    return answer;
}

/* Of nobody, which is enough to be a replica. */
static void demote(const struct redis_server *server)
{
    cr_assert(redis_server_ask(server, NULL, 0, "REPLICAOF", "127.0.0.1", "1", NULL));
}

static void promote(const struct redis_server *server)
{
    cr_assert(redis_server_ask(server, NULL, 0, "REPLICAOF", "NO", "ONE", NULL));
}

/* contract 7.5: writes would be refused, and what is read would be old */
Test(redis_data_role, idle_link_leaves_a_server_that_is_the_master_no_more, .timeout = 120)
{
    struct redis_server server;
    redis_server_start(&server, NULL);
    struct freshet_redis_data *data = make(server.url, 50, false, NULL);
    cr_assert_eq(ask(data, "SET", "one", 60000).status, FRESHET_OK);
    demote(&server);
    UNTIL(stats_of(data).links_up == 0);
    cr_assert_eq(ask(data, "GET", NULL, 300).status, FRESHET_UNAVAILABLE, "nothing old is read");
    promote(&server);
    UNTIL(stats_of(data).links_up == 1);
    cr_assert_eq(ask(data, "SET", "two", 60000).status, FRESHET_OK);
    cr_assert_eq(stats_of(data).reconnects, 1);
    cr_assert_eq(stats_of(data).unanswered, 1);
    cr_assert_eq(lines_not_master, 1, "told once for as long as it lasts");
    freshet_redis_data_destroy(data);
    redis_server_stop(&server);
}

/* contract 7.5: also between two questions for the role */
Test(redis_data_role, refused_write_is_answered_and_ends_the_link, .timeout = 120)
{
    struct redis_server server;
    redis_server_start(&server, NULL);
    struct freshet_redis_data *data = make(server.url, FRESHET_NEVER, false, NULL);
    cr_assert_eq(ask(data, "SET", "one", 60000).status, FRESHET_OK);
    demote(&server);
    struct answer refused = ask(data, "SET", "two", 60000);
    cr_assert_eq(refused.type, FRESHET_REDIS_ERROR);
    cr_assert_eq(strncmp(refused.text, "READONLY ", 9), 0);
    UNTIL(stats_of(data).links_up == 0);
    cr_assert_geq(stats_of(data).errors, 1);
    promote(&server);
    cr_assert_eq(ask(data, "SET", "two", 60000).type, FRESHET_REDIS_TEXT);
    cr_assert_eq(stats_of(data).reconnects, 1);
    freshet_redis_data_destroy(data);
    redis_server_stop(&server);
}

Test(redis_data_role, link_may_be_for_a_replica_on_purpose, .timeout = 120)
{
    struct redis_server server;
    redis_server_start(&server, NULL);
    cr_assert(redis_server_ask(&server, NULL, 0, "SET", "key", "one", NULL));
    demote(&server);
    struct freshet_redis_data *data = make(server.url, 20, true, NULL);
    for (int i = 0; i < 3; i++) {
        cr_assert_str_eq(ask(data, "GET", NULL, 60000).text, "one");
        cr_assert_eq(ask(data, "SET", "two", 60000).type, FRESHET_REDIS_ERROR);
    }
    cr_assert_eq(stats_of(data).reconnects, 0);
    cr_assert_eq(stats_of(data).errors, 3);
    cr_assert_eq(stats_of(data).links_up, 1);
    freshet_redis_data_destroy(data);
    redis_server_stop(&server);
}

/* contract 7.5, 8.1: its freshet's stats say the same, and go on when the link is gone */
Test(redis_data_role, link_to_a_server_that_is_silent_is_not_up_and_is_kept, .timeout = 120)
{
    struct redis_server server;
    struct freshet *freshet;
    struct freshet_stats stats;
    redis_server_start(&server, NULL);
    cr_assert_eq(freshet_new(&freshet, NULL, NULL), FRESHET_OK);
    struct freshet_redis_data *data = make(server.url, 50, false, freshet);
    cr_assert_eq(ask(data, "SET", "one", 60000).status, FRESHET_OK);
    redis_server_signal(&server, SIGSTOP);
    UNTIL((freshet_stats_get(freshet, &stats), stats.data.links_up == 0));
    cr_assert_eq(stats.data.links, 1);
    cr_assert_geq(stats.data.good_age_ms, 50);
    cr_assert_eq(ask(data, "GET", NULL, 20).status, FRESHET_UNAVAILABLE);
    redis_server_signal(&server, SIGCONT);
    UNTIL((freshet_stats_get(freshet, &stats), stats.data.links_up == 1));
    cr_assert_eq(stats.data.reconnects, 0);
    char *text = freshet_stats_prometheus(freshet);
    cr_assert_not_null(strstr(text, "\nfreshet_data_links_up 1\n"));
    cr_assert_not_null(strstr(text, "\nfreshet_data_unanswered_total 1\n"));
    double age_s = -1;
    cr_assert_eq(sscanf(strstr(text, "\nfreshet_data_good_age_seconds "), " %*s %lf", &age_s), 1);
    cr_assert(age_s >= 0 && age_s < 60, "%g", age_s);
    free(text);
    freshet_redis_data_destroy(data);
    freshet_stats_get(freshet, &stats);
    cr_assert_eq(stats.data.links + stats.data.links_up + stats.data.queued, 0);
    cr_assert_eq(stats.data.good_age_ms, -1);
    cr_assert_eq(stats.data.unanswered, 1);
    freshet_destroy(freshet, 1000);
    redis_server_stop(&server);
}

static atomic_uint asked_role, pinged;

static bool refuse_role(void *user, const struct redis_peer_call *call)
{
    (void)user;
    pinged += strcmp(call->verb, "PING") == 0;
    if (strcmp(call->verb, "ROLE") != 0)
        return false;
    asked_role++;
    redis_peer_say(call, "-NOPERM this user has no permissions to run the 'role' command\r\n");
    return true;
}

/* contract 7.5, 7.6: once a connection is enough to know, and once for all to tell */
Test(redis_data_role, user_who_may_not_ask_is_told_once, .timeout = 120)
{
    struct redis_peer peer;
    redis_peer_start(&peer, refuse_role, NULL);
    struct freshet_redis_data *data = make(peer.url, 20, false, NULL);
    UNTIL(pinged >= 4);
    cr_assert_leq(asked_role, 2);
    cr_assert_eq(ask(data, "GET", NULL, 60000).status, FRESHET_OK);
    cr_assert_eq(stats_of(data).links_up, 1);
    cr_assert_eq(lines_role_refused, 1);
    freshet_redis_data_destroy(data);
    redis_peer_stop(&peer);
}

static atomic_bool busy;

static bool be_busy(void *user, const struct redis_peer_call *call)
{
    (void)user;
    if (busy)
        redis_peer_say(call, "-BUSY Redis is busy running a script.\r\n");
    return busy;
}

/* contract 7.5: it answers nobody anything else, and that ends by itself */
Test(redis_data_role, link_to_a_server_with_an_endless_script_is_not_up_and_is_kept, .timeout = 120)
{
    struct redis_peer peer;
    redis_peer_start(&peer, be_busy, NULL);
    struct freshet_redis_data *data = make(peer.url, 20, false, NULL);
    UNTIL(stats_of(data).links_up == 1);
    busy = true;
    UNTIL(stats_of(data).links_up == 0);
    busy = false;
    UNTIL(stats_of(data).links_up == 1);
    cr_assert_eq(stats_of(data).reconnects, 0);
    freshet_redis_data_destroy(data);
    redis_peer_stop(&peer);
}
