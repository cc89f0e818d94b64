#include "core/load/address.h"

#include "core/load/loader.h"
#include <stdlib.h>
#include <string.h>

/* Appends with a NUL behind it, which is in no name, topic, identity or value. */
static char *append(char *at, struct freshet_span span)
{
    if (span.len > 0)
        memcpy(at, span.data, span.len);
    at[span.len] = '\0';
    return at + span.len + 1;
}

static size_t key_bytes(struct freshet_span name, const struct freshet_topic *topic,
                        struct freshet_span identity, const struct fr_params *params)
{
    size_t len = name.len + 1 + topic->len + 1 + identity.len + 1;
    for (size_t i = 0; i < params->count; i++)
        len += strlen(params->items[i].name) + 1 + params->items[i].value.len + 1;
    return len;
}

struct fr_address *fr_address_new(struct freshet_loader *loader, const struct freshet_topic *topic,
                                  struct freshet_span identity, struct fr_params *params,
                                  struct fr_asked *asked)
{
    struct freshet_span name = freshet_span_text(loader->name);
    size_t len = key_bytes(name, topic, identity, params);
    struct fr_address *address = malloc(sizeof(*address) + len);
    if (address == NULL)
        return NULL;
    *address = (struct fr_address){.loader = fr_loader_acquire(loader), .params = fr_params_acquire(params)};
    fr_refcount_init(&address->references);
    if (!fr_loader_shares(loader))
        address->asked = fr_asked_acquire(asked);
    address->key = freshet_span(address->text, len);
    char *at = append(address->text, name);
    address->name = freshet_span(address->text, name.len);
    address->topic = freshet_span(at, topic->len);
    at = append(at, freshet_span(topic->text, topic->len));
    address->identity = freshet_span(at, identity.len);
    at = append(at, identity);
    for (size_t i = 0; i < params->count; i++) {
        at = append(at, freshet_span_text(params->items[i].name));
        at = append(at, params->items[i].value);
    }
    return address;
}

struct freshet_span fr_address_rest(const struct fr_address *address)
{
    const char *begin = address->topic.data + address->topic.len;
    return freshet_span(begin, (size_t)(address->key.data + address->key.len - begin));
}

struct fr_address *fr_address_acquire(struct fr_address *address)
{
    fr_refcount_acquire(&address->references);
    return address;
}

void fr_address_release(struct fr_address *address)
{
    if (address == NULL || !fr_refcount_release(&address->references))
        return;
    fr_params_release(address->params);
    fr_asked_release(address->asked);
    fr_loader_release(address->loader);
    free(address);
}
