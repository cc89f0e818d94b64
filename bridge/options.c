#include "options.h"
#include <errno.h>
#include <freshet/version.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One option that takes a value. `set` answers whether the value is right. */
struct setting {
    const char *name;     /* --name */
    const char *variable; /* the same from the environment */
    const char *right;    /* what a right value looks like */
    bool (*set)(struct options *options, const char *value);
};

static bool is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == ':' || c == '_' || c == '%';
}

static bool read_number(const char *text, unsigned max, unsigned *number)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || text[digits] != '\0')
        return false;
    *number = (unsigned)strtoul(text, NULL, 10);
    return *number <= max;
}

static bool set_host(struct options *options, const char *host, size_t len)
{
    if (len == 0 || len > OPTIONS_MAX_HOST_BYTES)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_host_byte(host[i]))
            return false;
    }
    memcpy(options->host, host, len);
    options->host[len] = '\0';
    return true;
}

/* HOST:PORT or [IPV6]:PORT. */
static bool set_listen(struct options *options, const char *value)
{
    const char *colon = strrchr(value, ':');
    unsigned port;
    if (colon == NULL || !read_number(colon + 1, UINT16_MAX, &port))
        return false;
    size_t len = (size_t)(colon - value);
    bool bracketed = len >= 2 && value[0] == '[' && value[len - 1] == ']';
    if (bracketed) {
        value++;
        len -= 2;
    }
    if (bracketed != (memchr(value, ':', len) != NULL) || !set_host(options, value, len))
        return false;
    options->port = (uint16_t)port;
    return true;
}

/* Only the kind of URL: its parts are checked by the library, which names them without their secrets. */
static bool set_redis(struct options *options, const char *value)
{
    static const char *const schemes[] = {"redis://", "rediss://", "redis+unix://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncmp(value, schemes[i], strlen(schemes[i])) == 0) {
            options->redis = value;
            return true;
        }
    }
    return false;
}

static bool set_prefix(struct options *options, const char *value)
{
    size_t len = strlen(value);
    if (len == 0 || len > 128)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (value[i] <= ' ' || value[i] > '~')
            return false;
    }
    options->prefix = value;
    return true;
}

static bool set_threads(struct options *options, const char *value)
{
    unsigned threads;
    if (!read_number(value, OPTIONS_MAX_THREADS, &threads) || threads == 0)
        return false;
    options->threads = threads;
    return true;
}

static bool set_log_level(struct options *options, const char *value)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(value, levels[i]) == 0) {
            options->log_level = (enum freshet_log_level)(FRESHET_LOG_ERROR + i);
            return true;
        }
    }
    return false;
}

/* In the order of `long_options`. */
static const struct setting settings[] = {
    {"listen", "FRESHET_LISTEN", "HOST:PORT, such as 127.0.0.1:8080, [::1]:8080, or port 0 for a free one",
     set_listen},
    {"redis", "FRESHET_REDIS",
     "a URL that begins with redis://, rediss:// or redis+unix://, such as redis://127.0.0.1:6379",
     set_redis},
    {"prefix", "FRESHET_PREFIX", "1 to 128 visible ASCII characters, such as freshet:", set_prefix},
    {"threads", "FRESHET_THREADS", "a number from 1 to 256", set_threads},
    {"log-level", "FRESHET_LOG_LEVEL", "error, warn, info or debug", set_log_level},
};
enum { SETTINGS = sizeof(settings) / sizeof(settings[0]), VERSION = 1000, HELP };

static const struct option long_options[] = {
    {"listen", required_argument, NULL, 0},    {"redis", required_argument, NULL, 1},
    {"prefix", required_argument, NULL, 2},    {"threads", required_argument, NULL, 3},
    {"log-level", required_argument, NULL, 4}, {"version", no_argument, NULL, VERSION},
    {"help", no_argument, NULL, HELP},         {NULL, 0, NULL, 0},
};

