/* The command line of freshet-bridge. */
#include "../../bridge/common/arguments.c"
#include "../../bridge/common/options.c"
#include <criterion/criterion.h>
#include <ctype.h>

/* What the environment holds in a test: name and value in turn, ended by NULL. */
static const char *const *environment;

static const char *look_up(const char *name)
{
    for (const char *const *at = environment; at != NULL && at[0] != NULL; at += 2) {
        if (strcmp(at[0], name) == 0)
            return at[1];
    }
    return NULL;
}

static struct options options;
static char *said, *complained;

/* Words behind the program's name, ended by NULL. */
static enum options_result read_words(const char *const *words)
{
    char *argv[16] = {(char *)"freshet-bridge"};
    int argc = 1;
    size_t said_len, complained_len;
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = (char *)words[argc - 1];
    FILE *out = open_memstream(&said, &said_len), *err = open_memstream(&complained, &complained_len);
    enum options_result result = options_read(&options, argc, argv, look_up, out, err);
    fclose(out);
    fclose(err);
    return result;
}

#define READ(...)   read_words((const char *const[]){__VA_ARGS__, NULL})
#define READ_NONE() read_words((const char *const[]){NULL})

static void free_texts(void)
{
    free(said);
    free(complained);
}

TestSuite(bridge_options, .fini = free_texts);

Test(bridge_options, has_the_stated_defaults)
{
    cr_assert_eq(READ_NONE(), OPTIONS_RUN);
    cr_assert_str_eq(options.host, "127.0.0.1");
    cr_assert_eq(options.port, 8080);
    cr_assert_null(options.redis);
    cr_assert_null(options.store);
    cr_assert_str_eq(options.prefix, "freshet:");
    cr_assert_geq(options.threads, 1);
    cr_assert_eq(options.log_level, FRESHET_LOG_INFO);
    cr_assert_str_empty(complained);
}

/* contract 6.5: nothing that clients may cost is without a limit, and each can be set, to none too */
Test(bridge_options, limits_what_clients_may_cost)
{
    cr_assert_eq(READ_NONE(), OPTIONS_RUN);
    cr_assert_eq(options.max_streams, 100000);
    cr_assert_eq(options.max_streams_per_client, 20000);
    cr_assert_eq(options.max_topics, 50000);
    cr_assert_eq(options.max_new_topics, 10000);
    cr_assert_eq(options.max_new_topics_per_client, 5000);
    free_texts();
    cr_assert_eq(READ("--max-streams=1", "--max-streams-per-client=2", "--max-topics=3", "--max-new-topics=4",
                      "--max-new-topics-per-client=0"),
                 OPTIONS_RUN);
    cr_assert_eq(options.max_streams, 1);
    cr_assert_eq(options.max_streams_per_client, 2);
    cr_assert_eq(options.max_topics, 3);
    cr_assert_eq(options.max_new_topics, 4);
    cr_assert_eq(options.max_new_topics_per_client, 0);
    free_texts();
    cr_assert_eq(READ("--max-topics=-1"), OPTIONS_WRONG);
    cr_assert_not_null(strstr(complained, "--max-topics has a wrong value; right is a number"));
}

Test(bridge_options, takes_every_option_from_the_command_line)
{
    cr_assert_eq(READ("--listen", "0.0.0.0:0", "--redis=redis://r:1", "--redis-password-file", "/run/secret",
                      "--redis-sentinel-password-file=/run/other", "--store", "redis://s:2", "--prefix",
                      "shop:", "--threads", "3", "--log-level=debug"),
                 OPTIONS_RUN);
    cr_assert_str_eq(options.host, "0.0.0.0");
    cr_assert_eq(options.port, 0);
    cr_assert_str_eq(options.redis, "redis://r:1");
    cr_assert_str_eq(options.store, "redis://s:2");
    cr_assert_str_eq(options.redis_password_file, "/run/secret");
    cr_assert_str_eq(options.redis_sentinel_password_file, "/run/other");
    cr_assert_str_eq(options.prefix, "shop:");
    cr_assert_eq(options.threads, 3);
    cr_assert_eq(options.log_level, FRESHET_LOG_DEBUG);
    cr_assert_not(options.no_gzip);
}

Test(bridge_options, leaves_streams_uncompressed_if_told_so)
{
    cr_assert_eq(READ("--gzip=off"), OPTIONS_RUN);
    cr_assert(options.no_gzip);
    free_texts();
    cr_assert_eq(READ("--gzip=on"), OPTIONS_RUN);
    cr_assert_not(options.no_gzip);
    free_texts();
    cr_assert_eq(READ("--gzip=9"), OPTIONS_WRONG);
    cr_assert_not_null(strstr(complained, "--gzip has a wrong value; right is on or off"));
}

