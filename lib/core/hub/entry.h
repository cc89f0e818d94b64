/* One who comes: from a route to an open view. The same for a stream of one view and for each of several. */
#ifndef FR_ENTRY_H
#define FR_ENTRY_H

#include "core/guard/admission.h"
#include "core/hub/view.h"
#include "core/request/request.h"

struct fr_entry {
    struct fr_worker *worker;
    struct freshet_loader *loader;
    struct fr_params *params;             /* a reference, and so on */
    struct fr_request_copy *request_copy; /* NULL: nobody looks at the request */
    struct fr_admission *admission;       /* NULL: no guards */
    struct fr_peer *from;                 /* who comes; NULL: not known */
};

/* Keeps of `request_view` what somebody may look at, and who asks. Takes `params` over. FRESHET_OK: with an
 * admission this has to be run before the entry is opened. FRESHET_REFUSED: for good, *refusal says why.
 * FRESHET_NO_MEMORY. */
enum freshet_status fr_entry_init(struct fr_entry *entry, struct fr_worker *worker,
                                  struct freshet_loader *loader, struct fr_params *params,
                                  const struct fr_request_view *request_view, const struct fr_guards *mount,
                                  struct freshet_refusal *refusal);
/* Zeroed and opened ones are fine. */
void fr_entry_deinit(struct fr_entry *entry);

/* As fr_view_open(); what the entry holds is the view's then, or gone. */
enum freshet_status fr_entry_open(struct fr_entry *entry, struct fr_view *view, struct freshet_span peer,
                                  const struct fr_version *held, struct freshet_refusal *refusal);

/* What an unfavourable verdict says to a client: the status of fr_view_open(), and the refusal. */
enum freshet_status fr_verdict_refusal(const struct fr_verdict *verdict, struct freshet_refusal *refusal);

#endif
