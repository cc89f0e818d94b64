/* Registered loaders and the routes to them. */
#ifndef FR_LOADER_H
#define FR_LOADER_H

#include "base/list.h"
#include "core/gate.h"
#include "core/pattern.h"
#include <freshet/loader.h>
#include <stdatomic.h>

/* Counted: a load can outlast its freshet. */
struct freshet_loader {
    atomic_uint references;
    struct fr_list link; /* in the freshet, under its lock */
    char *name;
    struct fr_pattern *route;
    struct fr_pattern *channel;            /* NULL: `options.topic` chooses */
    struct freshet_loader_options options; /* texts and channel in it are not to be used */
    struct fr_gate gate;
};

struct freshet_loader *fr_loader_acquire(struct freshet_loader *loader);
void fr_loader_release(struct freshet_loader *loader);

/* What a loader's `topic` callback sees. */
struct freshet_request {
    const struct fr_params *params;
    const struct fr_pattern *route;
    struct freshet_span peer;
};

/* The topic of a request. FRESHET_OK, or FRESHET_REFUSED with *refusal. */
enum freshet_status fr_loader_topic(const struct freshet_loader *loader,
                                    const struct freshet_request *request, struct freshet_topic *topic,
                                    struct freshet_refusal *refusal);

/* freshet_load_param() and freshet_request_param(). */
enum freshet_status fr_param_find(const struct fr_params *params, const struct fr_pattern *route,
                                  const char *name, size_t index, struct freshet_span *value);

#endif
