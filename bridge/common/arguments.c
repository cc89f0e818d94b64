#include "common/arguments.h"
#include <assert.h>
#include <freshet/version.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1000, HELP };

bool arguments_number(const char *text, unsigned max, unsigned *number)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || text[digits] != '\0')
        return false;
    *number = (unsigned)strtoul(text, NULL, 10);
    return *number <= max;
}

/* The value itself is not repeated: it may hold a password. */
static bool apply(const struct arguments *arguments, void *options, const struct setting *setting,
                  const char *value, bool from_env, FILE *err)
{
    if (setting->set(options, value))
        return true;
    fprintf(err, "%s: %s%s has a wrong value; right is %s\n", arguments->program, from_env ? "" : "--",
            from_env ? setting->variable : setting->name, setting->right);
    return false;
}

/* An empty variable counts as not set: that is how compose files pass on what nobody gave. */
static bool apply_environment(const struct arguments *arguments, void *options, options_env env, FILE *err)
{
    for (size_t i = 0; i < arguments->count; i++) {
        const struct setting *setting = &arguments->settings[i];
        const char *value = setting->variable == NULL ? NULL : env(setting->variable);
        if (value != NULL && value[0] != '\0' && !apply(arguments, options, setting, value, true, err))
            return false;
    }
    return true;
}

static bool is_flag(const struct arguments *arguments, int code)
{
    return code >= 0 && (size_t)code < arguments->count && arguments->settings[code].right == NULL;
}

/* What stands behind '=' may be a password. `optopt` is the option's code where getopt knows the option. */
static void complain(const struct arguments *arguments, const char *word, int code, FILE *err)
{
    int len = (int)strcspn(word, "=");
    if (code == ':')
        fprintf(err, "%s: %.*s needs a value; --help tells which\n", arguments->program, len, word);
    else if (optopt == VERSION || optopt == HELP || is_flag(arguments, optopt))
        fprintf(err, "%s: %.*s takes no value\n", arguments->program, len, word);
    else
        fprintf(err, "%s: there is no option %.*s; --help lists them\n", arguments->program, len, word);
}

/* A plain word is repeated; anything else may be a URL with a password, in the wrong place. */
static void complain_stray(const struct arguments *arguments, const char *word, int position, FILE *err)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    if (word[strspn(word, plain)] == '\0' && strlen(word) <= 32)
        fprintf(err, "%s: %s is not an option; --help lists them\n", arguments->program, word);
    else
        fprintf(err, "%s: argument %d is not an option; --help lists them\n", arguments->program, position);
}

/* What getopt has left. */
static enum options_result take_words(const struct arguments *arguments, void *options, int argc, char **argv,
                                      FILE *err)
{
    if (arguments->set_words != NULL && arguments->set_words(options, argc - optind, argv + optind))
        return OPTIONS_RUN;
    if (arguments->set_words != NULL)
        fprintf(err, "%s: right is %s; --help tells more\n", arguments->program, arguments->words);
    else if (optind < argc)
        complain_stray(arguments, argv[optind], optind, err);
    return arguments->set_words == NULL && optind == argc ? OPTIONS_RUN : OPTIONS_WRONG;
}

/* What getopt knows; a setting's code is its place in the table. */
static void list_options(const struct arguments *arguments, struct option *list)
{
    for (size_t i = 0; i < arguments->count; i++)
        *list++ = (struct option){arguments->settings[i].name,
                                  arguments->settings[i].right == NULL ? no_argument : required_argument,
                                  NULL, (int)i};
    *list++ = (struct option){"version", no_argument, NULL, VERSION};
    *list++ = (struct option){"help", no_argument, NULL, HELP};
    *list = (struct option){NULL, 0, NULL, 0};
}

static enum options_result read_arguments(const struct arguments *arguments, void *options, int argc,
                                          char **argv, FILE *out, FILE *err)
{
    struct option list[ARGUMENTS_MAX_SETTINGS + 3];
    list_options(arguments, list);
    optind = 0; /* glibc: start anew */
    for (;;) {
        int at = optind == 0 ? 1 : optind;
        int code = getopt_long(argc, argv, "+:", list, NULL);
        if (code == -1)
            break;
        if (code == VERSION)
            fprintf(out, "%s %s\n", arguments->program, freshet_version());
        else if (code == HELP)
            fputs(arguments->help, out);
        if (code == VERSION || code == HELP)
            return OPTIONS_SHOWN;
        if (code == '?' || code == ':') {
            complain(arguments, argv[at], code, err);
            return OPTIONS_WRONG;
        }
        if (!apply(arguments, options, &arguments->settings[code], optarg == NULL ? "" : optarg, false, err))
            return OPTIONS_WRONG;
    }
    return take_words(arguments, options, argc, argv, err);
}

enum options_result arguments_read(const struct arguments *arguments, void *options, int argc, char **argv,
                                   options_env env, FILE *out, FILE *err)
{
    assert(arguments->count <= ARGUMENTS_MAX_SETTINGS);
    opterr = 0; /* getopt's own words would repeat values */
    arguments->set_defaults(options);
    /* Read twice, so that --help works whatever the environment holds, and the command line has the last
     * word. */
    enum options_result result = read_arguments(arguments, options, argc, argv, out, err);
    if (result != OPTIONS_RUN)
        return result;
    arguments->set_defaults(options);
    return arguments_override(arguments, options, argc, argv, env, out, err);
}

enum options_result arguments_override(const struct arguments *arguments, void *options, int argc,
                                       char **argv, options_env env, FILE *out, FILE *err)
{
    opterr = 0;
    if (!apply_environment(arguments, options, env, err))
        return OPTIONS_WRONG;
    return read_arguments(arguments, options, argc, argv, out, err);
}
