#include "load/loads.h"
#include "load/internal.h"
#include "load/values.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_GUARDS = 16, MAX_HEADERS = 17 }; /* one more than the library takes, which says so */

/* ---- what the loads share ---- */

/* The source of now, to be given back. NULL: there is none any more. */
static const struct source *acquire_source(struct loads_route *route)
{
    pthread_mutex_lock(&route->loads->lock);
    const struct source *source = route->source;
    if (source != NULL)
        config_acquire(source->config);
    pthread_mutex_unlock(&route->loads->lock);
    return source;
}

void loads_source_set(struct loads_route *route, const struct source *source)
{
    if (source != NULL)
        config_acquire(source->config);
    pthread_mutex_lock(&route->loads->lock);
    const struct source *old = route->source;
    route->source = source;
    etags_clear(&route->etags);
    pthread_mutex_unlock(&route->loads->lock);
    if (old != NULL)
        config_release(old->config);
}

void loads_source_release(const struct source *source)
{
    config_release(source->config);
}

void loads_keep_tag(struct loads_route *route, const struct source *source, struct freshet_span feed,
                    struct freshet_span tag)
{
    pthread_mutex_lock(&route->loads->lock);
    if (route->source == source)
        etags_put(&route->etags, feed, tag);
    pthread_mutex_unlock(&route->loads->lock);
}

void loads_fail(struct loads_route *route, struct freshet_load load, const char *code, const char *detail)
{
    if (log_is_news(&route->failures, freshet_span_text(code)))
        log_line(route->loads->options.log, FRESHET_LOG_WARN, "route %s: a load failed: %s%s%s",
                 route->loader->route, code, detail == NULL ? "" : ": ", detail == NULL ? "" : detail);
    freshet_load_fail(load, code, NULL);
}

void loads_refuse_values(struct loads_route *route, struct freshet_load load, enum template_result result)
{
    static const char *const codes[] = {[TEMPLATE_MISSING] = "missing-value",
                                        [TEMPLATE_BAD] = "bad-value",
                                        [TEMPLATE_NO_MEMORY] = "no-memory"};
    loads_fail(route, load, codes[result], NULL);
}

void loads_free_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
}

enum template_result loads_fill(const struct source *source, const struct freshet_load_context *context,
                                char **texts, size_t *lens)
{
    struct values values = {context, source->loader->per};
    for (size_t i = 0; i < source->count; i++) {
        enum template_result result =
            template_fill(source->templates[i], values_find, &values, &texts[i], &lens[i]);
        if (result != TEMPLATE_FILLED) {
            loads_free_texts(texts, i);
            return result;
        }
    }
    return TEMPLATE_FILLED;
}

/* ---- what the library calls ---- */

static void load_route(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    struct loads_route *route = user;
    const struct source *source = acquire_source(route);
    if (source == NULL) {
        freshet_load_fail(load, "not-found", NULL);
        return;
    }
    if (source->kind == CONFIG_GET)
        loads_get(route, source, load, context);
    else if (source->kind == CONFIG_REDIS)
        loads_ask_redis(route, source, load, context);
    else
        loads_read_file(route, source, load, context);
    loads_source_release(source);
}

static enum freshet_status identify(const struct freshet_request *request, struct freshet_identity *identity,
                                    struct freshet_refusal *refusal, void *user)
{
    const struct loads_route *route = user;
    return values_identify(request, route->loader->per, identity, refusal);
}

/* The first guard of every route: whether the file still has it. */
static void check_route(struct freshet_check check, const struct freshet_request *request, void *user)
{
    struct loads_route *route = user;
    (void)request;
    pthread_mutex_lock(&route->loads->lock);
    bool there = route->source != NULL;
    pthread_mutex_unlock(&route->loads->lock);
    if (there)
        freshet_check_allow(check);
    else
        freshet_check_deny(check, 404, "not-found");
}

/* ---- registering ---- */

static const struct freshet_guard *find_guard(const struct loads *loads, const char *name)
{
    for (size_t i = 0; i < loads->options.guard_count; i++) {
        if (strcmp(loads->options.guards[i].name, name) == 0)
            return &loads->options.guards[i].guard;
    }
    return NULL;
}

/* check_route() and those that `use` names. 0: one is not there, which is told. */
static size_t choose_guards(struct loads_route *route, struct config *config, struct freshet_guard *chosen)
{
    const struct config_loader *loader = route->loader;
    size_t count = 0;
    chosen[count++] = (struct freshet_guard){.guard = check_route, .user = route};
    for (size_t i = 0; loader->use != NULL && loader->use[i] != NULL; i++) {
        const struct freshet_guard *guard = find_guard(route->loads, loader->use[i]);
        if (guard == NULL || count == MAX_GUARDS) {
            reading_complain(&config->reading, node_find(loader->node, "use"), "%s %.100s",
                             guard == NULL ? "there is no guard" : "too many guards, at", loader->use[i]);
            return 0;
        }
        chosen[count++] = *guard;
    }
    return count;
}

