/* Users, passwords and certificates that change while links stand. */
#include "redis_rig.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* What the program knows. */
struct program {
    pthread_mutex_t lock;
    char user[32], password[32]; /* under the lock; no password: it has none at the moment */
    atomic_int asked;
};

static struct redis_server server;
static struct rig rig;
static struct program program = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void know(const char *user, const char *password)
{
    pthread_mutex_lock(&program.lock);
    snprintf(program.user, sizeof(program.user), "%s", user);
    snprintf(program.password, sizeof(program.password), "%s", password);
    pthread_mutex_unlock(&program.lock);
}

static void give_login(struct freshet_redis_login *login, void *user)
{
    struct program *known = user;
    pthread_mutex_lock(&known->lock);
    if (known->password[0] != '\0')
        freshet_redis_login_set(login, freshet_span_text(known->user), freshet_span_text(known->password));
    pthread_mutex_unlock(&known->lock);
    atomic_fetch_add(&known->asked, 1);
}

/* The user has this password and no other from now on. */
static void set_password(const char *user, const char *password)
{
    char rule[40];
    snprintf(rule, sizeof(rule), ">%s", password);
    cr_assert(redis_server_ask(&server, NULL, 0, "ACL", "SETUSER", user, "on", "resetpass", rule, "~*", "&*",
                               "+@all", NULL));
}

static struct freshet_redis_options with_login(const char *url)
{
    struct freshet_redis_options options = rig_options(url);
    options.login = give_login;
    options.login_user = &program;
    return options;
}

static void start(void)
{
    struct freshet_redis_options options = with_login(server.url);
    rig_start(&rig, &options);
    rig_subscribe(&rig, "x", 1);
}

static void stop(void)
{
    rig_stop(&rig);
    redis_server_stop(&server);
}

static bool has_client(const char *name, const char *user)
{
    char text[8192], word[64];
    cr_assert(redis_server_ask(&server, text, sizeof(text), "CLIENT", "LIST", NULL));
    snprintf(word, sizeof(word), " user=%s ", user);
    char *line = strstr(text, name);
    if (line == NULL)
        return false;
    line[strcspn(line, "\n")] = '\0';
    return strstr(line, word) != NULL;
}

static void wait_for_client(const char *name, const char *user)
{
    for (int64_t end_ms = rig_now_ms() + WAIT_MS; !has_client(name, user);)
        rig_nap(end_ms, rig.heard.log);
}

/* contract 7.7: tokens that last for a while */
Test(redis_login, asks_for_a_token_for_each_connection, .timeout = 120)
{
    enum { TOKENS = 8 };
    char token[32] = "token-0";
    redis_server_start(&server, NULL);
    set_password("app", token);
    know("app", token);
    start();
    rig_expect_subscribed(&rig, "x", 1);
    for (size_t i = 1; i <= TOKENS; i++) {
        snprintf(token, sizeof(token), "token-%zu", i);
        set_password("app", token);
        know("app", token);
        cr_assert(redis_server_ask(&server, NULL, 0, "CLIENT", "KILL", "USER", "app", NULL));
        rig_expect_subscribed(&rig, "x", i + 1);
        cr_assert_eq(rig_publish(&rig, "x", "body", false, NULL), FRESHET_OK);
        cr_assert(recorder_wait(&rig.heard, RECORD_MESSAGE, "x", i, WAIT_MS), "%s", rig.heard.log);
    }
    cr_assert_not(recorder_log_has(&rig.heard, "login refused"), "%s", rig.heard.log);
    cr_assert_geq(atomic_load(&program.asked), 2 * (TOKENS + 1));
    stop();
}

/* contract 7.7, 7.6: between the change there and here */
Test(redis_login, asks_again_soon_when_the_answer_was_too_old, .timeout = 120)
{
    redis_server_start(&server, NULL);
    set_password("app", "new");
    know("app", "old");
    start();
    cr_assert(recorder_wait_log(&rig.heard, "login refused, check user and password", WAIT_MS));
    int64_t known_ms = rig_now_ms();
    know("app", "new");
    rig_expect_subscribed(&rig, "x", 1);
    cr_assert_lt(rig_now_ms() - known_ms, 10000, "%s", rig.heard.log);
    cr_assert_not(recorder_log_has(&rig.heard, "\"old\""));
    stop();
}

/* contract 7.7 */
Test(redis_login, goes_on_asking_a_program_that_has_no_token_yet, .timeout = 120)
{
    redis_server_start(&server, NULL);
    set_password("app", "token");
    know("", "");
    start();
    cr_assert(
        recorder_wait_log(&rig.heard, "the program has no user and password for it at the moment", WAIT_MS));
    know("app", "token");
    rig_expect_subscribed(&rig, "x", 1);
    cr_assert(has_client("freshet-subscribe", "app"));
    stop();
}

/* contract 7.7: the URL's user, and the program knows the password alone */
Test(redis_login, takes_the_user_from_the_url_when_the_program_names_none, .timeout = 120)
{
    char url[96];
    redis_server_start(&server, NULL);
    set_password("app", "token");
    know("", "token");
    snprintf(url, sizeof(url), "redis://app:nothing@127.0.0.1:%d", server.port);
    struct freshet_redis_options options = with_login(url);
    rig_start(&rig, &options);
    rig_wait_proved(&rig, 1);
    cr_assert(has_client("freshet-command", "app"));
    stop();
}

