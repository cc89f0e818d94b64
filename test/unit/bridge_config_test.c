/* The file of --config: what it can say, and what is said about what is wrong. */
#include "../../bridge/common/arguments.c"
#include "../../bridge/common/options.c"
#include "../../bridge/config/arena.c"
#include "../../bridge/config/config.c"
#include "../../bridge/config/doors.c"
#include "../../bridge/config/guard.c"
#include "../../bridge/config/loader.c"
#include "../../bridge/config/node.c"
#include "../../bridge/config/read.c"
#include <criterion/criterion.h>
#include <unistd.h>

static struct options options;
static struct config *config;
static char *complained, path[] = "/tmp/freshet-config-XXXXXX";

static const char *look_up(const char *name)
{
    return strcmp(name, "TOKEN") == 0 ? "s3cret" : NULL;
}

static struct config *read_text_of(const char *text)
{
    size_t len;
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    FILE *err = open_memstream(&complained, &len);
    options_set_defaults(&options);
    config = config_new(path, &options, look_up, err);
    fclose(err);
    unlink(path);
    return config;
}

static void teardown(void)
{
    config_release(config);
    free(complained);
}

TestSuite(bridge_config, .fini = teardown);

/* contract 10.1 */
Test(bridge_config, says_all_that_the_command_line_can)
{
    cr_assert_not_null(read_text_of("listen: '[::1]:9000'\n"
                                    "redis: rediss://r:1\n"
                                    "store: redis://s:2\n"
                                    "redis_tls_ca: /ca\n"
                                    "prefix: 'shop:'\n"
                                    "threads: 3\n"
                                    "log_level: debug\n"
                                    "max_streams: 1\n"
                                    "max_streams_per_client: 0\n"
                                    "max_topics: 2\n"
                                    "max_new_topics: 3\n"
                                    "max_new_topics_per_client: 4\n"
                                    "allow_host: [a.example, b.example]\n"
                                    "allow_origin: https://a.example\n"
                                    "tls_certificate: /cert\n"
                                    "tls_key: /key\n"
                                    "trust_proxy: [127.0.0.1, 10.0.0.0/8]\n"
                                    "guard_interval: 10s\n"
                                    "linger: 1s\n"
                                    "poll_while_down: 2s\n"
                                    "pool_threads: 8\n"
                                    "heartbeat: 20s\n"
                                    "max_age: 1h\n"
                                    "write_timeout: 5s\n"
                                    "max_snapshot_bytes: 2MiB\n"
                                    "max_message_bytes: 128KiB\n"),
                       "%s", complained);
    cr_assert_str_eq(options.host, "::1");
    cr_assert_eq(options.port, 9000);
    cr_assert_str_eq(options.redis, "rediss://r:1");
    cr_assert_str_eq(options.store, "redis://s:2");
    cr_assert_str_eq(options.redis_tls_ca, "/ca");
    cr_assert_str_eq(options.prefix, "shop:");
    cr_assert_eq(options.threads, 3);
    cr_assert_eq(options.log_level, FRESHET_LOG_DEBUG);
    cr_assert_eq(options.max_streams, 1);
    cr_assert_eq(options.max_streams_per_client, 0);
    cr_assert_eq(options.max_topics, 2);
    cr_assert_eq(options.max_new_topics, 3);
    cr_assert_eq(options.max_new_topics_per_client, 4);
    cr_assert_str_eq(options.names[0], "a.example");
    cr_assert_str_eq(options.names[1], "b.example");
    cr_assert_str_eq(options.origins[0], "https://a.example");
    cr_assert_str_eq(options.tls_certificate, "/cert");
    cr_assert_str_eq(options.tls_key, "/key");
    cr_assert_str_eq(options.proxies[1], "10.0.0.0/8");
    cr_assert_eq(options.library.guard_interval_ms, 10000);
    cr_assert_eq(options.library.linger_ms, 1000);
    cr_assert_eq(options.library.poll_while_down_ms, 2000);
    cr_assert_eq(options.library.pool_threads, 8);
    cr_assert_eq(options.library.heartbeat_ms, 20000);
    cr_assert_eq(options.library.max_age_ms, 3600000);
    cr_assert_eq(options.library.write_timeout_ms, 5000);
    cr_assert_eq(options.library.max_snapshot_bytes, 2 * 1024 * 1024);
    cr_assert_eq(options.library.max_message_bytes, 128 * 1024);
}

