#include "load/etags.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct etags_entry {
    size_t key_len, tag_len;
    char bytes[]; /* the key, the tag */
};

void etags_init(struct etags *etags)
{
    memset(etags->places, 0, sizeof(etags->places));
    pthread_mutex_init(&etags->lock, NULL);
}

void etags_clear(struct etags *etags)
{
    pthread_mutex_lock(&etags->lock);
    for (size_t i = 0; i < ETAGS_PLACES; i++) {
        free(etags->places[i]);
        etags->places[i] = NULL;
    }
    pthread_mutex_unlock(&etags->lock);
}

void etags_deinit(struct etags *etags)
{
    etags_clear(etags);
    pthread_mutex_destroy(&etags->lock);
}

/* FNV-1a. Who knows it can make two of his own feeds meet, which costs him a body. */
static struct etags_entry **place_of(struct etags *etags, struct freshet_span key)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.data[i]) * 1099511628211u;
    return &etags->places[(hash ^ hash >> 32) % ETAGS_PLACES];
}

static bool has_key(const struct etags_entry *entry, struct freshet_span key)
{
    return entry != NULL && freshet_span_equal(freshet_span(entry->bytes, entry->key_len), key);
}

void etags_put(struct etags *etags, struct freshet_span key, struct freshet_span tag)
{
    struct etags_entry *entry = NULL;
    if (tag.len > 0 && tag.len <= ETAGS_MAX_BYTES)
        entry = malloc(sizeof(*entry) + key.len + tag.len);
    if (entry != NULL) {
        entry->key_len = key.len;
        entry->tag_len = tag.len;
        memcpy(entry->bytes, key.data, key.len);
        memcpy(entry->bytes + key.len, tag.data, tag.len);
    }
    pthread_mutex_lock(&etags->lock);
    struct etags_entry **place = place_of(etags, key), *old = *place;
    *place = entry;
    pthread_mutex_unlock(&etags->lock);
    free(old);
}

void etags_forget(struct etags *etags, struct freshet_span key)
{
    pthread_mutex_lock(&etags->lock);
    struct etags_entry **place = place_of(etags, key), *old = NULL;
    if (has_key(*place, key)) {
        old = *place;
        *place = NULL;
    }
    pthread_mutex_unlock(&etags->lock);
    free(old);
}

bool etags_find(struct etags *etags, struct freshet_span key, char tag[ETAGS_MAX_BYTES + 1])
{
    pthread_mutex_lock(&etags->lock);
    const struct etags_entry *entry = *place_of(etags, key);
    bool found = has_key(entry, key);
    if (found) {
        memcpy(tag, entry->bytes + entry->key_len, entry->tag_len);
        tag[entry->tag_len] = '\0';
    }
    pthread_mutex_unlock(&etags->lock);
    return found;
}