Test(bridge_options, takes_origins_parted_by_commas_and_the_demo_s_addresses)
{
    cr_assert_eq(READ("--allow-origin", "http://a:1,https://b.example,http://[::1]:2", "--peer=http://p:3",
                      "--demo-control=http://127.0.0.1:4"),
                 OPTIONS_RUN);
    cr_assert_str_eq(options.origins[0], "http://a:1");
    cr_assert_str_eq(options.origins[1], "https://b.example");
    cr_assert_str_eq(options.origins[2], "http://[::1]:2");
    cr_assert_null(options.origins[3]);
    cr_assert_str_eq(options.peer, "http://p:3");
    cr_assert_str_eq(options.demo_control, "http://127.0.0.1:4");
}

Test(bridge_options, refuses_what_no_browser_writes_as_an_origin)
{
    static const char *const wrong[] = {
        "*",           "null",       "a:1",         "http://",        "http://A:1", "http://a/",
        "http://a:",   "http://a:0", "http://a:01", "http://a:65536", "http://u@a", "http://a;x",
        "http://[::1", "http://[]",  "ftp://a",     "http://a,",      ",http://a",  "http://a, http://b"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_assert_eq(READ("--allow-origin", wrong[i]), OPTIONS_WRONG, "%s", wrong[i]);
        cr_assert_not_null(
            strstr(complained, "--allow-origin has a wrong value; right is up to 8 of http://"));
        free_texts();
    }
    cr_assert_eq(READ("--peer", "http://a/x"), OPTIONS_WRONG);
    free_texts();
    cr_assert_eq(READ("--allow-origin", "http://a,http://a,http://a,http://a,http://a,http://a,http://a,"
                                        "http://a,http://a"),
                 OPTIONS_WRONG);
}

Test(bridge_options, takes_names_parted_by_commas)
{
    cr_assert_eq(READ("--allow-host", "live.example.org,Box_1,*"), OPTIONS_RUN);
    cr_assert_str_eq(options.names[0], "live.example.org");
    cr_assert_str_eq(options.names[1], "Box_1");
    cr_assert_str_eq(options.names[2], "*");
    cr_assert_null(options.names[3]);
}

Test(bridge_options, refuses_what_is_no_name)
{
    static const char *const wrong[] = {"",
                                        "a:8080",
                                        "http://a",
                                        "a/",
                                        "u@a",
                                        "a b",
                                        "*.a",
                                        "a,",
                                        ",a",
                                        "a.",
                                        ".a",
                                        "[::1]",
                                        "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_assert_eq(READ("--allow-host", wrong[i]), OPTIONS_WRONG, "%s", wrong[i]);
        cr_assert_not_null(strstr(complained, "--allow-host has a wrong value; right is up to 16 names"));
        free_texts();
    }
    cr_assert_eq(READ_NONE(), OPTIONS_RUN);
}

Test(bridge_options, takes_every_option_from_the_environment)
{
    environment = (const char *const[]){"FRESHET_LISTEN",
                                        "h:1",
                                        "FRESHET_REDIS",
                                        "rediss://r",
                                        "FRESHET_PREFIX",
                                        "p:",
                                        "FRESHET_LOG_LEVEL",
                                        "warn",
                                        "FRESHET_THREADS",
                                        "2",
                                        NULL};
    cr_assert_eq(READ_NONE(), OPTIONS_RUN);
    cr_assert_str_eq(options.host, "h");
    cr_assert_eq(options.port, 1);
    cr_assert_str_eq(options.redis, "rediss://r");
    cr_assert_str_eq(options.prefix, "p:");
    cr_assert_eq(options.threads, 2);
    cr_assert_eq(options.log_level, FRESHET_LOG_WARN);
}

Test(bridge_options, lets_the_command_line_win_over_the_environment)
{
    environment = (const char *const[]){"FRESHET_LISTEN", "h:1", "FRESHET_THREADS", "2", NULL};
    cr_assert_eq(READ("--threads", "5"), OPTIONS_RUN);
    cr_assert_eq(options.threads, 5);
    cr_assert_str_eq(options.host, "h");
}

Test(bridge_options, takes_an_empty_variable_as_not_set)
{
    environment = (const char *const[]){"FRESHET_REDIS", "", "FRESHET_THREADS", "", NULL};
    cr_assert_eq(READ_NONE(), OPTIONS_RUN);
    cr_assert_null(options.redis);
}

Test(bridge_options, takes_an_ipv6_address_in_brackets)
{
    cr_assert_eq(READ("--listen", "[::1]:8081"), OPTIONS_RUN);
    cr_assert_str_eq(options.host, "::1");
    cr_assert_eq(options.port, 8081);
}

Test(bridge_options, refuses_addresses_that_are_none)
{
    static const char *const wrong[] = {"",         ":",     "127.0.0.1", "127.0.0.1:", ":8080",
                                        "::1:8080", "[]:80", "[::1]",     "h:65536",    "h:-1",
                                        "h:80x",    "h: 80", "a b:80",    "[h]:80",     "<h>:80"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_assert_eq(READ("--listen", wrong[i]), OPTIONS_WRONG, "%s", wrong[i]);
        cr_assert_not_null(strstr(complained, "--listen"));
        cr_assert_not_null(strstr(complained, "HOST:PORT"));
        free_texts();
    }
    cr_assert_eq(READ_NONE(), OPTIONS_RUN);
}

