/* How long a link may be silent: when it is asked, when it is doubted, when it is given up. Pure.
 *
 * A half-open link has to be found within the time-out, and a server that takes long for each answer must not
 * be taken for one. So a silent link is asked early, and most of the time-out is left for the answer. It is
 * silent only if it was asked: otherwise the silence may be this thread's own, which stood still. */
#ifndef FR_REDIS_SILENCE_H
#define FR_REDIS_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

struct fr_redis_silence {
    int64_t timeout_us;         /* INT64_MAX: never */
    int64_t heard_us, asked_us; /* the last time */
};

enum fr_redis_silence_stage {
    FR_REDIS_SILENCE_NONE = 0,
    FR_REDIS_SILENCE_TO_ASK, /* something that is answered; said once in each silence */
    FR_REDIS_SILENCE_DOUBT,  /* over half of the time-out */
    FR_REDIS_SILENCE_OVER
};

/* The link is up: it was heard. */
void fr_redis_silence_begin(struct fr_redis_silence *silence, int64_t timeout_us, int64_t now_us);
void fr_redis_silence_heard(struct fr_redis_silence *silence, int64_t now_us);
/* How often it has to be looked at; INT64_MAX: never. */
int64_t fr_redis_silence_look_every_us(const struct fr_redis_silence *silence);
enum fr_redis_silence_stage fr_redis_silence_look(struct fr_redis_silence *silence, int64_t now_us);
/* Something was heard lately: its silence, if it is in one, is no doubt yet. */
bool fr_redis_silence_is_short(const struct fr_redis_silence *silence, int64_t now_us);

#endif
