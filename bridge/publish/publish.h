/* Publishing over HTTP, for programs that have no Redis client. */
#ifndef BRIDGE_PUBLISH_H
#define BRIDGE_PUBLISH_H

#include "common/app.h"

/* One place where it can be done, with the token for it; outlives the server. */
struct publish_door {
    struct app *app;
    const char *token;
};

/* Serves it. `path` without the slash before it. Texts outlive the server. Before the loops run. */
void publish_start(struct publish_door *door, struct app *app, const char *path, const char *token);

#endif
