/* Proof that deliveries work: numbered probes go out on one link and must come back on the other. Pure. */
#ifndef FR_REDIS_PROBE_H
#define FR_REDIS_PROBE_H

#include <freshet/span.h>
#include <stdbool.h>
#include <stdint.h>

struct fr_redis_probe {
    uint64_t sent, seen; /* numbers of the newest */
    unsigned missed;     /* in a row */
    int64_t seen_us;     /* -1: never */
    char text[24];       /* of the newest number */
};

void fr_redis_probe_init(struct fr_redis_probe *probe);
/* Before the next is sent: false if the last has not come back; that is counted in `missed`. */
bool fr_redis_probe_check(struct fr_redis_probe *probe);
/* The body of the next; lives until the next call. */
struct freshet_span fr_redis_probe_next(struct fr_redis_probe *probe);
/* A link is gone or refused the last one: nothing is out. */
void fr_redis_probe_forget(struct fr_redis_probe *probe);
/* A body came in, perhaps late: it proves as much. False: not one that is awaited. */
bool fr_redis_probe_take(struct fr_redis_probe *probe, struct freshet_span body, int64_t now_us);

#endif
