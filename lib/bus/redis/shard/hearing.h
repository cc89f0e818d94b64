/* What a subscribe link hears beside messages, and which lane it is for. Pure: no socket, no clock.
 *
 * Acknowledgements name their channel, errors name nothing; both come in the order of what was asked. In a
 * cluster Redis says "unsubscribed" unasked, too, of each channel whose slot has left it. That must never
 * pass for an answer, or the lane would believe that it has what it lost. What was asked for that slot is
 * still answered, with an error that names the slot. */
#ifndef FR_REDIS_HEARING_H
#define FR_REDIS_HEARING_H

#include "bus/redis/cluster/redirect.h"
#include "bus/redis/proto/answers.h"
#include "bus/redis/proto/push.h"
#include "bus/redis/shard/lane.h"

enum fr_redis_heard {
    FR_REDIS_HEARD_WELL = 0,
    FR_REDIS_HEARD_ASTRAY,  /* the lane's slot is not this server's, or not any more */
    FR_REDIS_HEARD_NONSENSE /* nothing of this kind was asked, or it concerns the connection */
};

struct fr_redis_hearing {
    struct fr_redis_answers *answers; /* owners: lanes; kinds: enum fr_redis_verb */
    bool is_sharded;
    const struct fr_redis_shard *shard; /* lanes that are elsewhere have left */
    struct fr_redis_address from;       /* the server's, for redirections without a host */
    /* Set by fr_redis_hearing_take() for FR_REDIS_HEARD_ASTRAY. */
    struct fr_redis_lane *astray;
    struct fr_redis_redirect redirect;
};

/* Anything but a message. `named`: whose channel it names; NULL: nobody's, or it names none. */
enum fr_redis_heard fr_redis_hearing_take(struct fr_redis_hearing *hearing, const struct fr_redis_push *push,
                                          struct fr_redis_lane *named, int64_t now_us);
/* In a cluster: this error says that what was asked is another node's business, or nobody's. */
bool fr_redis_is_astray(struct freshet_span error, const struct fr_redis_address *from,
                        struct fr_redis_redirect *redirect);

#endif
