/* How often feeds are told that anything may have changed. Everybody who may publish on the control channel
 * can say so, and each time costs a load of every feed: so one is told at once, and those that follow it soon
 * are told together, a second later, then two, up to as rarely as feeds are loaded while the bus is down. Any
 * thread. */
#ifndef FR_EVERYTHING_H
#define FR_EVERYTHING_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fr_everything {
    int64_t most_us; /* the longest pause; set before the first is raised */
    pthread_mutex_t lock;
    int64_t told_us;        /* under the lock, as the next */
    int64_t pause_us;       /* from there to the next */
    _Atomic int64_t due_us; /* INT64_MAX: nobody waits to be told */
};

enum fr_everything_answer {
    FR_EVERYTHING_TELL,  /* the caller tells the feeds */
    FR_EVERYTHING_LATER, /* somebody has to see to it at `due_us` */
    FR_EVERYTHING_WAITS  /* somebody does already */
};

void fr_everything_init(struct fr_everything *everything);
void fr_everything_deinit(struct fr_everything *everything);

/* Anything may have changed. */
enum fr_everything_answer fr_everything_raise(struct fr_everything *everything, int64_t now_us);
/* Whether the caller has to tell the feeds now: it is time, or they wait and the caller asks for it `early`.
 * Of several who ask, one has to. */
bool fr_everything_take(struct fr_everything *everything, int64_t now_us, bool early);

#endif
