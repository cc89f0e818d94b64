#include "load/source.h"
#include "fetch/fetch.h"
#include <string.h>

size_t source_next_param(const char **at, const char **name)
{
    while (**at != '\0') {
        size_t len = strcspn(*at, "/");
        const char *segment = *at;
        *at += len;
        *at += **at == '/';
        if (segment[0] == ':') {
            *name = segment + 1;
            return strcspn(segment + 1, "/?*+");
        }
    }
    return 0;
}

/* Whether the route, such as order/:orderId, has that parameter. */
static bool route_has(const char *route, const char *name)
{
    const char *at = route, *found;
    for (size_t len; (len = source_next_param(&at, &found)) > 0;) {
        if (strlen(name) == len && memcmp(found, name, len) == 0)
            return true;
    }
    return false;
}

static bool is_in(const char **names, const char *name)
{
    for (; names != NULL && *names != NULL; names++) {
        if (strcmp(*names, name) == 0)
            return true;
    }
    return false;
}

/* Whether a load knows a value of that name: those who share a feed have in common what makes them share it.
 */
static bool is_known(struct source *source, const char *name)
{
    const struct config_loader *loader = source->loader;
    if (route_has(loader->route, name))
        return true;
    if (loader->shared == CONFIG_SHARED || loader->per != NULL)
        return is_in(loader->per, name);
    source->of_client = true;
    return loader->use != NULL;
}

static bool check_names(struct source *source, const struct template *template, const struct node *node)
{
    const struct config_loader *loader = source->loader;
    for (size_t i = 0; i < template->count; i++) {
        const char *name = template->pieces[i].text;
        if (!template->pieces[i].is_name || is_known(source, name))
            continue;
        reading_complain(&source->config->reading, node,
                         "there is no value {%s}; right is a parameter of the route%s", name,
                         loader->shared == CONFIG_SHARED
                             ? ", and nothing of a single client, since the loader is shared"
                         : loader->per != NULL ? " or a name in per"
                                               : " or, with use, what a guard finds out");
        return false;
    }
    return true;
}

static bool add(struct source *source, enum template_kind kind, const char *text, const struct node *node)
{
    struct config *config = source->config;
    const char *why;
    const struct template *template = template_new(&config->arena, kind, text, &why);
    if (template == NULL) {
        reading_complain(&config->reading, node, "wrong value; right: %s", why);
        return false;
    }
    source->templates[source->count++] = template;
    return check_names(source, template, node);
}

static bool add_all(struct source *source, enum template_kind kind, const char *const *texts, size_t max,
                    const struct node *node)
{
    for (size_t i = 0; texts[i] != NULL; i++) {
        if (i == max) {
            reading_complain(&source->config->reading, node, "too many; right are up to %zu", max);
            return false;
        }
        if (!add(source, kind, texts[i], node))
            return false;
    }
    return true;
}

static bool add_command(struct source *source, const char *const *words, const struct node *node)
{
    if (!reply_shape_of(words[0], &source->shape)) {
        reading_complain(
            &source->config->reading, node,
            "the first word has to be a command that only reads, such as GET, HGETALL or LRANGE");
        return false;
    }
    if (words[1] == NULL) {
        reading_complain(&source->config->reading, node, "the command has no key");
        return false;
    }
    return add_all(source, TEMPLATE_WORD, words, SOURCE_MAX_TEXTS, node);
}

static bool add_texts(struct source *source)
{
    const struct config_load *load = &source->loader->load;
    switch (source->kind) {
    case CONFIG_GET:
        return add_all(source, TEMPLATE_URL, load->get, FETCH_MAX_URLS, node_find(load->node, "get"));
    case CONFIG_REDIS:
        return add_command(source, load->redis, node_find(load->node, "redis"));
    case CONFIG_FILE:
        return add(source, TEMPLATE_FILE, load->file, node_find(load->node, "file"));
    default:
        return true;
    }
}

bool source_is_shared(const struct source *source)
{
    if (source->loader->shared == CONFIG_AS_LOAD_IS)
        return source->loader->per == NULL && !source->of_client;
    return source->loader->shared == CONFIG_SHARED;
}

/* A parameter is the client's to choose: it must not stand in the place of who the client is. */
static bool check_per(const struct source *source)
{
    const struct config_loader *loader = source->loader;
    for (const char **name = loader->per; name != NULL && *name != NULL; name++) {
        if (!route_has(loader->route, *name))
            continue;
        reading_complain(&source->config->reading, node_find(loader->node, "per"),
                         "the route has a parameter %.100s, too; right is another name for one of them",
                         *name);
        return false;
    }
    return true;
}

/* Only what is one for many can be kept for the next of them. */
static bool check_cache(const struct source *source)
{
    const struct config_loader *loader = source->loader;
    if (!loader->cache.on || loader->messages || loader->per != NULL || source_is_shared(source))
        return true;
    reading_complain(&source->config->reading, node_find(loader->node, "cache"),
                     "a load of one stream is not cached: cache goes with shared or per");
    return false;
}

const struct source *source_new(struct config *config, const struct config_loader *loader)
{
    struct source *source = arena_alloc(&config->arena, sizeof(*source));
    source->config = config;
    source->loader = loader;
    source->kind = config_source_of(loader);
    source->timeout_ms = loader->timeout_ms == 0 ? SOURCE_DEFAULT_TIMEOUT_MS : loader->timeout_ms;
    source->templates = arena_alloc(&config->arena, (SOURCE_MAX_TEXTS + 1) * sizeof(*source->templates));
    size_t mark = reading_enter(&config->reading, "load", 0);
    source->of_client = loader->load.forward != NULL;
    bool good = add_texts(source);
    reading_leave(&config->reading, mark);
    return good && check_per(source) && check_cache(source) ? source : NULL;
}
