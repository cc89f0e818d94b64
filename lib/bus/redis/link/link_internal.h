/* Between the two halves of a link: link.c has its states, attempt.c the way from one attempt to the
 * greeting. */
#ifndef FR_REDIS_LINK_INTERNAL_H
#define FR_REDIS_LINK_INTERNAL_H

#include "bus/redis/link/link.h"

/* link.c */
void fr_redis_link_enter(struct fr_redis_link *link, enum fr_redis_link_state state);
void fr_redis_link_fail(struct fr_redis_link *link, enum fr_redis_fault fault, const char *text);
void fr_redis_link_on_read(struct bufferevent *bufferevent, void *link);
void fr_redis_link_on_write(struct bufferevent *bufferevent, void *link);

/* attempt.c: what happens on entering these states. */
void fr_redis_link_begin_locating(struct fr_redis_link *link);
void fr_redis_link_begin_resolving(struct fr_redis_link *link);
void fr_redis_link_begin_connecting(struct fr_redis_link *link);
void fr_redis_link_begin_greeting(struct fr_redis_link *link);
void fr_redis_link_close_connection(struct fr_redis_link *link);
void fr_redis_link_forget_addresses(struct fr_redis_link *link);

#endif
