/* A cache of answers that are still known to be current: bytes by topic and key, good until something is
 * published to the topic, its subscription is given back, or deliveries may have been lost.
 *
 * A loader of shared feeds uses one by its option `cache`; several may share one. What such a feed shows is
 * shown to a new stream only if the cache would give it, so that age and invalidation reach every stream that
 * comes; streams that are there already are not loaded for. Loads of one connection use it by themselves:
 *
 *     struct freshet_cached cached;
 *     struct freshet_cache_token token;
 *     if (freshet_cache_look_up(cache, context->topic, key, &cached, &token) == FRESHET_OK) {
 *         freshet_load_answer(load, cached.bytes);
 *         freshet_cached_release(&cached);
 *         return;
 *     }
 *     ... ask the database, after the look-up ...
 *     freshet_cache_put(cache, context->topic, key, token, bytes);
 *     freshet_load_answer(load, bytes);
 *
 * A topic is subscribed as long as it has streams, and linger_ms longer: only that long is anything known to
 * be current.
 *
 * SPDX-License-Identifier: MIT */
#ifndef FRESHET_CACHE_H
#define FRESHET_CACHE_H

#include <freshet/instance.h>
#include <freshet/span.h>
#include <freshet/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Any thread; nothing here blocks. Counted: the application and each loader that uses it hold it. */
struct freshet_cache;

/* A zeroed struct with `size` set means all defaults. Read only during freshet_cache_new(). Past the first
 * two the entry goes that was not used for longest. */
struct freshet_cache_options {
    size_t size;          /* sizeof(struct freshet_cache_options) */
    uint32_t max_entries; /* default 1024 */
    size_t max_bytes;     /* of all entries, with their topics and keys; default 16 MiB */
    uint32_t max_age_ms;  /* an older entry is not used; default none */
};

/* What a look-up found: `bytes` stay as they are until the release, whatever becomes of the entry. */
struct freshet_cached {
    struct freshet_span bytes; /* as they were put */
    const void *internal;      /* the library's */
};

/* What a topic was like at a look-up. A plain value, good for a put of any key of that topic. */
struct freshet_cache_token {
    uint64_t change;        /* the number of the topic's last change; 0: nothing can be put */
    uint64_t invalidations; /* of the cache, so far */
};

/* Makes a cache for the topics of `freshet`. `options` may be NULL. The application holds it:
 * freshet_cache_release(). FRESHET_INVALID: an option, `error` says which. FRESHET_NO_MEMORY. On failure *out
 * is NULL. */
enum freshet_status freshet_cache_new(struct freshet_cache **out, struct freshet *freshet,
                                      const struct freshet_cache_options *options,
                                      struct freshet_error *error);

/* Gives the application's hold up; loaders keep theirs. Before freshet_destroy() or after it has returned,
 * not meanwhile. Without its freshet a cache is empty and takes nothing; loads that are still out may go on
 * using it until the release. NULL is fine. */
void freshet_cache_release(struct freshet_cache *cache);

/* Finds what is stored under a topic and a key, any bytes that do not begin with a zero byte. FRESHET_OK:
 * *cached is to be released. FRESHET_NOT_FOUND: nothing that is known to be current; what is loaded after
 * this call may be put with *token. FRESHET_INVALID: the topic or the key. FRESHET_NO_MEMORY. *token is
 * written in every case, so that it can be given to freshet_cache_put(). */
enum freshet_status freshet_cache_look_up(struct freshet_cache *cache, struct freshet_span topic,
                                          struct freshet_span key, struct freshet_cached *cached,
                                          struct freshet_cache_token *token);

/* Releases what a look-up found and clears it; once for each FRESHET_OK. Cleared is fine. */
void freshet_cached_release(struct freshet_cached *cached);

/* Stores a copy of `bytes`, in place of what is there. They must have been read after the look-up that gave
 * `token`. FRESHET_OK. FRESHET_STALE: since the look-up something was published to the topic, its
 * subscription was not in force all the time, or something of the cache was invalidated. FRESHET_TOO_LARGE:
 * over max_bytes alone. FRESHET_INVALID: the topic or the key. FRESHET_NO_MEMORY. */
enum freshet_status freshet_cache_put(struct freshet_cache *cache, struct freshet_span topic,
                                      struct freshet_span key, struct freshet_cache_token token,
                                      struct freshet_span bytes);

/* Removes an entry, for a change that nobody publishes. No look-up from before, of whatever topic, leads to a
 * put any more. FRESHET_OK: also when there was none. FRESHET_INVALID: the topic or the key.
 * FRESHET_NO_MEMORY: nothing was removed. */
enum freshet_status freshet_cache_invalidate(struct freshet_cache *cache, struct freshet_span topic,
                                             struct freshet_span key);

/* As freshet_cache_invalidate(), for all keys of a topic, those of loaders too. Looks at every entry. */
void freshet_cache_invalidate_topic(struct freshet_cache *cache, struct freshet_span topic);

#ifdef __cplusplus
}
#endif
#endif
