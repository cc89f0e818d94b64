#include "core/load/feed_key.h"

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

struct fr_feed_key *fr_feed_key_new(struct freshet_loader *loader, const struct freshet_topic *topic,
                                    struct freshet_span identity, struct fr_params *params,
                                    struct fr_request_copy *request_copy)
{
    struct freshet_span name = freshet_span_text(loader->name);
    size_t len = key_bytes(name, topic, identity, params);
    struct fr_feed_key *key = malloc(sizeof(*key) + len);
    if (key == NULL)
        return NULL;
    *key = (struct fr_feed_key){.loader = fr_loader_acquire(loader), .params = fr_params_acquire(params)};
    fr_refcount_init(&key->references);
    if (!fr_loader_shares(loader))
        key->request_copy = fr_request_copy_acquire(request_copy);
    key->id = freshet_span(key->text, len);
    char *at = append(key->text, name);
    key->name = freshet_span(key->text, name.len);
    key->topic = freshet_span(at, topic->len);
    at = append(at, freshet_span(topic->text, topic->len));
    key->identity = freshet_span(at, identity.len);
    at = append(at, identity);
    for (size_t i = 0; i < params->count; i++) {
        at = append(at, freshet_span_text(params->items[i].name));
        at = append(at, params->items[i].value);
    }
    return key;
}

struct freshet_span fr_feed_key_rest(const struct fr_feed_key *key)
{
    const char *begin = key->topic.data + key->topic.len;
    return freshet_span(begin, (size_t)(key->id.data + key->id.len - begin));
}

struct fr_feed_key *fr_feed_key_acquire(struct fr_feed_key *key)
{
    fr_refcount_acquire(&key->references);
    return key;
}

void fr_feed_key_release(struct fr_feed_key *key)
{
    if (key == NULL || !fr_refcount_release(&key->references))
        return;
    fr_params_release(key->params);
    fr_request_copy_release(key->request_copy);
    fr_loader_release(key->loader);
    free(key);
}
