/* The keys of a loader. */
#include "config/config.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define AT(field) offsetof(struct config_loader, field)

/* A URL, or several for the same thing. Its form is looked at where it is filled in. */
#define RIGHT_GET                                                                                            \
    "a URL such as http://127.0.0.1:3000/orders/{orderId}, or a list of them for several servers"
#define RIGHT_REDIS "a list of the words of a command, such as [GET, \"order:{orderId}\"]"

/* ---- load ---- */

/* A name of letters, digits and '-', and a value without line ends: nothing else can become a header. */
static bool is_header(const char *name, const char *value)
{
    for (const char *at = name; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && *at != '-' && *at != '_')
            return false;
    }
    for (const char *at = value; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' && *at != '\t')
            return false;
    }
    return name[0] != '\0';
}

/* { name: text } as lines. */
static bool read_headers(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    if (node->kind != NODE_MAP)
        return false;
    const char **lines = arena_alloc(reading->arena, (node->count + 1) * sizeof(*lines));
    *(const char ***)place = lines;
    for (const struct node *at = node->first; at != NULL; at = at->next) {
        const char *value = NULL;
        unsigned before = reading->problems;
        size_t mark = reading_enter(reading, at->key, 0);
        bool good = read_text(reading, at, &value, key) && value != NULL && is_header(at->key, value);
        if (!good && reading->problems == before)
            reading_complain(reading, at, "wrong value; right is a header's name and its text");
        reading_leave(reading, mark);
        if (!good)
            continue;
        size_t size = strlen(at->key) + strlen(value) + 3;
        char *line = arena_alloc(reading->arena, size);
        snprintf(line, size, "%s: %s", at->key, value);
        *lines++ = line;
    }
    return true;
}

static const struct key load_keys[] = {
    {"get", read_texts, offsetof(struct config_load, get), RIGHT_GET, NULL, false},
    {"redis", read_texts, offsetof(struct config_load, redis), RIGHT_REDIS, NULL, false},
    {"file", read_text, offsetof(struct config_load, file), "a path such as /var/lib/app/{room}.json", NULL,
     false},
    {"forward", read_header_names, offsetof(struct config_load, forward), RIGHT_HEADERS, NULL, false},
    {"headers", read_headers, offsetof(struct config_load, headers),
     "names and texts, such as { authorization: { env: TOKEN } }", NULL, false},
};

static bool read_load(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    struct config_load *load = place;
    (void)key;
    load->node = node;
    if (!reading_map(reading, node, load_keys, sizeof(load_keys) / sizeof(load_keys[0]), load))
        return false;
    if ((load->get != NULL) + (load->redis != NULL) + (load->file != NULL) != 1)
        return false;
    if ((load->headers != NULL || load->forward != NULL) && load->get == NULL)
        reading_complain(reading, node, "headers and forward go with get only");
    return true;
}

/* ---- cache ---- */

static const struct key cache_keys[] = {
    {"max_entries", read_number, offsetof(struct config_cache, max_entries), RIGHT_NUMBER, NULL, false},
    {"max_bytes", read_bytes, offsetof(struct config_cache, max_bytes), RIGHT_BYTES, NULL, false},
    {"max_age", read_time, offsetof(struct config_cache, max_age_ms), RIGHT_TIME, NULL, false},
};

static bool read_cache(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    struct config_cache *cache = place;
    if (node->kind == NODE_TEXT)
        return read_flag(reading, node, &cache->on, key);
    cache->on = true;
    return reading_map(reading, node, cache_keys, sizeof(cache_keys) / sizeof(cache_keys[0]), cache);
}

/* ---- the loader ---- */

/* What is on unless it is said to be off. */
static bool read_absence(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    bool on = true;
    bool good = read_flag(reading, node, &on, key);
    *(bool *)place = !on;
    return good;
}

static bool read_sharing(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    bool shared = false;
    bool good = read_flag(reading, node, &shared, key);
    *(enum config_sharing *)place = shared ? CONFIG_SHARED : CONFIG_NOT_SHARED;
    return good;
}

