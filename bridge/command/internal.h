/* What the commands share: where Redis is, and what they are told on the command line. */
#ifndef BRIDGE_COMMAND_INTERNAL_H
#define BRIDGE_COMMAND_INTERNAL_H

#include "common/options.h"
#include "config/config.h"
#include "store/redis_link.h"
#include <freshet/freshet.h>

struct command {
    struct options options;                /* first: tables of settings fill it */
    const char *topic_text, *message_text; /* NULL: no message */
    struct config *config;                 /* NULL: no file */
    struct freshet_topic topic;
    struct freshet_log log;
    struct redis_link redis;
    struct freshet_bus *bus;
};

/* The exit status. */
int command_publish(struct command *command);
int command_tail(struct command *command);

#endif
