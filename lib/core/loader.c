#include "core/loader.h"

#include "base/log.h"
#include "core/cache.h"
#include "core/channel.h"
#include "core/context.h"
#include "core/load.h"
#include "core/use.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_LOOP_LOADS      64
#define DEFAULT_QUEUED_MESSAGES 64
#define DEFAULT_QUEUED_BYTES    (1024 * 1024)
#define MOST_HEADERS            16

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

static bool is_name(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    return name != NULL && name[0] != '\0' && strspn(name, allowed) == strlen(name);
}

static bool is_header(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    return name[0] != '\0' && strspn(name, allowed) == strlen(name);
}

static enum freshet_status check(const struct freshet *freshet, const struct freshet_loader_options *options,
                                 struct freshet_error *error)
{
    if (options->size != sizeof(*options))
        return fr_fail(error, FRESHET_INVALID,
                       "loader options: size must be sizeof(struct freshet_loader_options)");
    if (!is_name(options->name))
        return fr_fail(error, FRESHET_INVALID,
                       "loader name: at least one of A-Z a-z 0-9 _ . - and nothing else");
    if (options->route == NULL)
        return fr_fail(error, FRESHET_INVALID, "loader %s: route is missing", options->name);
    if (options->messages && (options->load != NULL || options->cache != NULL))
        return fr_fail(error, FRESHET_INVALID, "loader %s: messages are neither loaded nor cached",
                       options->name);
    if (options->load == NULL && !options->messages)
        return fr_fail(error, FRESHET_INVALID, "loader %s: load is missing", options->name);
    if ((options->channel == NULL) == (options->topic == NULL))
        return fr_fail(error, FRESHET_INVALID, "loader %s: set one of channel and topic", options->name);
    if (options->shared && options->identity != NULL)
        return fr_fail(error, FRESHET_INVALID, "loader %s: set one of shared and identity", options->name);
    if (options->cache != NULL && !options->shared && options->identity == NULL)
        return fr_fail(error, FRESHET_INVALID, "loader %s: cache is for shared feeds", options->name);
    if (options->cache != NULL && options->cache->freshet != freshet)
        return fr_fail(error, FRESHET_INVALID, "loader %s: the cache is another freshet's", options->name);
    size_t headers = 0;
    while (options->headers != NULL && options->headers[headers] != NULL)
        if (!is_header(options->headers[headers++]) || headers > MOST_HEADERS)
            return fr_fail(error, FRESHET_INVALID,
                           "loader %s: headers are names in lower case, at most %d of them", options->name,
                           MOST_HEADERS);
    return fr_guards_check(options->use, options->use_count, options->name, error);
}

static unsigned limit_loads(const struct freshet *freshet, const struct freshet_loader_options *options)
{
    if (options->on_loop)
        return options->max_concurrent_loads != 0 ? options->max_concurrent_loads : DEFAULT_LOOP_LOADS;
    /* One loader never holds all of the pool. */
    unsigned most = freshet->options.pool_threads > 1 ? freshet->options.pool_threads - 1 : 1;
    unsigned wanted = options->max_concurrent_loads;
    return wanted != 0 && wanted < most ? wanted : most;
}

static bool copy_guards(struct freshet_loader *loader, const struct freshet_loader_options *options)
{
    if (options->use_count == 0)
        return true;
    loader->guards = calloc(options->use_count, sizeof(*loader->guards));
    if (loader->guards == NULL)
        return false;
    memcpy(loader->guards, options->use, options->use_count * sizeof(*loader->guards));
    loader->guard_count = options->use_count;
    return true;
}

static bool copy_headers(struct freshet_loader *loader, const struct freshet_loader_options *options)
{
    if (options->headers == NULL)
        return true;
    loader->headers = calloc(MOST_HEADERS + 1, sizeof(*loader->headers));
    if (loader->headers == NULL)
        return false;
    for (size_t i = 0; options->headers[i] != NULL; i++)
        if ((loader->headers[i] = strdup(options->headers[i])) == NULL)
            return false;
    return true;
}

/* Feeds of messages are shared, for one connection as well as for many. */
static void set_message_defaults(struct freshet_loader_options *options)
{
    options->shared = options->identity == NULL;
    if (options->max_queued_messages == 0)
        options->max_queued_messages = DEFAULT_QUEUED_MESSAGES;
    if (options->max_queued_bytes == 0)
        options->max_queued_bytes = DEFAULT_QUEUED_BYTES;
}

