/* TLS to Redis. The files are read anew for each connection, so that they may be replaced at any time. */
#ifndef FR_REDIS_TLS_H
#define FR_REDIS_TLS_H

#include <freshet/status.h>
#include <openssl/ssl.h>

struct event_base;
struct bufferevent;

/* PEM; of `cert` and `key` both or none. */
struct fr_redis_tls_files {
    char *ca; /* NULL: the system's */
    char *cert, *key;
};

/* FRESHET_SYSTEM: a file; `error` names it. FRESHET_NO_MEMORY. NULL is given then. */
enum freshet_status fr_redis_tls_new(SSL_CTX **out, const struct fr_redis_tls_files *files,
                                     struct freshet_error *error);
/* Not connected; checks the certificate for `name` (a host or an address; NULL: any that the CA signed).
 * NULL: no memory. Keeps the context for as long as it needs it. */
struct bufferevent *fr_redis_tls_open(SSL_CTX *context, struct event_base *base, const char *name);
/* Why the last operation failed, or NULL: it was no TLS error. Static text. */
const char *fr_redis_tls_error(struct bufferevent *bufferevent);

#endif
