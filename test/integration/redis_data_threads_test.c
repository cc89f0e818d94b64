/* On which thread the answers of the data link come. The test's own thread is the worker. */
#include "core/runtime/worker.h"
#include "redis_server.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <freshet/freshet.h>
#include <freshet/redis.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WAIT_S 20
#define MAX    16

struct came {
    pthread_t thread;
    enum freshet_status status;
    intptr_t number;
    char text[128]; /* of the reply; of an array, its parts in brackets */
};

static struct {
    pthread_mutex_t lock;
    struct came came[MAX]; /* under the lock */
    size_t count;
    sem_t changed; /* an answer, or mail for the worker */
    struct redis_server server;
    struct freshet *freshet;
    struct freshet_redis_data *data;
    struct fr_worker *worker;
} rig = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void write_reply(char *text, size_t size, const struct freshet_redis_reply *reply)
{
    size_t len = strlen(text);
    if (reply->type == FRESHET_REDIS_INTEGER)
        snprintf(text + len, size - len, "%lld", (long long)reply->integer);
    else if (reply->type == FRESHET_REDIS_NIL)
        snprintf(text + len, size - len, "nil");
    else if (reply->type != FRESHET_REDIS_ARRAY)
        snprintf(text + len, size - len, "%.*s", (int)reply->text.len, reply->text.data);
    if (reply->type != FRESHET_REDIS_ARRAY)
        return;
    strcat(text, "[");
    for (size_t i = 0; i < reply->element_count; i++) {
        strcat(text, i == 0 ? "" : " ");
        write_reply(text, size, &reply->elements[i]);
    }
    strcat(text, "]");
}

static void on_reply(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    pthread_mutex_lock(&rig.lock);
    struct came *came = &rig.came[rig.count++];
    *came = (struct came){.thread = pthread_self(), .status = status, .number = (intptr_t)user};
    if (reply != NULL)
        write_reply(came->text, sizeof(came->text), reply);
    sem_post(&rig.changed);
    pthread_mutex_unlock(&rig.lock);
}

/* What waits for it has to be seen waiting. */
static void take_long(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    on_reply(status, reply, user);
}

static void on_published(enum freshet_status status, int64_t receivers, void *user)
{
    (void)receivers, (void)user;
    on_reply(status, NULL, NULL);
}

static size_t count_came(void)
{
    pthread_mutex_lock(&rig.lock);
    size_t count = rig.count;
    pthread_mutex_unlock(&rig.lock);
    return count;
}

static void wake(void *user)
{
    (void)user;
    sem_post(&rig.changed);
}

static void wait_changed(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    int result;
    while ((result = sem_timedwait(&rig.changed, &until)) != 0 && errno == EINTR)
        ;
    cr_assert_eq(result, 0, "%zu answers", count_came());
}

static void wait_came(size_t count)
{
    while (count_came() < count)
        wait_changed();
}

/* The same, giving the worker its turns. */
static void run_worker(size_t count)
{
    fr_worker_turn(rig.worker);
    while (count_came() < count) {
        wait_changed();
        fr_worker_turn(rig.worker);
    }
}

static void start(uint32_t max_commands, uint32_t max_bytes)
{
    static const struct fr_worker_host host = {.wake = wake};
    sem_init(&rig.changed, 0, 0);
    redis_server_start(&rig.server, NULL);
    cr_assert_eq(freshet_new(&rig.freshet, NULL, NULL), FRESHET_OK);
    struct freshet_redis_data_options options = {
        .size = sizeof(options),
        .link = {.size = sizeof(options.link), .url = rig.server.url, .link_timeout_ms = 60000},
        .max_queued_commands = max_commands,
        .max_queued_bytes = max_bytes,
        .freshet = rig.freshet};
    cr_assert_eq(freshet_redis_data_new(&rig.data, &options, NULL), FRESHET_OK);
    cr_assert_eq(fr_worker_new(&rig.worker, rig.freshet, &host), FRESHET_OK);
}

static void leave(void)
{
    fr_worker_leave(rig.worker);
    rig.worker = NULL;
}

static void stop(void)
{
    if (rig.worker != NULL)
        leave();
    freshet_redis_data_destroy(rig.data);
    freshet_destroy(rig.freshet, WAIT_S * 1000);
    redis_server_stop(&rig.server);
}

static enum freshet_status command(const char *const *words, intptr_t number)
{
    struct freshet_span arguments[8];
    size_t count = 0;
    for (; words[count] != NULL; count++)
        arguments[count] = freshet_span_text(words[count]);
    return freshet_redis_command(rig.data, arguments, count, 60000, on_reply, (void *)number);
}

#define COMMAND(number, ...) command((const char *const[]){__VA_ARGS__, NULL}, number)

