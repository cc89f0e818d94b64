/* What a cluster's node says of a key that is not its own. Pure. */
#ifndef FR_REDIS_REDIRECT_H
#define FR_REDIS_REDIRECT_H

#include "bus/redis/proto/address.h"
#include <freshet/span.h>
#include <stdbool.h>
#include <stdint.h>

enum fr_redis_redirect_kind {
    FR_REDIS_REDIRECT_NONE = 0, /* another error, or one that cannot be read */
    FR_REDIS_REDIRECT_MOVED,    /* the slot is that node's */
    FR_REDIS_REDIRECT_ASK       /* this command alone is to be sent there, behind ASKING */
};

struct fr_redis_redirect {
    enum fr_redis_redirect_kind kind;
    uint16_t slot;
    struct fr_redis_address address; /* port 0: it is not said where that node is */
};

/* Reads an error without its '-': "MOVED 3999 127.0.0.1:6381". A host that is left out is that of the node
 * which said so, which was reached as `asked`. */
struct fr_redis_redirect fr_redis_redirect_read(struct freshet_span error,
                                                const struct fr_redis_address *asked);

#endif
