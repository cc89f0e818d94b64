/* Looks a name up on a thread of its own, which nobody has to wait for. */
#ifndef FR_REDIS_RESOLVER_H
#define FR_REDIS_RESOLVER_H

#include <freshet/status.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

struct fr_redis_resolver;

/* A descriptor becomes readable when the answer is there. FRESHET_NO_MEMORY, FRESHET_SYSTEM. */
enum freshet_status fr_redis_resolver_new(struct fr_redis_resolver **out, const char *host, uint16_t port);
int fr_redis_resolver_fd(const struct fr_redis_resolver *resolver);
/* False: not yet. Otherwise *addresses (owned by the resolver, NULL on failure) and *code for gai_strerror().
 */
bool fr_redis_resolver_answer(struct fr_redis_resolver *resolver, const struct addrinfo **addresses,
                              int *code);
/* Waits for nothing: a look-up that still runs ends alone, unheard. NULL is fine. */
void fr_redis_resolver_destroy(struct fr_redis_resolver *resolver);

/* The answer for an address that needs no look-up, to be freed with freeaddrinfo(); NULL: it is a name. */
struct addrinfo *fr_redis_resolve_numeric(const char *host, uint16_t port);

#endif
