/* One run of a loader: from the wish to load, through the gate and the callback, to its answer back on the
 * feed's worker. The callback gets a handle, not a pointer: see freshet/loader.h. */
#ifndef FR_LOAD_H
#define FR_LOAD_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/mailbox.h"
#include "base/refcount.h"
#include "core/load/feed_key.h"
#include "core/request/request.h"
#include "core/runtime/handles.h"
#include "core/runtime/pool.h"
#include "core/runtime/worker_internal.h"
#include <freshet/loader.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fr_load;

/* What a load tells its owner, on the owner's worker. */
struct fr_load_events {
    /* Its turn has come: start it, or withdraw it. */
    void (*granted)(void *owner);
    /* It has been answered, or has failed. The load is the owner's to give back with fr_load_done(). */
    void (*answered)(void *owner, struct fr_load *load);
    /* The answer of an abandoned load has come at last. The load frees itself. */
    void (*abandoned_ended)(void *owner);
};

enum fr_load_state {
    FR_LOAD_WAITING = 1, /* for its turn at the gate, or for the grant's mail */
    FR_LOAD_RUNNING      /* handed out; until its answer is delivered */
};

/* How a load came out. */
enum fr_load_outcome {
    FR_OUTCOME_BYTES = 1, /* `bytes` are the state now */
    FR_OUTCOME_UNCHANGED, /* the state is what the feed's last snapshot says */
    FR_OUTCOME_FAILED,    /* the loader says so, with `code` and `text` */
    FR_OUTCOME_TOO_LARGE, /* `bytes` are more than max_snapshot_bytes */
    FR_OUTCOME_NO_MEMORY  /* none for the bytes */
};

struct fr_load {
    struct fr_refcount references; /* the owner's side, the application's, the pool's */
    struct fr_mail mail;           /* the grant, later the answer; to `worker` */
    struct fr_list place;          /* at the gate */
    struct fr_job job;
    struct fr_worker *worker;
    struct fr_feed_key *key;
    atomic_bool cancelled;
    _Atomic int64_t called_us; /* when its callback was called; 0: it waits for a thread of the pool */

    /* The worker's. */
    const struct fr_load_events *events;
    void *owner; /* NULL: nobody waits for it */
    enum fr_load_state state;
    int64_t began_us;
    atomic_bool abandoned; /* its owner goes on without it; still counted as out */

    /* Set before it runs, then read-only. */
    struct fr_handle handle;
    struct fr_attribute *attributes; /* what guards found; a reference */
    struct freshet_request request;
    struct freshet_load_context context;
    struct fr_bytes *message;
    size_t max_snapshot_bytes;

    /* Written once, by whoever answers. */
    enum fr_load_outcome outcome;
    struct fr_bytes *bytes;
    char code[48];
    char text[128];
};

/* A load for `owner`, which is not NULL. NULL: no memory. */
struct fr_load *fr_load_new(struct fr_worker *worker, struct fr_feed_key *key,
                            const struct fr_load_events *events, void *owner);
/* Goes to the gate: true if it may run now, else granted() comes. */
bool fr_load_enter(struct fr_load *load);
/* Runs it: `cause`, `publishes`, and the body of the newest message, which is taken over. answered() comes,
 * never from within. False: no memory, the load is as it was. */
bool fr_load_start(struct fr_load *load, enum freshet_load_cause cause, uint64_t publishes,
                   struct fr_bytes *body);
/* Leaves the gate and frees the load: it was not started, or fr_load_start() failed. */
void fr_load_withdraw(struct fr_load *load);
/* Its time is up: it is out still, but its answer does not count. abandoned_ended() comes with it. */
void fr_load_abandon(struct fr_load *load);
/* The owner does not want it any more: frees it, now or when its answer comes. */
void fr_load_drop(struct fr_load *load);
/* The owner has seen its answer. */
void fr_load_done(struct fr_load *load);

/* What a loader's gate calls. */
void fr_load_grant(struct fr_list *place);

/* See fr_forks_keep(): the table of handles belongs to the process. */
void fr_load_keep_table(void);
/* Makes every handle of the freshet stale. */
void fr_load_revoke_all(const struct freshet *freshet);

#endif
