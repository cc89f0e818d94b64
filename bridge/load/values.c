#include "load/values.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The value of a place in the identity: "5:alice2:eu". */
static bool find_in_identity(struct freshet_span identity, size_t place, struct freshet_span *value)
{
    const char *at = identity.data, *end = at + identity.len;
    for (size_t i = 0; at < end; i++) {
        char *text;
        size_t len = strtoul(at, &text, 10);
        if (i == place) {
            *value = freshet_span(text + 1, len);
            return true;
        }
        at = text + 1 + len;
    }
    return false;
}

static bool find_common(const struct values *values, const char *name, struct freshet_span *value)
{
    for (size_t i = 0; values->per != NULL && values->per[i] != NULL; i++) {
        if (strcmp(values->per[i], name) == 0)
            return find_in_identity(values->context->identity, i, value);
    }
    return false;
}

bool values_find(void *user, const char *name, size_t index, struct freshet_span *value)
{
    const struct values *values = user;
    const struct freshet_load_context *context = values->context;
    if (freshet_load_param(context, name, index, value) == FRESHET_OK)
        return true;
    if (index > 0)
        return false;
    return find_common(values, name, value) ||
           freshet_request_attribute(context->request, name, value) == FRESHET_OK;
}

static enum freshet_status refuse(struct freshet_refusal *refusal, const char *code)
{
    refusal->status = 403;
    snprintf(refusal->code, sizeof(refusal->code), "%s", code);
    return FRESHET_REFUSED;
}

enum freshet_status values_identify(const struct freshet_request *request, const char *const *per,
                                    struct freshet_identity *identity, struct freshet_refusal *refusal)
{
    identity->len = 0;
    for (; *per != NULL; per++) {
        struct freshet_span value;
        if (freshet_request_attribute(request, *per, &value) != FRESHET_OK || value.len == 0)
            return refuse(refusal, "no-identity");
        size_t room = sizeof(identity->text) - identity->len;
        int head = snprintf(identity->text + identity->len, room, "%zu:", value.len);
        if ((size_t)head + value.len >= room || memchr(value.data, '\0', value.len) != NULL)
            return refuse(refusal, "bad-identity");
        memcpy(identity->text + identity->len + head, value.data, value.len);
        identity->len += (size_t)head + value.len;
    }
    return FRESHET_OK;
}
