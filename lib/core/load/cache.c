#include "core/load/cache.h"

#include "base/clock.h"
#include "base/forks.h"
#include "core/runtime/context.h"
#include <stdlib.h>
#include <string.h>

#define SHORT_KEY 768

struct entry {
    struct fr_map_node node;
    struct fr_list used;
    struct fr_bytes *bytes;
    uint64_t change; /* its topic's, when the bytes began to be loaded */
    uint64_t number; /* its own: another entry with the same key has another one */
    int64_t put_us;
    size_t cost;
    char text[];
};

/* Topic and key in one, for the map: the length of the topic in two bytes, the topic, the key. */
struct key {
    struct freshet_span span;
    char *memory; /* of a long one */
    char text[SHORT_KEY];
};

static bool is_topic(struct freshet_span topic)
{
    return topic.data != NULL && topic.len > 0 && topic.len <= FRESHET_MAX_TOPIC_BYTES;
}

static bool make_key(struct key *key, struct freshet_span topic, struct freshet_span rest)
{
    size_t len = 2 + topic.len + rest.len;
    key->memory = len <= sizeof(key->text) ? NULL : malloc(len);
    char *at = len <= sizeof(key->text) ? key->text : key->memory;
    if (at == NULL)
        return false;
    key->span = freshet_span(at, len);
    at[0] = (char)(topic.len >> 8);
    at[1] = (char)topic.len;
    memcpy(at + 2, topic.data, topic.len);
    if (rest.len > 0)
        memcpy(at + 2 + topic.len, rest.data, rest.len);
    return true;
}

static bool is_of_topic(const struct entry *entry, struct freshet_span topic)
{
    const unsigned char *text = (const unsigned char *)entry->text;
    size_t len = (size_t)text[0] << 8 | text[1];
    return freshet_span_equal(freshet_span(entry->text + 2, len), topic);
}

/* ---- entries; all under the lock ---- */

/* What is taken out may hold bytes that the application frees: `gone` is freed without the lock. */
static void take_out(struct freshet_cache *cache, struct entry *entry, struct fr_list *gone)
{
    fr_map_remove(&cache->map, &entry->node);
    fr_list_remove(&entry->used);
    fr_list_append(gone, &entry->used);
    cache->bytes -= entry->cost;
}

static void free_entry(struct entry *entry)
{
    fr_bytes_release(entry->bytes);
    free(entry);
}

static void free_entries(struct fr_list *gone)
{
    while (!fr_list_is_empty(gone))
        free_entry(FR_CONTAINER(fr_list_shift(gone), struct entry, used));
}

static struct entry *find(const struct freshet_cache *cache, struct freshet_span key)
{
    struct fr_map_node *node = fr_map_get(&cache->map, key);
    return node == NULL ? NULL : FR_CONTAINER(node, struct entry, node);
}

/* The topic's number now; 0: nothing is known of it. */
static uint64_t change_of(struct freshet_cache *cache, struct freshet_span topic)
{
    return cache->freshet == NULL ? 0 : fr_topics_current(&cache->freshet->topics, topic);
}

static bool is_young(const struct freshet_cache *cache, int64_t put_us)
{
    int64_t age_us = fr_freshet_now_us(cache->freshet) - put_us;
    return cache->options.max_age_ms == 0 || age_us <= (int64_t)cache->options.max_age_ms * FR_US_PER_MS;
}

/* A good entry, now the one used last; one that is not good is taken out. */
static struct entry *use(struct freshet_cache *cache, struct freshet_span key, uint64_t change,
                         struct fr_list *gone)
{
    struct entry *entry = find(cache, key);
    if (entry == NULL)
        return NULL;
    if (change == 0 || entry->change != change || !is_young(cache, entry->put_us)) {
        take_out(cache, entry, gone);
        return NULL;
    }
    fr_list_remove(&entry->used);
    fr_list_append(&cache->used, &entry->used);
    return entry;
}

static void add(struct freshet_cache *cache, struct entry *entry, struct fr_list *gone)
{
    struct entry *before = find(cache, entry->node.key);
    if (before != NULL)
        take_out(cache, before, gone);
    entry->number = ++cache->numbers;
    entry->put_us = fr_freshet_now_us(cache->freshet);
    fr_map_put(&cache->map, entry->node.key, &entry->node);
    fr_list_append(&cache->used, &entry->used);
    cache->bytes += entry->cost;
    while (cache->map.count > cache->options.max_entries || cache->bytes > cache->options.max_bytes) {
        take_out(cache, FR_CONTAINER(cache->used.next, struct entry, used), gone);
        fr_count(&fr_freshet_counters(cache->freshet)->cache_evicted, 1);
    }
}

