#include "core/hub/entry.h"

#include "core/load/loader.h"
#include <string.h>

static enum freshet_status keep(struct fr_entry *entry, const struct fr_request_view *request_view,
                                struct freshet_refusal *refusal)
{
    enum freshet_status status = fr_request_copy_new(&entry->request_copy, request_view);
    if (status == FRESHET_INVALID)
        *refusal = (struct freshet_refusal){400, "bad-query"};
    else if (status == FRESHET_TOO_LARGE)
        *refusal = (struct freshet_refusal){431, "request-too-large"};
    return status == FRESHET_OK || status == FRESHET_NO_MEMORY ? status : FRESHET_REFUSED;
}

enum freshet_status fr_entry_init(struct fr_entry *entry, struct fr_worker *worker,
                                  struct freshet_loader *loader, struct fr_params *params,
                                  const struct fr_request_view *request_view, const struct fr_guards *mount,
                                  struct freshet_refusal *refusal)
{
    *entry =
        (struct fr_entry){.worker = worker, .loader = loader, .params = params, .from = request_view->from};
    *refusal = (struct freshet_refusal){.code = "no-memory"};
    enum freshet_status status =
        fr_admission_new(&entry->admission, worker, loader, request_view->path, params, mount);
    if (status == FRESHET_OK && (entry->admission != NULL || fr_loader_looks(loader)))
        status = keep(entry, request_view, refusal);
    if (entry->admission != NULL)
        entry->admission->request_copy = fr_request_copy_acquire(entry->request_copy);
    if (status != FRESHET_OK)
        fr_entry_deinit(entry);
    return status;
}

void fr_entry_deinit(struct fr_entry *entry)
{
    fr_admission_destroy(entry->admission);
    fr_params_release(entry->params);
    fr_request_copy_release(entry->request_copy);
    entry->admission = NULL;
    entry->params = NULL;
    entry->request_copy = NULL;
}

enum freshet_status fr_entry_open(struct fr_entry *entry, struct fr_view *view, struct freshet_span peer,
                                  const struct fr_version *held, struct freshet_refusal *refusal)
{
    struct fr_view_request request = {.loader = entry->loader,
                                      .params = entry->params,
                                      .request_copy = entry->request_copy,
                                      .admission = entry->admission,
                                      .peer = peer,
                                      .from = entry->from,
                                      .held = held};
    entry->params = NULL;
    entry->request_copy = NULL;
    entry->admission = NULL;
    return fr_view_open(entry->worker, view, &request, refusal);
}

enum freshet_status fr_verdict_refusal(const struct fr_verdict *verdict, struct freshet_refusal *refusal)
{
    refusal->status = verdict->status;
    memcpy(refusal->code, verdict->code, sizeof(refusal->code));
    return verdict->kind == FR_VERDICT_DENY ? FRESHET_REFUSED : FRESHET_FULL;
}