Test(bridge_config, has_everything_of_a_loader)
{
    cr_assert_not_null(
        read_text_of("loaders:\n"
                     "  - route: order/:orderId?\n"
                     "    name: orders\n"
                     "    topic: orders\n"
                     "    load: { get: [http://a/x, http://b/x], headers: { x-token: { env: TOKEN } } }\n"
                     "    per: [user, tenant]\n"
                     "    use: signed-in\n"
                     "    cache: { max_entries: 5, max_bytes: 2MiB, max_age: 1m }\n"
                     "    timeout: 1500ms\n"
                     "    min_interval: 2s\n"
                     "    settle: 1h\n"
                     "    max_concurrent_loads: 9\n"
                     "    skip_unchanged: true\n"
                     "    gzip: false\n"
                     "    differences: false\n"
                     "  - { route: 'chat/:room', messages: true, max_queued_messages: 7, "
                     "max_queued_bytes: 64KiB }\n"),
        "%s", complained);
    const struct config_loader *first = &config->loaders[0], *second = &config->loaders[1];
    cr_assert_eq(config->loader_count, 2);
    cr_assert_str_eq(first->name, "orders");
    cr_assert_str_eq(first->topic, "orders");
    cr_assert_str_eq(first->load.get[1], "http://b/x");
    cr_assert_null(first->load.get[2]);
    cr_assert_str_eq(first->load.headers[0], "x-token: s3cret");
    cr_assert_str_eq(first->per[1], "tenant");
    cr_assert_str_eq(first->use[0], "signed-in");
    cr_assert_eq(first->cache.max_bytes, 2 * 1024 * 1024);
    cr_assert_eq(first->cache.max_age_ms, 60000);
    cr_assert_eq(first->timeout_ms, 1500);
    cr_assert_eq(first->min_interval_ms, 2000);
    cr_assert_eq(first->settle_ms, 3600000);
    cr_assert_eq(first->max_concurrent_loads, 9);
    cr_assert(first->skip_unchanged && first->no_gzip && first->no_differences);
    cr_assert(!second->skip_unchanged && !second->no_gzip && !second->no_differences);
    cr_assert_str_eq(second->name, "chat.room");
    cr_assert_str_eq(second->topic, "chat/:room");
    cr_assert(second->messages);
    cr_assert_eq(second->max_queued_bytes, 65536);
}