struct errand {
    intptr_t number;
    freshet_redis_reply_cb reply;
    enum freshet_status status;
};

static void *run_errand(void *user)
{
    struct errand *errand = user;
    const struct freshet_span arguments[] = {freshet_span_text("ECHO"), freshet_span_text("elsewhere")};
    errand->status =
        freshet_redis_command(rig.data, arguments, 2, 60000, errand->reply, (void *)errand->number);
    return NULL;
}

/* From a thread that has ended when the answer comes. */
static void send_from_elsewhere(intptr_t number, freshet_redis_reply_cb reply)
{
    struct errand errand = {.number = number, .reply = reply};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, run_errand, &errand), 0);
    pthread_join(thread, NULL);
    cr_assert_eq(errand.status, FRESHET_OK);
}

static void *publish_elsewhere(void *user)
{
    struct freshet_topic topic = {.len = 1, .text = "t"};
    (void)user;
    freshet_publish(rig.freshet, &topic, freshet_span(NULL, 0), on_published, NULL);
    return NULL;
}

/* Found out by a publish, whose results go there, too. Its answer is the one numbered `index`. */
static pthread_t callback_thread(size_t index)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, publish_elsewhere, NULL), 0);
    pthread_join(thread, NULL);
    wait_came(index + 1);
    return rig.came[index].thread;
}

static void expect(size_t index, pthread_t thread, enum freshet_status status, const char *text)
{
    const struct came *came = &rig.came[index];
    cr_assert_lt(index, count_came());
    cr_assert(pthread_equal(came->thread, thread));
    cr_assert_eq(came->status, status, "%s", freshet_status_text(came->status));
    cr_assert_str_eq(came->text, text);
}

/* Answers to commands sent before are then on their way or there: the link's own order. */
static void wait_answered(void)
{
    size_t before = count_came();
    send_from_elsewhere(-1, on_reply);
    wait_came(before + 1);
}

/* contract 7.2 */
Test(redis_data_threads, answers_a_worker_in_its_loop_with_a_copy_of_the_whole_reply, .timeout = 120)
{
    start(0, 0);
    cr_assert_eq(COMMAND(1, "EVAL", "return {'a', {1, {'', 'deep'}, {}}, false, 'z'}", "0"), FRESHET_OK);
    cr_assert_eq(COMMAND(2, "INCR", "n"), FRESHET_OK);
    cr_assert_eq(COMMAND(3, "GET", "nothing"), FRESHET_OK);
    cr_assert_eq(COMMAND(4, "NOSUCH"), FRESHET_OK);
    wait_answered();
    cr_assert_eq(count_came(), 1, "only that of the other thread");
    run_worker(5);
    expect(1, pthread_self(), FRESHET_OK, "[a [1 [ deep] []] nil z]");
    expect(2, pthread_self(), FRESHET_OK, "1");
    expect(3, pthread_self(), FRESHET_OK, "nil");
    cr_assert(pthread_equal(rig.came[4].thread, pthread_self()));
    cr_assert_eq(strncmp(rig.came[4].text, "ERR ", 4), 0);
    for (intptr_t i = 1; i <= 4; i++)
        cr_assert_eq(rig.came[i].number, i);
    stop();
    cr_assert_eq(count_came(), 5);
}

/* contract 7.2 */
Test(redis_data_threads, answers_other_threads_on_the_callback_thread, .timeout = 120)
{
    start(0, 0);
    send_from_elsewhere(1, on_reply);
    wait_came(1);
    pthread_t thread = callback_thread(1);
    cr_assert_not(pthread_equal(thread, pthread_self()));
    expect(0, thread, FRESHET_OK, "elsewhere");
    stop();
    cr_assert_eq(count_came(), 2);
}

/* contract 7.2 */
Test(redis_data_threads, answers_on_the_callback_thread_when_the_worker_has_left, .timeout = 120)
{
    start(0, 0);
    wait_answered();
    redis_server_signal(&rig.server, SIGSTOP);
    cr_assert_eq(COMMAND(1, "ECHO", "late"), FRESHET_OK);
    leave();
    cr_assert_eq(count_came(), 1);
    redis_server_signal(&rig.server, SIGCONT);
    wait_came(2);
    expect(1, callback_thread(2), FRESHET_OK, "late");
    stop();
    cr_assert_eq(count_came(), 3);
}

Test(redis_data_threads, answers_a_leaving_worker_what_is_in_its_mail, .timeout = 120)
{
    start(0, 0);
    cr_assert_eq(COMMAND(1, "ECHO", "mailed"), FRESHET_OK);
    wait_answered();
    leave();
    cr_assert_eq(count_came(), 2);
    expect(1, pthread_self(), FRESHET_OK, "mailed");
    stop();
    cr_assert_eq(count_came(), 2);
}

