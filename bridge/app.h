/* What the parts of the application share. */
#ifndef BRIDGE_APP_H
#define BRIDGE_APP_H

#include "http.h"
#include "log.h"
#include "options.h"
#include "store.h"
#include <freshet/freshet.h>
#include <stdatomic.h>

struct app {
    const struct options *options;
    char host[OPTIONS_MAX_HOST_BYTES + 1];    /* where it listens; for all addresses the machine's name */
    const char *names[OPTIONS_MAX_NAMES + 2]; /* that requests may have in Host; the last NULL */
    struct freshet *freshet;
    struct store *store;
    struct http_router *router;
    struct freshet_log log;
    struct log_news refused_publishes; /* by status */
    char instance[320];                /* host:port, for people */
    atomic_bool draining;              /* not ready any more */
};

/* Each feature registers its loader and its routes. Before the workers start; FRESHET_OK or a status with
 * `error`. What a feature makes lives until its stop, after the workers have ended. */
struct counter;
struct board;
struct page;
enum freshet_status counter_start(struct counter **out, struct app *app, struct freshet_error *error);
void counter_stop(struct counter *counter);
enum freshet_status board_start(struct board **out, struct app *app, struct freshet_error *error);
void board_stop(struct board *board);
enum freshet_status page_start(struct page **out, struct app *app, struct freshet_error *error);
void page_stop(struct page *page);
void metrics_start(struct app *app);

/* To be called with what a publish answered: tells the log if it was refused and that is new. Any thread. */
void app_check_publish(struct app *app, enum freshet_status status, const struct freshet_topic *topic);

#endif
