/* Somebody asks for a view: from the route that was found to the open view. The same for a stream of one view
 * and for each view of several. On the worker's thread. */
#ifndef FR_VISIT_H
#define FR_VISIT_H

#include "core/guard/admission.h"
#include "core/hub/view.h"
#include "core/request/request.h"

/* What who asks is told. */
enum fr_visit_answer {
    FR_VISIT_YES = 0,
    FR_VISIT_NO,   /* for good: the refusal has status and code */
    FR_VISIT_LATER /* not now, come back: the refusal's code says why */
};

struct fr_visit {
    struct fr_worker *worker;
    struct freshet_loader *loader;
    struct fr_params *params;             /* a reference, as are the next two */
    struct fr_request_copy *request_copy; /* NULL: nobody looks at the request */
    struct fr_admission *admission;       /* NULL: no guards */
    struct fr_peer *from;                 /* whose new topics are counted; NULL: nobody's */
    bool has_held;
    struct fr_version held; /* what the client says it has */
};

/* `visit` has its worker, loader and params, and what is held. Keeps of `request_view` what somebody may look
 * at, and who asks, and finds the guards. FR_VISIT_YES: with an admission this has to be run before the visit
 * is opened. Else the visit has ended, and *refusal says why. */
enum fr_visit_answer fr_visit_begin(struct fr_visit *visit, const struct fr_request_view *request_view,
                                    const struct fr_guards *mount, struct freshet_refusal *refusal);
/* Asks the loader for the topic and opens `view` on its feed; the first view_ready() comes from a later turn.
 * The visit has ended: what it held is the view's, or gone. Else than with FR_VISIT_YES *refusal says why. */
enum fr_visit_answer fr_visit_open(struct fr_visit *visit, struct fr_view *view,
                                   struct freshet_refusal *refusal);
/* Gives up a visit that opens no view. Zeroed and ended ones are fine. */
void fr_visit_end(struct fr_visit *visit);

/* What a verdict that does not let in says to a client. */
enum fr_visit_answer fr_visit_refused(const struct fr_verdict *verdict, struct freshet_refusal *refusal);

#endif
