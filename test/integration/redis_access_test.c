/* Ways in: passwords, ACLs, TLS, unix sockets, bodies of strangers. */
#include "redis_rig.h"
#include <stdlib.h>

#define SECRET "correct-horse-battery"

/* contract 7.6, 8.2 */
Test(redis_access, waits_for_the_right_password_and_never_logs_it, .timeout = 120)
{
    static const char *const arguments[] = {"--requirepass", "another-one", NULL};
    struct redis_server server;
    struct rig rig;
    char url[128], answer[64];
    redis_server_start(&server, arguments);
    snprintf(url, sizeof(url), "redis://:" SECRET "@127.0.0.1:%d", server.port);
    rig_start_url(&rig, url);
    cr_assert(recorder_wait_log(&rig.heard, "login refused", WAIT_MS));
    cr_assert_eq(rig_stats(&rig).state, FRESHET_BUS_DOWN);
    /* A connection that is in already changes it. */
    char change[512];
    snprintf(change, sizeof(change),
             "redis-cli -p %d -a another-one --no-auth-warning CONFIG SET requirepass " SECRET " >/dev/null",
             server.port);
    cr_assert_eq(system(change), 0);
    rig_wait_proved(&rig, 1);
    cr_assert(redis_server_ask(&server, answer, sizeof(answer), "PING", NULL));
    cr_assert_eq(strncmp(answer, "-NOAUTH", 7), 0);
    cr_assert_not(recorder_log_has(&rig.heard, SECRET));
    rig_stop(&rig);
    redis_server_stop(&server);
}

Test(redis_access, says_so_when_a_password_is_missing, .timeout = 120)
{
    static const char *const arguments[] = {"--requirepass", SECRET, NULL};
    struct redis_server server;
    struct rig rig;
    redis_server_start(&server, arguments);
    rig_start_url(&rig, server.url);
    cr_assert(recorder_wait_log(&rig.heard, "NOAUTH", WAIT_MS));
    rig_stop(&rig);
    redis_server_stop(&server);
}

/* contract 7.6 */
Test(redis_access, finds_the_one_forbidden_channel_among_many, .timeout = 120)
{
    enum { TOPICS = 300, FORBIDDEN = 137 };
    struct redis_server server;
    struct rig rig;
    struct record record;
    char url[128], topic[32];
    redis_server_start(&server, NULL);
    cr_assert(redis_server_ask(&server, NULL, 0, "ACL", "SETUSER", "bob", "on", ">" SECRET, "resetchannels",
                               "&freshet:ok/*", "&freshet:/*", "+@pubsub", "+ping", "+role",
                               "+client|setname", NULL));
    snprintf(url, sizeof(url), "redis://bob:" SECRET "@127.0.0.1:%d", server.port);
    rig_start_url(&rig, url);
    for (int i = 0; i < TOPICS; i++) {
        snprintf(topic, sizeof(topic), i == FORBIDDEN ? "no/%d" : "ok/%d", i);
        rig_subscribe(&rig, topic, (uint64_t)i + 1);
    }
    cr_assert(recorder_wait(&rig.heard, RECORD_SUBSCRIBED, NULL, TOPICS - 1, WAIT_MS));
    cr_assert(recorder_wait(&rig.heard, RECORD_REFUSED, NULL, 1, WAIT_MS));
    cr_assert(recorder_get(&rig.heard, RECORD_REFUSED, NULL, 0, &record));
    cr_assert_str_eq(record.topic, "no/137");
    cr_assert_eq(record.subscription, FORBIDDEN + 1);
    rig_wait_proved(&rig, 1);
    cr_assert_eq(recorder_count_state(&rig.heard, FRESHET_BUS_DOWN), 0);
    cr_assert_eq(recorder_count(&rig.heard, RECORD_SUBSCRIBED, NULL), TOPICS - 1);

    /* A publish that is not permitted is refused with its own status; the link stays. */
    int token;
    cr_assert_eq(rig_publish(&rig, "no/1", "x", false, &token), FRESHET_OK);
    cr_assert(recorder_wait(&rig.heard, RECORD_PUBLISHED, NULL, 1, WAIT_MS));
    cr_assert(recorder_get(&rig.heard, RECORD_PUBLISHED, NULL, 0, &record));
    cr_assert_eq(record.status, FRESHET_REFUSED);
    cr_assert_eq(record.receivers, -1);
    cr_assert_eq(recorder_count_state(&rig.heard, FRESHET_BUS_DOWN), 0);
    cr_assert_not(recorder_log_has(&rig.heard, SECRET));
    rig_stop(&rig);
    redis_server_stop(&server);
}

