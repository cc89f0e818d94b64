/* guards: who may have a stream, as the file says it. */
#ifndef BRIDGE_CONFIG_GUARD_H
#define BRIDGE_CONFIG_GUARD_H

#include "config/read.h"
#include <stddef.h>
#include <stdint.h>

/* What is called so here is called so there. */
struct config_pair {
    const char *from, *to;
};

struct config_pairs {
    struct config_pair *items;
    size_t count;
};

/* ask: the application. Lists end with NULL; NULL: not said; 0: the default. */
struct config_ask {
    const char **urls;       /* the same at one server or several */
    const char **forward;    /* headers, in lower case */
    const char **attributes; /* what the answer may set */
    uint32_t for_ms;         /* how long an answer holds; 0: for those who ask at the same time */
    uint32_t timeout_ms;
};

/* jwt: */
struct config_jwt {
    const char *keys;           /* a URL or a file */
    const char **secrets;       /* instead of keys: for HS256 and its like */
    const char **algorithms;    /* NULL: all that the keys are for */
    const char **audience;      /* any of them is right */
    const char *issuer;         /* NULL: any */
    const char *cookie, *query; /* where it is if not in Authorization; NULL: nowhere else */
    struct config_pairs claims; /* claim -> attribute */
    struct config_pairs params; /* parameter of the route -> the claim that has to be the same */
    uint32_t leeway_ms;         /* for clocks that differ */
    uint32_t refresh_ms;        /* how often keys are fetched again */
};

/* signed: URLs that the application has signed. */
struct config_signed {
    const char **secrets; /* any of them is right */
};

enum config_guard_kind { CONFIG_GUARD_NONE = 0, CONFIG_GUARD_ASK, CONFIG_GUARD_JWT, CONFIG_GUARD_SIGNED };

struct config_guard {
    const char *name;
    enum config_guard_kind kind;
    struct config_ask ask;
    struct config_jwt jwt;
    struct config_signed signed_urls;
    const struct node *node; /* for complaints */
};

/* guards: { name: { ... } }, into a struct config_guards. */
struct config_guards {
    struct config_guard *items;
    size_t count;
};
bool config_read_guards(struct reading *reading, const struct node *node, void *place, const struct key *key);

#endif