static struct entry *new_entry(struct freshet_span key, struct fr_bytes *bytes, uint64_t change)
{
    struct entry *entry = malloc(sizeof(*entry) + key.len);
    if (entry == NULL)
        return NULL;
    *entry = (struct entry){.bytes = fr_bytes_acquire(bytes), .change = change};
    memcpy(entry->text, key.data, key.len);
    entry->node.key = freshet_span(entry->text, key.len);
    entry->cost = sizeof(*entry) + key.len + bytes->span.len;
    fr_list_init(&entry->used);
    return entry;
}

/* ---- inside ---- */

/* Under the lock: as long as it is held, the freshet is alive. */
static void count_look_up(struct freshet_cache *cache, bool hit)
{
    struct fr_counters *counters = fr_freshet_counters(cache->freshet);
    fr_count(hit ? &counters->cache_hits : &counters->cache_misses, 1);
}

static void count_refusal(struct freshet_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    if (cache->freshet != NULL)
        fr_count(&fr_freshet_counters(cache->freshet)->cache_refused, 1);
    pthread_mutex_unlock(&cache->lock);
}

/* Under the lock. */
static struct freshet_cache_token make_token(struct freshet_cache *cache, struct freshet_span topic)
{
    return (struct freshet_cache_token){.change = change_of(cache, topic),
                                        .invalidations = cache->invalidations};
}

struct freshet_cache_token fr_cache_token(struct freshet_cache *cache, struct freshet_span topic)
{
    pthread_mutex_lock(&cache->lock);
    struct freshet_cache_token token = make_token(cache, topic);
    pthread_mutex_unlock(&cache->lock);
    return token;
}

enum freshet_status fr_cache_find(struct freshet_cache *cache, struct freshet_span topic,
                                  struct freshet_span key, struct fr_bytes **bytes,
                                  struct fr_cache_stamp *stamp)
{
    struct key whole;
    struct fr_list gone;
    *bytes = NULL;
    *stamp = (struct fr_cache_stamp){.number = 0};
    if (!make_key(&whole, topic, key))
        return FRESHET_NO_MEMORY;
    fr_list_init(&gone);
    pthread_mutex_lock(&cache->lock);
    stamp->token = make_token(cache, topic);
    struct entry *entry = use(cache, whole.span, stamp->token.change, &gone);
    if (entry != NULL) {
        *bytes = fr_bytes_acquire(entry->bytes);
        stamp->number = entry->number;
        stamp->put_us = entry->put_us;
    }
    if (cache->freshet != NULL)
        count_look_up(cache, entry != NULL);
    pthread_mutex_unlock(&cache->lock);
    free_entries(&gone);
    free(whole.memory);
    return *bytes != NULL ? FRESHET_OK : FRESHET_NOT_FOUND;
}

/* Under the lock. The number may change right after it was compared: what is put is then never good. */
static bool is_in_force(struct freshet_cache *cache, struct freshet_span topic,
                        const struct freshet_cache_token *token)
{
    return token->change != 0 && token->change == change_of(cache, topic) &&
           token->invalidations == cache->invalidations;
}

bool fr_cache_would_give(struct freshet_cache *cache, struct freshet_span topic, struct freshet_span key,
                         const struct fr_cache_stamp *stamp)
{
    struct key whole;
    struct fr_list gone;
    if (!make_key(&whole, topic, key))
        return false;
    fr_list_init(&gone);
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = use(cache, whole.span, change_of(cache, topic), &gone);
    bool gives = entry != NULL ? entry->number == stamp->number
                               : is_in_force(cache, topic, &stamp->token) && is_young(cache, stamp->put_us);
    if (gives)
        count_look_up(cache, true);
    pthread_mutex_unlock(&cache->lock);
    free_entries(&gone);
    free(whole.memory);
    return gives;
}

/* Takes `entry` over. */
static enum freshet_status put(struct freshet_cache *cache, struct freshet_span topic, struct entry *entry,
                               struct fr_cache_stamp *stamp)
{
    struct fr_list gone;
    fr_list_init(&gone);
    pthread_mutex_lock(&cache->lock);
    bool in_force = is_in_force(cache, topic, &stamp->token);
    if (in_force) {
        add(cache, entry, &gone);
        stamp->number = entry->number;
    }
    pthread_mutex_unlock(&cache->lock);
    free_entries(&gone);
    if (!in_force)
        free_entry(entry);
    return in_force ? FRESHET_OK : FRESHET_STALE;
}

static enum freshet_status keep(struct freshet_cache *cache, struct freshet_span topic,
                                struct freshet_span key, struct fr_cache_stamp *stamp, struct fr_bytes *bytes)
{
    struct key whole;
    if (!make_key(&whole, topic, key))
        return FRESHET_NO_MEMORY;
    struct entry *entry = new_entry(whole.span, bytes, stamp->token.change);
    free(whole.memory);
    if (entry == NULL)
        return FRESHET_NO_MEMORY;
    if (entry->cost > cache->options.max_bytes) {
        free_entry(entry);
        return FRESHET_TOO_LARGE;
    }
    return put(cache, topic, entry, stamp);
}