Test(redis_data_threads, gives_up_at_the_deadline_in_the_workers_loop, .timeout = 120)
{
    struct freshet_span ping = freshet_span_text("PING");
    start(0, 0);
    wait_answered();
    redis_server_signal(&rig.server, SIGSTOP);
    cr_assert_eq(freshet_redis_command(rig.data, &ping, 1, 20, on_reply, NULL), FRESHET_OK);
    run_worker(2);
    expect(1, pthread_self(), FRESHET_UNAVAILABLE, "");
    redis_server_signal(&rig.server, SIGCONT);
    cr_assert_eq(COMMAND(2, "ECHO", "next"), FRESHET_OK);
    run_worker(3);
    expect(2, pthread_self(), FRESHET_OK, "next");
    stop();
    cr_assert_eq(count_came(), 3);
}

static void on_settled(bool late, void *user)
{
    cr_assert(late);
    on_reply(FRESHET_OK, NULL, user);
}

static void change(intptr_t number)
{
    const struct freshet_span incr[] = {freshet_span_text("INCR"), freshet_span_text("n")};
    cr_assert_eq(freshet_redis_change(rig.data, incr, 2, 20, on_reply, on_settled, (void *)number),
                 FRESHET_OK);
}

/* contract 7.2 */
Test(redis_data_threads, settles_in_the_workers_loop_or_on_the_callback_thread_when_it_has_left,
     .timeout = 120)
{
    start(0, 0);
    wait_answered();
    redis_server_signal(&rig.server, SIGSTOP);
    change(1);
    run_worker(2);
    expect(1, pthread_self(), FRESHET_UNAVAILABLE, "");
    redis_server_signal(&rig.server, SIGCONT);
    run_worker(3);
    expect(2, pthread_self(), FRESHET_OK, "");
    redis_server_signal(&rig.server, SIGSTOP);
    change(2);
    run_worker(4);
    leave();
    redis_server_signal(&rig.server, SIGCONT);
    wait_came(5);
    expect(4, callback_thread(5), FRESHET_OK, "");
    cr_assert_eq(rig.came[4].number, 2);
    stop();
    cr_assert_eq(count_came(), 6);
}

/* The destroy waits for the callback thread, and leaves to workers what is theirs. */
Test(redis_data_threads, closes_each_command_on_its_own_thread, .timeout = 120)
{
    start(0, 0);
    pthread_t thread = callback_thread(0);
    redis_server_signal(&rig.server, SIGSTOP);
    cr_assert_eq(COMMAND(1, "PING"), FRESHET_OK);
    send_from_elsewhere(2, take_long);
    send_from_elsewhere(3, on_reply);
    freshet_redis_data_destroy(rig.data);
    rig.data = NULL;
    cr_assert_eq(count_came(), 3);
    expect(1, thread, FRESHET_CLOSED, "");
    expect(2, thread, FRESHET_CLOSED, "");
    cr_assert_eq(rig.came[1].number, 2);
    cr_assert_eq(rig.came[2].number, 3);
    run_worker(4);
    expect(3, pthread_self(), FRESHET_CLOSED, "");
    cr_assert_eq(rig.came[3].number, 1);
    redis_server_signal(&rig.server, SIGCONT);
    stop();
    cr_assert_eq(count_came(), 4);
}

/* contract 7.2 */
Test(redis_data_threads, counts_answers_that_their_worker_has_not_taken, .timeout = 120)
{
    enum { BIG = 100000 };
    char size[16];
    snprintf(size, sizeof(size), "%d", BIG);
    start(3, BIG);
    cr_assert_eq(COMMAND(1, "PING"), FRESHET_OK);
    cr_assert_eq(COMMAND(2, "PING"), FRESHET_OK);
    wait_answered();
    cr_assert_eq(COMMAND(3, "SETRANGE", "big", size, "x"), FRESHET_OK);
    cr_assert_eq(COMMAND(4, "PING"), FRESHET_FULL);
    run_worker(4);
    cr_assert_eq(COMMAND(5, "STRLEN", "big"), FRESHET_OK);
    run_worker(5);
    expect(4, pthread_self(), FRESHET_OK, "100001");
    while (sem_trywait(&rig.changed) == 0)
        ; /* nothing is under way: the next is that the reply is in the mail */
    cr_assert_eq(COMMAND(6, "GET", "big"), FRESHET_OK);
    wait_changed();
    cr_assert_eq(COMMAND(7, "PING"), FRESHET_FULL, "the reply's bytes count");
    run_worker(6);
    cr_assert_eq(COMMAND(8, "PING"), FRESHET_OK);
    run_worker(7);
    expect(6, pthread_self(), FRESHET_OK, "PONG");
    stop();
    cr_assert_eq(count_came(), 7);
}
