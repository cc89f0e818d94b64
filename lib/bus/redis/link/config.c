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
    return fr_fail(error, FRESHET_INVALID, "redis: %s is set, but the URL is not rediss://", name);
}

static enum freshet_status copy_texts(struct fr_redis_config *config, struct freshet_error *error)
{
    const char *name = config->options.tls_name != NULL ? config->options.tls_name : config->url.host;
    config->prefix = strdup(config->options.prefix);
    config->tls_name = name == NULL ? NULL : strdup(name);
    if (config->prefix == NULL || (name != NULL && config->tls_name == NULL))
        return fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    return FRESHET_OK;
}

static void forget_texts(struct freshet_redis_options *options)
{
    options->url = options->prefix = options->tls_name = NULL;
    options->tls_ca_file = options->tls_cert_file = options->tls_key_file = NULL;
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
        status = copy_texts(config, error);
    if (status == FRESHET_OK && config->url.tls)
        status = fr_redis_tls_new(&config->tls, &config->options, error);
    forget_texts(&config->options);
    if (status != FRESHET_OK)
        fr_redis_config_deinit(config);
    return status;
}

void fr_redis_config_deinit(struct fr_redis_config *config)
{
    fr_redis_url_deinit(&config->url);
    SSL_CTX_free(config->tls);
    free(config->prefix);
    free(config->tls_name);
    *config = (struct fr_redis_config){0};
}
