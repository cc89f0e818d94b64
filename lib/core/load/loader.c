#include "core/load/loader.h"

#include "base/log.h"
#include "core/load/cache.h"
#include "core/runtime/context.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct freshet_loader *fr_loader_acquire(struct freshet_loader *loader)
{
    fr_refcount_acquire(&loader->references);
    return loader;
}

void fr_loader_release(struct freshet_loader *loader)
{
    if (loader == NULL || !fr_refcount_release(&loader->references))
        return;
    fr_gate_deinit(&loader->gate);
    freshet_cache_release(loader->options.cache);
    fr_pattern_destroy(loader->route);
    fr_pattern_destroy(loader->channel);
    for (char **header = loader->headers; header != NULL && *header != NULL; header++)
        free(*header);
    free(loader->headers);
    free(loader->guards);
    free(loader->name);
    free(loader);
}

enum freshet_status freshet_loader_retry(struct freshet *freshet, const struct freshet_loader *loader,
                                         const struct freshet_topic *topic)
{
    enum freshet_status usable = fr_freshet_check(freshet);
    if (usable != FRESHET_OK)
        return usable;
    if (topic != NULL && (topic->len == 0 || topic->len > FRESHET_MAX_TOPIC_BYTES))
        return FRESHET_INVALID;
    struct freshet_span name = topic == NULL ? freshet_span(NULL, 0) : freshet_span(topic->text, topic->len);
    fr_topics_retry(&freshet->topics, name, loader);
    return FRESHET_OK;
}

/* The better of two matches; a bad path is bad for every route. */
static enum freshet_status try_route(struct freshet_loader *candidate, struct freshet_span raw_path,
                                     struct freshet_loader **best, struct fr_params **params)
{
    struct fr_params *matched;
    enum freshet_status status = fr_pattern_match(candidate->route, raw_path, &matched);
    if (status == FRESHET_NOT_FOUND)
        return FRESHET_OK;
    if (status != FRESHET_OK)
        return status;
    if (*best != NULL && fr_pattern_compare((*best)->route, candidate->route) < 0) {
        fr_params_release(matched);
        return FRESHET_OK;
    }
    fr_params_release(*params);
    *params = matched;
    *best = candidate;
    return FRESHET_OK;
}

enum freshet_status fr_route_find(struct freshet *freshet, struct freshet_span raw_path,
                                  struct freshet_loader **loader, struct fr_params **params)
{
    enum freshet_status status = FRESHET_OK;
    *loader = NULL;
    *params = NULL;
    bool serving = atomic_load(&freshet->serving);
    if (!serving) /* asked on a loop that has not joined */
        pthread_mutex_lock(&freshet->lock);
    struct fr_list *all = &freshet->loaders;
    for (struct fr_list *link = all->next; link != all && status == FRESHET_OK; link = link->next)
        status = try_route(FR_CONTAINER(link, struct freshet_loader, link), raw_path, loader, params);
    if (!serving)
        pthread_mutex_unlock(&freshet->lock);
    if (status == FRESHET_OK && *loader == NULL)
        return FRESHET_NOT_FOUND;
    if (status != FRESHET_OK) {
        fr_params_release(*params);
        *params = NULL;
        *loader = NULL;
    }
    return status;
}

/* Somebody asks for a header that no option names: one line for each loader says so. Any thread. */
static void on_header_not_named(void *user, const char *header)
{
    struct freshet_loader *loader = user;
    if (atomic_exchange(&loader->complained, true))
        return;
    fr_log(&loader->log, FRESHET_LOG_ERROR,
           "loader %s: header \"%s\" is asked for, but neither the loader's option `headers` nor the mount's "
           "`request_headers` names it",
           loader->name, fr_escape(freshet_span_text(header)).text);
}

