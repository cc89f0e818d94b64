/* A worker: one loop's part of a freshet, without the loop. The host (web/h2o/worker.c, or a test) gives
 * it turns. Everything here but `wake` happens on the worker's one thread. */
#ifndef FR_WORKER_H
#define FR_WORKER_H

#include "base/mailbox.h"
#include "base/timers.h"
#include "core/runtime/counters.h"
#include <freshet/instance.h>
#include <freshet/stats.h>
#include <stdint.h>

struct fr_dump;
struct fr_view;
struct fr_worker;

/* What the loop offers. */
struct fr_worker_host {
    void *user;
    /* Have fr_worker_turn() called soon, in the loop. Any thread, also the worker's own; must not block. */
    void (*wake)(void *user);
    /* fr_view_take() has something new. From within a turn; may take, close this and other views. */
    void (*view_ready)(struct fr_view *view);
    /* The view's feed cannot go on: nothing more will come, close it. From within a turn. */
    void (*view_lost)(struct fr_view *view, enum freshet_close_reason reason);
    /* Its streams, as rows. From within a turn; NULL: it has none to show. */
    void (*dump)(void *user, struct fr_dump *dump);
};

/* In the worker's thread. FRESHET_NO_MEMORY, FRESHET_CLOSED. */
enum freshet_status fr_worker_new(struct fr_worker **out, struct freshet *freshet,
                                  const struct fr_worker_host *host);

/* Delivers mail, expires timers, sweeps views: a bounded slice of each. Returns when the next turn is due, on
 * the freshet's clock; a time that has passed: at once, but after a round of the loop. INT64_MAX: when woken.
 */
int64_t fr_worker_turn(struct fr_worker *worker);
/* What fr_worker_turn() would return, without a turn: after a call into the core from outside of one. */
int64_t fr_worker_next(const struct fr_worker *worker);

/* Takes the worker out: topics that live here are born again elsewhere. Its views must be closed (asserted).
 */
void fr_worker_leave(struct fr_worker *worker);

/* The freshet's clock: microseconds, monotonic. */
int64_t fr_worker_now_us(const struct fr_worker *worker);
struct fr_counters *fr_worker_counters(struct fr_worker *worker);
const struct freshet_log *fr_worker_log(const struct fr_worker *worker);

/* Any thread. */
const struct freshet_log *fr_freshet_log(const struct freshet *freshet);

#endif
