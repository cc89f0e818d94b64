/* One connection to Redis that comes back: connects, greets, hands on what it hears, finds out when it is
 * dead. On its loop's thread. */
#ifndef FR_REDIS_LINK_H
#define FR_REDIS_LINK_H

#include "bus/redis_config.h"
#include "bus/redis_greeting.h"
#include "bus/redis_guard.h"
#include <hiredis/hiredis.h>
#include <stdatomic.h>
#include <stdint.h>

struct addrinfo;
struct bufferevent;
struct evbuffer;
struct event;
struct fr_redis_loop;
struct fr_redis_resolver;

enum fr_redis_link_state {
    FR_REDIS_LINK_IDLE = 0, /* not started, or stopped */
    FR_REDIS_LINK_WAITING,  /* for the next attempt */
    FR_REDIS_LINK_RESOLVING,
    FR_REDIS_LINK_CONNECTING, /* with TLS's handshake */
    FR_REDIS_LINK_GREETING,
    FR_REDIS_LINK_UP
};

/* On the loop; each may break the link. */
struct fr_redis_link_owner {
    void *user;
    void (*up)(void *user);
    /* Once for each up(); everything unanswered is lost. */
    void (*down)(void *user, const char *reason);
    /* While up; `reply` lives until it returns. */
    void (*reply)(void *user, redisReply *reply);
    /* Nothing was heard for a while: send a PING. */
    void (*ping)(void *user);
    /* All output has left. */
    void (*drained)(void *user);
};

struct fr_redis_link_options {
    const struct fr_redis_config *config; /* both outlive the link */
    const struct freshet_log *log;
    const char *name; /* for logs, such as "subscribe link" */
    struct fr_redis_greeting_options greeting;
    struct fr_redis_guard_limits limits;
    struct fr_redis_link_owner owner;
    bool direct; /* the loop's direct way leads here */
};

struct fr_redis_link {
    struct fr_redis_link_options options;
    struct fr_redis_loop *loop;
    enum fr_redis_link_state state;
    struct event *timer; /* the state's: next attempt, end of the attempt, next look at a silent link */
    struct fr_redis_resolver *resolver; /* may outlast its attempt, so that slow names resolve at all */
    struct event *resolved;
    struct addrinfo *numeric;       /* owned; or ... */
    const struct addrinfo *address; /* being tried; in `numeric` or the resolver's */
    unsigned attempts_lost;         /* in a row: start with another address next time */
    struct bufferevent *bufferevent;
    redisReader *reader;
    struct fr_redis_guard guard;
    struct fr_redis_greeting greeting;
    uint32_t backoff_ms;
    int64_t up_us, heard_us;
    char told[200];                          /* the reason logged last; empty: up was */
    atomic_uint_fast64_t errors, reconnects; /* any thread reads */
    bool was_up;                             /* ever */
    bool closed_by_peer;                     /* the connection before: nothing of it is on its way any more */
};

/* FRESHET_NO_MEMORY: nothing is kept. */
enum freshet_status fr_redis_link_init(struct fr_redis_link *link, struct fr_redis_loop *loop,
                                       const struct fr_redis_link_options *options);
void fr_redis_link_start(struct fr_redis_link *link);
/* Gives the connection up and tries anew. Any state. */
void fr_redis_link_break(struct fr_redis_link *link, const struct fr_redis_reason *reason);
/* An answer nobody understands: counted, the link breaks. */
void fr_redis_link_reject(struct fr_redis_link *link, const redisReply *reply);
/* Tells nobody. A zeroed one is fine. */
void fr_redis_link_deinit(struct fr_redis_link *link);

bool fr_redis_link_is_up(const struct fr_redis_link *link);
/* Where commands go, behind what went the direct way; NULL: the link is not up. */
struct evbuffer *fr_redis_link_output(struct fr_redis_link *link);
/* Nothing is unanswered: the next command may go the direct way. Not over TLS. */
void fr_redis_link_idle(struct fr_redis_link *link);

#endif
