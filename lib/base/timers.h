/* Timers in a binary heap. No clock: whoever owns it asks when the next is due and says what time it is. */
#ifndef FR_TIMERS_H
#define FR_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fr_timer {
    int64_t at_us;
    size_t place; /* in the heap, from 1; 0: not set */
    void (*expire)(struct fr_timer *timer);
};

struct fr_timers {
    struct fr_timer **heap;
    size_t count, capacity;
    size_t reserved;
};

/* Zeroed structs are ready, but for `expire`. Timers that are set must not move. */
void fr_timers_deinit(struct fr_timers *timers);
/* Keeps room for one more timer, so that setting it cannot fail: once for each object that embeds one. False:
 * no memory. */
bool fr_timers_reserve(struct fr_timers *timers);
/* Gives the room of one timer, which is not set any more, back. */
void fr_timers_unreserve(struct fr_timers *timers);
/* Sets or moves. False: no memory and no room reserved, the
 * timer is as it was. */
bool fr_timers_set(struct fr_timers *timers, struct fr_timer *timer, int64_t at_us);
void fr_timers_cancel(struct fr_timers *timers, struct fr_timer *timer);
/* When the next is due; INT64_MAX: none is set. */
int64_t fr_timers_next(const struct fr_timers *timers);
/* Expires the timers due at `now_us`, at most `limit`. Each is unset before its function runs, which may set
 * and cancel any. */
void fr_timers_run(struct fr_timers *timers, int64_t now_us, size_t limit);

#endif