static void start_tls(struct rig *rig, const struct redis_server *server, const char *name,
                      struct freshet_redis_options *options)
{
    static char url[64], ca[128];
    snprintf(url, sizeof(url), "rediss://127.0.0.1:%d", server->tls_port);
    snprintf(ca, sizeof(ca), "%s/ca.pem", server->certificates);
    *options = rig_options(url);
    options->tls_ca_file = ca;
    options->tls_name = name;
    rig_start(rig, options);
}

Test(redis_access, speaks_tls_to_a_server_of_the_right_name, .timeout = 120)
{
    struct redis_server server;
    struct freshet_redis_options options;
    static const char *const names[] = {NULL, "redis.test"};
    redis_server_start_tls(&server);
    for (int i = 0; i < 2; i++) {
        struct rig rig;
        start_tls(&rig, &server, names[i], &options);
        rig_subscribe(&rig, "x", 1);
        rig_expect_subscribed(&rig, "x", 1);
        cr_assert_eq(rig_publish(&rig, "x", "secret", false, NULL), FRESHET_OK);
        cr_assert(recorder_wait(&rig.heard, RECORD_MESSAGE, "x", 1, WAIT_MS));
        rig_wait_proved(&rig, 1);
        rig_stop(&rig);
    }
    redis_server_stop(&server);
}

Test(redis_access, refuses_tls_with_a_wrong_name_or_an_unknown_authority, .timeout = 120)
{
    struct redis_server server;
    struct freshet_redis_options options;
    struct rig rig;
    redis_server_start_tls(&server);
    start_tls(&rig, &server, "somebody.else", &options);
    cr_assert(recorder_wait_log(&rig.heard, "TLS: hostname mismatch", WAIT_MS), "%s", rig.heard.log);
    cr_assert_eq(rig_stats(&rig).state, FRESHET_BUS_DOWN);
    rig_stop(&rig);
    options.tls_ca_file = NULL;
    rig_start(&rig, &options);
    cr_assert(recorder_wait_log(&rig.heard, "TLS: ", WAIT_MS));
    rig_stop(&rig);
    redis_server_stop(&server);
}

Test(redis_access, survives_a_kill_over_tls, .timeout = 120)
{
    struct redis_server server;
    struct freshet_redis_options options;
    struct rig rig;
    redis_server_start_tls(&server);
    start_tls(&rig, &server, NULL, &options);
    rig_subscribe(&rig, "x", 1);
    rig_wait_proved(&rig, 1);
    redis_server_kill(&server);
    rig_wait_down(&rig, 1);
    redis_server_run(&server, NULL);
    rig_wait_proved(&rig, 2);
    rig_expect_subscribed(&rig, "x", 2);
    rig_stop(&rig);
    redis_server_stop(&server);
}

Test(redis_access, resolves_names_off_its_loop, .timeout = 120)
{
    struct redis_server server;
    struct rig rig;
    char url[64];
    redis_server_start(&server, NULL);
    snprintf(url, sizeof(url), "redis://localhost:%d", server.port);
    rig_start_url(&rig, url);
    rig_wait_proved(&rig, 1);
    rig_stop(&rig);
    rig_start_url(&rig, "redis://no-such-host.invalid");
    cr_assert(recorder_wait_log(&rig.heard, "redis subscribe link: ", WAIT_MS));
    rig_stop(&rig);
    redis_server_stop(&server);
}

Test(redis_access, connects_over_a_unix_socket, .timeout = 120)
{
    struct redis_server server;
    struct rig rig;
    char url[160];
    redis_server_start(&server, NULL);
    snprintf(url, sizeof(url), "redis+unix://%s", server.socket);
    rig_start_url(&rig, url);
    rig_wait_proved(&rig, 1);
    rig_stop(&rig);
    redis_server_stop(&server);
}

