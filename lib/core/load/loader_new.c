/* How a loader is registered: what its options have to say, and what must not be there before it. */
#include "base/log.h"
#include "base/options.h"
#include "base/text.h"
#include "core/channel/channel.h"
#include "core/load/cache.h"
#include "core/load/load.h"
#include "core/load/loader.h"
#include "core/load/route_guards.h"
#include "core/runtime/context.h"
#include <stdlib.h>
#include <string.h>

#define DEFAULT_LOOP_LOADS      64
#define DEFAULT_QUEUED_MESSAGES 64
#define DEFAULT_QUEUED_BYTES    (1024 * 1024)
#define MOST_HEADERS            16

static bool is_name(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    return name != NULL && name[0] != '\0' && strspn(name, allowed) == strlen(name);
}

/* `.channel = board_channel(error)`: the reason why that is NULL, which stands in `error`, says more than
 * that it is. It begins with one of these. */
static enum freshet_status fail_without_channel(const char *name, struct freshet_error *error)
{
    static const char *const reasons[] = {"channel ", "out of memory"};
    for (size_t i = 0; error != NULL && i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (strncmp(error->text, reasons[i], strlen(reasons[i])) == 0)
            return FRESHET_INVALID;
    return fr_fail(error, FRESHET_INVALID, "loader %s: set one of channel and topic, both are NULL", name);
}

static enum freshet_status check(const struct freshet *freshet, const struct freshet_loader_options *options,
                                 struct freshet_error *error)
{
    if (options == NULL)
        return fr_fail(error, FRESHET_INVALID, "loader: options is NULL");
    if (options->size != sizeof(*options))
        return fr_fail(error, FRESHET_INVALID,
                       "loader options: size must be sizeof(struct freshet_loader_options)");
    if (!is_name(options->name))
        return fr_fail(error, FRESHET_INVALID,
                       "loader name: at least one of A-Z a-z 0-9 _ . - and nothing else");
    if (options->route == NULL)
        return fr_fail(error, FRESHET_INVALID, "loader %s: route is missing", options->name);
    if (options->messages && (options->load != NULL || options->cache != NULL))
        return fr_fail(error, FRESHET_INVALID, "loader %s: messages are neither loaded nor cached",
                       options->name);
    if (options->load == NULL && !options->messages)
        return fr_fail(error, FRESHET_INVALID, "loader %s: load is missing", options->name);
    if (options->channel != NULL && options->topic != NULL)
        return fr_fail(error, FRESHET_INVALID, "loader %s: set one of channel and topic, not both",
                       options->name);
    if (options->channel == NULL && options->topic == NULL)
        return fail_without_channel(options->name, error);
    if (options->shared && options->identity != NULL)
        return fr_fail(error, FRESHET_INVALID, "loader %s: set one of shared and identity", options->name);
    if (options->cache != NULL && !options->shared && options->identity == NULL)
        return fr_fail(error, FRESHET_INVALID, "loader %s: cache is for shared feeds", options->name);
    if (options->cache != NULL && options->cache->freshet != freshet)
        return fr_fail(error, FRESHET_INVALID, "loader %s: the cache is another freshet's", options->name);
    size_t headers = 0;
    while (options->headers != NULL && options->headers[headers] != NULL)
        if (!fr_text_is_header_name(options->headers[headers++]) || headers > MOST_HEADERS)
            return fr_fail(error, FRESHET_INVALID,
                           "loader %s: headers are names in lower case, at most %d of them", options->name,
                           MOST_HEADERS);
    return fr_guards_check(options->use, options->use_count, options->name, error);
}

static unsigned limit_loads(const struct freshet *freshet, const struct freshet_loader_options *options)
{
    if (options->on_loop)
        return options->max_concurrent_loads != 0 ? options->max_concurrent_loads : DEFAULT_LOOP_LOADS;
    /* One loader never holds all of the pool. */
    unsigned most = freshet->options.pool_threads > 1 ? freshet->options.pool_threads - 1 : 1;
    unsigned wanted = options->max_concurrent_loads;
    return wanted != 0 && wanted < most ? wanted : most;
}

static bool copy_guards(struct freshet_loader *loader, const struct freshet_loader_options *options)
{
    if (options->use_count == 0)
        return true;
    loader->guards = calloc(options->use_count, sizeof(*loader->guards));
    if (loader->guards == NULL)
        return false;
    memcpy(loader->guards, options->use, options->use_count * sizeof(*loader->guards));
    loader->guard_count = options->use_count;
    return true;
}

static bool copy_headers(struct freshet_loader *loader, const struct freshet_loader_options *options)
{
    if (options->headers == NULL)
        return true;
    loader->headers = calloc(MOST_HEADERS + 1, sizeof(*loader->headers));
    if (loader->headers == NULL)
        return false;
    for (size_t i = 0; options->headers[i] != NULL; i++)
        if ((loader->headers[i] = strdup(options->headers[i])) == NULL)
            return false;
    return true;
}

/* Feeds of messages are shared, for one connection as well as for many. */
static void set_message_defaults(struct freshet_loader_options *options)
{
    options->shared = options->identity == NULL;
    fr_option_default(&options->max_queued_messages, DEFAULT_QUEUED_MESSAGES);
    fr_option_default(&options->max_queued_bytes, DEFAULT_QUEUED_BYTES);
}

/* With the rest of the options checked: whether the route has the grammar, and gives what the channel needs.
 */
static enum freshet_status make_patterns(struct freshet_loader *loader,
                                         const struct freshet_loader_options *options,
                                         struct freshet_error *error)
{
    struct freshet_error why;
    struct freshet_span culprit;
    enum freshet_status status = fr_pattern_new(&loader->route, options->route, &why);
    if (status != FRESHET_OK)
        return fr_fail(error, status, "loader %.60s: route: %s", options->name, why.text);
    if (options->channel == NULL)
        return FRESHET_OK;
    loader->message_type = fr_channel_type(options->channel);
    status = fr_pattern_new(&loader->channel, freshet_channel_name(options->channel), &why);
    if (status != FRESHET_OK)
        return fr_fail(error, status, "%s", why.text);
    if (fr_pattern_fills(loader->route, loader->channel, &culprit))
        return FRESHET_OK;
    return fr_fail(
        error, FRESHET_INVALID,
        "loader %.60s: parameter \"%s\" of its channel does not come from every path of its route: "
        "%.60s and %.60s",
        options->name, fr_escape(culprit).text, freshet_channel_name(options->channel), options->route);
}

static void set_defaults(struct freshet_loader_options *options)
{
    /* These default to none. */
    if (options->timeout_ms == FRESHET_NEVER)
        options->timeout_ms = 0;
    if (options->min_interval_ms == FRESHET_NEVER)
        options->min_interval_ms = 0;
    if (options->settle_ms == FRESHET_NEVER)
        options->settle_ms = 0;
    if (options->messages)
        set_message_defaults(options);
}

static enum freshet_status make(const struct freshet *freshet, const struct freshet_loader_options *options,
                                struct freshet_loader **out, struct freshet_error *error)
{
    struct freshet_loader *loader = calloc(1, sizeof(*loader));
    if (loader == NULL)
        return fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    fr_refcount_init(&loader->references);
    atomic_init(&loader->complained, false);
    loader->log = freshet->log;
    fr_gate_init(&loader->gate, limit_loads(freshet, options), fr_load_grant);
    loader->options = *options;
    set_defaults(&loader->options);
    if (options->cache != NULL)
        fr_cache_acquire(options->cache);
    enum freshet_status status = make_patterns(loader, options, error);
    loader->name = strdup(options->name);
    if (status == FRESHET_OK &&
        (loader->name == NULL || !copy_guards(loader, options) || !copy_headers(loader, options)))
        status = fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    if (status != FRESHET_OK) {
        fr_loader_release(loader);
        return status;
    }
    *out = loader;
    return FRESHET_OK;
}

/* Whether messages for the one would reach the other, which reads them as something else. */
static bool mixes_types(const struct freshet_loader *a, const struct freshet_loader *b)
{
    return fr_types_differ(a->message_type, b->message_type) &&
           fr_pattern_share_topic(a->channel, b->channel);
}

/* Under the freshet's lock. */
static enum freshet_status add(struct freshet *freshet, struct freshet_loader *loader,
                               struct freshet_error *error)
{
    enum freshet_status status = fr_freshet_may_add(freshet, loader->name, error);
    if (status != FRESHET_OK)
        return status;
    for (struct fr_list *link = freshet->loaders.next; link != &freshet->loaders; link = link->next) {
        const struct freshet_loader *other = FR_CONTAINER(link, struct freshet_loader, link);
        if (strcmp(other->name, loader->name) == 0)
            return fr_fail(error, FRESHET_CONFLICT, "loader %s: the name is taken", loader->name);
        if (fr_pattern_overlap(other->route, loader->route) &&
            fr_pattern_compare(other->route, loader->route) == 0)
            return fr_fail(error, FRESHET_CONFLICT,
                           "loader %s: route %s matches the same paths as route %s of %s", loader->name,
                           fr_pattern_text(loader->route), fr_pattern_text(other->route), other->name);
        if (mixes_types(other, loader))
            return fr_fail(
                error, FRESHET_CONFLICT,
                "loader %s: channel %s can yield the topics of channel %s of %s, whose messages are "
                "of another type",
                loader->name, fr_pattern_text(loader->channel), fr_pattern_text(other->channel), other->name);
    }
    fr_list_append(&freshet->loaders, &loader->link);
    return FRESHET_OK;
}

enum freshet_status freshet_loader_new(struct freshet *freshet, const struct freshet_loader_options *options,
                                       struct freshet_loader **out, struct freshet_error *error)
{
    struct freshet_loader *loader = NULL, *ignored;
    if (out == NULL)
        out = &ignored;
    *out = NULL;
    enum freshet_status status = fr_freshet_check_for(freshet, "loader", error);
    if (status == FRESHET_OK)
        status = check(freshet, options, error);
    if (status == FRESHET_OK)
        status = make(freshet, options, &loader, error);
    if (status != FRESHET_OK)
        return status;
    pthread_mutex_lock(&freshet->lock);
    status = add(freshet, loader, error);
    pthread_mutex_unlock(&freshet->lock);
    if (status != FRESHET_OK) {
        fr_loader_release(loader);
        return status;
    }
    *out = loader;
    return FRESHET_OK;
}
