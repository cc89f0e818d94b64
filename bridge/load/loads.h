/* The loaders of a file: registered once, and given new sources when the file is read again. */
#ifndef BRIDGE_LOADS_H
#define BRIDGE_LOADS_H

#include "common/log.h"
#include "config/config.h"
#include "fetch/fetch.h"
#include "store/store.h"
#include <freshet/freshet.h>

/* What `use` names. */
struct loads_guard {
    const char *name;
    struct freshet_guard guard; /* its user must outlive the freshet */
};

struct loads_options {
    struct freshet *freshet;
    struct fetcher *fetcher; /* outlives the workers */
    struct store *store;     /* the same */
    bool has_redis;          /* whether commands can be loaded from */
    size_t max_bytes;        /* of a state; 0: FETCH_DEFAULT_BODY_BYTES */
    const struct loads_guard *guards;
    size_t guard_count;
    const char *const *headers; /* that guards look at: names in lower case, the last NULL; or NULL */
    const struct freshet_log *log;
};

struct loads;

/* Registers every loader of the config, which it holds. Before the workers start. What is wrong is told in
 * the config's way, all of it, and counted in config->reading.problems. NULL: no memory, which is told, too.
 */
struct loads *loads_new(const struct loads_options *options, struct config *config);

/* From now on loads come from where this config says. Routes that it has no more deny their streams; what
 * can't change while streams are served stays as it is until the next start, and is told to the log: routes
 * that are new, and keys of a loader other than load and timeout. False: something is wrong, told as above,
 * and nothing has changed. One thread at a time. */
bool loads_reload(struct loads *loads, struct config *config);

/* After the freshet. NULL is fine. */
void loads_destroy(struct loads *loads);

#endif
