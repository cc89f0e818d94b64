/* Proof that deliveries work: numbered probes go out on one link and must come back on the other. Pure.
 *
 * One is out at a time. One whose PUBLISH is not answered says nothing about the links: the server is slow,
 * or holds it back, and a second one behind it would learn no more. One that was accepted and is not
 * delivered is a miss when something that the subscribe link was asked later is answered first. So no
 * time-out is needed that a slow server could pass. */
#ifndef FR_REDIS_PROBE_H
#define FR_REDIS_PROBE_H

#include <freshet/span.h>
#include <stdbool.h>
#include <stdint.h>

enum fr_redis_probe_state {
    FR_REDIS_PROBE_BACK = 0, /* none is out */
    FR_REDIS_PROBE_HELD,     /* its PUBLISH is not answered */
    FR_REDIS_PROBE_ACCEPTED  /* that is; it has not come */
};

struct fr_redis_probe {
    uint64_t sent, accepted, seen; /* numbers of the newest */
    unsigned missed;               /* in a row */
    bool late;                     /* the newest has been waited for once: counted as lost */
    bool wanted;                   /* another one, as soon as none is out */
    int64_t in_time_us;            /* one that takes longer proves nothing about now */
    int64_t sent_us;               /* the newest */
    int64_t seen_us;               /* one that was in time; -1: none was, on these links */
    char text[24];                 /* of the newest number */
};

void fr_redis_probe_init(struct fr_redis_probe *probe, int64_t in_time_us);
enum fr_redis_probe_state fr_redis_probe_state(const struct fr_redis_probe *probe);
/* The body of the next; lives until the next call. */
struct freshet_span fr_redis_probe_next(struct fr_redis_probe *probe, int64_t now_us);
/* The PUBLISH of this one was accepted. */
void fr_redis_probe_accept(struct fr_redis_probe *probe, uint64_t number);
/* What was asked when this one was accepted is answered: false if it has not come; that is counted in
 * `missed`. */
bool fr_redis_probe_check(struct fr_redis_probe *probe, uint64_t number);
/* The newest probe was refused, or could not be sent: none is out. */
void fr_redis_probe_forget(struct fr_redis_probe *probe);
/* A link is gone: no probe is out, and what was seen proves nothing any more. */
void fr_redis_probe_reset(struct fr_redis_probe *probe);
/* A body as fr_redis_probe_next() writes it. */
bool fr_redis_probe_read(struct freshet_span body, uint64_t *number);
/* The probe of this number came in, perhaps late. False: it is not awaited. */
bool fr_redis_probe_take(struct fr_redis_probe *probe, uint64_t number, int64_t now_us);

#endif