/* contract 10.1: file, line, key, and what would be right; all of it at once */
Test(bridge_config, each_mistake_is_told_with_its_line_and_what_is_right)
{
    static const char *const wanted[] = {
        ":1: listn: there is no such key; right would be listen",
        ":2: threads: wrong value; right is a number from 1 to 256",
        ":4: loaders[0]: route is missing; right is a path",
        ":6: loaders[1].load: wrong value; right is a map with one of get, redis and file",
        ":7: loaders[1].shared: wrong value; right is true or false",
        ":8: loaders[1].timeout: wrong value; right is a time such as 500ms, 2s or 1m",
        ":9: loaders[1].zebra: there is no such key; right would be one of route, name",
        ":11: loaders[2]: needs load, or messages: true",
        ":13: loaders[3].load.headers.x-a: the variable ABSENT is not set",
        ":14: loaders[4]: shared and per exclude each other",
        ":14: loaders[4]: per needs use",
        ":15: config: there is no such key",
    };
    cr_assert_null(read_text_of("listn: 127.0.0.1:1\n"
                                "threads: 0\n"
                                "loaders:\n"
                                "  - load: { redis: [GET, x] }\n"
                                "  - route: a\n"
                                "    load: { get: http://a/x, file: /x }\n"
                                "    shared: 'true'\n"
                                "    timeout: 5\n"
                                "    zebra: 1\n"
                                "\n"
                                "  - route: b\n"
                                "  - route: c\n"
                                "    load: { get: http://a/x, headers: { x-a: { env: ABSENT } } }\n"
                                "  - { route: d, load: { file: /x }, shared: true, per: [user] }\n"
                                "config: other.yaml\n"));
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        cr_assert_not_null(strstr(complained, wanted[i]), "%s is not in\n%s", wanted[i], complained);
    size_t lines = 0;
    for (const char *at = complained; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    cr_assert_eq(lines, sizeof(wanted) / sizeof(wanted[0]), "%s", complained);
}

/* contract 10.1 */
Test(bridge_config, secrets_come_from_the_environment_and_from_files_and_are_never_told)
{
    char text[256], secret[] = "/tmp/freshet-secret-XXXXXX";
    int fd = mkstemp(secret);
    cr_assert_eq(write(fd, "redis://:pa55@h:1\n", 18), 18);
    close(fd);
    snprintf(text, sizeof(text), "redis: { file: %s }\nprefix: { env: TOKEN }\n", secret);
    cr_assert_not_null(read_text_of(text), "%s", complained);
    unlink(secret);
    cr_assert_str_eq(options.redis, "redis://:pa55@h:1");
    cr_assert_str_eq(options.prefix, "s3cret");
    config_release(config);
    free(complained);
    strcpy(path, "/tmp/freshet-config-XXXXXX");
    cr_assert_null(read_text_of("prefix: x\nstore: { env: TOKEN }\n"));
    cr_assert_not_null(strstr(complained, ":2: store: wrong value; right is a URL as --redis takes it"));
    cr_assert_null(strstr(complained, "s3cret"));
}

Test(bridge_config, what_two_readers_would_read_in_two_ways_is_refused)
{
    static const struct {
        const char *text, *why;
    } wrong[] = {
        {"threads: 1\nthreads: 2\n", ":2: this key is there twice"},
        {"prefix: &a x\nredis: *a\n", ":2: aliases"},
        {"threads: 1\n---\nthreads: 2\n", ":2: a second document begins"},
        {"threads: [1\n", "expected ',' or ']'"},
        {"loaders:\n- { route: a, load: { get: http://h/{id} } }\n",
         ":2: did not find expected ',' or '}'; between"},
        {"loaders:\n\t- route: a\n", ":2: found character that cannot start any token; lines are indented"},
        {"loaders:\n- route: a\n load: x\n", ":3: did not find expected key; keys of one map"},
        {"prefix: a: b\n", ":1: mapping values are not allowed in this context; a text"},
        {"- a\n", ":1: wrong; right is a map"},
        {"a: \"\\0\"\n", ":1: a text with a zero byte"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n", "nested too deeply"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        strcpy(path, "/tmp/freshet-config-XXXXXX");
        cr_assert_null(read_text_of(wrong[i].text), "%s", wrong[i].text);
        cr_assert_not_null(strstr(complained, wrong[i].why), "%s", complained);
        free(complained);
    }
    complained = NULL;
}

Test(bridge_config, header_can_not_bring_another_one)
{
    cr_assert_null(
        read_text_of("loaders:\n"
                     "  - route: a\n"
                     "    load: { get: http://a/x, headers: { x-a: \"b\\r\\nx-c: d\", \"x: y\": z } }\n"));
    cr_assert_not_null(strstr(complained, "headers.x-a: wrong value; right is a header's name and its text"));
    cr_assert_not_null(
        strstr(complained, "headers.x: y: wrong value; right is a header's name and its text"));
}

Test(bridge_config, empty_file_is_right_and_one_that_is_not_there_is_not)
{
    size_t len;
    cr_assert_not_null(read_text_of("# nothing\n"));
    free(complained);
    config_release(config);
    config = NULL;
    FILE *err = open_memstream(&complained, &len);
    cr_assert_null(config_new("/nowhere/live.yaml", &options, look_up, err));
    fclose(err);
    cr_assert_str_eq(complained, "/nowhere/live.yaml: the file can't be read, or is over 1 MiB\n");
}
