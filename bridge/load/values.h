/* The values that a load may fill in: the route's parameters, what the streams of its feed have in common,
 * and, where it is of one stream, what guards found out about that one. */
#ifndef BRIDGE_LOAD_VALUES_H
#define BRIDGE_LOAD_VALUES_H

#include <freshet/loader.h>

struct values {
    const struct freshet_load_context *context;
    const char *const *per; /* what the identity is made of, the last NULL; or NULL */
};

/* A template_value; `user` is a struct values. */
bool values_find(void *user, const char *name, size_t index, struct freshet_span *value);

/* Makes an identity of these attributes, each with its length before it, so that no two lists of values are
 * written in the same way. FRESHET_REFUSED with *refusal: a guard did not set one of them, or they are too
 * long. */
enum freshet_status values_identify(const struct freshet_request *request, const char *const *per,
                                    struct freshet_identity *identity, struct freshet_refusal *refusal);

#endif
