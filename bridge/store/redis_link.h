/* How the program comes to its Redis, for its bus and for its store: the URL, and a password out of a file.
 */
#ifndef BRIDGE_REDIS_LINK_H
#define BRIDGE_REDIS_LINK_H

#include "common/log.h"
#include "common/options.h"
#include <freshet/redis.h>

struct redis_link {
    const char *password_file; /* NULL: none */
    struct freshet_log log;
    struct log_news troubles; /* with the file */
};

/* `options` outlive it. FRESHET_INVALID: the password's file can't be read, or is empty; `error` names it.
 * deinit cleans up in any case. */
enum freshet_status redis_link_init(struct redis_link *link, const struct options *options,
                                    const struct freshet_log *log, struct freshet_error *error);
/* Behind the connections. */
void redis_link_deinit(struct redis_link *link);
/* For freshet_redis_bus_new() and the `link` of freshet_redis_data_new(); the link outlives what is made of
 * it. */
struct freshet_redis_options redis_link_options(struct redis_link *link, const struct options *options);

#endif
