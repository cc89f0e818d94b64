/* One run of a loader: from the wish to load, through the gate and the callback, to its answer back on the
 * feed's worker. The callback gets a handle, not a pointer: see freshet/loader.h. */
#ifndef FR_LOAD_H
#define FR_LOAD_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/mailbox.h"
#include "core/address.h"
#include "core/handles.h"
#include "core/pool.h"
#include "core/request.h"
#include "core/worker_internal.h"
#include <freshet/loader.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fr_feed;

enum fr_load_state {
    FR_LOAD_WAITING = 1, /* for its turn at the gate, or for the grant's mail */
    FR_LOAD_RUNNING,     /* handed out */
    FR_LOAD_ANSWERED     /* its mail is on the way to the worker, or delivered */
};

struct fr_load {
    atomic_uint references; /* the feed's side, the application's, the pool's */
    struct fr_mail mail;    /* the grant, later the answer; to `worker` */
    struct fr_list place;   /* at the gate */
    struct fr_job job;
    struct fr_worker *worker;
    struct fr_address *address;
    atomic_bool cancelled;
    _Atomic int64_t called_us; /* when its callback was called; 0: it waits for a thread of the pool */

    /* The worker's. */
    struct fr_feed *feed; /* NULL: nobody waits for it */
    enum fr_load_state state;
    int64_t began_us;
    atomic_bool abandoned; /* its feed goes on without it; still counted as out */

    /* Set before it runs, then read-only. */
    struct fr_handle handle;
    struct fr_attribute *attributes; /* what guards found; a reference */
    struct freshet_request request;
    struct freshet_load_context context;
    struct fr_bytes *message;
    size_t max_snapshot_bytes;

    /* Written once, by whoever answers. */
    enum freshet_status answer; /* FRESHET_OK; FRESHET_STALE: unchanged; else failed */
    struct fr_bytes *bytes;
    char code[48];
    char text[128];
};

/* For a feed that wants to load. NULL: no memory. */
struct fr_load *fr_load_new(struct fr_worker *worker, struct fr_feed *feed, struct fr_address *address);
/* Goes to the gate: true if it may run now, else fr_feed_granted() comes. */
bool fr_load_enter(struct fr_load *load);
/* Runs it: `cause`, `publishes`, and the body of the newest message, which is taken over. fr_feed_answered()
 * comes, never from within. False: no memory, the load is as it was. */
bool fr_load_start(struct fr_load *load, enum freshet_load_cause cause, uint64_t publishes,
                   struct fr_bytes *body);
/* After fr_load_start() failed: leaves the gate and frees it. */
void fr_load_withdraw(struct fr_load *load);
/* Its time is up: it is out still, but its answer does not count. fr_feed_abandoned_ended() comes with it. */
void fr_load_abandon(struct fr_load *load);
/* The feed does not want it any more: frees it, now or when its answer comes. */
void fr_load_drop(struct fr_load *load);
/* The feed has seen its answer. */
void fr_load_done(struct fr_load *load);

/* What a loader's gate calls. */
void fr_load_grant(struct fr_list *place);

/* Makes every handle of the freshet stale. */
void fr_load_revoke_all(const struct freshet *freshet);

#endif