enum freshet_status fr_cache_keep(struct freshet_cache *cache, struct freshet_span topic,
                                  struct freshet_span key, struct fr_cache_stamp *stamp,
                                  struct fr_bytes *bytes)
{
    enum freshet_status status = keep(cache, topic, key, stamp, bytes);
    if (status != FRESHET_OK)
        count_refusal(cache);
    return status;
}

/* ---- the public calls ---- */

/* A child of fork() must not even take its lock. */
static bool is_usable(const struct freshet_cache *cache)
{
    return cache != NULL && cache->forks == fr_forks();
}

static bool is_valid(const struct freshet_cache *cache, struct freshet_span topic, struct freshet_span key)
{
    return is_usable(cache) && is_topic(topic) && (key.len == 0 || (key.data != NULL && key.data[0] != '\0'));
}

enum freshet_status freshet_cache_look_up(struct freshet_cache *cache, struct freshet_span topic,
                                          struct freshet_span key, struct freshet_cached *cached,
                                          struct freshet_cache_token *token)
{
    struct fr_bytes *bytes;
    struct fr_cache_stamp stamp;
    if (cached != NULL)
        *cached = (struct freshet_cached){0};
    if (token != NULL)
        *token = (struct freshet_cache_token){0};
    if (cached == NULL || token == NULL || !is_valid(cache, topic, key))
        return FRESHET_INVALID;
    enum freshet_status status = fr_cache_find(cache, topic, key, &bytes, &stamp);
    *token = stamp.token;
    if (status == FRESHET_OK)
        *cached = (struct freshet_cached){.bytes = bytes->span, .internal = bytes};
    return status;
}

void freshet_cached_release(struct freshet_cached *cached)
{
    if (cached == NULL)
        return;
    fr_bytes_release((struct fr_bytes *)cached->internal);
    *cached = (struct freshet_cached){0};
}

enum freshet_status freshet_cache_put(struct freshet_cache *cache, struct freshet_span topic,
                                      struct freshet_span key, struct freshet_cache_token token,
                                      struct freshet_span bytes)
{
    if (!is_valid(cache, topic, key) || (bytes.data == NULL && bytes.len > 0))
        return FRESHET_INVALID;
    bool fits = bytes.len <= cache->options.max_bytes;
    struct fr_bytes *copy = fits ? fr_bytes_copy(bytes) : NULL;
    if (copy == NULL) {
        count_refusal(cache);
        return fits ? FRESHET_NO_MEMORY : FRESHET_TOO_LARGE;
    }
    enum freshet_status status =
        fr_cache_keep(cache, topic, key, &(struct fr_cache_stamp){.token = token}, copy);
    fr_bytes_release(copy);
    return status;
}

enum freshet_status freshet_cache_invalidate(struct freshet_cache *cache, struct freshet_span topic,
                                             struct freshet_span key)
{
    struct key whole;
    struct fr_list gone;
    if (!is_valid(cache, topic, key))
        return FRESHET_INVALID;
    if (!make_key(&whole, topic, key))
        return FRESHET_NO_MEMORY;
    fr_list_init(&gone);
    pthread_mutex_lock(&cache->lock);
    cache->invalidations++;
    struct entry *entry = find(cache, whole.span);
    if (entry != NULL)
        take_out(cache, entry, &gone);
    pthread_mutex_unlock(&cache->lock);
    free_entries(&gone);
    free(whole.memory);
    return FRESHET_OK;
}

/* Those of a topic; NULL: all. */
static void take_out_all(struct freshet_cache *cache, const struct freshet_span *topic, struct fr_list *gone)
{
    for (struct fr_list *link = cache->used.next, *next; link != &cache->used; link = next) {
        struct entry *entry = FR_CONTAINER(link, struct entry, used);
        next = link->next;
        if (topic == NULL || is_of_topic(entry, *topic))
            take_out(cache, entry, gone);
    }
}

void freshet_cache_invalidate_topic(struct freshet_cache *cache, struct freshet_span topic)
{
    struct fr_list gone;
    if (!is_usable(cache) || !is_topic(topic))
        return;
    fr_list_init(&gone);
    pthread_mutex_lock(&cache->lock);
    cache->invalidations++;
    take_out_all(cache, &topic, &gone);
    pthread_mutex_unlock(&cache->lock);
    free_entries(&gone);
}

void fr_cache_close(struct freshet_cache *cache)
{
    struct fr_list gone;
    fr_list_init(&gone);
    pthread_mutex_lock(&cache->lock);
    cache->freshet = NULL;
    take_out_all(cache, NULL, &gone);
    pthread_mutex_unlock(&cache->lock);
    free_entries(&gone);
}
