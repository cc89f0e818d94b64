/* A YAML document as a tree that knows its lines. libyaml parses; what would make two readers see two
 * different things (a key twice, an alias, a second document) is refused. */
#ifndef BRIDGE_CONFIG_NODE_H
#define BRIDGE_CONFIG_NODE_H

#include "config/arena.h"
#include <stdbool.h>
#include <stddef.h>

enum node_kind { NODE_TEXT = 1, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    int line;
    const char *key;                 /* where it stands in a map; else NULL */
    const char *text;                /* of NODE_TEXT */
    bool quoted;                     /* of NODE_TEXT: so it is a text whatever it looks like */
    const struct node *first, *next; /* its first child; the one behind it */
    size_t count;                    /* of children */
};

struct node_error {
    int line;
    char text[200];
};

/* The root, in `arena`; NULL with *error. An empty document is an empty map. */
const struct node *node_parse(struct arena *arena, const char *bytes, size_t len, struct node_error *error);

/* The child of that key, or NULL. */
const struct node *node_find(const struct node *map, const char *key);

#endif
