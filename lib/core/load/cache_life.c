/* How a cache begins and ends: it may outlast its freshet, and its loaders may outlast the application's
 * hold. */
#include "base/log.h"
#include "core/load/cache.h"
#include "core/runtime/context.h"
#include <stdlib.h>

#define DEFAULT_ENTRIES 1024
#define DEFAULT_BYTES   (16 * 1024 * 1024)

static enum freshet_status read_options(struct freshet_cache *cache,
                                        const struct freshet_cache_options *options,
                                        struct freshet_error *error)
{
    if (options != NULL && options->size != sizeof(*options))
        return fr_fail(error, FRESHET_INVALID,
                       "cache options: size must be sizeof(struct freshet_cache_options)");
    if (options != NULL)
        cache->options = *options;
    if (cache->options.max_entries == 0)
        cache->options.max_entries = DEFAULT_ENTRIES;
    if (cache->options.max_bytes == 0)
        cache->options.max_bytes = DEFAULT_BYTES;
    if (cache->options.max_age_ms == FRESHET_NEVER)
        cache->options.max_age_ms = 0;
    return FRESHET_OK;
}

static void free_cache(struct freshet_cache *cache)
{
    fr_cache_close(cache);
    fr_map_deinit(&cache->map);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

enum freshet_status freshet_cache_new(struct freshet_cache **out, struct freshet *freshet,
                                      const struct freshet_cache_options *options,
                                      struct freshet_error *error)
{
    if (out != NULL)
        *out = NULL;
    if (out == NULL)
        return fr_fail(error, FRESHET_INVALID, "cache: out is NULL");
    enum freshet_status status = fr_freshet_check_for(freshet, "cache", error);
    if (status != FRESHET_OK)
        return status;
    struct freshet_cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL)
        return fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    fr_refcount_init(&cache->references);
    pthread_mutex_init(&cache->lock, NULL);
    fr_list_init(&cache->used);
    status = read_options(cache, options, error);
    if (status == FRESHET_OK && !fr_map_init(&cache->map))
        status = fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    if (status != FRESHET_OK) {
        free_cache(cache);
        return status;
    }
    cache->freshet = freshet;
    cache->forks = freshet->forks;
    pthread_mutex_lock(&freshet->lock);
    fr_list_append(&freshet->caches, &cache->link);
    pthread_mutex_unlock(&freshet->lock);
    *out = cache;
    return FRESHET_OK;
}

struct freshet_cache *fr_cache_acquire(struct freshet_cache *cache)
{
    fr_refcount_acquire(&cache->references);
    return cache;
}

/* The last hold is given up either while the freshet lives, by the application, or after it was detached: its
 * loaders live as long as the freshet. */
void freshet_cache_release(struct freshet_cache *cache)
{
    if (cache == NULL || cache->forks != fr_forks() || !fr_refcount_release(&cache->references))
        return;
    if (cache->freshet != NULL) {
        pthread_mutex_lock(&cache->freshet->lock);
        fr_list_remove(&cache->link);
        pthread_mutex_unlock(&cache->freshet->lock);
    }
    free_cache(cache);
}

static struct freshet_cache *shift(struct freshet *freshet)
{
    pthread_mutex_lock(&freshet->lock);
    struct fr_list *link = fr_list_shift(&freshet->caches);
    pthread_mutex_unlock(&freshet->lock);
    return link == NULL ? NULL : FR_CONTAINER(link, struct freshet_cache, link);
}

void fr_cache_detach_all(struct freshet *freshet)
{
    for (struct freshet_cache *cache; (cache = shift(freshet)) != NULL;)
        fr_cache_close(cache);
}
