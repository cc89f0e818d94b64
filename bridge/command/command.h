/* freshet-bridge in the terminal: publishing, and looking at what is published. */
#ifndef BRIDGE_COMMAND_H
#define BRIDGE_COMMAND_H

#include "common/arguments.h"

/* Runs `publish` or `tail` if the first argument is one of these. The exit status; -1: it is none. */
int command_run(int argc, char **argv, options_env env);

#endif
