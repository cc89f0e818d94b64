#include "agent/options.h"
#include "example/board_store.h"
#include <string.h>

enum { MAX_EVERY_MS = 86400000, MAX_COUNT = 1000000, MAX_BOARD_BYTES = 128, MAX_TITLE_BYTES = 150 };

static bool set_board(void *user, const char *value)
{
    struct agent_options *options = user;
    options->board = value;
    return value[0] != '\0' && strlen(value) <= MAX_BOARD_BYTES;
}

/* The number of the job is put behind it. What is not UTF-8 can't be shown by any instance. */
static bool set_title(void *user, const char *value)
{
    struct agent_options *options = user;
    json_t *text = json_string(value);
    bool right = text != NULL && board_is_title(value) && strlen(value) <= MAX_TITLE_BYTES;
    json_decref(text);
    options->title = value;
    return right;
}

static bool set_every(void *user, const char *value)
{
    struct agent_options *options = user;
    return arguments_number(value, MAX_EVERY_MS, &options->every_ms);
}

static bool set_count(void *user, const char *value)
{
    struct agent_options *options = user;
    return arguments_number(value, MAX_COUNT, &options->count) && options->count > 0;
}

static void set_defaults(void *user)
{
    struct agent_options *options = user;
    options_set_defaults(&options->shared);
    options->board = "demo";
    options->title = "Job";
    options->every_ms = 1000;
    options->count = 0;
}

static const struct setting settings[] = {
    OPTIONS_REDIS,
    OPTIONS_REDIS_PASSWORD_FILE,
    OPTIONS_REDIS_SENTINEL_PASSWORD_FILE,
    OPTIONS_STORE,
    OPTIONS_PREFIX,
    OPTIONS_LOG_LEVEL,
    {"board", "FRESHET_BOARD", "the id of a board, 1 to 128 bytes", set_board},
    {"title", "FRESHET_TITLE", "a text of 1 to 150 bytes of UTF-8, one of them visible", set_title},
    {"every", "FRESHET_EVERY", "milliseconds, a number from 0 to 86400000", set_every},
    {"count", "FRESHET_COUNT", "a number from 1 to 1000000", set_count},
};

static const struct arguments arguments = {
    .program = "freshet-agent",
    .help = "freshet-agent works in the background and has no web server: again and again it adds a\n"
            "task to a board in Redis and publishes that it did.\n"
            "\n"
            "  --redis URL          where to publish: redis://, rediss://, redis+unix://,\n"
            "                       redis+sentinel://host1,host2/name or\n"
            "                       redis+cluster://host1,host2                [must be given]\n"
            "  --redis-password-file FILE\n"
            "                       its first line is the password for Redis, read again for each\n"
            "                       connection, in place of the URL's          [none]\n"
            "  --redis-sentinel-password-file FILE\n"
            "                       the same for the sentinels                 [none]\n"
            "  --store URL          where the boards are                       [where --redis says]\n"
            "  --prefix TEXT        begins every channel and key in Redis      [freshet:]\n"
            "  --board ID           which board                                [demo]\n"
            "  --title TEXT         of the tasks; each gets its number behind  [Job]\n"
            "  --every MS           from the end of one job to the next        [1000]\n"
            "  --count N            leave after so many jobs                   [at SIGTERM or SIGINT]\n"
            "  --log-level LEVEL    error, warn, info or debug                 [info]\n"
            "  --version, --help    print and leave\n"
            "\n"
            "Each option can also be given as FRESHET_REDIS, FRESHET_PREFIX and so on; the command line\n"
            "comes first. Exit 0: each job was done and published; 1: one was not; 2: a wrong option.\n",
    .settings = settings,
    .count = sizeof(settings) / sizeof(settings[0]),
    .set_defaults = set_defaults,
};

enum options_result agent_options_read(struct agent_options *options, int argc, char **argv, options_env env,
                                       FILE *out, FILE *err)
{
    enum options_result result = arguments_read(&arguments, options, argc, argv, env, out, err);
    if (result != OPTIONS_RUN || options->shared.redis != NULL)
        return result;
    fprintf(err, "freshet-agent: --redis is missing: without a Redis in common nobody would hear of it\n");
    return OPTIONS_WRONG;
}
