/* Where a Redis is, as a URL. Pure.
 *
 *     redis://[user:password@]host[:port][/db]                 rediss:// with TLS
 *     redis+unix://[user:password@]/path
 *     redis+sentinel://[user:password@]host[:port],.../name[/db]   rediss+sentinel:// with TLS
 *     redis+cluster://[user:password@]host[:port],...              rediss+cluster:// with TLS
 *
 * User and password are those of the servers that have the data, also behind sentinels. */
#ifndef FR_REDIS_URL_H
#define FR_REDIS_URL_H

#include "bus/redis/proto/address.h"
#include <freshet/status.h>
#include <stdbool.h>
#include <stdint.h>

#define FR_REDIS_MAX_ADDRESSES 16

enum fr_redis_url_kind { FR_REDIS_URL_SERVER = 0, FR_REDIS_URL_SENTINEL, FR_REDIS_URL_CLUSTER };

struct fr_redis_url {
    enum fr_redis_url_kind kind;
    struct fr_redis_address addresses[FR_REDIS_MAX_ADDRESSES]; /* of a server: one */
    unsigned address_count;
    char *master; /* its name, for sentinels */
    char *user;   /* NULL: none */
    char *password;
    uint32_t database;
    bool tls;
};

/* FRESHET_INVALID: `error` names the part that is wrong and never repeats user or password;
 * FRESHET_NO_MEMORY. On failure nothing is kept. */
enum freshet_status fr_redis_url_init(struct fr_redis_url *url, const char *text,
                                      struct freshet_error *error);
/* A zeroed one is fine. */
void fr_redis_url_deinit(struct fr_redis_url *url);

#endif
