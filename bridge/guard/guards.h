/* The guards of a file, ready to be used by loaders. */
#ifndef BRIDGE_GUARDS_H
#define BRIDGE_GUARDS_H

#include "common/log.h"
#include "config/config.h"
#include "fetch/fetch.h"
#include <freshet/guard.h>

struct guards;

struct guards_options {
    struct fetcher *fetcher;       /* NULL: nothing is fetched, to look at a configuration */
    const struct freshet_log *log; /* outlives the guards */
};

/* Of config->guards; the config outlives them. What is wrong is told in the config's way and counted there.
 * NULL: no memory, which is told, too. */
struct guards *guards_new(const struct guards_options *options, struct config *config);
/* After the fetcher and the freshet. NULL is fine. */
void guards_destroy(struct guards *guards);

size_t guards_count(const struct guards *guards);
/* The `index`-th; *name as the file has it. */
struct freshet_guard guards_at(const struct guards *guards, size_t index, const char **name);
/* The request headers that they look at, in lower case, the last NULL. */
const char *const *guards_headers(const struct guards *guards);

#endif