/* contract 2.2 */
Test(redis_access, passes_an_oversized_message_as_one_and_goes_on, .timeout = 120)
{
    enum { LIMIT = 1000, HUGE = 40 * 1000 * 1000 };
    struct redis_server server;
    struct rig rig;
    struct record record;
    redis_server_start(&server, NULL);
    struct freshet_redis_options options = rig_options(server.url);
    options.max_message_bytes = LIMIT;
    options.link_timeout_ms = 30000;
    options.probe_interval_ms = 10000;
    rig_start(&rig, &options);
    rig_subscribe(&rig, "o", 1);
    rig_expect_subscribed(&rig, "o", 1);
    char *body = malloc(HUGE);
    memset(body, 'x', HUGE);
    const size_t sizes[] = {LIMIT, LIMIT + 1, HUGE / 2, 3};
    for (int i = 0; i < 4; i++) {
        const char *arguments[] = {"PUBLISH", "freshet:o", body};
        const size_t lens[] = {7, 9, sizes[i]};
        cr_assert(redis_server_ask_v(&server, NULL, 0, 3, arguments, lens));
    }
    cr_assert(recorder_wait(&rig.heard, RECORD_MESSAGE, "o", 4, WAIT_MS));
    for (int i = 0; i < 4; i++) {
        bool over = sizes[i] > LIMIT;
        cr_assert(recorder_get(&rig.heard, RECORD_MESSAGE, "o", (size_t)i, &record));
        cr_assert_eq(record.oversized, over);
        cr_assert_eq(record.body_len, over ? 0 : sizes[i]);
    }
    cr_assert_eq(recorder_count_state(&rig.heard, FRESHET_BUS_DOWN), 0);
    free(body);
    rig_stop(&rig);
    redis_server_stop(&server);
}

/* contract 8.2 */
Test(redis_access, names_what_is_wrong_with_its_options_but_no_password)
{
    struct freshet_bus *bus;
    struct freshet_error error;
    struct freshet_redis_options options = rig_options("rediss://bob:" SECRET "@host:99999");
    cr_assert_eq(freshet_redis_bus_new(&bus, &options, &error), FRESHET_INVALID);
    cr_assert_null(bus);
    cr_assert_not_null(strstr(error.text, "port"));
    cr_assert_null(strstr(error.text, SECRET));
    options = rig_options("rediss://host");
    options.tls_ca_file = "/nowhere/ca.pem";
    cr_assert_eq(freshet_redis_bus_new(&bus, &options, &error), FRESHET_SYSTEM);
    cr_assert_not_null(strstr(error.text, "tls_ca_file"));
}

/* A TLS option says that the writer believes in TLS. */
Test(redis_access, refuses_tls_options_without_tls)
{
    static const char *const urls[] = {"redis://127.0.0.1:6379", "redis+unix:///nowhere/redis.sock", NULL};
    for (int i = 0; i < 3; i++) {
        struct freshet_bus *bus;
        struct freshet_redis_data *data;
        struct freshet_error error = {""};
        struct freshet_redis_options options = rig_options(urls[i]);
        options.tls_ca_file = "/nowhere/ca.pem";
        cr_assert_eq(freshet_redis_bus_new(&bus, &options, &error), FRESHET_INVALID);
        cr_assert_null(bus);
        cr_assert_not_null(strstr(error.text, "tls_ca_file"));
        options = rig_options(urls[i]);
        options.tls_cert_file = options.tls_key_file = "/nowhere/cert.pem";
        cr_assert_eq(freshet_redis_bus_new(&bus, &options, &error), FRESHET_INVALID);
        cr_assert_not_null(strstr(error.text, "tls_cert_file"));
        options = rig_options(urls[i]);
        options.tls_name = "redis.example";
        struct freshet_redis_data_options data_options = {.size = sizeof(data_options), .link = options};
        cr_assert_eq(freshet_redis_data_new(&data, &data_options, &error), FRESHET_INVALID);
        cr_assert_null(data);
        cr_assert_not_null(strstr(error.text, "tls_name"));
    }
}
