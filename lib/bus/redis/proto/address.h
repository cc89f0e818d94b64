/* Where a server listens. Pure. */
#ifndef FR_REDIS_ADDRESS_H
#define FR_REDIS_ADDRESS_H

#include <freshet/span.h>
#include <stdbool.h>
#include <stdint.h>

struct fr_redis_address {
    char name[256]; /* of the host, or its number without brackets; or the path of a unix socket */
    uint16_t port;  /* 0: a unix socket, or nowhere */
};

/* As text for people: [::1]:6379, /run/redis.sock. Bytes that are no text are escaped. */
struct fr_redis_address_text {
    char text[288];
};

/* False: the name is empty, too long or holds a NUL. */
bool fr_redis_address_set(struct fr_redis_address *address, struct freshet_span name, uint16_t port);
/* Whether both are written alike: no name is looked up. */
bool fr_redis_address_equal(const struct fr_redis_address *a, const struct fr_redis_address *b);
struct fr_redis_address_text fr_redis_address_text(const struct fr_redis_address *address);
/* A port as digits; false: it is none. */
bool fr_redis_address_read_port(struct freshet_span digits, uint16_t *port);

#endif
