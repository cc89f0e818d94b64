/* POST /publish, for programs that have no Redis client. */
#ifndef BRIDGE_PUBLISH_H
#define BRIDGE_PUBLISH_H

#include "common/app.h"
#include "config/config.h"

/* Serves what the file's `publish` says, which outlives the server. Before the loops run. */
void publish_start(struct app *app, const struct config_publish *config);

#endif
