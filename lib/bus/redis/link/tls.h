/* TLS to Redis. */
#ifndef FR_REDIS_TLS_H
#define FR_REDIS_TLS_H

#include <freshet/redis.h>
#include <openssl/ssl.h>

struct event_base;
struct bufferevent;

/* FRESHET_SYSTEM: a file; `error` names it. FRESHET_NO_MEMORY. */
enum freshet_status fr_redis_tls_new(SSL_CTX **out, const struct freshet_redis_options *options,
                                     struct freshet_error *error);
/* Not connected; checks the certificate for `name` (a host or an address). NULL: no memory. */
struct bufferevent *fr_redis_tls_open(SSL_CTX *context, struct event_base *base, const char *name);
/* Why the last operation failed, or NULL: it was no TLS error. Static text. */
const char *fr_redis_tls_error(struct bufferevent *bufferevent);

#endif
