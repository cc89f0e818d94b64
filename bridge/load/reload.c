/* The file was read again: sources change, streams stay. */
#include "load/internal.h"
#include <string.h>

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_texts(const char **a, const char **b)
{
    if (a == NULL || b == NULL)
        return a == b;
    while (*a != NULL && same_text(*a, *b)) {
        a++;
        b++;
    }
    return same_text(*a, *b);
}

static bool same_cache(const struct config_cache *a, const struct config_cache *b)
{
    return a->on == b->on && a->max_entries == b->max_entries && a->max_bytes == b->max_bytes &&
           a->max_age_ms == b->max_age_ms;
}

/* Whether all that was registered is the same: only where the state comes from may differ, and how long that
 * may take. A file is read on the pool, which is registered, too, with its time. */
static bool is_same(const struct loads_route *route, const struct source *source)
{
    const struct config_loader *a = route->loader, *b = source->loader;
    bool a_file = config_source_of(a) == CONFIG_FILE, b_file = config_source_of(b) == CONFIG_FILE;
    return same_text(a->name, b->name) && same_text(a->topic, b->topic) && a->messages == b->messages &&
           route->shared == source_is_shared(source) && same_texts(a->per, b->per) &&
           same_texts(a->load.forward, b->load.forward) && same_texts(a->use, b->use) &&
           same_cache(&a->cache, &b->cache) && a->skip_unchanged == b->skip_unchanged &&
           a->no_gzip == b->no_gzip && a->no_differences == b->no_differences && a_file == b_file &&
           (!a_file || a->timeout_ms == b->timeout_ms) && a->min_interval_ms == b->min_interval_ms &&
           a->settle_ms == b->settle_ms && a->max_concurrent_loads == b->max_concurrent_loads &&
           a->max_queued_messages == b->max_queued_messages && a->max_queued_bytes == b->max_queued_bytes;
}

static struct loads_route *find_route(const struct loads *loads, const char *route)
{
    for (size_t i = 0; i < loads->count; i++) {
        if (strcmp(loads->routes[i].loader->route, route) == 0)
            return &loads->routes[i];
    }
    return NULL;
}

static const struct config_loader *find_loader(const struct config *config, const char *route)
{
    for (size_t i = 0; i < config->loader_count; i++) {
        if (strcmp(config->loaders[i].route, route) == 0)
            return &config->loaders[i];
    }
    return NULL;
}

/* Everything is looked at before anything changes. */
static bool check_all(struct loads *loads, struct config *config, const struct source **sources)
{
    for (size_t i = 0; i < config->loader_count; i++) {
        size_t mark = reading_enter(&config->reading, "loaders", 0);
        reading_enter(&config->reading, NULL, i);
        sources[i] = source_new(config, &config->loaders[i]);
        if (config_source_of(&config->loaders[i]) == CONFIG_REDIS && !loads->options.has_redis)
            reading_complain(&config->reading, config->loaders[i].node, "redis needs a Redis");
        reading_leave(&config->reading, mark);
    }
    return config->reading.problems == 0;
}

static void take(struct loads *loads, const struct source *source)
{
    struct loads_route *route = find_route(loads, source->loader->route);
    if (route == NULL)
        log_line(loads->options.log, FRESHET_LOG_WARN, "route %s is new: it is served from the next start on",
                 source->loader->route);
    else if (!is_same(route, source))
        log_line(loads->options.log, FRESHET_LOG_WARN,
                 "route %s stays as it was: what has changed beside load counts from the next start on",
                 source->loader->route);
    else
        loads_source_set(route, source);
}

bool loads_reload(struct loads *loads, struct config *config)
{
    const struct source **sources =
        arena_alloc(&config->arena, (config->loader_count + 1) * sizeof(*sources));
    if (!check_all(loads, config, sources))
        return false;
    for (size_t i = 0; i < config->loader_count; i++)
        take(loads, sources[i]);
    for (size_t i = 0; i < loads->count; i++) {
        if (find_loader(config, loads->routes[i].loader->route) == NULL)
            loads_source_set(&loads->routes[i], NULL);
    }
    freshet_loader_retry(loads->options.freshet, NULL, NULL);
    return true;
}
