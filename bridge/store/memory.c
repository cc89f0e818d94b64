#include "store/memory.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KEYS = 1024 };

struct pair {
    char *field;
    char *value;
};

/* What stands behind a key. A plain number is a hash with the one field "". */
struct hash {
    char *key;
    struct pair *pairs;
    size_t count, capacity;
};

struct store_memory {
    pthread_mutex_t lock;
    struct hash hashes[MAX_KEYS]; /* under the lock */
    size_t count;
};

/* A command's answer, copied out of the hashes, so that it outlives the lock. */
struct answer {
    struct freshet_redis_reply reply;
    void *memory; /* what the reply points into */
};

struct store_memory *store_memory_new(void)
{
    struct store_memory *memory = calloc(1, sizeof(*memory));
    if (memory != NULL)
        pthread_mutex_init(&memory->lock, NULL);
    return memory;
}

void store_memory_destroy(struct store_memory *memory)
{
    if (memory == NULL)
        return;
    for (size_t i = 0; i < memory->count; i++) {
        struct hash *hash = &memory->hashes[i];
        for (size_t j = 0; j < hash->count; j++) {
            free(hash->pairs[j].field);
            free(hash->pairs[j].value);
        }
        free(hash->pairs);
        free(hash->key);
    }
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}

static struct hash *find_hash(struct store_memory *memory, const char *key)
{
    for (size_t i = 0; i < memory->count; i++) {
        if (strcmp(memory->hashes[i].key, key) == 0)
            return &memory->hashes[i];
    }
    return NULL;
}

static enum freshet_status have_hash(struct store_memory *memory, const char *key, struct hash **out)
{
    *out = find_hash(memory, key);
    if (*out != NULL)
        return FRESHET_OK;
    if (memory->count == MAX_KEYS)
        return FRESHET_FULL;
    struct hash *hash = &memory->hashes[memory->count];
    hash->key = strdup(key);
    if (hash->key == NULL)
        return FRESHET_NO_MEMORY;
    memory->count++;
    *out = hash;
    return FRESHET_OK;
}

static struct pair *find_pair(const struct hash *hash, const char *field)
{
    for (size_t i = 0; hash != NULL && i < hash->count; i++) {
        if (strcmp(hash->pairs[i].field, field) == 0)
            return &hash->pairs[i];
    }
    return NULL;
}

static enum freshet_status reserve(struct hash *hash, size_t more)
{
    if (hash->count + more <= hash->capacity)
        return FRESHET_OK;
    size_t capacity = hash->capacity * 2 + more;
    struct pair *pairs = realloc(hash->pairs, capacity * sizeof(*pairs));
    if (pairs == NULL)
        return FRESHET_NO_MEMORY;
    hash->pairs = pairs;
    hash->capacity = capacity;
    return FRESHET_OK;
}

static enum freshet_status add_pair(struct hash *hash, const char *field, char *value)
{
    char *copy = strdup(field);
    if (copy == NULL || reserve(hash, 1) != FRESHET_OK) {
        free(copy);
        return FRESHET_NO_MEMORY;
    }
    hash->pairs[hash->count++] = (struct pair){.field = copy, .value = value};
    return FRESHET_OK;
}

static enum freshet_status set_pair(struct hash *hash, const char *field, const char *value)
{
    char *copy = strdup(value);
    if (copy == NULL)
        return FRESHET_NO_MEMORY;
    struct pair *pair = find_pair(hash, field);
    if (pair != NULL) {
        free(pair->value);
        pair->value = copy;
        return FRESHET_OK;
    }
    enum freshet_status status = add_pair(hash, field, copy);
    if (status != FRESHET_OK)
        free(copy);
    return status;
}

