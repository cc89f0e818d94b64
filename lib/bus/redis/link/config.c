#include "bus/redis/link/config.h"

#include "base/log.h"
#include "base/options.h"
#include "bus/redis/link/tls.h"
#include <freshet/message.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_URL    "redis://127.0.0.1:6379"
#define DEFAULT_PREFIX "freshet:"
#define MAX_PREFIX     256

static void fill_all(struct freshet_redis_options *options)
{
    fr_option_default(&options->connect_timeout_ms, 1000);
    fr_option_default(&options->backoff_min_ms, 50);
    fr_option_default(&options->backoff_max_ms, 500);
    fr_option_default(&options->link_timeout_ms, 5000);
    fr_option_default(&options->probe_interval_ms, 1000);
    fr_option_default(&options->max_message_bytes, FRESHET_DEFAULT_MESSAGE_BYTES);
    fr_option_default(&options->max_queued_publishes, 65536);
    fr_option_default(&options->max_queued_bytes, 16 << 20);
    fr_option_default(&options->max_queued_ms, 60000);
    if (options->url == NULL)
        options->url = DEFAULT_URL;
    if (options->prefix == NULL)
        options->prefix = DEFAULT_PREFIX;
}

static enum freshet_status check(const struct freshet_redis_options *options, struct freshet_error *error)
{
    if (options->backoff_min_ms > options->backoff_max_ms)
        return fr_fail(error, FRESHET_INVALID, "redis: backoff_min_ms is over backoff_max_ms");
    if (options->prefix[0] == '\0' || strlen(options->prefix) > MAX_PREFIX)
        return fr_fail(error, FRESHET_INVALID, "redis: prefix is empty or longer than %d bytes", MAX_PREFIX);
    if ((options->tls_cert_file == NULL) != (options->tls_key_file == NULL))
        return fr_fail(error, FRESHET_INVALID, "redis: tls_cert_file and tls_key_file need each other");
    return FRESHET_OK;
}

/* Without TLS they would do nothing, and whoever set them would believe otherwise. */
static enum freshet_status check_tls(const struct fr_redis_config *config, struct freshet_error *error)
{
    const struct freshet_redis_options *options = &config->options;
    const char *name = options->tls_ca_file != NULL     ? "tls_ca_file"
                       : options->tls_cert_file != NULL ? "tls_cert_file"
                       : options->tls_name != NULL      ? "tls_name"
                                                        : NULL;
    if (config->url.tls || name == NULL)
        return FRESHET_OK;
    return fr_fail(error, FRESHET_INVALID, "redis: %s is set, but the URL does not begin with rediss", name);
}

static enum freshet_status check_kind(const struct fr_redis_config *config, struct freshet_error *error)
{
    const struct freshet_redis_options *options = &config->options;
    const char *name = options->sentinel_login != NULL      ? "sentinel_login"
                       : options->sentinel_password != NULL ? "sentinel_password"
                       : options->sentinel_user != NULL     ? "sentinel_user"
                                                            : NULL;
    if (config->url.kind == FR_REDIS_URL_CLUSTER && strchr(options->prefix, '{') != NULL)
        return fr_fail(
            error, FRESHET_INVALID,
            "redis: in a cluster the prefix must not have a '{': braces behind it hold the hash tag");
    if (name != NULL && config->url.kind != FR_REDIS_URL_SENTINEL)
        return fr_fail(error, FRESHET_INVALID, "redis: %s is set, but the URL is not redis+sentinel://",
                       name);
    if (options->sentinel_user != NULL && options->sentinel_password == NULL &&
        options->sentinel_login == NULL)
        return fr_fail(error, FRESHET_INVALID,
                       "redis: sentinel_user needs sentinel_password or sentinel_login");
    return FRESHET_OK;
}

/* False: no memory. */
static bool copy(char **to, const char *text)
{
    *to = text == NULL ? NULL : strdup(text);
    return text == NULL || *to != NULL;
}

static bool copy_texts(struct fr_redis_config *config)
{
    const struct freshet_redis_options *options = &config->options;
    return copy(&config->prefix, options->prefix) && copy(&config->tls_name, options->tls_name) &&
           copy(&config->tls_files.ca, options->tls_ca_file) &&
           copy(&config->tls_files.cert, options->tls_cert_file) &&
           copy(&config->tls_files.key, options->tls_key_file);
}

static enum freshet_status copy_logins(struct fr_redis_config *config)
{
    const struct freshet_redis_options *options = &config->options;
    enum freshet_status status =
        fr_redis_login_source_init(&config->login, config->url.user, config->url.password);
    config->login.ask = options->login;
    config->login.ask_user = options->login_user;
    if (status == FRESHET_OK)
        status = fr_redis_login_source_init(&config->sentinel_login, options->sentinel_user,
                                            options->sentinel_password);
    config->sentinel_login.ask = options->sentinel_login;
    config->sentinel_login.ask_user = options->sentinel_login_user;
    return status;
}

static enum freshet_status copy_all(struct fr_redis_config *config, struct freshet_error *error)
{
    if (copy_texts(config) && copy_logins(config) == FRESHET_OK)
        return FRESHET_OK;
    return fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
}

/* So that a file that is not there is found at once, and not in the log. */
static enum freshet_status try_tls(const struct fr_redis_config *config, struct freshet_error *error)
{
    SSL_CTX *context;
    struct freshet_error detail;
    enum freshet_status status = fr_redis_tls_new(&context, &config->tls_files, &detail);
    SSL_CTX_free(context);
    return status == FRESHET_OK ? status : fr_fail(error, status, "redis: %.200s", detail.text);
}

static void forget_texts(struct freshet_redis_options *options)
{
    options->url = options->prefix = options->tls_name = NULL;
    options->tls_ca_file = options->tls_cert_file = options->tls_key_file = NULL;
    options->sentinel_user = options->sentinel_password = NULL;
}

enum freshet_status fr_redis_config_init(struct fr_redis_config *config,
                                         const struct freshet_redis_options *options,
                                         struct freshet_error *error)
{
    *config = (struct fr_redis_config){0};
    if (options != NULL) {
        if (options->size < sizeof(options->size) + sizeof(options->url))
            return fr_fail(error, FRESHET_INVALID, "redis: `size` of the options is not set");
        size_t known = options->size < sizeof(*options) ? options->size : sizeof(*options);
        memcpy(&config->options, options, known);
    }
    fill_all(&config->options);
    enum freshet_status status = check(&config->options, error);
    if (status == FRESHET_OK)
        status = fr_redis_url_init(&config->url, config->options.url, error);
    if (status == FRESHET_OK)
        status = check_tls(config, error);
    if (status == FRESHET_OK)
        status = check_kind(config, error);
    if (status == FRESHET_OK)
        status = copy_all(config, error);
    if (status == FRESHET_OK && config->url.tls)
        status = try_tls(config, error);
    forget_texts(&config->options);
    if (status != FRESHET_OK)
        fr_redis_config_deinit(config);
    return status;
}

void fr_redis_config_deinit(struct fr_redis_config *config)
{
    fr_redis_url_deinit(&config->url);
    fr_redis_login_source_deinit(&config->login);
    fr_redis_login_source_deinit(&config->sentinel_login);
    free(config->prefix);
    free(config->tls_name);
    free(config->tls_files.ca);
    free(config->tls_files.cert);
    free(config->tls_files.key);
    *config = (struct fr_redis_config){0};
}
