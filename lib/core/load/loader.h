/* Registered loaders and the routes to them. */
#ifndef FR_LOADER_H
#define FR_LOADER_H

#include "base/list.h"
#include "base/refcount.h"
#include "core/channel/pattern.h"
#include "core/request/request.h"
#include "core/runtime/gate.h"
#include <freshet/loader.h>
#include <stdatomic.h>

/* Counted: a load can outlast its freshet. */
struct freshet_loader {
    struct fr_refcount references;
    struct fr_list link; /* in the freshet */
    char *name;
    struct fr_pattern *route;
    struct fr_pattern *channel;            /* NULL: `options.topic` chooses */
    uint64_t message_type;                 /* of the channel; 0: not known */
    struct freshet_loader_options options; /* pointers in it are not to be used, but load, topic, identity,
                                              user and cache */
    struct freshet_guard *guards;
    size_t guard_count;
    char **headers; /* names, NULL at the end; NULL: none */
    struct fr_gate gate;
    struct freshet_log log; /* the freshet's, as long as it lives */
    atomic_bool complained; /* or there is nobody any more to complain to */
};

struct freshet_loader *fr_loader_acquire(struct freshet_loader *loader);
void fr_loader_release(struct freshet_loader *loader);

/* Whether connections share its feeds: all, or those of one identity. */
bool fr_loader_shares(const struct freshet_loader *loader);
/* Whether one of its callbacks may look at the request. */
bool fr_loader_looks(const struct freshet_loader *loader);

/* What the loader's callbacks see of a request. */
struct freshet_request fr_loader_request(struct freshet_loader *loader,
                                         const struct fr_request_copy *request_copy,
                                         const struct fr_params *params,
                                         const struct fr_attribute *attributes);

/* The topic of a request. FRESHET_OK, or FRESHET_REFUSED with *refusal. */
enum freshet_status fr_loader_topic(const struct freshet_loader *loader,
                                    const struct freshet_request *request, struct freshet_topic *topic,
                                    struct freshet_refusal *refusal);

/* The identity of a request, empty for loaders without. FRESHET_OK, or FRESHET_REFUSED with *refusal. */
enum freshet_status fr_loader_identity(const struct freshet_loader *loader,
                                       const struct freshet_request *request,
                                       struct freshet_identity *identity, struct freshet_refusal *refusal);

/* Which loader answers a path: FRESHET_OK with *loader and *params (the caller's), FRESHET_NOT_FOUND,
 * FRESHET_INVALID or FRESHET_NO_MEMORY, as fr_pattern_match(). Any thread. */
enum freshet_status fr_route_find(struct freshet *freshet, struct freshet_span raw_path,
                                  struct freshet_loader **loader, struct fr_params **params);

/* [a-z0-9-]+, short enough for every place that keeps one. */
bool fr_code_is_valid(const char *code);

#endif