static enum freshet_status make_cache(struct loads_route *route, struct freshet_error *error)
{
    const struct config_cache *cache = &route->loader->cache;
    struct freshet_cache_options options = {.size = sizeof(options),
                                            .max_entries = cache->max_entries,
                                            .max_bytes = cache->max_bytes,
                                            .max_age_ms = cache->max_age_ms};
    if (!cache->on)
        return FRESHET_OK;
    return freshet_cache_new(&route->cache, route->loads->options.freshet, &options, error);
}

/* What guards and the load look at, in `names`. NULL: nothing. */
static const char *const *list_headers(const struct loads_route *route, const char **names)
{
    const char *const *lists[] = {route->loads->options.headers, route->loader->load.forward};
    size_t count = 0;
    for (size_t i = 0; i < 2; i++) {
        for (const char *const *name = lists[i]; name != NULL && *name != NULL && count < MAX_HEADERS; name++)
            names[count++] = *name;
    }
    names[count] = NULL;
    return count == 0 ? NULL : names;
}

static enum freshet_status register_loader(struct loads_route *route, const struct freshet_guard *guards,
                                           size_t guard_count, struct freshet_error *error)
{
    const struct config_loader *loader = route->loader;
    bool is_file = config_source_of(loader) == CONFIG_FILE;
    const char *headers[MAX_HEADERS + 1];
    struct freshet_loader_options options = {
        .size = sizeof(options),
        .name = loader->name,
        .route = loader->route,
        .channel = route->channel,
        .load = loader->messages ? NULL : load_route,
        .user = route,
        .shared = route->shared,
        .identity = loader->per == NULL ? NULL : identify,
        .use = guards,
        .use_count = guard_count,
        .headers = list_headers(route, headers),
        .cache = route->cache,
        .on_loop = !is_file,
        .skip_unchanged = loader->skip_unchanged,
        .no_gzip = loader->no_gzip,
        .no_differences = loader->no_differences,
        .timeout_ms = is_file ? loader->timeout_ms : 0, /* the others end by their own deadline */
        .min_interval_ms = loader->min_interval_ms,
        .settle_ms = loader->settle_ms,
        .max_concurrent_loads = loader->max_concurrent_loads,
        .messages = loader->messages,
        .max_queued_messages = loader->max_queued_messages,
        .max_queued_bytes = (uint32_t)loader->max_queued_bytes,
    };
    return freshet_loader_new(route->loads->options.freshet, &options, NULL, error);
}

/* Whether what a load needs is there. */
static bool check_needs(const struct loads *loads, struct config *config, const struct config_loader *loader)
{
    if (config_source_of(loader) != CONFIG_REDIS || loads->options.has_redis)
        return true;
    reading_complain(&config->reading, loader->load.node,
                     "redis needs a Redis: say redis: redis://HOST:PORT");
    return false;
}

static void add_route(struct loads *loads, struct config *config, const struct config_loader *loader)
{
    struct loads_route *route = &loads->routes[loads->count++];
    struct freshet_guard guards[MAX_GUARDS];
    struct freshet_error error = {""};
    route->loads = loads;
    route->loader = loader;
    etags_init(&route->etags);
    log_news_init(&route->failures);
    const struct source *source = source_new(config, loader);
    loads_source_set(route, source);
    route->shared = source != NULL && source_is_shared(source);
    size_t guard_count = choose_guards(route, config, guards);
    if (!check_needs(loads, config, loader) || source == NULL || guard_count == 0)
        return;
    enum freshet_status status = freshet_channel_new(&route->channel, loader->topic, &error);
    if (status == FRESHET_OK)
        status = make_cache(route, &error);
    if (status == FRESHET_OK)
        status = register_loader(route, guards, guard_count, &error);
    if (status != FRESHET_OK)
        reading_complain(&config->reading, loader->node, "%s",
                         error.text[0] == '\0' ? freshet_status_text(status) : error.text);
}

struct loads *loads_new(const struct loads_options *options, struct config *config)
{
    struct loads *loads = calloc(1, sizeof(*loads));
    if (loads != NULL)
        loads->routes = calloc(config->loader_count + 1, sizeof(*loads->routes));
    if (loads == NULL || loads->routes == NULL) {
        free(loads);
        reading_complain(&config->reading, NULL, "no memory for the loaders");
        return NULL;
    }
    loads->options = *options;
    if (loads->options.max_bytes == 0)
        loads->options.max_bytes = FETCH_DEFAULT_BODY_BYTES;
    loads->config = config_acquire(config);
    pthread_mutex_init(&loads->lock, NULL);
    for (size_t i = 0; i < config->loader_count; i++) {
        size_t mark = reading_enter(&config->reading, "loaders", 0);
        reading_enter(&config->reading, NULL, i);
        add_route(loads, config, &config->loaders[i]);
        reading_leave(&config->reading, mark);
    }
    return loads;
}

void loads_destroy(struct loads *loads)
{
    if (loads == NULL)
        return;
    for (size_t i = 0; i < loads->count; i++) {
        struct loads_route *route = &loads->routes[i];
        loads_source_set(route, NULL);
        freshet_channel_destroy(route->channel);
        freshet_cache_release(route->cache);
        etags_deinit(&route->etags);
        log_news_deinit(&route->failures);
    }
    pthread_mutex_destroy(&loads->lock);
    config_release(loads->config);
    free(loads->routes);
    free(loads);
}
