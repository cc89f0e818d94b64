#include "app/live.h"
#include "admin/admin.h"
#include "app/tls.h"
#include "fetch/fetch.h"
#include "guard/guards.h"
#include "load/loads.h"
#include "publish/publish.h"
#include "store/redis_link.h"
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct live {
    struct app *app;
    struct publish_door publish;
    struct admin *admin;
    struct guards *guards;
    struct loads *loads;
};

static bool has_redis(const struct options *options)
{
    return options->redis != NULL || options->store != NULL;
}

/* ---- start ---- */

/* The loaders, behind the guards, both of the config. NULL: no memory, which is told. */
static struct loads *make_loads(struct loads_options *options, const struct guards *guards,
                                struct config *config)
{
    struct loads_guard *list = calloc(guards_count(guards) + 1, sizeof(*list));
    if (list == NULL) {
        reading_complain(&config->reading, NULL, "no memory for the guards");
        return NULL;
    }
    for (; options->guard_count < guards_count(guards); options->guard_count++)
        list[options->guard_count].guard =
            guards_at(guards, options->guard_count, &list[options->guard_count].name);
    options->guards = list;
    options->headers = guards_headers(guards);
    struct loads *loads = loads_new(options, config);
    free(list);
    return loads;
}

/* What has a token of its own. */
static enum freshet_status start_doors(struct live *live, struct app *app, struct freshet_error *error)
{
    const struct config_publish *publish = &app->config->publish;
    if (publish->token != NULL)
        publish_start(&live->publish, app, publish->path, publish->token);
    return admin_start(&live->admin, app, app->config->admin.token, error);
}

enum freshet_status live_start(struct live **out, struct app *app, struct freshet_error *error)
{
    struct live *live = *out = calloc(1, sizeof(*live));
    if (live == NULL) {
        strcpy(error->text, "no memory for the loaders");
        return FRESHET_NO_MEMORY;
    }
    live->app = app;
    enum freshet_status status = fetcher_new(&app->fetcher, app->options->backend_ca, error);
    if (status != FRESHET_OK)
        return status;
    struct loads_options options = {.freshet = app->freshet,
                                    .fetcher = app->fetcher,
                                    .store = app->store,
                                    .has_redis = has_redis(app->options),
                                    .max_bytes = app->options->library.max_snapshot_bytes,
                                    .log = &app->log};
    status = start_doors(live, app, error);
    if (status != FRESHET_OK)
        return status;
    live->guards =
        guards_new(&(struct guards_options){.fetcher = app->fetcher, .log = &app->log}, app->config);
    if (live->guards != NULL)
        live->loads = make_loads(&options, live->guards, app->config);
    return live->loads != NULL && app->config->reading.problems == 0 ? FRESHET_OK : FRESHET_INVALID;
}

void live_end_requests(struct live *live)
{
    if (live == NULL)
        return;
    admin_end(live->admin);
    fetcher_destroy(live->app->fetcher);
    live->app->fetcher = NULL;
}

void live_stop(struct live *live)
{
    if (live == NULL)
        return;
    loads_destroy(live->loads);
    guards_destroy(live->guards);
    admin_destroy(live->admin);
    free(live);
}

/* ---- again ---- */

static bool differs(const struct node *a, const struct node *b)
{
    if (a == NULL || b == NULL || a->kind != b->kind || a->count != b->count)
        return a != b;
    if (a->kind == NODE_TEXT)
        return strcmp(a->text, b->text) != 0;
    const struct node *other = b->first;
    for (const struct node *at = a->first; at != NULL; at = at->next, other = other->next) {
        if (differs(at, other) || (a->kind == NODE_MAP && strcmp(at->key, other->key) != 0))
            return true;
    }
    return false;
}

/* Of all that is not loaders: what the process was made with. */
static void log_what_waits(const struct app *app, const struct config *config)
{
    for (const struct node *at = config->root->first; at != NULL; at = at->next) {
        if (strcmp(at->key, "loaders") != 0 && differs(at, node_find(app->config->root, at->key)))
            log_line(&app->log, FRESHET_LOG_WARN, "%.100s has changed: it counts from the next start on",
                     at->key);
    }
    for (const struct node *at = app->config->root->first; at != NULL; at = at->next) {
        if (strcmp(at->key, "loaders") != 0 && node_find(config->root, at->key) == NULL)
            log_line(&app->log, FRESHET_LOG_WARN, "%.100s is gone: that counts from the next start on",
                     at->key);
    }
}

