/* What the features of freshet-bridge share: main() makes it, each feature keeps a pointer to it. */
#ifndef BRIDGE_APP_H
#define BRIDGE_APP_H

#include "common/log.h"
#include "common/options.h"
#include <freshet/freshet.h>
#include <stdatomic.h>

struct config;
struct fetcher;
struct http_router;
struct store;

struct app {
    const struct options *options;
    char host[OPTIONS_MAX_HOST_BYTES + 1];    /* where it listens; for all addresses the machine's name */
    const char *names[OPTIONS_MAX_NAMES + 2]; /* that requests may have in Host; the last NULL */
    struct freshet *freshet;
    struct store *store;
    struct config *config;   /* the file of --config as it was at the start; NULL: none */
    struct fetcher *fetcher; /* asks backends; NULL: there is no file */
    struct http_router *router;
    struct freshet_log log;
    struct log_news refused_publishes; /* by status */
    char instance[320];                /* host:port, for people */
    atomic_bool draining;              /* not ready any more */
};

/* To be called with what a publish answered: tells the log if it was refused and that is new. Any thread. */
void app_check_publish(struct app *app, enum freshet_status status, const struct freshet_topic *topic);

/* How the bus is, in one word. */
const char *app_bus_text(enum freshet_bus_state state);

#endif
