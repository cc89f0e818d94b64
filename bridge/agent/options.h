/* The command line and the environment of freshet-agent. */
#ifndef BRIDGE_AGENT_OPTIONS_H
#define BRIDGE_AGENT_OPTIONS_H

#include "common/options.h"

struct agent_options {
    struct options shared; /* first; `redis` (never NULL), `prefix` and `log_level` are used */
    const char *board;
    const char *title;
    unsigned every_ms;
    unsigned count; /* 0: until a signal comes */
};

/* As options_read(). */
enum options_result agent_options_read(struct agent_options *options, int argc, char **argv, options_env env,
                                       FILE *out, FILE *err);

#endif
