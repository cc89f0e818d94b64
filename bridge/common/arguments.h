/* The command line and the environment of a program, read by a table. */
#ifndef BRIDGE_ARGUMENTS_H
#define BRIDGE_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* One option. */
struct setting {
    const char *name;     /* --name */
    const char *variable; /* the same from the environment; NULL: on the command line only */
    const char *right;    /* what a right value looks like; NULL: it takes none, and `set` gets "" */
    bool (*set)(void *options, const char *value); /* whether the value is right; it is kept, not copied */
};

enum { ARGUMENTS_MAX_SETTINGS = 32 };

struct arguments {
    const char *program;
    const char *help;                                          /* all of it */
    const struct setting *settings;                            /* ARGUMENTS_MAX_SETTINGS at most */
    size_t count;                                              /* of `settings` */
    bool (*set_words)(void *options, int count, char **words); /* what stands behind the options, kept and not
                                                                  copied; NULL: nothing may */
    const char *words;                                         /* what is right there */
    void (*set_defaults)(void *options);
};

enum options_result {
    OPTIONS_RUN = 0,
    OPTIONS_SHOWN = 1, /* --help or --version went to `out`: exit 0 */
    OPTIONS_WRONG = 2  /* what was wrong, and what would be right, went to `err`: exit 2 */
};

/* getenv() or what a test puts in its place. The texts must outlive the options. */
typedef const char *(*options_env)(const char *name);

/* Fills *options from defaults, then variables, then arguments, each overriding the one before. Values are
 * never repeated in a complaint: they may hold passwords. Not thread-safe (getopt). */
enum options_result arguments_read(const struct arguments *arguments, void *options, int argc, char **argv,
                                   options_env env, FILE *out, FILE *err);

/* Lets variables and arguments override what *options has by now; as arguments_read() has checked them. */
enum options_result arguments_override(const struct arguments *arguments, void *options, int argc,
                                       char **argv, options_env env, FILE *out, FILE *err);

/* A decimal number up to `max`, of nine digits at most. */
bool arguments_number(const char *text, unsigned max, unsigned *number);

#endif
