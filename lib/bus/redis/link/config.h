/* Options with their defaults filled in and their texts copied. */
#ifndef FR_REDIS_CONFIG_H
#define FR_REDIS_CONFIG_H

#include "bus/redis/proto/url.h"
#include <freshet/redis.h>
#include <openssl/ssl.h>

struct fr_redis_config {
    struct fr_redis_url url;
    char *prefix;
    SSL_CTX *tls;   /* NULL: plain */
    char *tls_name; /* expected in the certificate; NULL: any that the CA signed, for unix sockets */
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
