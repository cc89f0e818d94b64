/* One call of a guard: from its callback to its answer back on the worker. The callback gets a handle, not a
 * pointer: see freshet/guard.h. */
#ifndef FR_GUARD_CALL_H
#define FR_GUARD_CALL_H

#include "base/mailbox.h"
#include "base/refcount.h"
#include "core/request/request.h"
#include "core/runtime/handles.h"
#include "core/runtime/pool.h"
#include "core/runtime/worker_internal.h"
#include <freshet/guard.h>
#include <stdatomic.h>

#define FR_MOST_LOCATION_BYTES 1023

enum fr_verdict_kind { FR_VERDICT_ALLOW = 1, FR_VERDICT_DENY, FR_VERDICT_REDIRECT, FR_VERDICT_UNKNOWN };

struct fr_verdict {
    enum fr_verdict_kind kind;
    int status;      /* DENY */
    uint32_t for_ms; /* ALLOW: how long it holds; 0: as long as any */
    char code[48];   /* DENY, UNKNOWN */
    char *location;  /* REDIRECT */
};

struct fr_guard_call {
    struct fr_refcount references; /* the owner's side until its mail came, the application's, the call's */
    struct fr_mail mail;           /* to `worker`, once it is answered */
    struct fr_job job;
    struct fr_worker *worker;
    /* The worker's. The answer, in `found` and `verdict`; NULL: nobody waits. */
    void (*answered)(struct fr_guard_call *call, void *user);
    void *user;
    struct freshet_guard guard;
    struct freshet_loader *loader;
    struct fr_request_copy *request_copy;
    struct fr_params *params;
    struct fr_attribute *before; /* what the request shows */
    struct freshet_request request;
    struct fr_handle handle;
    atomic_bool dropped; /* nobody waits for its answer */

    /* Under the table's lock until it is answered; then the worker's. */
    struct fr_attribute *found;
    struct fr_verdict verdict;
};

/* What a guard is asked about. */
struct fr_guard_call_subject {
    struct fr_worker *worker;
    struct freshet_loader *loader;
    struct fr_request_copy *request_copy;
    struct fr_params *params;
    struct fr_attribute *before; /* what the guards before it have found */
};

/* Calls the guard; `answered` comes on the worker, never from within. Takes references to all of the subject.
 * NULL: no memory. */
struct fr_guard_call *fr_guard_call_start(const struct fr_guard_call_subject *subject,
                                          const struct freshet_guard *guard,
                                          void (*answered)(struct fr_guard_call *call, void *user),
                                          void *user);
/* Nobody waits any more: what is answered goes nowhere. */
void fr_guard_call_drop(struct fr_guard_call *call);

/* See fr_forks_keep(): the table of handles belongs to the process. */
void fr_guard_call_keep_table(void);
/* Makes every handle of the freshet stale. */
void fr_guard_call_revoke_all(const struct freshet *freshet);

#endif
