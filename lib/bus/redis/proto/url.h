/* Where a Redis is, as a URL: redis://[user:password@]host[:port][/db], rediss:// with TLS,
 * redis+unix://[user:password@]/path. Pure. */
#ifndef FR_REDIS_URL_H
#define FR_REDIS_URL_H

#include <freshet/status.h>
#include <stdbool.h>
#include <stdint.h>

struct fr_redis_url {
    char *host; /* without brackets; NULL: `path` */
    char *path; /* of a unix socket */
    char *user; /* NULL: none */
    char *password;
    uint32_t database;
    uint16_t port;
    bool tls;
};

/* FRESHET_INVALID: `error` names the part that is wrong and never repeats user or password;
 * FRESHET_NO_MEMORY. On failure nothing is kept. */
enum freshet_status fr_redis_url_init(struct fr_redis_url *url, const char *text,
                                      struct freshet_error *error);
/* A zeroed one is fine. */
void fr_redis_url_deinit(struct fr_redis_url *url);

#endif
