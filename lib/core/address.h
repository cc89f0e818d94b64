/* What makes two streams share a feed: loader, topic and route parameters. Counted, immutable, any thread. */
#ifndef FR_ADDRESS_H
#define FR_ADDRESS_H

#include "core/pattern.h"
#include <freshet/channel.h>
#include <freshet/span.h>
#include <stdatomic.h>

struct freshet_loader;

struct fr_address {
    atomic_uint references;
    struct freshet_loader *loader; /* a reference */
    struct fr_params *params;
    struct freshet_span name; /* the loader's */
    struct freshet_span topic;
    struct freshet_span key; /* all of it in one, for maps */
    char text[];
};

/* Takes `params` over, also on failure. NULL: no memory. */
struct fr_address *fr_address_new(struct freshet_loader *loader, const struct freshet_topic *topic,
                                  struct fr_params *params);
struct fr_address *fr_address_acquire(struct fr_address *address);
void fr_address_release(struct fr_address *address); /* NULL is fine */

#endif
