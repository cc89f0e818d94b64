/* A user that may do what redis.h says, and one that lacks a right: each is taken away in turn. */
#include "each_row.h"
#include "redis_rig.h"

#define USER "bus"
#define WORD "word"
#define NONE ""

struct scene {
    struct redis_server server;
    struct rig rig;
    char url[96];
};

static size_t count_lines(const struct rig *rig, const char *text)
{
    size_t count = 0;
    for (const char *at = rig->heard.log; at != NULL && (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

/* How often a command was refused before it ran. */
static unsigned count_rejected(const struct redis_server *server, const char *command)
{
    char answer[16384], name[64];
    unsigned calls = 0, rejected = 0;
    snprintf(name, sizeof(name), "cmdstat_%s:", command);
    cr_assert(redis_server_ask(server, answer, sizeof(answer), "INFO", "commandstats", NULL));
    const char *at = strstr(answer, name);
    if (at != NULL)
        sscanf(at + strlen(name), "calls=%u,usec=%*u,usec_per_call=%*f,rejected_calls=%u", &calls, &rejected);
    return rejected;
}

/* A rig whose user has all rights that redis.h names, but for `missing`, a rule such as "-role". */
static void start(struct scene *scene, const char *missing, uint32_t link_timeout_ms)
{
    const char *channels = strcmp(missing, "resetchannels") == 0 ? "&freshet:ok*" : "&freshet:*";
    redis_server_start(&scene->server, NULL);
    cr_assert(redis_server_ask(&scene->server, NULL, 0, "ACL", "SETUSER", USER, "on", ">" WORD,
                               "resetchannels", channels, "+publish", "+subscribe", "+unsubscribe", "+ping",
                               "+role", "+client|setname", "+hello", NULL));
    if (missing[0] == '-')
        cr_assert(redis_server_ask(&scene->server, NULL, 0, "ACL", "SETUSER", USER, missing, NULL));
    snprintf(scene->url, sizeof(scene->url), "redis://" USER ":" WORD "@127.0.0.1:%d", scene->server.port);
    struct freshet_redis_options options = rig_options(scene->url);
    options.probe_interval_ms = 200;
    options.link_timeout_ms = link_timeout_ms;
    rig_start(&scene->rig, &options);
    rig_subscribe(&scene->rig, "x", 1);
}

static void stop(struct scene *scene)
{
    rig_stop(&scene->rig);
    redis_server_stop(&scene->server);
}

/* All that a bus does, on links that stand. */
static void expect_works(struct scene *scene)
{
    struct rig *rig = &scene->rig;
    rig_expect_subscribed(rig, "x", 1);
    rig_wait_proved(rig, 1);
    cr_assert_eq(rig_publish(rig, "x", "body", false, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&rig->heard, RECORD_MESSAGE, "x", 1, WAIT_MS));
    for (int64_t end_ms = rig_now_ms() + WAIT_MS; rig_stats(rig).witnesses == 0;)
        rig_nap(end_ms, rig->heard.log);
    rig->bus->ops->unsubscribe(rig->bus, freshet_span_text("x"));
    rig_subscribe(rig, "y", 2);
    rig_expect_subscribed(rig, "y", 1);
    rig->bus->ops->unsubscribe(rig->bus, freshet_span_text("y"));
    rig_subscribe(rig, "x", 3);
    rig_expect_subscribed(rig, "x", 2);
    cr_assert_eq(rig_publish(rig, "x", "body", false, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&rig->heard, RECORD_MESSAGE, "x", 2, WAIT_MS));
    cr_assert_eq(rig_stats(rig).reconnects, 0);
    cr_assert_eq(recorder_count_state(&rig->heard, FRESHET_BUS_DOWN), 0);
}

/* Rights without which all works. What is refused again and again is told once, or not at all where nothing
 * is lost. */
static const struct spare {
    const char *missing;
    const char *warning;  /* its one line in the log; NULL: there is none */
    const char *rejected; /* the only command that Redis refuses to run; NULL: none */
} spares[] = {
    {NONE, NULL, NULL}, /* it has all that redis.h names */
    {"-unsubscribe", "redis subscribe link: refused: UNSUBSCRIBE: NOPERM", "unsubscribe"},
    {"-ping", NULL, "ping"}, /* a refusal is an answer as good as another */
    {"-client|setname", NULL, "client|setname"},
};

static void expect_rejected(struct scene *scene, const struct spare *spare)
{
    static const char *const commands[] = {"publish", "subscribe", "unsubscribe",
                                           "ping",    "role",      "client|setname"};
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (spare->rejected == NULL || strcmp(commands[i], spare->rejected) != 0)
            cr_assert_eq(count_rejected(&scene->server, commands[i]), 0, "%s", commands[i]);
}

/* contract 7.6 */
EACH_ROW(redis_rights, that_can_be_spared, spares)
{
    const struct spare *spare = &spares[*number];
    struct scene scene;
    start(&scene, spare->missing, 0);
    expect_works(&scene);
    cr_assert_eq(count_lines(&scene.rig, "refuse"), spare->warning != NULL, "%s", scene.rig.heard.log);
    if (spare->warning != NULL) {
        cr_assert_eq(count_lines(&scene.rig, spare->warning), 1, "%s", scene.rig.heard.log);
        cr_assert_eq(count_rejected(&scene.server, spare->rejected), 1);
    }
    if (spare->missing[0] == '\0')
        cr_assert_eq(rig_stats(&scene.rig).errors, 0);
    expect_rejected(&scene, spare);
    stop(&scene);
}

/* contract 7.6: one warning for each link, and Redis's own log is not filled with refusals either */
Test(redis_rights, without_role_warn_once_for_each_link_and_all_works, .timeout = 120)
{
    struct scene scene;
    start(&scene, "-role", 0);
    rig_wait_proved(&scene.rig, 1);
    for (int64_t end_ms = rig_now_ms() + WAIT_MS, proved = 0; proved < 5; proved++) {
        int64_t before_ms = rig_stats(&scene.rig).probe_age_ms;
        while (rig_stats(&scene.rig).probe_age_ms >= before_ms) {
            before_ms = rig_stats(&scene.rig).probe_age_ms;
            rig_nap(end_ms, scene.rig.heard.log);
        }
    }
    cr_assert_eq(count_rejected(&scene.server, "role"), 2, "asked once for each link");
    expect_works(&scene);
    cr_assert_eq(count_lines(&scene.rig, "redis subscribe link: ROLE is refused"), 1);
    cr_assert_eq(count_lines(&scene.rig, "redis command link: ROLE is refused"), 1);
    cr_assert_eq(count_lines(&scene.rig, "ROLE is refused"), 2, "%s", scene.rig.heard.log);
    stop(&scene);
}

/* contract 7.6: taken away while the links stand */
Test(redis_rights, that_lose_role_later_warn_then, .timeout = 120)
{
    struct scene scene;
    start(&scene, NONE, 0);
    rig_wait_proved(&scene.rig, 1);
    cr_assert_eq(count_lines(&scene.rig, "ROLE is refused"), 0);
    cr_assert(redis_server_ask(&scene.server, NULL, 0, "ACL", "SETUSER", USER, "-role", NULL));
    cr_assert(recorder_wait_log(&scene.rig.heard, "redis command link: ROLE is refused", WAIT_MS));
    expect_works(&scene);
    cr_assert_eq(count_lines(&scene.rig, "ROLE is refused"), 1);
    stop(&scene);
}

/* contract 7.6 */
Test(redis_rights, without_publish_say_so_and_refuse_each, .timeout = 120)
{
    struct scene scene;
    struct record record;
    start(&scene, "-publish", 0);
    rig_expect_subscribed(&scene.rig, "x", 1);
    for (size_t i = 1; i <= 3; i++) {
        cr_assert_eq(rig_publish(&scene.rig, "x", "", true, NULL), FRESHET_OK);
        cr_assert(recorder_wait(&scene.rig.heard, RECORD_PUBLISHED, NULL, i, WAIT_MS));
        cr_assert(recorder_get(&scene.rig.heard, RECORD_PUBLISHED, NULL, i - 1, &record));
        cr_assert_eq(record.status, FRESHET_REFUSED);
    }
    cr_assert_eq(count_lines(&scene.rig, "redis refuses a publish: not permitted by the ACL"), 1, "%s",
                 scene.rig.heard.log);
    cr_assert(recorder_log_has(&scene.rig.heard, "'publish' command"));
    cr_assert_eq(rig_stats(&scene.rig).state, FRESHET_BUS_UP, "up, and never proved");
    cr_assert_eq(rig_stats(&scene.rig).reconnects, 0);
    stop(&scene);
}

/* Rights without which no topic comes. */
static const struct {
    const char *missing, *warning;
} needs[] = {
    {"-subscribe", "'subscribe' command"},
    {"resetchannels",
     "redis refuses channel \"freshet:/probe/"}, /* the prefix stands for the control channels, too */
};

/* contract 7.6 */
EACH_ROW(redis_rights, without_which_no_topic_comes_say_so_and_tell_the_topic, needs)
{
    struct scene scene;
    start(&scene, needs[*number].missing, 0);
    cr_assert(recorder_wait(&scene.rig.heard, RECORD_REFUSED, "x", 1, WAIT_MS));
    cr_assert(recorder_wait_log(&scene.rig.heard, needs[*number].warning, WAIT_MS));
    cr_assert_eq(rig_publish(&scene.rig, "x", "", true, NULL), FRESHET_OK);
    cr_assert(recorder_wait(&scene.rig.heard, RECORD_PUBLISHED, NULL, 1, WAIT_MS));
    cr_assert_eq(rig_stats(&scene.rig).state, FRESHET_BUS_UP);
    cr_assert_eq(rig_stats(&scene.rig).reconnects, 0);
    stop(&scene);
}

/* contract 7.6 */
Test(redis_rights, of_some_channels_are_enough_for_those, .timeout = 120)
{
    struct scene scene;
    start(&scene, "resetchannels", 0);
    cr_assert(recorder_wait(&scene.rig.heard, RECORD_REFUSED, "x", 1, WAIT_MS));
    rig_subscribe(&scene.rig, "ok", 2);
    rig_expect_subscribed(&scene.rig, "ok", 1);
    stop(&scene);
}
