/* What an error answer of Redis means for a link. Pure. */
#ifndef FR_REDIS_FAULT_H
#define FR_REDIS_FAULT_H

#include <freshet/span.h>

enum fr_redis_fault {
    FR_REDIS_FAULT_NETWORK = 0, /* no answer at all: closed, refused, silent */
    FR_REDIS_FAULT_LOGIN,       /* NOAUTH, WRONGPASS: somebody must act, so try slowly */
    FR_REDIS_FAULT_FORBIDDEN,   /* NOPERM: for this command or channel only */
    FR_REDIS_FAULT_BUSY,        /* LOADING, max clients and the like: goes away by itself */
    FR_REDIS_FAULT_ROLE,        /* READONLY, or ROLE said that it is not the master */
    FR_REDIS_FAULT_CLUSTER,     /* MOVED, CROSSSLOT: another node's business */
    FR_REDIS_FAULT_UNKNOWN
};

/* `text`: the error without its '-'. */
enum fr_redis_fault fr_redis_fault_of(struct freshet_span text);
/* What to tell people, before Redis's own words; never NULL. */
const char *fr_redis_fault_text(enum fr_redis_fault fault);

#endif