/* contract 7.7: no connection ends for it */
Test(redis_login, logs_in_anew_on_a_link_that_stands, .timeout = 120)
{
    redis_server_start(&server, NULL);
    set_password("first", "one");
    set_password("second", "two");
    know("first", "one");
    start();
    rig_wait_proved(&rig, 1);
    wait_for_client("freshet-command", "first");
    know("second", "two");
    cr_assert_eq(freshet_redis_bus_login(rig.bus), FRESHET_OK);
    wait_for_client("freshet-command", "second");
    cr_assert(has_client("freshet-subscribe", "first"), "it may not, while it is subscribed");
    cr_assert_eq(rig_publish(&rig, "x", "body", false, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&rig.heard, RECORD_MESSAGE, "x", 1, WAIT_MS));
    cr_assert_eq(rig_stats(&rig).reconnects, 0);
    stop();
}

/* contract 7.7 */
Test(redis_login, link_whose_new_login_is_refused_ends, .timeout = 120)
{
    redis_server_start(&server, NULL);
    set_password("app", "token");
    know("app", "token");
    start();
    rig_wait_proved(&rig, 1);
    know("app", "sesame");
    cr_assert_eq(freshet_redis_bus_login(rig.bus), FRESHET_OK);
    cr_assert(recorder_wait_log(&rig.heard, "redis command link: login refused", WAIT_MS));
    know("app", "token");
    rig_wait_proved(&rig, 2);
    cr_assert_not(recorder_log_has(&rig.heard, "sesame"));
    stop();
}

/* contract 7.7 */
Test(redis_login, on_demand_is_for_redis_with_a_callback_only, .timeout = 60)
{
    struct freshet_bus *bus;
    struct freshet_redis_options options = rig_options("redis://127.0.0.1:1");
    cr_assert_eq(freshet_redis_bus_login(NULL), FRESHET_INVALID);
    cr_assert_eq(freshet_redis_data_login(NULL), FRESHET_INVALID);
    cr_assert_eq(freshet_memory_bus_new(&bus, NULL), FRESHET_OK);
    cr_assert_eq(freshet_redis_bus_login(bus), FRESHET_INVALID);
    freshet_bus_destroy(bus);
    cr_assert_eq(freshet_redis_bus_new(&bus, &options, NULL), FRESHET_OK);
    cr_assert_eq(freshet_redis_bus_login(bus), FRESHET_INVALID);
    freshet_bus_destroy(bus);
}

static void note_over(bool late, void *user)
{
    (void)late;
    atomic_store((atomic_bool *)user, true);
}

static void run_command(struct freshet_redis_data *data)
{
    atomic_bool over = false;
    struct freshet_span words[] = {freshet_span_text("INCR"), freshet_span_text("n")};
    cr_assert_eq(freshet_redis_change(data, words, 2, WAIT_MS, NULL, note_over, &over), FRESHET_OK);
    for (int64_t end_ms = rig_now_ms() + WAIT_MS; !atomic_load(&over);)
        rig_nap(end_ms, "no answer");
}

/* contract 7.7: the program's own link, too */
Test(redis_login, data_link_asks_and_logs_in_anew, .timeout = 120)
{
    struct freshet_redis_data *data;
    struct freshet_data_stats stats;
    char answer[16];
    redis_server_start(&server, NULL);
    set_password("first", "one");
    set_password("second", "two");
    know("first", "one");
    struct freshet_redis_data_options options = {.size = sizeof(options), .link = with_login(server.url)};
    cr_assert_eq(freshet_redis_data_new(&data, &options, NULL), FRESHET_OK);
    run_command(data);
    wait_for_client("freshet-data", "first");
    know("second", "two");
    cr_assert_eq(freshet_redis_data_login(data), FRESHET_OK);
    run_command(data);
    wait_for_client("freshet-data", "second");
    freshet_redis_data_stats(data, &stats);
    cr_assert_eq(stats.reconnects, 0);
    cr_assert(redis_server_ask(&server, NULL, 0, "CLIENT", "KILL", "USER", "second", NULL));
    for (int64_t end_ms = rig_now_ms() + WAIT_MS; stats.reconnects == 0 || stats.links_up == 0;
         freshet_redis_data_stats(data, &stats))
        rig_nap(end_ms, "the link does not come back");
    cr_assert(has_client("freshet-data", "second"));
    run_command(data);
    cr_assert(redis_server_ask(&server, answer, sizeof(answer), "GET", "n", NULL));
    cr_assert_str_eq(answer, "3");
    freshet_redis_data_destroy(data);
    redis_server_stop(&server);
}

static void copy_file(const char *from, const char *to)
{
    char command[256];
    snprintf(command, sizeof(command), "cp '%s' '%s'", from, to);
    cr_assert_eq(system(command), 0);
}

/* contract 7.7: a certificate that is about to end is replaced where it stands */
Test(redis_login, reads_the_files_of_tls_again_for_each_connection, .timeout = 120)
{
    char url[64], ca[128], file[128], text[192];
    redis_server_start_tls(&server);
    snprintf(url, sizeof(url), "rediss://127.0.0.1:%d", server.tls_port);
    snprintf(ca, sizeof(ca), "%s/ca.pem", server.certificates);
    snprintf(file, sizeof(file), "%s/trusted.pem", server.certificates);
    copy_file(ca, file);
    struct freshet_redis_options options = rig_options(url);
    options.tls_ca_file = file;
    rig_start(&rig, &options);
    rig_wait_proved(&rig, 1);
    copy_file("/dev/null", file);
    cr_assert(redis_server_ask(&server, NULL, 0, "CLIENT", "KILL", "TYPE", "pubsub", NULL));
    snprintf(text, sizeof(text), "redis subscribe link: tls_ca_file \"%s\"", file);
    cr_assert(recorder_wait_log(&rig.heard, text, WAIT_MS), "%s", rig.heard.log);
    copy_file(ca, file);
    rig_wait_proved(&rig, 2);
    stop();
}
