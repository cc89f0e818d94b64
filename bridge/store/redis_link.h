/* How the program comes to its Redis, for its bus and for its store: the URL, and passwords out of files. */
#ifndef BRIDGE_REDIS_LINK_H
#define BRIDGE_REDIS_LINK_H

#include "common/log.h"
#include "common/options.h"
#include <freshet/redis.h>

struct redis_password {
    const char *option; /* that names the file */
    const char *file;   /* NULL: none */
    struct freshet_log log;
    struct log_news troubles; /* with the file */
};

struct redis_link {
    struct freshet_log log;
    struct redis_password password, sentinel_password;
};

/* `options` outlive it. FRESHET_INVALID: a file can't be read, or is empty; `error` names it. deinit cleans
 * up in any case. */
enum freshet_status redis_link_init(struct redis_link *link, const struct options *options,
                                    const struct freshet_log *log, struct freshet_error *error);
/* Behind the connections. */
void redis_link_deinit(struct redis_link *link);
/* For freshet_redis_bus_new() and the `link` of freshet_redis_data_new(); the link outlives what is made of
 * it. */
struct freshet_redis_options redis_link_options(struct redis_link *link, const struct options *options);

#endif
