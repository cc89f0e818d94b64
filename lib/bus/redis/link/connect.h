/* Opens the socket of a link. */
#ifndef FR_REDIS_CONNECT_H
#define FR_REDIS_CONNECT_H

#include "bus/redis/link/config.h"
#include <netdb.h>

struct bufferevent;
struct event_base;

/* A bufferevent that is not connected yet. NULL: no memory. */
struct bufferevent *fr_redis_connect_open(struct event_base *base, const struct fr_redis_config *config);
/* Begins to connect to `address`, or to the unix socket if it is NULL; callbacks may run before it returns.
 * False: it failed at once. */
bool fr_redis_connect_begin(struct bufferevent *bufferevent, const struct fr_redis_config *config,
                            const struct addrinfo *address);
/* Which address to try first: another one after each lost attempt. */
const struct addrinfo *fr_redis_connect_pick(const struct addrinfo *first, unsigned attempts_lost);
/* Options of a connected socket. */
void fr_redis_connect_tune(struct bufferevent *bufferevent, const struct fr_redis_config *config);

#endif