static enum freshet_status make(const struct freshet *freshet, const struct freshet_loader_options *options,
                                struct freshet_loader **out, struct freshet_error *error)
{
    struct freshet_loader *loader = calloc(1, sizeof(*loader));
    if (loader == NULL)
        return FRESHET_NO_MEMORY;
    fr_refcount_init(&loader->references);
    fr_gate_init(&loader->gate, limit_loads(freshet, options), fr_load_grant);
    loader->options = *options;
    if (options->cache != NULL)
        fr_cache_acquire(options->cache);
    /* These default to none. */
    if (options->timeout_ms == FRESHET_NEVER)
        loader->options.timeout_ms = 0;
    if (options->min_interval_ms == FRESHET_NEVER)
        loader->options.min_interval_ms = 0;
    if (options->settle_ms == FRESHET_NEVER)
        loader->options.settle_ms = 0;
    if (options->messages)
        set_message_defaults(&loader->options);
    enum freshet_status status = fr_pattern_new(&loader->route, options->route, error);
    if (status == FRESHET_OK && options->channel != NULL)
        status = fr_pattern_new(&loader->channel, freshet_channel_name(options->channel), error);
    if (options->channel != NULL)
        loader->message_type = fr_channel_type(options->channel);
    loader->name = strdup(options->name);
    if (status == FRESHET_OK &&
        (loader->name == NULL || !copy_guards(loader, options) || !copy_headers(loader, options)))
        status = FRESHET_NO_MEMORY;
    if (status != FRESHET_OK) {
        fr_loader_release(loader);
        return status;
    }
    *out = loader;
    return FRESHET_OK;
}

/* Whether messages for the one would reach the other, which reads them as something else. */
static bool mixes_types(const struct freshet_loader *a, const struct freshet_loader *b)
{
    return fr_types_differ(a->message_type, b->message_type) &&
           fr_pattern_share_topic(a->channel, b->channel);
}

/* Under the freshet's lock. */
static enum freshet_status add(struct freshet *freshet, struct freshet_loader *loader,
                               struct freshet_error *error)
{
    for (struct fr_list *link = freshet->loaders.next; link != &freshet->loaders; link = link->next) {
        const struct freshet_loader *other = FR_CONTAINER(link, struct freshet_loader, link);
        if (strcmp(other->name, loader->name) == 0)
            return fr_fail(error, FRESHET_CONFLICT, "loader %s: the name is taken", loader->name);
        if (fr_pattern_overlap(other->route, loader->route) &&
            fr_pattern_compare(other->route, loader->route) == 0)
            return fr_fail(error, FRESHET_CONFLICT,
                           "loader %s: route %s matches the same paths as route %s of %s", loader->name,
                           fr_pattern_text(loader->route), fr_pattern_text(other->route), other->name);
        if (mixes_types(other, loader))
            return fr_fail(
                error, FRESHET_CONFLICT,
                "loader %s: channel %s can yield the topics of channel %s of %s, whose messages are "
                "of another type",
                loader->name, fr_pattern_text(loader->channel), fr_pattern_text(other->channel), other->name);
    }
    fr_list_append(&freshet->loaders, &loader->link);
    return FRESHET_OK;
}

enum freshet_status freshet_loader_new(struct freshet *freshet, const struct freshet_loader_options *options,
                                       struct freshet_loader **out, struct freshet_error *error)
{
    struct freshet_loader *loader = NULL, *ignored;
    if (out == NULL)
        out = &ignored;
    *out = NULL;
    enum freshet_status status = check(freshet, options, error);
    if (status == FRESHET_OK)
        status = make(freshet, options, &loader, error);
    if (status != FRESHET_OK)
        return status;
    pthread_mutex_lock(&freshet->lock);
    status = add(freshet, loader, error);
    pthread_mutex_unlock(&freshet->lock);
    if (status != FRESHET_OK) {
        fr_loader_release(loader);
        return status;
    }
    *out = loader;
    return FRESHET_OK;
}

enum freshet_status freshet_loader_retry(struct freshet *freshet, const struct freshet_loader *loader,
                                         const struct freshet_topic *topic)
{
    if (freshet == NULL || (topic != NULL && (topic->len == 0 || topic->len > FRESHET_MAX_TOPIC_BYTES)))
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
    pthread_mutex_lock(&freshet->lock);
    struct fr_list *all = &freshet->loaders;
    for (struct fr_list *link = all->next; link != all && status == FRESHET_OK; link = link->next)
        status = try_route(FR_CONTAINER(link, struct freshet_loader, link), raw_path, loader, params);
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
