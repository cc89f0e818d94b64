/* The command line and the environment of freshet-bridge. */
#ifndef BRIDGE_OPTIONS_H
#define BRIDGE_OPTIONS_H

#include "common/arguments.h"
#include <freshet/log.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define OPTIONS_MAX_HOST_BYTES 253
#define OPTIONS_MAX_THREADS    256
#define OPTIONS_MAX_LIMIT      100000000
#define OPTIONS_MAX_ORIGINS    8
#define OPTIONS_ORIGIN_BYTES   1024
#define OPTIONS_MAX_NAMES      16
#define OPTIONS_MAX_PROXIES    16
#define OPTIONS_NAME_BYTES     1024

/* What only the file of --config can say: options of the library, under their names there. 0: its default. */
struct library_options {
    uint32_t guard_interval_ms, linger_ms, poll_while_down_ms, pool_threads;
    uint32_t heartbeat_ms, max_age_ms, write_timeout_ms; /* of the mount */
    size_t max_snapshot_bytes, max_message_bytes;
};

struct options {
    const char *config; /* what is served; NULL: counter and boards */
    bool check_config;
    char host[OPTIONS_MAX_HOST_BYTES + 1]; /* without the brackets of an IPv6 address */
    uint16_t port;                         /* 0: any free one */
    const char *redis;               /* a URL, may hold credentials: never print it; NULL: stay in-process */
    const char *redis_password_file; /* NULL: none, or in the URL */
    const char *redis_sentinel_password_file; /* NULL: none */
    const char *store;                        /* a URL, for the state alone; NULL: in `redis`, too */
    const char *redis_tls_ca, *redis_tls_certificate, *redis_tls_key; /* of `redis`; NULL: not said */
    const char *tls_certificate, *tls_key;                            /* of the listener; NULL: plain http */
    const char *backend_ca; /* whom servers of https behind the bridge have to be vouched for by; NULL: the
                               system's */
    const char *prefix;     /* of channels and keys in Redis */
    unsigned threads;
    /* What clients may cost; 0: no limit. */
    unsigned max_streams, max_streams_per_client;
    unsigned max_topics, max_new_topics, max_new_topics_per_client;
    enum freshet_log_level log_level;
    bool no_gzip;
    /* As browsers write them; the last NULL; point into `origin_text`. Empty: pages of this host only. */
    const char *origins[OPTIONS_MAX_ORIGINS + 1];
    char origin_text[OPTIONS_ORIGIN_BYTES];
    /* That requests may have in Host beside addresses, `localhost` and where it listens; the last NULL; point
     * into `name_text`. */
    const char *names[OPTIONS_MAX_NAMES + 1];
    char name_text[OPTIONS_NAME_BYTES];
    /* Of proxies that tell the client's address; as `names`; they point into `proxy_text`. */
    const char *proxies[OPTIONS_MAX_PROXIES + 1];
    char proxy_text[OPTIONS_NAME_BYTES];
    struct library_options library;
    const char *peer;         /* origin of an instance that the page shows, too; NULL: none */
    const char *demo_control; /* origin of what stops and starts things for the demo; NULL: none */
};

/* From defaults, FRESHET_<NAME> variables and arguments: see arguments_read(). Texts point into `argv` and
 * the environment. */
enum options_result options_read(struct options *options, int argc, char **argv, options_env env, FILE *out,
                                 FILE *err);

/* Lets variables and arguments override what *options has by now: from the file of --config. */
enum options_result options_override(struct options *options, int argc, char **argv, options_env env,
                                     FILE *out, FILE *err);
/* The table of all of them. */
const struct setting *options_settings(size_t *count);

/* For other programs whose own options begin with a struct options. */
void options_set_defaults(void *options);
bool options_set_redis(void *options, const char *value);
bool options_set_redis_password_file(void *options, const char *value);
bool options_set_redis_sentinel_password_file(void *options, const char *value);
bool options_set_store(void *options, const char *value);
bool options_set_prefix(void *options, const char *value);
bool options_set_log_level(void *options, const char *value);

#define OPTIONS_REDIS                                                                                        \
    {                                                                                                        \
        "redis", "FRESHET_REDIS",                                                                            \
            "a URL that begins with redis://, rediss://, redis+unix://, redis+sentinel:// or "               \
            "redis+cluster://, such as redis://127.0.0.1:6379",                                              \
            options_set_redis                                                                                \
    }
#define OPTIONS_REDIS_PASSWORD_FILE                                                                          \
    {                                                                                                        \
        "redis-password-file", "FRESHET_REDIS_PASSWORD_FILE", "the path of a file with a password",          \
            options_set_redis_password_file                                                                  \
    }
#define OPTIONS_REDIS_SENTINEL_PASSWORD_FILE                                                                 \
    {                                                                                                        \
        "redis-sentinel-password-file", "FRESHET_REDIS_SENTINEL_PASSWORD_FILE",                              \
            "the path of a file with a password", options_set_redis_sentinel_password_file                   \
    }
#define OPTIONS_STORE                                                                                        \
    {                                                                                                        \
        "store", "FRESHET_STORE", "a URL as --redis takes it", options_set_store                             \
    }
#define OPTIONS_PREFIX                                                                                       \
    {                                                                                                        \
        "prefix", "FRESHET_PREFIX",                                                                          \
            "1 to 128 visible ASCII characters, such as freshet:", options_set_prefix                        \
    }
#define OPTIONS_LOG_LEVEL                                                                                    \
    {                                                                                                        \
        "log-level", "FRESHET_LOG_LEVEL", "error, warn, info or debug", options_set_log_level                \
    }

#endif
