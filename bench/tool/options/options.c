#include "options/options.h"
#include "measure/clock.h"
#include "options/table.h"
#include <stdlib.h>
#include <string.h>

enum kind {
    COUNT,
    RATE,
    BYTES,
    TIME,
    DELAY,
    FLAG,
    TEXT,
    LIST,
    SOURCES,
    FORMAT,
    RULE,
    UNIT,
    SKIPS,
    STORM,
    STALL,
    COMMAND,
    PID
};

struct option {
    const char *name, *takes;
    enum kind kind;
    size_t offset;
    const char *standard, *help;
};

/* A title has no name. */
static const struct option table[] = {
#define X(name, takes, kind, field, standard, help)                                                          \
    {name, takes, kind, offsetof(struct options, field), standard, help},
#define TITLE(text) {NULL, NULL, FLAG, 0, NULL, text},
    OPTIONS(X, TITLE)
#undef X
#undef TITLE
};
enum { OPTION_COUNT = sizeof(table) / sizeof(table[0]) };

static bool read_count(const char *text, uint64_t *out)
{
    double value;
    if (!quantity_parse(UNIT_COUNT, text, &value) || value > 1e15)
        return false;
    *out = (uint64_t)value;
    return true;
}

static bool read_bytes(const char *text, uint64_t *out)
{
    double value;
    if (!quantity_parse(UNIT_BYTES, text, &value) || value > 1e15)
        return false;
    *out = (uint64_t)value;
    return true;
}

static bool add_text(struct list *list, const char *text)
{
    if (list->count == MAX_LIST)
        return false;
    list->items[list->count++] = text;
    return true;
}

/* One of two words. */
static bool read_choice(const char *text, const char *yes, const char *no, bool *out)
{
    *out = strcmp(text, yes) == 0;
    return *out || strcmp(text, no) == 0;
}

/* The time before the colon, or all of the text; *rest is what is behind it, or NULL. */
static bool read_moment(const char *text, int64_t *at_ns, const char **rest)
{
    char time[32];
    size_t len = strcspn(text, ":");
    if (len >= sizeof(time))
        return false;
    memcpy(time, text, len);
    time[len] = '\0';
    *rest = text[len] == ':' ? text + len + 1 : NULL;
    return time_parse(time, at_ns);
}

static bool read_storm(struct options *options, const char *text)
{
    struct storm storm = {.percent = 100};
    const char *rest;
    if (options->storm_count == MAX_LIST || !read_moment(text, &storm.at_ns, &rest) ||
        (rest != NULL && !quantity_parse(UNIT_PERCENT, rest, &storm.percent)) || storm.percent > 100)
        return false;
    options->storms[options->storm_count++] = storm;
    return true;
}

static bool read_stall(struct options *options, const char *text)
{
    struct stall stall;
    const char *rest;
    if (options->stall_count == MAX_LIST || !read_moment(text, &stall.at_ns, &rest) || rest == NULL ||
        !time_parse(rest, &stall.for_ns))
        return false;
    options->stalls[options->stall_count++] = stall;
    return true;
}

static bool read_command(struct options *options, const char *text)
{
    struct command command;
    if (options->command_count == MAX_LIST || !read_moment(text, &command.at_ns, &command.text) ||
        command.text == NULL)
        return false;
    options->commands[options->command_count++] = command;
    return true;
}

static bool read_pid(struct options *options, const char *text)
{
    struct watched watched = {.name = "server"};
    const char *equals = strrchr(text, '=');
    char *end;
    if (equals != NULL)
        snprintf(watched.name, sizeof(watched.name), "%.*s", (int)(equals - text), text);
    watched.pid = strtol(equals == NULL ? text : equals + 1, &end, 10);
    if (options->watched_count == MAX_LIST || *end != '\0' || watched.pid <= 0)
        return false;
    options->watched[options->watched_count++] = watched;
    return true;
}

static bool read_unit(struct options *options, const char *text)
{
    char one[8];
    options->is_time = true;
    return snprintf(one, sizeof(one), "1%s", text) < (int)sizeof(one) && strcmp(text, "m") != 0 &&
           time_parse(one, &options->time_unit_ns);
}

static bool read_sources(struct options *options, const char *text)
{
    options->source_count = sources_parse(text, options->sources, MAX_SOURCES);
    return options->source_count > 0 && options->source_count <= MAX_SOURCES;
}

static bool read_delay(const char *text, int64_t *out)
{
    *out = -1;
    return strcmp(text, "never") == 0 || time_parse(text, out);
}

static bool read_value(struct options *options, const struct option *option, const char *text)
{
    void *field = (char *)options + option->offset;
    switch (option->kind) {
    case COUNT:
        return read_count(text, field);
    case RATE:
        return quantity_parse(UNIT_RATE, text, field);
    case BYTES:
        return read_bytes(text, field);
    case TIME:
        return time_parse(text, field);
    case DELAY:
        return read_delay(text, field);
    case TEXT:
        *(const char **)field = text;
        return true;
    case LIST:
        return add_text(field, text);
    case SOURCES:
        return read_sources(options, text);
    case FORMAT:
        return read_choice(text, "raw", "freshet", field);
    case RULE:
        return rule_parse(field, text);
    case UNIT:
        return read_unit(options, text);
    case SKIPS:
        return read_choice(text, "lost", "fresh", field);
    case STORM:
        return read_storm(options, text);
    case STALL:
        return read_stall(options, text);
    case COMMAND:
        return read_command(options, text);
    case PID:
        return read_pid(options, text);
    default:
        return false;
    }
}

