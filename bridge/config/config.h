/* The file of --config: everything that the command line can say, and what is served. A value here is right
 * by its form; whether parts fit together is looked at by those who use them, who complain in the same way.
 */
#ifndef BRIDGE_CONFIG_H
#define BRIDGE_CONFIG_H

#include "common/options.h"
#include "config/arena.h"
#include "config/doors.h"
#include "config/guard.h"
#include "config/read.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a loader's state comes from. */
enum config_source { CONFIG_MESSAGES = 0, CONFIG_GET, CONFIG_REDIS, CONFIG_FILE };

struct config_load {
    const char **get;        /* the same thing at one server or several; the last NULL, as below */
    const char **redis;      /* the words of a command */
    const char *file;        /* a path */
    const char **forward;    /* of `get`: headers of the stream's request, in lower case; NULL: none */
    const char **headers;    /* of `get`: whole lines */
    const struct node *node; /* for complaints */
};

struct config_cache {
    bool on;
    uint32_t max_entries;
    size_t max_bytes;
    uint32_t max_age_ms;
};

/* Whether streams of the same topic and parameters share their loads. Not said: if the load is the same for
 * all of them, having nothing in it of a single client. */
enum config_sharing { CONFIG_AS_LOAD_IS = 0, CONFIG_SHARED, CONFIG_NOT_SHARED };

/* As struct freshet_loader_options where nothing else is said; 0: its default. */
struct config_loader {
    const char *route, *name; /* `name` is made of the route where it is not said */
    const char *topic;        /* a channel's name; the route where it is not said */
    struct config_load load;
    bool messages;
    enum config_sharing shared;
    const char **per; /* attributes that guards set: who has the same shares a feed; NULL: not said */
    const char **use; /* guards by name; NULL: none */
    struct config_cache cache;
    bool skip_unchanged, no_gzip, no_differences;
    uint32_t timeout_ms, min_interval_ms, settle_ms, max_concurrent_loads;
    uint32_t max_queued_messages;
    size_t max_queued_bytes;
    const struct node *node;
};

/* Read-only once it is made. */
struct config {
    atomic_uint references;
    struct arena arena;     /* of all that is below */
    struct reading reading; /* for complaints of those who use it; `way` is empty */
    const struct node *root;
    bool demo; /* the counter, the boards and the page are there as well */
    struct config_loader *loaders;
    size_t loader_count;
    struct config_guards guards;
    struct config_publish publish;
    struct config_admin admin;
};

/* Reads the file; what it says of the command line's matters goes to *options, whose texts point into the
 * config. NULL: something is wrong, and `err` has all of it. */
struct config *config_new(const char *file, struct options *options, options_env env, FILE *err);
struct config *config_acquire(struct config *config);
/* NULL is fine. Any thread. */
void config_release(struct config *config);

enum config_source config_source_of(const struct config_loader *loader);

/* For `key_read`: a list, or a map of names, whose items are read into an array of structs of `size` bytes.
 */
void *config_array(struct reading *reading, const struct node *node, size_t size);

/* loaders: [ ... ] */
bool config_read_loaders(struct reading *reading, const struct node *node, void *place,
                         const struct key *key);

#endif