/* Complaints become log lines. */
static void log_complaints(const struct app *app, char *complaints)
{
    for (char *rest = complaints, *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (line[0] != '\0')
            log_line(&app->log, FRESHET_LOG_ERROR, "%s", line);
    }
}

static bool read_again(struct live *live, options_env env, FILE *err)
{
    struct app *app = live->app;
    struct options *options =
        calloc(1, sizeof(*options)); /* for its form: what it says counts at the start */
    if (options == NULL)
        return false;
    options_set_defaults(options);
    struct config *config = config_new(app->options->config, options, env, err);
    bool good = config != NULL && loads_reload(live->loads, config);
    if (good)
        log_what_waits(app, config);
    config_release(config);
    free(options);
    return good;
}

void live_reload(struct live *live, options_env env)
{
    char *complaints = NULL;
    size_t len;
    FILE *err = open_memstream(&complaints, &len);
    bool good = err != NULL && read_again(live, env, err);
    if (err != NULL)
        fclose(err);
    if (complaints != NULL)
        log_complaints(live->app, complaints);
    free(complaints);
    if (good)
        log_line(&live->app->log, FRESHET_LOG_INFO, "%s: read again", live->app->options->config);
    else
        log_line(&live->app->log, FRESHET_LOG_ERROR, "%s: not taken, all stays as it is",
                 live->app->options->config);
}

/* ---- check ---- */

static void check_redis(struct config *config, const char *key, const struct freshet_redis_options *redis)
{
    struct freshet_bus *bus;
    struct freshet_error error;
    if (redis->url == NULL)
        return;
    if (freshet_redis_bus_new(&bus, redis, &error) == FRESHET_OK)
        freshet_bus_destroy(bus);
    else
        reading_complain(&config->reading, node_find(config->root, key), "%s: %s", key, error.text);
}

/* Both are made, and connect to nothing. */
static void check_links(const struct options *options, struct config *config)
{
    struct redis_link link;
    struct freshet_error error;
    struct freshet_redis_options store = {.size = sizeof(store), .url = options->store};
    struct freshet_log log = log_to_stderr(FRESHET_LOG_ERROR);
    if (redis_link_init(&link, options, &log, &error) != FRESHET_OK)
        reading_complain(&config->reading, NULL, "%s", error.text);
    struct freshet_redis_options redis = redis_link_options(&link, options);
    check_redis(config, "redis", &redis);
    check_redis(config, "store", &store);
    redis_link_deinit(&link);
}

static void check_backends(const struct options *options, struct config *config)
{
    struct fetcher *fetcher;
    struct freshet_error error;
    if (fetcher_new(&fetcher, options->backend_ca, &error) != FRESHET_OK)
        reading_complain(&config->reading, node_find(config->root, "backend_ca"), "%s", error.text);
    fetcher_destroy(fetcher);
}

static void check_tls(const struct options *options, struct config *config)
{
    SSL_CTX *context;
    struct freshet_error error;
    if (tls_new(&context, options, &error) != FRESHET_OK)
        reading_complain(&config->reading, NULL, "%s", error.text);
    SSL_CTX_free(context);
}

bool live_check(const struct options *options, struct config *config)
{
    struct freshet *freshet;
    struct freshet_error error;
    struct freshet_log log = log_to_stderr(FRESHET_LOG_ERROR);
    if (freshet_new(&freshet, NULL, &error) != FRESHET_OK) {
        reading_complain(&config->reading, NULL, "%s", error.text);
        return false;
    }
    struct guards *guards = guards_new(&(struct guards_options){.log = &log}, config);
    struct loads_options loads = {.freshet = freshet, .has_redis = has_redis(options), .log = &log};
    struct loads *made = guards == NULL ? NULL : make_loads(&loads, guards, config);
    freshet_destroy(freshet, 0);
    loads_destroy(made);
    guards_destroy(guards);
    check_links(options, config);
    check_backends(options, config);
    check_tls(options, config);
    return config->reading.problems == 0;
}
