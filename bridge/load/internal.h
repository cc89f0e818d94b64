/* What the files of this folder share. */
#ifndef BRIDGE_LOAD_INTERNAL_H
#define BRIDGE_LOAD_INTERNAL_H

#include "load/etags.h"
#include "load/loads.h"
#include "load/source.h"

/* A loader of the library, for as long as the process lives. */
struct loads_route {
    struct loads *loads;
    const struct config_loader *loader; /* as it was registered, in the first config */
    struct freshet_channel *channel;
    struct freshet_cache *cache; /* NULL: none */
    bool shared;
    struct etags etags;
    struct log_news failures;    /* by code */
    const struct source *source; /* under the lock, with a hold on its config; NULL: there is no such route */
};

struct loads {
    struct loads_options options;
    struct config *config; /* the first */
    pthread_mutex_t lock;
    struct loads_route *routes;
    size_t count;
};

void loads_source_set(struct loads_route *route, const struct source *source);
void loads_source_release(const struct source *source);

/* Keeps which version a feed has been given from this source; no tag: none. Once there is another source,
 * what came from the one before is of no use. */
void loads_keep_tag(struct loads_route *route, const struct source *source, struct freshet_span feed,
                    struct freshet_span tag);

/* Answers a load with a code, and tells the log when that is news; `detail` may be NULL, and is for the log
 * only. */
void loads_fail(struct loads_route *route, struct freshet_load load, const char *code, const char *detail);
/* The same for a load that could not be filled in. */
void loads_refuse_values(struct loads_route *route, struct freshet_load load, enum template_result result);
/* Fills all of the source's texts in, into `texts` and `lens`, of source->count, of malloc(). */
enum template_result loads_fill(const struct source *source, const struct freshet_load_context *context,
                                char **texts, size_t *lens);
void loads_free_texts(char **texts, size_t count);

/* Loads of each kind; the first two never block. */
void loads_get(struct loads_route *route, const struct source *source, struct freshet_load load,
               const struct freshet_load_context *context);
void loads_ask_redis(struct loads_route *route, const struct source *source, struct freshet_load load,
                     const struct freshet_load_context *context);
void loads_read_file(struct loads_route *route, const struct source *source, struct freshet_load load,
                     const struct freshet_load_context *context);

#endif
