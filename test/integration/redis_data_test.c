/* The link for the program's own commands. */
#include "bus_recorder.h"
#include "redis_server.h"
#include <criterion/criterion.h>
#include <freshet/redis.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAIT_S 20

struct answers {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t count, by_status[16];
    enum freshet_redis_reply_type type; /* of the last one */
    int64_t integer;
    char text[256];
    size_t text_len, element_count;
    int64_t last_number;
    bool in_order;
};

static struct answers answers = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                 .changed = PTHREAD_COND_INITIALIZER,
                                 .last_number = -1,
                                 .in_order = true};

static void note_text(const struct freshet_redis_reply *reply)
{
    answers.text_len = reply->text.len;
    snprintf(answers.text, sizeof(answers.text), "%.*s", (int)(reply->text.len < 255 ? reply->text.len : 255),
             reply->text.data == NULL ? "" : reply->text.data);
}

static void on_reply(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    pthread_mutex_lock(&answers.lock);
    answers.count++;
    answers.by_status[status]++;
    int64_t number = (int64_t)(intptr_t)user;
    answers.in_order = answers.in_order && number >= answers.last_number;
    answers.last_number = number;
    if (reply != NULL) {
        answers.type = reply->type;
        answers.integer = reply->integer;
        answers.element_count = reply->element_count;
        note_text(reply);
        if (reply->type == FRESHET_REDIS_ARRAY && reply->element_count > 0)
            note_text(&reply->elements[reply->element_count - 1]);
    }
    pthread_cond_broadcast(&answers.changed);
    pthread_mutex_unlock(&answers.lock);
}

static void wait_answers(size_t count)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&answers.lock);
    while (answers.count < count && pthread_cond_timedwait(&answers.changed, &answers.lock, &until) == 0)
        ;
    cr_assert_geq(answers.count, count);
    pthread_mutex_unlock(&answers.lock);
}

static struct freshet_redis_data *make(const char *url, uint32_t max_commands, uint32_t max_reply)
{
    struct freshet_redis_data *data = NULL;
    struct freshet_redis_data_options options = {
        .size = sizeof(options), .max_queued_commands = max_commands, .max_reply_bytes = max_reply};
    options.link.size = sizeof(options.link);
    options.link.url = url;
    options.link.link_timeout_ms = 1000;
    cr_assert_eq(freshet_redis_data_new(&data, &options, NULL), FRESHET_OK);
    return data;
}

static enum freshet_status send_text(struct freshet_redis_data *data, const char *text, uint32_t deadline_ms,
                                     intptr_t number)
{
    struct freshet_span arguments[16];
    char copy[256];
    size_t count = 0;
    snprintf(copy, sizeof(copy), "%s", text);
    char *rest = copy;
    for (char *word; (word = strsep(&rest, " ")) != NULL && count < 16;)
        arguments[count++] = freshet_span_text(word);
    return freshet_redis_command(data, arguments, count, deadline_ms, on_reply, (void *)number);
}

static void ask(struct freshet_redis_data *data, const char *text)
{
    size_t before = answers.count;
    cr_assert_eq(send_text(data, text, 10000, 0), FRESHET_OK);
    wait_answers(before + 1);
}

/* contract 7.2 */
Test(redis_data, converts_replies_of_every_type, .timeout = 120)
{
    struct redis_server server;
    redis_server_start(&server, NULL);
    struct freshet_redis_data *data = make(server.url, 0, 0);
    ask(data, "SET key value");
    cr_assert_eq(answers.type, FRESHET_REDIS_TEXT);
    cr_assert_str_eq(answers.text, "OK");
    ask(data, "GET key");
    cr_assert_str_eq(answers.text, "value");
    ask(data, "GET nothing");
    cr_assert_eq(answers.type, FRESHET_REDIS_NIL);
    ask(data, "INCRBY n 42");
    cr_assert_eq(answers.type, FRESHET_REDIS_INTEGER);
    cr_assert_eq(answers.integer, 42);
    ask(data, "INCR key");
    cr_assert_eq(answers.type, FRESHET_REDIS_ERROR);
    cr_assert_eq(strncmp(answers.text, "ERR", 3), 0);
    ask(data, "MGET key nothing n");
    cr_assert_eq(answers.type, FRESHET_REDIS_ARRAY);
    cr_assert_eq(answers.element_count, 3);
    cr_assert_str_eq(answers.text, "42");
    cr_assert_eq(answers.by_status[FRESHET_OK], 6);
    freshet_redis_data_destroy(data);
    redis_server_stop(&server);
}

