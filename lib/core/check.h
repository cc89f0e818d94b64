/* One call of a guard: from its callback to its answer back on the worker. The callback gets a handle, not a
 * pointer: see freshet/guard.h. */
#ifndef FR_CHECK_H
#define FR_CHECK_H

#include "base/mailbox.h"
#include "core/handles.h"
#include "core/pool.h"
#include "core/request.h"
#include "core/worker_internal.h"
#include <freshet/guard.h>
#include <stdatomic.h>

#define FR_MOST_LOCATION_BYTES 1023

struct fr_admission;

enum fr_verdict_kind { FR_VERDICT_ALLOW = 1, FR_VERDICT_DENY, FR_VERDICT_REDIRECT, FR_VERDICT_UNKNOWN };

struct fr_verdict {
    enum fr_verdict_kind kind;
    int status;     /* DENY */
    char code[48];  /* DENY, UNKNOWN */
    char *location; /* REDIRECT */
};

struct fr_check {
    atomic_uint references; /* the admission's side until its mail came, the application's, the call's */
    struct fr_mail mail;    /* to `worker`, once it is answered */
    struct fr_job job;
    struct fr_worker *worker;
    struct fr_admission *admission; /* the worker's; NULL: nobody waits */
    struct freshet_guard guard;
    struct freshet_loader *loader;
    struct fr_asked *asked;
    struct fr_params *params;
    struct fr_attribute *before; /* what the request shows */
    struct freshet_request request;
    struct fr_handle handle;
    atomic_bool dropped; /* nobody waits for its answer */

    /* Under the table's lock until it is answered; then the worker's. */
    struct fr_attribute *found;
    struct fr_verdict verdict;
};

/* Calls the guard; fr_admission_answered() comes, never from within. NULL: no memory. */
struct fr_check *fr_check_start(struct fr_admission *admission, const struct freshet_guard *guard,
                                struct fr_attribute *before);
/* The admission does not wait any more: what is answered goes nowhere. */
void fr_check_drop(struct fr_check *check);

/* Makes every handle of the freshet stale. */
void fr_check_revoke_all(const struct freshet *freshet);

#endif
