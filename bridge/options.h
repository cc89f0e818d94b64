/* The command line and the environment of freshet-bridge. */
#ifndef BRIDGE_OPTIONS_H
#define BRIDGE_OPTIONS_H

#include <freshet/log.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define OPTIONS_MAX_HOST_BYTES 253
#define OPTIONS_MAX_THREADS    256

struct options {
    char host[OPTIONS_MAX_HOST_BYTES + 1]; /* without the brackets of an IPv6 address */
    uint16_t port;                         /* 0: any free one */
    const char *redis;  /* a URL, may hold credentials: never print it; NULL: stay in-process */
    const char *prefix; /* of channels and keys in Redis */
    unsigned threads;
    enum freshet_log_level log_level;
};

enum options_result {
    OPTIONS_RUN = 0,
    OPTIONS_SHOWN = 1, /* --help or --version went to `out`: exit 0 */
    OPTIONS_WRONG = 2  /* what was wrong, and what would be right, went to `err`: exit 2 */
};

/* getenv() or what a test puts in its place. The texts must outlive the options. */
typedef const char *(*options_env)(const char *name);

/* Fills *options from defaults, then FRESHET_<NAME> variables, then arguments, each overriding the one
 * before. Texts point into `argv` and the environment. Not thread-safe (getopt). */
enum options_result options_read(struct options *options, int argc, char **argv, options_env env, FILE *out,
                                 FILE *err);

#endif