static const struct key loader_keys[] = {
    {"route", read_text, AT(route), "a path below /live such as order/:orderId", NULL, true},
    {"name", read_text, AT(name), "letters, digits and _ . -", NULL, false},
    {"topic", read_text, AT(topic), "what is published, such as order/:orderId", NULL, false},
    {"load", read_load, AT(load), "a map with one of get, redis and file", NULL, false},
    {"messages", read_flag, AT(messages), RIGHT_FLAG, NULL, false},
    {"shared", read_sharing, AT(shared), RIGHT_FLAG, NULL, false},
    {"per", read_texts, AT(per), "names of what guards find out, such as [user]", NULL, false},
    {"use", read_texts, AT(use), "names of guards, such as [signed-in]", NULL, false},
    {"cache", read_cache, AT(cache), "true, or a map with max_entries, max_bytes and max_age", NULL, false},
    {"timeout", read_time, AT(timeout_ms), RIGHT_TIME, NULL, false},
    {"min_interval", read_time, AT(min_interval_ms), RIGHT_TIME, NULL, false},
    {"max_concurrent_loads", read_number, AT(max_concurrent_loads), RIGHT_NUMBER, NULL, false},
    {"skip_unchanged", read_flag, AT(skip_unchanged), RIGHT_FLAG, NULL, false},
    {"gzip", read_absence, AT(no_gzip), RIGHT_FLAG, NULL, false},
    {"differences", read_absence, AT(no_differences), RIGHT_FLAG, NULL, false},
    {"settle", read_time, AT(settle_ms), RIGHT_TIME, NULL, false},
    {"max_queued_messages", read_number, AT(max_queued_messages), RIGHT_NUMBER, NULL, false},
    {"max_queued_bytes", read_bytes, AT(max_queued_bytes), RIGHT_BYTES, NULL, false},
};

enum config_source config_source_of(const struct config_loader *loader)
{
    if (loader->load.get != NULL)
        return CONFIG_GET;
    if (loader->load.redis != NULL)
        return CONFIG_REDIS;
    return loader->load.file != NULL ? CONFIG_FILE : CONFIG_MESSAGES;
}

/* order/:orderId is order.orderId: what is shown in metrics and log lines. */
static const char *name_of(struct arena *arena, const char *route)
{
    char *name = arena_text(arena, route, strlen(route)), *to = name;
    for (const char *from = route; *from != '\0'; from++) {
        if (*from == '/')
            *to++ = '.';
        else if (isalnum((unsigned char)*from) || *from == '_' || *from == '-' || *from == '.')
            *to++ = *from;
    }
    *to = '\0';
    return name;
}

/* What can't go together. */
static void check(struct reading *reading, const struct config_loader *loader)
{
    const struct node *node = loader->node;
    bool loads = loader->load.node != NULL;
    if (loads == loader->messages)
        reading_complain(reading, node, "needs load, or messages: true, and not both");
    if (loader->shared == CONFIG_SHARED && loader->per != NULL)
        reading_complain(reading, node, "shared and per exclude each other");
    if (loader->load.forward != NULL && (loader->shared == CONFIG_SHARED || loader->per != NULL))
        reading_complain(reading, node,
                         "a load for many has no request to forward from: forward goes without shared "
                         "and per");
    if (loader->messages && loader->cache.on)
        reading_complain(reading, node, "messages are not cached");
    if (loader->per != NULL && loader->use == NULL)
        reading_complain(reading, node, "per needs use: the guards that find out what it names");
}

static void read_loader(struct reading *reading, const struct node *node, struct config_loader *loader)
{
    unsigned before = reading->problems;
    loader->node = node;
    if (!reading_map(reading, node, loader_keys, sizeof(loader_keys) / sizeof(loader_keys[0]), loader))
        reading_complain(reading, node, "wrong value; right is a map with route and load");
    if (reading->problems != before)
        return;
    if (loader->name == NULL)
        loader->name = name_of(reading->arena, loader->route);
    if (loader->topic == NULL)
        loader->topic = loader->route;
    check(reading, loader);
}

bool config_read_loaders(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    struct config *config = place;
    size_t i = 0;
    (void)key;
    if (node->kind != NODE_LIST)
        return false;
    config->loaders = config_array(reading, node, sizeof(*config->loaders));
    config->loader_count = node->count;
    for (const struct node *at = node->first; at != NULL; at = at->next, i++) {
        size_t mark = reading_enter(reading, NULL, i);
        read_loader(reading, at, &config->loaders[i]);
        reading_leave(reading, mark);
    }
    return true;
}
