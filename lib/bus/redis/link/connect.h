/* Opens the socket of a link. */
#ifndef FR_REDIS_CONNECT_H
#define FR_REDIS_CONNECT_H

#include "bus/redis/link/config.h"
#include <netdb.h>

struct bufferevent;
struct event_base;

/* A bufferevent that is not connected yet; `host`: whose certificate is expected, unless the config names
 * another, NULL: of a unix socket. NULL: no memory, or a file of TLS; `error` says which. */
struct bufferevent *fr_redis_connect_open(struct event_base *base, const struct fr_redis_config *config,
                                          const char *host, struct freshet_error *error);
/* Begins to connect to `address`, or to the unix socket of this path if it is NULL; callbacks may run before
 * it returns. False: it failed at once. */
bool fr_redis_connect_begin(struct bufferevent *bufferevent, const struct addrinfo *address,
                            const char *path);
/* The address to try first: another one after each lost attempt. */
const struct addrinfo *fr_redis_connect_pick(const struct addrinfo *first, unsigned attempts_lost);
/* Options of a connected TCP socket. */
void fr_redis_connect_tune(struct bufferevent *bufferevent, const struct fr_redis_config *config);

#endif