struct freshet_request fr_loader_request(struct freshet_loader *loader,
                                         const struct fr_request_copy *request_copy,
                                         const struct fr_params *params,
                                         const struct fr_attribute *attributes)
{
    return (struct freshet_request){.request_copy = request_copy,
                                    .params = params,
                                    .route = loader->route,
                                    .not_named = on_header_not_named,
                                    .user = loader,
                                    .attributes = attributes};
}

static enum freshet_status refuse(struct freshet_refusal *refusal, int http_status, const char *code)
{
    refusal->status = http_status;
    snprintf(refusal->code, sizeof(refusal->code), "%s", code);
    return FRESHET_REFUSED;
}

bool fr_code_is_valid(const char *code)
{
    size_t len = code == NULL ? 0 : strlen(code);
    return len > 0 && len < sizeof(((struct freshet_refusal *)0)->code) &&
           strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

/* What the application left unsaid is filled in. */
static enum freshet_status refused_by_application(struct freshet_refusal *refusal)
{
    bool final = refusal->status >= 400 && refusal->status <= 499;
    char code[sizeof(refusal->code)];
    memcpy(code, refusal->code, sizeof(code));
    code[sizeof(code) - 1] = '\0';
    return refuse(refusal, final ? refusal->status : 403, fr_code_is_valid(code) ? code : "refused");
}

bool fr_loader_shares(const struct freshet_loader *loader)
{
    return loader->options.shared || loader->options.identity != NULL;
}

bool fr_loader_looks(const struct freshet_loader *loader)
{
    return !fr_loader_shares(loader) || loader->options.topic != NULL || loader->options.identity != NULL;
}

/* The route's parameters that the channel knows. */
static enum freshet_status fill_channel(const struct freshet_loader *loader, const struct fr_params *params,
                                        struct freshet_topic *topic)
{
    struct freshet_param chosen[FRESHET_MAX_TOPIC_BYTES / 2]; /* each takes a byte and a '/' at least */
    size_t count = 0;
    for (size_t i = 0; i < params->count; i++) {
        if (!fr_pattern_has(loader->channel, freshet_span_text(params->items[i].name)))
            continue;
        if (count == sizeof(chosen) / sizeof(chosen[0]))
            return FRESHET_TOO_LARGE;
        chosen[count++] = params->items[i];
    }
    return fr_pattern_fill(loader->channel, chosen, count, topic, NULL);
}

enum freshet_status fr_loader_topic(const struct freshet_loader *loader,
                                    const struct freshet_request *request, struct freshet_topic *topic,
                                    struct freshet_refusal *refusal)
{
    *refusal = (struct freshet_refusal){0};
    if (loader->channel != NULL) {
        if (fill_channel(loader, request->params, topic) == FRESHET_OK)
            return FRESHET_OK;
        return refuse(refusal, 400, "bad-topic");
    }
    *topic = (struct freshet_topic){0};
    if (loader->options.topic(request, topic, refusal, loader->options.user) == FRESHET_OK) {
        if (topic->len > 0 && topic->len <= FRESHET_MAX_TOPIC_BYTES && topic->text[0] != '/' &&
            memchr(topic->text, '\0', topic->len) == NULL) /* which ends parts of a feed's key */
            return FRESHET_OK;
        return refuse(refusal, 400, "bad-topic");
    }
    return refused_by_application(refusal);
}

enum freshet_status fr_loader_identity(const struct freshet_loader *loader,
                                       const struct freshet_request *request,
                                       struct freshet_identity *identity, struct freshet_refusal *refusal)
{
    *identity = (struct freshet_identity){0};
    *refusal = (struct freshet_refusal){0};
    if (loader->options.identity == NULL)
        return FRESHET_OK;
    if (loader->options.identity(request, identity, refusal, loader->options.user) != FRESHET_OK)
        return refused_by_application(refusal);
    bool valid = identity->len <= sizeof(identity->text) &&
                 memchr(identity->text, '\0', identity->len) == NULL; /* which ends parts of a feed's key */
    return valid ? FRESHET_OK : refuse(refusal, 400, "bad-identity");
}