/* More than the kernel takes at once: the first part goes out from here, the rest from the link's thread. */
Test(redis_data, sends_a_large_command_whole_and_the_next_behind_it, .timeout = 120)
{
    enum { BYTES = 16 << 20 };
    struct redis_server server;
    redis_server_start(&server, NULL);
    struct freshet_redis_data *data = make(server.url, 0, 0);
    char *value = malloc(BYTES);
    memset(value, 'v', BYTES);
    struct freshet_span set[] = {freshet_span_text("SET"), freshet_span_text("key"),
                                 freshet_span(value, BYTES)};
    ask(data, "PING");
    cr_assert_eq(freshet_redis_command(data, set, 3, 20000, on_reply, (void *)1), FRESHET_OK);
    cr_assert_eq(send_text(data, "STRLEN key", 20000, 2), FRESHET_OK);
    wait_answers(3);
    cr_assert(answers.in_order);
    cr_assert_eq(answers.integer, BYTES);
    cr_assert_eq(answers.by_status[FRESHET_OK], 3);
    free(value);
    freshet_redis_data_destroy(data);
    redis_server_stop(&server);
}

Test(redis_data, answers_commands_of_one_thread_in_order, .timeout = 120)
{
    enum { COUNT = 20000 };
    struct redis_server server;
    redis_server_start(&server, NULL);
    struct freshet_redis_data *data = make(server.url, 0, 0);
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(send_text(data, "INCR n", 20000, i), FRESHET_OK);
    wait_answers(COUNT);
    cr_assert(answers.in_order);
    cr_assert_eq(answers.integer, COUNT);
    freshet_redis_data_destroy(data);
    redis_server_stop(&server);
}

Test(redis_data, uses_the_database_of_the_url, .timeout = 120)
{
    struct redis_server server;
    char url[128], answer[32];
    redis_server_start(&server, NULL);
    snprintf(url, sizeof(url), "%s/3", server.url);
    struct freshet_redis_data *data = make(url, 0, 0);
    ask(data, "SET here 1");
    cr_assert(redis_server_ask(&server, answer, sizeof(answer), "EXISTS", "here", NULL));
    cr_assert_str_eq(answer, "0");
    freshet_redis_data_destroy(data);
    redis_server_stop(&server);
}

Test(redis_data, gives_a_command_up_at_its_deadline_and_runs_it_within, .timeout = 120)
{
    struct redis_server server;
    redis_server_prepare(&server);
    struct freshet_redis_data *data = make(server.url, 0, 0);
    cr_assert_eq(send_text(data, "PING", 50, 0), FRESHET_OK);
    wait_answers(1);
    cr_assert_eq(answers.by_status[FRESHET_UNAVAILABLE], 1);
    cr_assert_eq(send_text(data, "PING", 60000, 0), FRESHET_OK);
    redis_server_run(&server, NULL);
    wait_answers(2);
    cr_assert_eq(answers.by_status[FRESHET_OK], 1);
    freshet_redis_data_destroy(data);
    redis_server_stop(&server);
}

Test(redis_data, keeps_answers_matched_after_a_late_one, .timeout = 120)
{
    struct redis_server server;
    redis_server_start(&server, NULL);
    struct freshet_redis_data *data = make(server.url, 0, 0);
    ask(data, "SET a 1");
    redis_server_signal(&server, SIGSTOP);
    cr_assert_eq(send_text(data, "GET a", 20, 0), FRESHET_OK);
    wait_answers(2);
    cr_assert_eq(answers.by_status[FRESHET_UNAVAILABLE], 1);
    redis_server_signal(&server, SIGCONT);
    ask(data, "ECHO b");
    cr_assert_str_eq(answers.text, "b");
    freshet_redis_data_destroy(data);
    redis_server_stop(&server);
}

Test(redis_data, tells_what_was_sent_when_the_link_breaks, .timeout = 120)
{
    struct redis_server server;
    redis_server_start(&server, NULL);
    struct freshet_redis_data *data = make(server.url, 0, 0);
    ask(data, "PING");
    redis_server_signal(&server, SIGSTOP);
    cr_assert_eq(send_text(data, "INCR n", 60000, 0), FRESHET_OK);
    wait_answers(2);
    cr_assert_eq(answers.by_status[FRESHET_UNAVAILABLE], 1);
    redis_server_signal(&server, SIGCONT);
    ask(data, "PING");
    freshet_redis_data_destroy(data);
    redis_server_stop(&server);
}

