/* What the file of --config has served. */
#ifndef BRIDGE_LIVE_H
#define BRIDGE_LIVE_H

#include "common/app.h"
#include "config/config.h"

struct live;

/* Registers the loaders of app->config. Before the workers start. FRESHET_OK; or a status, with `error`, or
 * with complaints that are on stderr already and an empty `error`. *out is to be given to live_stop() in any
 * case. */
enum freshet_status live_start(struct live **out, struct app *app, struct freshet_error *error);

/* Reads the file again, for SIGHUP. If something is wrong with it the log says so, and all stays as it is. */
void live_reload(struct live *live, options_env env);

/* After the workers have ended, before the store and the freshet. NULL is fine, here and below. */
void live_end_requests(struct live *live);
/* After the freshet. */
void live_stop(struct live *live);

/* For --check-config: all but serving and asking; complaints go where the config's go. */
bool live_check(const struct options *options, struct config *config);

#endif