/* What would have been right. */
static const char *example_of(enum kind kind)
{
    static const char *const examples[] = {
        [DELAY] = "a time with its unit, such as 500ms, or never",
        [LIST] = "no more than 64 of it",
        [SOURCES] = "addresses, no more than 1024, such as 127.0.0.2-127.0.0.9",
        [FORMAT] = "freshet or raw",
        [RULE] = "first, after:TEXT (no more than 63 bytes), id:first, id:after:TEXT or none",
        [UNIT] = "us, ms, s or ns",
        [SKIPS] = "fresh or lost",
        [STORM] = "a time and percent, such as 5s or 5s:50%",
        [STALL] = "two times, such as 5s:500ms",
        [COMMAND] = "a time and a command, such as '5s:kill 123'",
        [PID] = "the id of a process, such as 123 or bridge=123",
    };
    if (kind == COUNT)
        return quantity_example(UNIT_COUNT);
    if (kind == RATE)
        return quantity_example(UNIT_RATE);
    if (kind == BYTES)
        return quantity_example(UNIT_BYTES);
    return kind == TIME ? quantity_example(UNIT_TIME) : examples[kind];
}

static void print_help(FILE *out)
{
    fprintf(out, "freshet-bench [OPTION...] URL...\n\nOpens event streams, publishes, and measures what "
                 "arrives when.\n");
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &table[i];
        if (option->name == NULL) {
            fprintf(out, "\n%s\n", option->help);
            continue;
        }
        int width = fprintf(out, "  --%s%s%s", option->name, option->takes == NULL ? "" : " ",
                            option->takes == NULL ? "" : option->takes);
        fprintf(out, "%*s", width < 30 ? 30 - width : 1, "");
        for (const char *text = option->help; *text != '\0'; text++) {
            fputc(*text, out);
            if (*text == '\n')
                fprintf(out, "%30s", "");
        }
        if (option->standard != NULL && *option->standard != '\0')
            fprintf(out, " (%s)", option->standard);
        fputc('\n', out);
    }
    fprintf(out,
            "  --max-NAME VALUE, --min-NAME VALUE\n%30slimits on the numbers of the table, by their names "
            "there\n\n"
            "Exit status: 0, all limits held; 1, one did not, or the run failed; 2, a wrong option.\n",
            "");
}

static void set_standards(struct options *options)
{
    memset(options, 0, sizeof(*options));
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (table[i].standard != NULL)
            read_value(options, &table[i], table[i].standard);
    }
}

static const struct option *find(const char *name, size_t len)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (table[i].name != NULL && strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0)
            return &table[i];
    }
    return NULL;
}

/* Reads the option at argv[*at] and its value, and moves on. */
static bool read_option(struct options *options, int argc, char **argv, int *at, FILE *err)
{
    char *word = argv[(*at)++], *value = strchr(word, '=');
    size_t len = value == NULL ? strlen(word) : (size_t)(value++ - word);
    const struct option *option = find(word + 2, len - 2);
    if (option != NULL && option->kind == FLAG) {
        *(bool *)((char *)options + option->offset) = true;
        if (value != NULL)
            fprintf(err, "freshet-bench: --%s takes nothing\n", option->name);
        return value == NULL;
    }
    if (value == NULL && *at < argc)
        value = argv[(*at)++];
    if (option == NULL && (strncmp(word, "--max-", 6) == 0 || strncmp(word, "--min-", 6) == 0)) {
        word[len] = '\0';
        return limits_read(&options->limits, word, value, err);
    }
    if (option == NULL)
        fprintf(err, "freshet-bench: there is no option %.*s; --help shows all\n", (int)len, word);
    else if (value == NULL)
        fprintf(err, "freshet-bench: --%s takes %s\n", option->name, option->takes);
    else if (!read_value(options, option, value))
        fprintf(err, "freshet-bench: --%s takes %s, not %s\n", option->name, example_of(option->kind), value);
    else
        return true;
    return false;
}

enum options_result options_read(struct options *options, int argc, char **argv, FILE *out, FILE *err)
{
    set_standards(options);
    options->argc = argc;
    options->argv = argv;
    for (int at = 1; at < argc;) {
        if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0) {
            print_help(out);
            return OPTIONS_HELP;
        }
        if (strncmp(argv[at], "--", 2) != 0) {
            if (argv[at][0] == '-' || !add_text(&options->urls, argv[at])) {
                fprintf(err, "freshet-bench: %s: options begin with --, and there are no more than 64 URLs\n",
                        argv[at]);
                return OPTIONS_WRONG;
            }
            at++;
        } else if (!read_option(options, argc, argv, &at, err)) {
            return OPTIONS_WRONG;
        }
    }
    return options_check(options, err) ? OPTIONS_RUN : OPTIONS_WRONG;
}
