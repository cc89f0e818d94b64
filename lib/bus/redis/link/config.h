/* Options with their defaults filled in and their texts copied. */
#ifndef FR_REDIS_CONFIG_H
#define FR_REDIS_CONFIG_H

#include "bus/redis/link/login.h"
#include "bus/redis/link/tls.h"
#include "bus/redis/proto/url.h"
#include <freshet/redis.h>

struct fr_redis_config {
    struct fr_redis_url url; /* its user and password are in `login` */
    char *prefix;
    struct fr_redis_login_source login;          /* at the servers with the data */
    struct fr_redis_login_source sentinel_login; /* at the sentinels */
    struct fr_redis_tls_files tls_files;         /* read for each connection, if the URL says TLS */
    char *tls_name; /* expected in each certificate; NULL: the name that was connected to */
    /* The fields of struct freshet_redis_options with their defaults; its texts are not used. */
    struct freshet_redis_options options;
};

/* Statuses of freshet_redis_bus_new(). On failure nothing is kept. */
enum freshet_status fr_redis_config_init(struct fr_redis_config *config,
                                         const struct freshet_redis_options *options,
                                         struct freshet_error *error);
/* A zeroed one is fine. */
void fr_redis_config_deinit(struct fr_redis_config *config);

#endif