static enum freshet_status add(struct store_memory *memory, const char *key, const char *field,
                               const char *amount, struct answer *answer)
{
    struct hash *hash;
    char text[24];
    enum freshet_status status = have_hash(memory, key, &hash);
    if (status != FRESHET_OK)
        return status;
    const struct pair *pair = find_pair(hash, field);
    int64_t number = pair == NULL ? 0 : strtoll(pair->value, NULL, 10);
    if (__builtin_add_overflow(number, strtoll(amount, NULL, 10), &number))
        return FRESHET_REFUSED;
    snprintf(text, sizeof(text), "%" PRId64, number);
    answer->reply = (struct freshet_redis_reply){.type = FRESHET_REDIS_INTEGER, .integer = number};
    return set_pair(hash, field, text);
}

static enum freshet_status set(struct store_memory *memory, const char *const *words, struct answer *answer)
{
    struct hash *hash;
    enum freshet_status status = have_hash(memory, words[1], &hash);
    for (words += 2; status == FRESHET_OK && words[0] != NULL && words[1] != NULL; words += 2)
        status = set_pair(hash, words[0], words[1]);
    answer->reply = (struct freshet_redis_reply){.type = FRESHET_REDIS_INTEGER};
    return status;
}

static enum freshet_status get(struct store_memory *memory, const char *key, const char *field,
                               struct answer *answer)
{
    const struct pair *pair = find_pair(find_hash(memory, key), field);
    answer->reply.type = FRESHET_REDIS_NIL;
    if (pair == NULL)
        return FRESHET_OK;
    answer->memory = strdup(pair->value);
    if (answer->memory == NULL)
        return FRESHET_NO_MEMORY;
    answer->reply.type = FRESHET_REDIS_TEXT;
    answer->reply.text = freshet_span_text(answer->memory);
    return FRESHET_OK;
}

static struct freshet_redis_reply copy_text(const char *text, char **to)
{
    size_t len = strlen(text);
    struct freshet_redis_reply reply = {.type = FRESHET_REDIS_TEXT, .text = {*to, len}};
    memcpy(*to, text, len);
    *to += len;
    return reply;
}

/* One block: the elements, then their bytes. */
static enum freshet_status get_all(struct store_memory *memory, const char *key, struct answer *answer)
{
    const struct hash *hash = find_hash(memory, key);
    size_t count = hash == NULL ? 0 : hash->count, bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += strlen(hash->pairs[i].field) + strlen(hash->pairs[i].value);
    struct freshet_redis_reply *elements = malloc(2 * count * sizeof(*elements) + bytes + 1);
    if (elements == NULL)
        return FRESHET_NO_MEMORY;
    char *to = (char *)(elements + 2 * count);
    for (size_t i = 0; i < count; i++) {
        elements[2 * i] = copy_text(hash->pairs[i].field, &to);
        elements[2 * i + 1] = copy_text(hash->pairs[i].value, &to);
    }
    answer->memory = elements;
    answer->reply = (struct freshet_redis_reply){
        .type = FRESHET_REDIS_ARRAY, .elements = elements, .element_count = 2 * count};
    return FRESHET_OK;
}

static enum freshet_status run(struct store_memory *memory, const char *const *words, struct answer *answer)
{
    if (strcmp(words[0], "INCR") == 0)
        return add(memory, words[1], "", "1", answer);
    if (strcmp(words[0], "GET") == 0)
        return get(memory, words[1], "", answer);
    if (strcmp(words[0], "HINCRBY") == 0)
        return add(memory, words[1], words[2], words[3], answer);
    if (strcmp(words[0], "HSET") == 0)
        return set(memory, words, answer);
    if (strcmp(words[0], "HGET") == 0)
        return get(memory, words[1], words[2], answer);
    if (strcmp(words[0], "HGETALL") == 0)
        return get_all(memory, words[1], answer);
    return FRESHET_UNSUPPORTED;
}

void store_memory_command(struct store_memory *memory, freshet_redis_reply_cb reply, void *user,
                          const char *const *words)
{
    struct answer answer = {.memory = NULL};
    pthread_mutex_lock(&memory->lock);
    enum freshet_status status = run(memory, words, &answer);
    pthread_mutex_unlock(&memory->lock);
    reply(status, status == FRESHET_OK ? &answer.reply : NULL, user);
    free(answer.memory);
}
