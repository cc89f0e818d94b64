#include "command/command.h"
#include "command/internal.h"
#include "publish/topic.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_WRONG = 2 };

/* ---- the command line ---- */

static void set_defaults(void *options)
{
    struct command *command = options;
    options_set_defaults(&command->options);
    command->options.log_level = FRESHET_LOG_WARN; /* what went well is not worth a line */
    command->topic_text = command->message_text = NULL;
}

static bool set_topic(void *options, int count, char **words)
{
    struct command *command = options;
    command->topic_text = count == 1 ? words[0] : NULL;
    return count == 1 && topic_read(&command->topic, words[0]);
}

static bool set_topic_and_message(void *options, int count, char **words)
{
    struct command *command = options;
    command->message_text = count == 2 ? words[1] : NULL;
    return count == 2 ? set_topic(options, 1, words) : set_topic(options, count, words);
}

#define OPTIONS_HELP                                                                                         \
    "\n"                                                                                                     \
    "  --config FILE        has all of this, as for the bridge itself  [FRESHET_CONFIG]\n"                   \
    "  --redis URL          where it is published                      [FRESHET_REDIS]\n"                    \
    "  --redis-password-file FILE, --redis-sentinel-password-file FILE,\n"                                   \
    "  --redis-tls-ca FILE, --redis-tls-certificate FILE, --redis-tls-key FILE,\n"                           \
    "  --prefix TEXT, --log-level LEVEL\n"                                                                   \
    "                       as for the bridge itself\n"                                                      \
    "  --version, --help    print and leave\n"

static const struct kind {
    const char *name;
    int (*run)(struct command *command);
    struct arguments arguments;
} kinds[] = {
    {"publish",
     command_publish,
     {.program = "freshet-bridge publish",
      .help = "freshet-bridge publish [OPTION...] TOPIC [MESSAGE] says that a topic, such as\n"
              "order/7, has changed. MESSAGE is JSON, for loaders of messages; - reads it\n"
              "from the standard input. Exit 0: the bus has accepted it.\n" OPTIONS_HELP,
      .set_words = set_topic_and_message,
      .words = "TOPIC [MESSAGE] behind the options, a topic such as order/7",
      .set_defaults = set_defaults}},
    {"tail",
     command_tail,
     {.program = "freshet-bridge tail",
      .help = "freshet-bridge tail [OPTION...] TOPIC shows what is published on a topic, such as\n"
              "order/7, one line for each: when, and the message as JSON. SIGINT ends it.\n" OPTIONS_HELP,
      .set_words = set_topic,
      .words = "TOPIC behind the options, such as order/7",
      .set_defaults = set_defaults}},
};

/* Of the bridge's settings, those that lead to Redis. */
static size_t choose_settings(struct setting *chosen)
{
    static const char *const names[] = {"config",
                                        "redis",
                                        "redis-password-file",
                                        "redis-sentinel-password-file",
                                        "redis-tls-ca",
                                        "redis-tls-certificate",
                                        "redis-tls-key",
                                        "prefix",
                                        "log-level"};
    size_t all_count, count = 0;
    const struct setting *all = options_settings(&all_count);
    for (size_t i = 0; i < all_count; i++) {
        for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
            if (strcmp(all[i].name, names[j]) == 0)
                chosen[count++] = all[i];
        }
    }
    return count;
}

/* ---- Redis ---- */

/* The file first, then what overrides it. */
static enum options_result read_config(struct command *command, const struct arguments *arguments, int argc,
                                       char **argv, options_env env)
{
    const char *file = command->options.config;
    set_defaults(command);
    command->config = config_new(file, &command->options, env, stderr);
    if (command->config == NULL)
        return OPTIONS_WRONG;
    return arguments_override(arguments, command, argc, argv, env, stdout, stderr);
}

/* 0, or the exit status. */
static int connect_bus(struct command *command)
{
    struct freshet_error error = {""};
    command->log = log_to_stderr(command->options.log_level);
    if (command->options.redis == NULL) {
        fputs("freshet-bridge: --redis says where; without a Redis nobody else hears what is published\n",
              stderr);
        return EXIT_WRONG;
    }
    enum freshet_status status = redis_link_init(&command->redis, &command->options, &command->log, &error);
    struct freshet_redis_options redis = redis_link_options(&command->redis, &command->options);
    if (status == FRESHET_OK)
        status = freshet_redis_bus_new(&command->bus, &redis, &error);
    if (status != FRESHET_OK)
        fprintf(stderr, "freshet-bridge: --redis: %s\n", error.text);
    return status == FRESHET_OK ? 0 : EXIT_WRONG;
}

/* Before any thread starts: whoever waits for the end asks for these with sigwait(). */
static void block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGINT, SIG_DFL); /* a shell's background jobs are born with it ignored */
    signal(SIGPIPE, SIG_IGN);
}

static int run(const struct kind *kind, int argc, char **argv, options_env env)
{
    struct setting settings[ARGUMENTS_MAX_SETTINGS];
    struct command command = {.bus = NULL};
    struct arguments arguments = kind->arguments;
    arguments.settings = settings;
    arguments.count = choose_settings(settings);
    enum options_result read = arguments_read(&arguments, &command, argc, argv, env, stdout, stderr);
    if (read == OPTIONS_RUN && command.options.config != NULL)
        read = read_config(&command, &arguments, argc, argv, env);
    if (read != OPTIONS_RUN) {
        config_release(command.config);
        return read == OPTIONS_SHOWN ? 0 : EXIT_WRONG;
    }
    block_signals();
    int result = connect_bus(&command);
    if (result == 0)
        result = kind->run(&command);
    if (command.options.redis != NULL)
        redis_link_deinit(&command.redis);
    config_release(command.config);
    return result;
}

int command_run(int argc, char **argv, options_env env)
{
    for (size_t i = 0; argc > 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(argv[1], kinds[i].name) == 0)
            return run(&kinds[i], argc - 1, argv + 1, env);
    }
    return -1;
}
