/* What an error answer of Redis means for a link. Pure. */
#ifndef FR_REDIS_FAULT_H
#define FR_REDIS_FAULT_H

#include <freshet/span.h>
#include <stdbool.h>

enum fr_redis_fault {
    FR_REDIS_FAULT_NETWORK = 0, /* no answer at all: closed, refused, silent */
    FR_REDIS_FAULT_LOGIN,       /* NOAUTH, WRONGPASS, DENIED: somebody must act, so try slowly */
    FR_REDIS_FAULT_FORBIDDEN,   /* NOPERM: for this command or channel only */
    FR_REDIS_FAULT_BUSY,        /* LOADING, max clients and the like: goes away by itself */
    FR_REDIS_FAULT_ROLE,        /* READONLY, or ROLE said that it is not the master */
    FR_REDIS_FAULT_CLUSTER,     /* MOVED, CROSSSLOT: another node's business */
    FR_REDIS_FAULT_UNKNOWN
};

/* `text`: the error without its '-'. */
enum fr_redis_fault fr_redis_fault_of(struct freshet_span text);
/* Whether it concerns the connection, which is of no use now whatever is asked. Otherwise it is an answer
 * like any other, which says that the server lives: a full disk (MISCONF) refuses PING and not PUBLISH. */
bool fr_redis_fault_ends_link(enum fr_redis_fault fault);
/* What a cluster is for a URL that leads to one server. */
#define FR_REDIS_IS_CLUSTER "a node of a cluster: use redis+cluster://host1,host2"

/* What to tell people, before Redis's own words; never NULL. */
const char *fr_redis_fault_text(enum fr_redis_fault fault);

#endif