Test(bridge_options, says_which_value_is_wrong_and_what_would_be_right)
{
    cr_assert_eq(READ("--threads", "0"), OPTIONS_WRONG);
    cr_assert_str_eq(complained,
                     "freshet-bridge: --threads has a wrong value; right is a number from 1 to 256\n");
    free_texts();
    cr_assert_eq(READ("--threads", "1e3"), OPTIONS_WRONG);
    free_texts();
    cr_assert_eq(READ("--log-level", "loud"), OPTIONS_WRONG);
    cr_assert_str_eq(complained,
                     "freshet-bridge: --log-level has a wrong value; right is error, warn, info or debug\n");
    free_texts();
    cr_assert_eq(READ("--prefix", "two words"), OPTIONS_WRONG);
    cr_assert_str_empty(said);
}

Test(bridge_options, names_the_variable_when_the_environment_is_wrong)
{
    environment = (const char *const[]){"FRESHET_THREADS", "many", NULL};
    cr_assert_eq(READ_NONE(), OPTIONS_WRONG);
    cr_assert_str_eq(complained,
                     "freshet-bridge: FRESHET_THREADS has a wrong value; right is a number from 1 to 256\n");
}

/* contract 8.2 */
Test(bridge_options, never_repeats_what_may_hold_a_password)
{
    cr_assert_eq(READ("--redis", "http://u:secret@h"), OPTIONS_WRONG);
    cr_assert_null(strstr(complained, "secret"));
    free_texts();
    cr_assert_eq(READ("--store", "http://u:secret@h"), OPTIONS_WRONG);
    cr_assert_null(strstr(complained, "secret"));
    free_texts();
    cr_assert_eq(READ("--redsi=redis://u:secret@h"), OPTIONS_WRONG);
    cr_assert_str_eq(complained, "freshet-bridge: there is no option --redsi; --help lists them\n");
    free_texts();
    cr_assert_eq(READ("redis://u:secret@h"), OPTIONS_WRONG);
    cr_assert_str_eq(complained, "freshet-bridge: argument 1 is not an option; --help lists them\n");
    free_texts();
    cr_assert_eq(READ("--threads", "2", "stray"), OPTIONS_WRONG);
    cr_assert_str_eq(complained, "freshet-bridge: stray is not an option; --help lists them\n");
}

Test(bridge_options, names_an_option_that_lacks_or_does_not_take_a_value)
{
    cr_assert_eq(READ("--threads"), OPTIONS_WRONG);
    cr_assert_str_eq(complained, "freshet-bridge: --threads needs a value; --help tells which\n");
    free_texts();
    cr_assert_eq(READ("--version=2"), OPTIONS_WRONG);
    cr_assert_str_eq(complained, "freshet-bridge: --version takes no value\n");
    free_texts();
    cr_assert_eq(READ("-x"), OPTIONS_WRONG);
    cr_assert_str_eq(complained, "freshet-bridge: there is no option -x; --help lists them\n");
}

Test(bridge_options, shows_the_version_and_the_help_whatever_the_environment_holds)
{
    environment = (const char *const[]){"FRESHET_THREADS", "many", NULL};
    cr_assert_eq(READ("--version"), OPTIONS_SHOWN);
    cr_assert_eq(strncmp(said, "freshet-bridge ", 15), 0);
    free_texts();
    cr_assert_eq(READ("--help"), OPTIONS_SHOWN);
    for (size_t i = 0; i < SETTINGS; i++)
        cr_assert_not_null(strstr(said, settings[i].name));
    cr_assert_str_empty(complained);
}

/* Help says how to make the one of the other. */
Test(bridge_options, variables_have_the_names_of_their_options)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        char name[64] = "FRESHET_";
        for (size_t at = 0; settings[i].name[at] != '\0'; at++)
            name[8 + at] = settings[i].name[at] == '-' ? '_' : (char)toupper(settings[i].name[at]);
        cr_assert(settings[i].variable == NULL || strcmp(settings[i].variable, name) == 0, "%s", name);
    }
}

Test(bridge_options, takes_proxies_parted_by_commas)
{
    cr_assert_eq(READ("--trust-proxy", "127.0.0.1,10.0.0.0/8,::1"), OPTIONS_RUN);
    cr_assert_str_eq(options.proxies[1], "10.0.0.0/8");
    cr_assert_null(options.proxies[3]);
    free_texts();
    cr_assert_eq(READ("--trust-proxy=proxy.example"), OPTIONS_WRONG);
}

Test(bridge_options, flag_takes_no_value)
{
    cr_assert_eq(READ("--check-config", "--config", "live.yaml"), OPTIONS_RUN);
    cr_assert(options.check_config);
    cr_assert_str_eq(options.config, "live.yaml");
    free_texts();
    cr_assert_eq(READ("--check-config=yes"), OPTIONS_WRONG);
    cr_assert_str_eq(complained, "freshet-bridge: --check-config takes no value\n");
}