Test(redis_data, refuses_over_its_bounds_and_answers_closed_when_destroyed, .timeout = 120)
{
    struct redis_server server;
    redis_server_prepare(&server);
    struct freshet_redis_data *data = make(server.url, 5, 0);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(send_text(data, "PING", 60000, i), FRESHET_OK);
    cr_assert_eq(send_text(data, "PING", 60000, 9), FRESHET_FULL);
    freshet_redis_data_destroy(data);
    cr_assert_eq(answers.count, 5);
    cr_assert_eq(answers.by_status[FRESHET_CLOSED], 5);
    cr_assert(answers.in_order);
    redis_server_stop(&server);
}

Test(redis_data, cuts_a_reply_over_the_limit_and_goes_on, .timeout = 120)
{
    struct redis_server server;
    redis_server_start(&server, NULL);
    struct freshet_redis_data *data = make(server.url, 0, 100000);
    ask(data, "SETRANGE big 200000 x");
    ask(data, "GET big");
    cr_assert_eq(answers.type, FRESHET_REDIS_ERROR);
    cr_assert_not_null(strstr(answers.text, "max_reply_bytes"));
    ask(data, "MGET nothing big nothing");
    cr_assert_eq(answers.type, FRESHET_REDIS_ERROR);
    ask(data, "EVAL local\tt={}for\ti=1,5000\tdo\tt[i]=i\tend\treturn\tt 0");
    cr_assert_eq(answers.type, FRESHET_REDIS_ERROR);
    ask(data, "ECHO small");
    cr_assert_str_eq(answers.text, "small");
    cr_assert_eq(answers.by_status[FRESHET_OK], 5);
    freshet_redis_data_destroy(data);
    redis_server_stop(&server);
}

Test(redis_data, refuses_commands_that_change_the_connection, .timeout = 120)
{
    struct redis_server server;
    redis_server_prepare(&server);
    struct freshet_redis_data *data = make(server.url, 0, 0);
    static const char *const barred[] = {"subscribe x", "SELECT 3", "auth word",        "CLIENT REPLY SKIP",
                                         "MULTI",       "WATCH x",  "client reply off", "Exec"};
    for (size_t i = 0; i < sizeof(barred) / sizeof(barred[0]); i++)
        cr_assert_eq(send_text(data, barred[i], 0, 0), FRESHET_INVALID, "%s", barred[i]);
    cr_assert_eq(send_text(data, "CLIENT ID", 60000, 0), FRESHET_OK);
    cr_assert_eq(send_text(data, "CLIENT", 60000, 0), FRESHET_OK);
    const struct freshet_span nothing = {.data = NULL, .len = 1}, ping = freshet_span_text("PING");
    cr_assert_eq(freshet_redis_command(data, NULL, 0, 0, on_reply, NULL), FRESHET_INVALID);
    cr_assert_eq(freshet_redis_command(data, NULL, 1, 0, on_reply, NULL), FRESHET_INVALID);
    cr_assert_eq(freshet_redis_command(data, &nothing, 1, 0, on_reply, NULL), FRESHET_INVALID);
    cr_assert_eq(freshet_redis_command(NULL, &ping, 1, 0, on_reply, NULL), FRESHET_INVALID);
    cr_assert_eq(freshet_redis_change(NULL, &ping, 1, 0, on_reply, NULL, NULL), FRESHET_INVALID);
    freshet_redis_data_stats(data, NULL);
    freshet_redis_data_destroy(data);
    freshet_redis_data_destroy(NULL);
    redis_server_stop(&server);
}

/* Nothing is needed but a place for the result. */
Test(redis_data, null_is_refused_or_means_the_defaults)
{
    struct freshet_error error = {""};
    struct freshet_redis_data *data;
    struct freshet_data_stats stats = {.links = 7};
    cr_assert_eq(freshet_redis_bus_new(NULL, NULL, &error), FRESHET_INVALID);
    cr_assert_str_eq(error.text, "redis: `out` is NULL");
    error.text[0] = '\0';
    cr_assert_eq(freshet_redis_data_new(NULL, NULL, &error), FRESHET_INVALID);
    cr_assert_str_eq(error.text, "redis: `out` is NULL");
    cr_assert_eq(freshet_redis_data_new(&data, NULL, NULL), FRESHET_OK);
    freshet_redis_data_destroy(data);
    freshet_redis_data_stats(NULL, &stats);
    cr_assert_eq(stats.links, 0);
}
