#include "store/store.h"
#include "common/log.h"
#include "store/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 8, MAX_KEY_BYTES = 1024, DEADLINE_MS = 1000 };

struct store {
    struct freshet_redis_data *data; /* one of the two is set */
    struct store_memory *memory;
    const char *prefix;
    struct freshet_log log;
    struct log_news refusals; /* by the first word of Redis's answer, such as READONLY */
};

/* A command on its way to Redis. */
struct flight {
    struct store *store;
    freshet_redis_reply_cb reply;
    freshet_redis_settled_cb settled; /* NULL: of no interest */
    void *user;
};

static enum freshet_status connect_data(struct store *store, const struct options *options,
                                        struct redis_link *link, struct freshet *freshet,
                                        struct freshet_error *error)
{
    struct freshet_redis_data_options data = {
        .size = sizeof(data),
        .link = redis_link_options(link, options),
        .log = store->log,
        .freshet = freshet,
    };
    if (options->store != NULL) /* another Redis, and its login is not that of the first */
        data.link = (struct freshet_redis_options){.size = sizeof(data.link), .url = options->store};
    return freshet_redis_data_new(&store->data, &data, error);
}

enum freshet_status store_new(struct store **out, const struct options *options, struct redis_link *link,
                              struct freshet *freshet, struct freshet_error *error)
{
    enum freshet_status status = FRESHET_NO_MEMORY;
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL)
        goto fail;
    log_news_init(&store->refusals);
    store->prefix = options->prefix;
    store->log = link->log;
    if (options->redis != NULL || options->store != NULL) {
        status = connect_data(store, options, link, freshet, error);
        if (status != FRESHET_OK)
            goto fail;
    } else {
        store->memory = store_memory_new();
        if (store->memory == NULL)
            goto fail;
    }
    *out = store;
    return FRESHET_OK;
fail:
    if (status == FRESHET_NO_MEMORY)
        strcpy(error->text, "no memory for the store");
    store_destroy(store);
    *out = NULL;
    return status;
}

void store_destroy(struct store *store)
{
    if (store == NULL)
        return;
    freshet_redis_data_destroy(store->data);
    store_memory_destroy(store->memory);
    log_news_deinit(&store->refusals);
    free(store);
}

struct freshet_redis_data *store_link(struct store *store)
{
    return store->data;
}

static void log_refusal(struct store *store, struct freshet_span words)
{
    const char *space = memchr(words.data, ' ', words.len);
    size_t code_len = space == NULL ? words.len : (size_t)(space - words.data);
    if (log_is_news(&store->refusals, freshet_span(words.data, code_len)))
        log_line(&store->log, FRESHET_LOG_WARN, "store: redis refuses commands: %.*s",
                 words.len > 200 ? 200 : (int)words.len, words.data);
}

static void land(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    struct flight *flight = user;
    if (status == FRESHET_OK && reply->type == FRESHET_REDIS_ERROR) {
        log_refusal(flight->store, reply->text);
        status = FRESHET_REFUSED;
        reply = NULL;
    }
    if (status == FRESHET_NO_MEMORY) /* for the reply only: it has run */
        status = FRESHET_UNAVAILABLE;
    flight->reply(status, reply, flight->user);
}

static void settle(bool late, void *user)
{
    struct flight *flight = user;
    if (flight->settled != NULL)
        flight->settled(late, flight->user);
    free(flight);
}

static enum freshet_status send_words(struct store *store, const char *const *words, struct flight *flight)
{
    struct freshet_span arguments[MAX_WORDS];
    char key[MAX_KEY_BYTES];
    size_t prefix_len = strlen(store->prefix), key_len = strlen(words[1]), count = 0;
    if (prefix_len + key_len > sizeof(key))
        return FRESHET_TOO_LARGE;
    memcpy(key, store->prefix, prefix_len);
    memcpy(key + prefix_len, words[1], key_len);
    for (; words[count] != NULL; count++) {
        if (count == MAX_WORDS)
            return FRESHET_TOO_LARGE;
        arguments[count] = freshet_span_text(words[count]);
    }
    arguments[1] = freshet_span(key, prefix_len + key_len);
    return freshet_redis_change(store->data, arguments, count, DEADLINE_MS, land, settle, flight);
}

static void run(struct store *store, const struct flight *request, const char *const *words)
{
    enum freshet_status status = FRESHET_NO_MEMORY;
    struct flight *flight = malloc(sizeof(*flight));
    if (flight != NULL) {
        *flight = *request;
        status = send_words(store, words, flight);
    }
    if (status == FRESHET_OK)
        return;
    free(flight);
    request->reply(status, NULL, request->user);
    if (request->settled != NULL)
        request->settled(false, request->user);
}

void store_command(struct store *store, freshet_redis_reply_cb reply, void *user, const char *const *words)
{
    if (store->memory != NULL)
        store_memory_command(store->memory, reply, user, words);
    else
        run(store, &(struct flight){.store = store, .reply = reply, .user = user}, words);
}

void store_change(struct store *store, freshet_redis_reply_cb reply, freshet_redis_settled_cb settled,
                  void *user, const char *const *words)
{
    if (store->memory == NULL) {
        run(store, &(struct flight){store, reply, settled, user}, words);
        return;
    }
    store_memory_command(store->memory, reply, user, words);
    settled(false, user);
}

bool store_may_have_changed(enum freshet_status status)
{
    return status == FRESHET_OK || status == FRESHET_UNAVAILABLE || status == FRESHET_CLOSED;
}
