/* What has a token: publishing over HTTP, and looking at it. */
#ifndef BRIDGE_CONFIG_DOORS_H
#define BRIDGE_CONFIG_DOORS_H

#include "config/read.h"

enum { CONFIG_MIN_TOKEN_BYTES = 16 };

struct config_publish {
    const char *path;  /* without the slash before it */
    const char *token; /* NULL: off */
};

struct config_admin {
    const char *token; /* NULL: off */
};

/* publish: { path, token }, into a struct config_publish. */
bool config_read_publish(struct reading *reading, const struct node *node, void *place,
                         const struct key *key);
/* admin: { token }, into a struct config_admin. */
bool config_read_admin(struct reading *reading, const struct node *node, void *place, const struct key *key);

#endif
