/* One connection to Redis that comes back: connects, greets, hands on what it hears, finds out when it is
 * dead. On its loop's thread. */
#ifndef FR_REDIS_LINK_H
#define FR_REDIS_LINK_H

#include "base/list.h"
#include "bus/redis/link/config.h"
#include "bus/redis/link/greeting.h"
#include "bus/redis/proto/resp_limit.h"
#include "bus/redis/proto/silence.h"
#include <hiredis/hiredis.h>
#include <stdatomic.h>
#include <stdint.h>

struct addrinfo;
struct bufferevent;
struct evbuffer;
struct event;
struct fr_redis_guide;
struct fr_redis_loop;
struct fr_redis_resolver;

enum fr_redis_link_state {
    FR_REDIS_LINK_IDLE = 0, /* not started, or stopped */
    FR_REDIS_LINK_WAITING,  /* for the next attempt */
    FR_REDIS_LINK_LOCATING, /* for the guide, who knows where to go */
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
    void (*down)(void *user, const struct fr_redis_reason *reason);
    /* While up; `reply` lives until it returns. */
    void (*reply)(void *user, redisReply *reply);
    /* Nothing was heard for a while: send a PING, unless something is unanswered. Once in each silence. */
    void (*ping)(void *user);
    /* Silent for over half of link_timeout_ms; with `over`, for all of it: true keeps the link until it is
     * asked again, soon. NULL: it is given up when it is over. */
    bool (*silent)(void *user, bool over);
    /* All output has left. NULL: nobody waits for that. */
    void (*drained)(void *user);
};

struct fr_redis_link_options {
    const struct fr_redis_config *config; /* both outlive the link */
    const struct freshet_log *log;
    const char *name; /* for logs, such as "subscribe link" */
    struct fr_redis_greeting_options greeting;
    struct fr_resp_limit_limits limits;
    struct fr_redis_link_owner owner;
    const struct fr_redis_address *address; /* where it leads; NULL: where the guide says, each time anew */
    struct fr_redis_guide *guide;           /* NULL: `address` is enough */
    bool direct;                            /* the loop's direct way leads here */
    bool brief; /* made for a moment: that it comes, or can't, is worth a smaller line in the log */
};

struct fr_redis_link {
    struct fr_redis_link_options options;
    struct fr_redis_loop *loop;
    enum fr_redis_link_state state;
    struct fr_list guided;         /* in the guide's list */
    struct fr_redis_address where; /* this attempt, or the last one, leads */
    struct event *timer; /* the state's: next attempt, end of the attempt, next look at a silent link */
    struct fr_redis_resolver *resolver; /* may outlast its attempt, so that slow names resolve at all */
    struct event *resolved;
    struct addrinfo *numeric;       /* the address, where the host is a number; owned */
    const struct addrinfo *address; /* being tried; one of `numeric`, or of what the resolver found */
    unsigned attempts_lost;         /* in a row: start with another address next time */
    struct bufferevent *bufferevent;
    redisReader *reader;
    struct fr_resp_limit guard;
    struct fr_redis_greeting greeting;
    uint32_t backoff_ms;
    uint32_t delay_ms; /* until the attempt behind the last that failed */
    int64_t up_us;
    struct fr_redis_silence silence;         /* while it is up */
    char told[200];                          /* the reason logged last; empty: up was */
    bool told_cluster;                       /* it was logged that this is a node of one */
    bool told_blind;                         /* it was logged that ROLE may not be asked */
    atomic_uint_fast64_t errors, reconnects; /* any thread reads */
    bool was_up;                             /* ever */
    bool closed_by_peer;                     /* the connection before: nothing of it is on its way any more */
};

/* FRESHET_NO_MEMORY: nothing is kept. */
enum freshet_status fr_redis_link_init(struct fr_redis_link *link, struct fr_redis_loop *loop,
                                       const struct fr_redis_link_options *options);
void fr_redis_link_start(struct fr_redis_link *link);
/* The guide's answer: if it waits for that, the attempt goes on to this address. */
void fr_redis_link_go(struct fr_redis_link *link, const struct fr_redis_address *address);
/* Only this is the master: a connection to any other is given up, and the next attempt is made at once. */
void fr_redis_link_leave(struct fr_redis_link *link, const struct fr_redis_address *master,
                         const struct fr_redis_reason *reason);
/* Gives the connection up and tries anew. Any state. */
void fr_redis_link_break(struct fr_redis_link *link, const struct fr_redis_reason *reason);
/* An answer nobody understands: counted, the link breaks. */
void fr_redis_link_reject(struct fr_redis_link *link, const redisReply *reply);
/* The answer to AUTH: a refusal breaks the link. */
void fr_redis_link_take_login(struct fr_redis_link *link, const redisReply *reply);
/* Closes the connection and tells nobody; may be started again, but not from within its own callbacks. */
void fr_redis_link_stop(struct fr_redis_link *link);
/* Tells nobody. A zeroed one is fine. */
void fr_redis_link_deinit(struct fr_redis_link *link);

bool fr_redis_link_is_up(const struct fr_redis_link *link);
/* Whether it is up, and something has come from Redis within half of link_timeout_ms. */
bool fr_redis_link_is_heard(const struct fr_redis_link *link);
/* The attempt, or the one that comes, has no answer about its host's name yet. */
bool fr_redis_link_is_looking_up(const struct fr_redis_link *link);
/* Redis does not say who is the master: asking again is of no use. */
bool fr_redis_link_is_blind(const struct fr_redis_link *link);
/* Redis has refused ROLE with this error: from here on the link is blind. */
void fr_redis_link_blind(struct fr_redis_link *link, const redisReply *error);
/* Where commands go, behind what went the direct way; NULL: the link is not up. */
struct evbuffer *fr_redis_link_output(struct fr_redis_link *link);
/* Nothing is unanswered: the next command may go the direct way. Not over TLS. */
void fr_redis_link_idle(struct fr_redis_link *link);

#endif
