/* A cache from inside: what the public calls and loaders with the option `cache` share.
 *
 * An entry carries the number that its topic had when its bytes began to be loaded. It is good as long as
 * that is the topic's number still (fr_topics_current()), so nobody has to tell the cache of a publish. */
#ifndef FR_CACHE_H
#define FR_CACHE_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"
#include "base/refcount.h"
#include <freshet/cache.h>
#include <pthread.h>
#include <stdatomic.h>

struct freshet_cache {
    unsigned forks; /* fr_forks() of the process that made it */
    struct fr_refcount references;
    struct freshet_cache_options options; /* defaults filled in */
    struct fr_list link;                  /* in the freshet, under its lock */

    pthread_mutex_t lock;    /* taken before topics.lock; guards the rest */
    struct freshet *freshet; /* NULL: it was destroyed */
    struct fr_map map;
    struct fr_list used; /* entries, the one that was not used for longest first */
    size_t bytes;
    uint64_t invalidations;
    uint64_t numbers; /* given to entries */
};

/* What is known of bytes outside of the cache: the same that an entry knows of its own. */
struct fr_cache_stamp {
    struct freshet_cache_token token; /* when they began to be loaded; `change` 0: nothing is known */
    int64_t put_us;                   /* when they were loaded */
    uint64_t number;                  /* of the entry that has them, too; 0: none */
};

struct freshet_cache *fr_cache_acquire(struct freshet_cache *cache);

/* As the public calls, but a loader's keys begin with a zero byte, found bytes come with a reference to them,
 * and put ones are not copied. *stamp is that of the entry found, or begins one for a put; a put completes
 * it. */
enum freshet_status fr_cache_find(struct freshet_cache *cache, struct freshet_span topic,
                                  struct freshet_span key, struct fr_bytes **bytes,
                                  struct fr_cache_stamp *stamp);
enum freshet_status fr_cache_keep(struct freshet_cache *cache, struct freshet_span topic,
                                  struct freshet_span key, struct fr_cache_stamp *stamp,
                                  struct fr_bytes *bytes);

/* Whether a look-up would give the bytes with this stamp. Those that the cache has no room for, or gave up
 * for a bound, are good as long as an entry of the same age would be. */
bool fr_cache_would_give(struct freshet_cache *cache, struct freshet_span topic, struct freshet_span key,
                         const struct fr_cache_stamp *stamp);

/* The token with which to put what is loaded after this call. */
struct freshet_cache_token fr_cache_token(struct freshet_cache *cache, struct freshet_span topic);

/* The cache has no freshet any more: empties it for good. */
void fr_cache_close(struct freshet_cache *cache);
/* The freshet goes: closes its caches. */
void fr_cache_detach_all(struct freshet *freshet);

#endif