static void show_help(FILE *out)
{
    fputs("freshet-bridge serves a live counter and live boards as event streams.\n"
          "\n"
          "  --listen HOST:PORT   where to serve; port 0 picks a free one    [127.0.0.1:8080]\n"
          "  --redis URL          share state and publishes through this Redis:\n"
          "                       redis://, rediss:// or redis+unix://       [none: in this process]\n"
          "  --prefix TEXT        begins every channel and key in Redis      [freshet:]\n"
          "  --threads N          threads that serve                         [one for each processor]\n"
          "  --log-level LEVEL    error, warn, info or debug                 [info]\n"
          "  --version, --help    print and leave\n"
          "\n"
          "Each option can also be given as FRESHET_LISTEN, FRESHET_REDIS, FRESHET_PREFIX,\n"
          "FRESHET_THREADS or FRESHET_LOG_LEVEL; the command line comes first.\n",
          out);
}

static void set_defaults(struct options *options)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    memset(options, 0, sizeof(*options));
    strcpy(options->host, "127.0.0.1");
    options->port = 8080;
    options->prefix = "freshet:";
    options->threads = processors < 1 ? 1 : (unsigned)processors;
    if (options->threads > OPTIONS_MAX_THREADS)
        options->threads = OPTIONS_MAX_THREADS;
    options->log_level = FRESHET_LOG_INFO;
}

/* The value itself is not repeated: it may hold a password. */
static bool apply(struct options *options, const struct setting *setting, const char *value, bool from_env,
                  FILE *err)
{
    if (setting->set(options, value))
        return true;
    fprintf(err, "freshet-bridge: %s%s has a wrong value; right is %s\n", from_env ? "" : "--",
            from_env ? setting->variable : setting->name, setting->right);
    return false;
}

/* An empty variable counts as not set: that is how compose files pass on what nobody gave. */
static bool apply_environment(struct options *options, options_env env, FILE *err)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        const char *value = env(settings[i].variable);
        if (value != NULL && value[0] != '\0' && !apply(options, &settings[i], value, true, err))
            return false;
    }
    return true;
}

/* What stands behind '=' may be a password. `optopt` is the option's code where getopt knows the option. */
static void complain(const char *word, int code, FILE *err)
{
    int len = (int)strcspn(word, "=");
    if (code == ':')
        fprintf(err, "freshet-bridge: %.*s needs a value; --help tells which\n", len, word);
    else if (optopt == VERSION || optopt == HELP)
        fprintf(err, "freshet-bridge: %.*s takes no value\n", len, word);
    else
        fprintf(err, "freshet-bridge: there is no option %.*s; --help lists them\n", len, word);
}

/* A plain word is repeated; anything else may be a URL with a password, in the wrong place. */
static void complain_stray(const char *word, int position, FILE *err)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    if (word[strspn(word, plain)] == '\0' && strlen(word) <= 32)
        fprintf(err, "freshet-bridge: %s is not an option; --help lists them\n", word);
    else
        fprintf(err, "freshet-bridge: argument %d is not an option; --help lists them\n", position);
}

static enum options_result read_arguments(struct options *options, int argc, char **argv, FILE *out,
                                          FILE *err)
{
    optind = 0; /* glibc: start anew */
    for (;;) {
        int at = optind == 0 ? 1 : optind;
        int code = getopt_long(argc, argv, "+:", long_options, NULL);
        if (code == -1)
            break;
        if (code == VERSION)
            fprintf(out, "freshet-bridge %s\n", freshet_version());
        else if (code == HELP)
            show_help(out);
        if (code == VERSION || code == HELP)
            return OPTIONS_SHOWN;
        if (code == '?' || code == ':') {
            complain(argv[at], code, err);
            return OPTIONS_WRONG;
        }
        if (!apply(options, &settings[code], optarg, false, err))
            return OPTIONS_WRONG;
    }
    if (optind == argc)
        return OPTIONS_RUN;
    complain_stray(argv[optind], optind, err);
    return OPTIONS_WRONG;
}

enum options_result options_read(struct options *options, int argc, char **argv, options_env env, FILE *out,
                                 FILE *err)
{
    opterr = 0; /* getopt's own words would repeat values */
    set_defaults(options);
    /* Read twice, so that --help works whatever the environment holds, and the command line has the last
     * word. */
    enum options_result result = read_arguments(options, argc, argv, out, err);
    if (result != OPTIONS_RUN)
        return result;
    set_defaults(options);
    if (!apply_environment(options, env, err))
        return OPTIONS_WRONG;
    return read_arguments(options, argc, argv, out, err);
}
