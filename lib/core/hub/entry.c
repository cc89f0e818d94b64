#include "core/hub/entry.h"

#include "core/load/loader.h"
#include <string.h>

static enum freshet_status keep(struct fr_entry *entry, const struct fr_ask *ask,
                                struct freshet_refusal *refusal)
{
    enum freshet_status status = fr_asked_new(&entry->asked, ask);
    if (status == FRESHET_INVALID)
        *refusal = (struct freshet_refusal){400, "bad-query"};
    else if (status == FRESHET_TOO_LARGE)
        *refusal = (struct freshet_refusal){431, "request-too-large"};
    return status == FRESHET_OK || status == FRESHET_NO_MEMORY ? status : FRESHET_REFUSED;
}

enum freshet_status fr_entry_init(struct fr_entry *entry, struct fr_worker *worker,
                                  struct freshet_loader *loader, struct fr_params *params,
                                  const struct fr_ask *ask, const struct fr_guards *mount,
                                  struct freshet_refusal *refusal)
{
    *entry = (struct fr_entry){.worker = worker, .loader = loader, .params = params, .from = ask->from};
    *refusal = (struct freshet_refusal){.code = "no-memory"};
    enum freshet_status status =
        fr_admission_new(&entry->admission, worker, loader, ask->path, params, mount);
    if (status == FRESHET_OK && (entry->admission != NULL || fr_loader_looks(loader)))
        status = keep(entry, ask, refusal);
    if (entry->admission != NULL)
        entry->admission->asked = fr_asked_acquire(entry->asked);
    if (status != FRESHET_OK)
        fr_entry_deinit(entry);
    return status;
}

void fr_entry_deinit(struct fr_entry *entry)
{
    fr_admission_destroy(entry->admission);
    fr_params_release(entry->params);
    fr_asked_release(entry->asked);
    entry->admission = NULL;
    entry->params = NULL;
    entry->asked = NULL;
}

enum freshet_status fr_entry_open(struct fr_entry *entry, struct fr_view *view, struct freshet_span peer,
                                  const struct fr_version *held, struct freshet_refusal *refusal)
{
    struct fr_view_request request = {.loader = entry->loader,
                                      .params = entry->params,
                                      .asked = entry->asked,
                                      .admission = entry->admission,
                                      .peer = peer,
                                      .from = entry->from,
                                      .held = held};
    entry->params = NULL;
    entry->asked = NULL;
    entry->admission = NULL;
    return fr_view_open(entry->worker, view, &request, refusal);
}

enum freshet_status fr_verdict_refusal(const struct fr_verdict *verdict, struct freshet_refusal *refusal)
{
    refusal->status = verdict->status;
    memcpy(refusal->code, verdict->code, sizeof(refusal->code));
    return verdict->kind == FR_VERDICT_DENY ? FRESHET_REFUSED : FRESHET_FULL;
}
