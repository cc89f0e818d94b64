/* What a new connection says first, and whether the answers are good: AUTH, SELECT, CLIENT SETNAME, ROLE,
 * HELLO, PING, all sent at once. No socket. */
#ifndef FR_REDIS_GREETING_H
#define FR_REDIS_GREETING_H

#include "bus/redis/link/login.h"
#include "bus/redis/proto/fault.h"
#include <hiredis/hiredis.h>
#include <stdbool.h>

struct evbuffer;

/* What the answer to ROLE may have: a master names its replicas, with four elements for each. */
#define FR_REDIS_ROLE_ELEMENTS 1024
#define FR_REDIS_ROLE_BYTES    65536

/* Why a link cannot go on; safe to log. */
struct fr_redis_reason {
    enum fr_redis_fault fault;
    char text[200];
};

enum fr_redis_step {
    FR_REDIS_STEP_AUTH,
    FR_REDIS_STEP_SELECT,
    FR_REDIS_STEP_NAME,
    FR_REDIS_STEP_ROLE,
    FR_REDIS_STEP_MODE,
    FR_REDIS_STEP_PING,
    FR_REDIS_STEPS
};

struct fr_redis_greeting {
    enum fr_redis_step steps[FR_REDIS_STEPS];
    unsigned count, answered;
    bool is_cluster; /* it says so, asked for its mode */
    char blind[200]; /* Redis does not answer ROLE, and says this of it; empty: it does, or was not asked */
};

struct fr_redis_greeting_options {
    const char *name; /* the connection's, for CLIENT LIST */
    const struct fr_redis_login_source *login;
    uint32_t database; /* SELECT, unless it is 0 */
    bool needs_master; /* refuse a replica */
    bool asks_mode;    /* whether it is a node of a cluster */
};

/* False: no memory, or the program has no login to give; fills `reason`. */
bool fr_redis_greeting_send(struct fr_redis_greeting *greeting, struct evbuffer *output,
                            const struct fr_redis_greeting_options *options, struct fr_redis_reason *reason);

enum fr_redis_greeting_verdict { FR_REDIS_GREETING_MORE, FR_REDIS_GREETING_DONE, FR_REDIS_GREETING_FAILED };
/* The next answer; FAILED fills `reason`. */
enum fr_redis_greeting_verdict fr_redis_greeting_answer(struct fr_redis_greeting *greeting,
                                                        const redisReply *reply,
                                                        struct fr_redis_reason *reason);

enum fr_redis_role {
    FR_REDIS_ROLE_MASTER,
    FR_REDIS_ROLE_OTHER,
    FR_REDIS_ROLE_UNKNOWN, /* it is not answered: forbidden, or no such command */
    FR_REDIS_ROLE_LATER    /* not now */
};
/* What the answer to ROLE says. */
enum fr_redis_role fr_redis_role_of(const redisReply *reply);
/* Whether this answer to AUTH is a refusal; fills `reason` then. */
bool fr_redis_login_is_refused(const redisReply *reply, struct fr_redis_reason *reason);
/* Classifies an error and puts Redis's words, escaped, behind ours. */
void fr_redis_reason_of(struct fr_redis_reason *reason, const redisReply *error);

#endif
