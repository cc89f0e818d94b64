/* Whether one stream may be open: runs the guards in order when the stream comes, and again while it is open.
 * One for each stream that has guards; on its worker's thread. */
#ifndef FR_ADMISSION_H
#define FR_ADMISSION_H

#include "base/timers.h"
#include "core/guard/guard_call.h"
#include "core/request/request.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No point in time is as late, and another time can be added to it. */
#define FR_ADMISSION_FOREVER_US (INT64_MAX / 2)

enum fr_admission_state {
    FR_ADMISSION_NEW = 0,
    FR_ADMISSION_CHECKING, /* a guard is out; the timer is its timeout */
    FR_ADMISSION_DELAYED,  /* a guard could not decide; the timer says when it is asked again */
    FR_ADMISSION_ADMITTED, /* the timer is the end of what was allowed, or the interval */
    FR_ADMISSION_OVER
};

struct fr_admission {
    enum fr_admission_state state;
    struct fr_worker *worker;
    struct freshet_loader *loader;
    struct fr_request_copy *request_copy;
    struct fr_params *params;
    struct fr_attribute *attributes; /* what the last chain that allowed has found */
    struct fr_attribute *finding;    /* what this one has so far */
    struct fr_guard_call *call;
    size_t next; /* guard */
    struct fr_timer timer;
    int64_t until_us; /* the guards allowed it until then, FR_ADMISSION_FOREVER_US or later: without end */
    int64_t fresh_until_us; /* that, or the interval's end if it is earlier */
    unsigned failures;
    bool opened; /* the stream is open: a guard that cannot decide is asked again */
    /* The chain has come to its end. The admission may be destroyed in it. UNKNOWN only before `opened`. */
    void (*decided)(struct fr_admission *admission, const struct fr_verdict *verdict);
    void *user;
    const struct fr_verdict *verdict; /* why, while its view is lost with FRESHET_CLOSE_DENIED */
    size_t guard_count;               /* at least one */
    struct freshet_guard guards[];
};

struct fr_guards {
    const struct freshet_guard *guards;
    size_t count;
};

/* With all guards that a stream of this loader at this path has to pass; *out NULL: there are none. Whether
 * there are, and which, is one decision: it is not to be asked again. Takes references to loader and
 * params; `request_copy` is to be given before it is run. FRESHET_NO_MEMORY: nobody knows, so the stream is
 * not let in. */
enum freshet_status fr_admission_new(struct fr_admission **out, struct fr_worker *worker,
                                     struct freshet_loader *loader, struct freshet_span raw_path,
                                     struct fr_params *params, const struct fr_guards *mount);
/* NULL is fine. */
void fr_admission_destroy(struct fr_admission *admission);

/* Runs the chain, unless it runs already or waits after a failure; `decided` comes in a later turn. */
void fr_admission_run(struct fr_admission *admission);
/* The last allow is not older than the interval, nor than a guard said that it holds. */
bool fr_admission_is_fresh(const struct fr_admission *admission);
/* The stream is open: from now on the chain runs again when the time that a guard allowed is over, and at
 * intervals, if `at_intervals`. */
void fr_admission_open(struct fr_admission *admission, bool at_intervals);

#endif
