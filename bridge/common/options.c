#include "common/options.h"
#include <string.h>
#include <unistd.h>

static bool is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == ':' || c == '_' || c == '%';
}

static bool set_host(struct options *options, const char *host, size_t len)
{
    if (len == 0 || len > OPTIONS_MAX_HOST_BYTES)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_host_byte(host[i]))
            return false;
    }
    memcpy(options->host, host, len);
    options->host[len] = '\0';
    return true;
}

/* HOST:PORT or [IPV6]:PORT. */
static bool set_listen(void *user, const char *value)
{
    struct options *options = user;
    const char *colon = strrchr(value, ':');
    unsigned port;
    if (colon == NULL || !arguments_number(colon + 1, UINT16_MAX, &port))
        return false;
    size_t len = (size_t)(colon - value);
    bool bracketed = len >= 2 && value[0] == '[' && value[len - 1] == ']';
    if (bracketed) {
        value++;
        len -= 2;
    }
    if (bracketed != (memchr(value, ':', len) != NULL) || !set_host(options, value, len))
        return false;
    options->port = (uint16_t)port;
    return true;
}

/* Only the kind of URL: its parts are checked by the library, which names them without their secrets. */
static bool is_redis(const char *value)
{
    static const char *const schemes[] = {"redis://",          "rediss://",          "redis+unix://",
                                          "redis+sentinel://", "rediss+sentinel://", "redis+cluster://",
                                          "rediss+cluster://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncmp(value, schemes[i], strlen(schemes[i])) == 0)
            return true;
    }
    return false;
}

bool options_set_redis(void *user, const char *value)
{
    struct options *options = user;
    options->redis = value;
    return is_redis(value);
}

/* A function that keeps any text but an empty one. */
#define SET_TEXT(kind, name, field)                                                                          \
    kind name(void *user, const char *value)                                                                 \
    {                                                                                                        \
        struct options *options = user;                                                                      \
        options->field = value;                                                                              \
        return value[0] != '\0';                                                                             \
    }

SET_TEXT(bool, options_set_redis_password_file, redis_password_file)
SET_TEXT(bool, options_set_redis_sentinel_password_file, redis_sentinel_password_file)

bool options_set_store(void *user, const char *value)
{
    struct options *options = user;
    options->store = value;
    return is_redis(value);
}

bool options_set_prefix(void *user, const char *value)
{
    struct options *options = user;
    size_t len = strlen(value);
    if (len == 0 || len > 128)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (value[i] <= ' ' || value[i] > '~')
            return false;
    }
    options->prefix = value;
    return true;
}

static bool set_threads(void *user, const char *value)
{
    struct options *options = user;
    unsigned threads;
    if (!arguments_number(value, OPTIONS_MAX_THREADS, &threads) || threads == 0)
        return false;
    options->threads = threads;
    return true;
}

#define SET_LIMIT(field)                                                                                     \
    static bool set_##field(void *user, const char *value)                                                   \
    {                                                                                                        \
        struct options *options = user;                                                                      \
        return arguments_number(value, OPTIONS_MAX_LIMIT, &options->field);                                  \
    }

SET_LIMIT(max_streams)
SET_LIMIT(max_streams_per_client)
SET_LIMIT(max_topics)
SET_LIMIT(max_new_topics)
SET_LIMIT(max_new_topics_per_client)

static bool set_gzip(void *user, const char *value)
{
    struct options *options = user;
    options->no_gzip = strcmp(value, "off") == 0;
    return options->no_gzip || strcmp(value, "on") == 0;
}

bool options_set_log_level(void *user, const char *value)
{
    struct options *options = user;
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(value, levels[i]) == 0) {
            options->log_level = (enum freshet_log_level)(FRESHET_LOG_ERROR + i);
            return true;
        }
    }
    return false;
}

static bool is_port(const char *text)
{
    unsigned port;
    return arguments_number(text, UINT16_MAX, &port) && port > 0 && text[0] != '0';
}

/* What goes into headers; the library knows the finer points of those that it compares. */
static bool is_origin(const char *text)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t scheme = strlen(schemes[i]);
        if (strncmp(text, schemes[i], scheme) != 0)
            continue;
        const char *host = text + scheme;
        size_t len = host[0] == '[' ? 1 + strspn(host + 1, "0123456789abcdef:.")
                                    : strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-_");
        if (host[0] == '[' && (len == 1 || host[len++] != ']'))
            return false;
        return len > 0 && len <= OPTIONS_MAX_HOST_BYTES &&
               (host[len] == '\0' || (host[len] == ':' && is_port(host + len + 1)));
    }
    return false;
}

/* Items parted by commas, copied into `text`; `list` has room for `max` of them and a NULL. */
static bool set_list(const char **list, size_t max, char *text, size_t size, const char *value,
                     bool (*is_right)(const char *item))
{
    size_t count = 0;
    char *at, *rest = text;
    if (strlen(value) >= size)
        return false;
    strcpy(text, value);
    while ((at = strsep(&rest, ",")) != NULL) {
        if (count == max || !is_right(at))
            return false;
        list[count++] = at;
    }
    list[count] = NULL;
    return true;
}

static bool set_origins(void *user, const char *value)
{
    struct options *options = user;
    return set_list(options->origins, OPTIONS_MAX_ORIGINS, options->origin_text, sizeof(options->origin_text),
                    value, is_origin);
}

/* A name as it stands in Host, without the port, or `*`. */
static bool is_name(const char *text)
{
    static const char bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    size_t len = strlen(text);
    if (strcmp(text, "*") == 0)
        return true;
    return len > 0 && len <= OPTIONS_MAX_HOST_BYTES && text[strspn(text, bytes)] == '\0' && text[0] != '.' &&
           text[len - 1] != '.';
}

static bool set_names(void *user, const char *value)
{
    struct options *options = user;
    return set_list(options->names, OPTIONS_MAX_NAMES, options->name_text, sizeof(options->name_text), value,
                    is_name);
}

/* The kind of text; the library knows what an address is. */
static bool is_proxy(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789abcdefABCDEF:./")] == '\0';
}

static bool set_proxies(void *user, const char *value)
{
    struct options *options = user;
    return set_list(options->proxies, OPTIONS_MAX_PROXIES, options->proxy_text, sizeof(options->proxy_text),
                    value, is_proxy);
}

static bool set_peer(void *user, const char *value)
{
    struct options *options = user;
    options->peer = value;
    return is_origin(value);
}

static bool set_demo_control(void *user, const char *value)
{
    struct options *options = user;
    options->demo_control = value;
    return is_origin(value);
}

SET_TEXT(static bool, set_config, config)
SET_TEXT(static bool, set_tls_certificate, tls_certificate)
SET_TEXT(static bool, set_tls_key, tls_key)
SET_TEXT(static bool, set_backend_ca, backend_ca)
SET_TEXT(static bool, set_redis_tls_ca, redis_tls_ca)
SET_TEXT(static bool, set_redis_tls_certificate, redis_tls_certificate)
SET_TEXT(static bool, set_redis_tls_key, redis_tls_key)

static bool set_check_config(void *user, const char *value)
{
    struct options *options = user;
    (void)value;
    options->check_config = true;
    return true;
}

/* High enough for any load that one machine sends in earnest, from one address too, low enough that a client
 * who asks for new boards as fast as it can costs what Redis and a small machine bear. */
static void set_default_limits(struct options *options)
{
    options->max_streams = 100000;
    options->max_streams_per_client = 20000;
    options->max_topics = 50000;
    options->max_new_topics = 10000;
    options->max_new_topics_per_client = 5000;
}

void options_set_defaults(void *user)
{
    struct options *options = user;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    memset(options, 0, sizeof(*options));
    strcpy(options->host, "127.0.0.1");
    options->port = 8080;
    options->prefix = "freshet:";
    options->threads = processors < 1 ? 1 : (unsigned)processors;
    if (options->threads > OPTIONS_MAX_THREADS)
        options->threads = OPTIONS_MAX_THREADS;
    options->log_level = FRESHET_LOG_INFO;
    set_default_limits(options);
}

#define PEM   "the path of a PEM file"
#define LIMIT "a number up to 100000000; 0: no limit"

static const struct setting settings[] = {
    {"config", "FRESHET_CONFIG", "the path of a YAML file", set_config},
    {"check-config", NULL, NULL, set_check_config},
    {"listen", "FRESHET_LISTEN", "HOST:PORT, such as 127.0.0.1:8080, [::1]:8080, or port 0 for a free one",
     set_listen},
    OPTIONS_REDIS,
    OPTIONS_REDIS_PASSWORD_FILE,
    OPTIONS_REDIS_SENTINEL_PASSWORD_FILE,
    OPTIONS_STORE,
    OPTIONS_PREFIX,
    {"threads", "FRESHET_THREADS", "a number from 1 to 256", set_threads},
    OPTIONS_LOG_LEVEL,
    {"gzip", "FRESHET_GZIP", "on or off", set_gzip},
    {"max-streams", "FRESHET_MAX_STREAMS", LIMIT, set_max_streams},
    {"max-streams-per-client", "FRESHET_MAX_STREAMS_PER_CLIENT", LIMIT, set_max_streams_per_client},
    {"max-topics", "FRESHET_MAX_TOPICS", LIMIT, set_max_topics},
    {"max-new-topics", "FRESHET_MAX_NEW_TOPICS", LIMIT, set_max_new_topics},
    {"max-new-topics-per-client", "FRESHET_MAX_NEW_TOPICS_PER_CLIENT", LIMIT, set_max_new_topics_per_client},
    {"allow-host", "FRESHET_ALLOW_HOST",
     "up to 16 names without a port, such as live.example.org, parted by commas; * for any", set_names},
    {"allow-origin", "FRESHET_ALLOW_ORIGIN",
     "up to 8 of http://host:port or https://host:port as browsers write them (lower case, no path), parted "
     "by "
     "commas",
     set_origins},
    {"trust-proxy", "FRESHET_TRUST_PROXY",
     "up to 16 addresses, or networks such as 10.0.0.0/8, parted by commas", set_proxies},
    {"tls-certificate", "FRESHET_TLS_CERTIFICATE", PEM, set_tls_certificate},
    {"tls-key", "FRESHET_TLS_KEY", PEM, set_tls_key},
    {"backend-ca", "FRESHET_BACKEND_CA", PEM, set_backend_ca},
    {"redis-tls-ca", "FRESHET_REDIS_TLS_CA", PEM, set_redis_tls_ca},
    {"redis-tls-certificate", "FRESHET_REDIS_TLS_CERTIFICATE", PEM, set_redis_tls_certificate},
    {"redis-tls-key", "FRESHET_REDIS_TLS_KEY", PEM, set_redis_tls_key},
    {"peer", "FRESHET_PEER", "http://host:port or https://host:port of another instance, without a path",
     set_peer},
    {"demo-control", "FRESHET_DEMO_CONTROL", "http://host:port of the demo, without a path",
     set_demo_control},
};
enum { SETTINGS = sizeof(settings) / sizeof(settings[0]) };

static const struct arguments arguments = {
    .program = "freshet-bridge",
    .help = "freshet-bridge serves live state as event streams: what a file says, or,\n"
            "without one, a counter and boards to try. freshet-bridge publish and\n"
            "freshet-bridge tail are commands of their own: each has --help.\n"
            "\n"
            "  --config FILE        what is served, and all below in YAML      [FRESHET_CONFIG]\n"
            "  --check-config       says what is wrong with the file, and leaves\n"
            "  --listen HOST:PORT   where to serve; port 0 picks a free one    [127.0.0.1:8080]\n"
            "                       a socket that systemd hands over (LISTEN_FDS) comes before it\n"
            "  --redis URL          share state and publishes through this Redis:\n"
            "                       redis://, rediss://, redis+unix://,\n"
            "                       redis+sentinel://host1,host2/name or\n"
            "                       redis+cluster://host1,host2             [none: in this process]\n"
            "  --redis-password-file FILE\n"
            "                       its first line is the password for Redis, read again for each\n"
            "                       connection, in place of the URL's          [none]\n"
            "  --redis-sentinel-password-file FILE\n"
            "                       the same for the sentinels                 [none]\n"
            "  --store URL          keep the state in this Redis               [where --redis says]\n"
            "  --prefix TEXT        begins every channel and key in Redis      [freshet:]\n"
            "  --threads N          threads that serve                         [one for each processor]\n"
            "  --log-level LEVEL    error, warn, info or debug                 [info]\n"
            "  --gzip on|off        streams are compressed for browsers that take it [on]\n"
            "  --max-streams N      open at once; one of several views counts as many  [100000]\n"
            "  --max-streams-per-client N\n"
            "                       of one address; see --trust-proxy          [20000]\n"
            "  --max-topics N       boards that are looked at, and lately were [50000]\n"
            "  --max-new-topics N   of these new ones in a second              [10000]\n"
            "  --max-new-topics-per-client N\n"
            "                       the same of one address                    [5000]\n"
            "  --allow-host NAME[,NAME...]\n"
            "                       names that browsers know it by, also through a proxy;\n"
            "                       * for any [addresses, names without dots, where it listens]\n"
            "  --allow-origin URL[,URL...]\n"
            "                       pages from there may stream from here and change things,\n"
            "                       such as http://127.0.0.1:8081               [pages of this host]\n"
            "  --trust-proxy ADDRESS[/BITS][,...]\n"
            "                       proxies that say in X-Forwarded-For who the client is  [none]\n"
            "  --tls-certificate FILE, --tls-key FILE\n"
            "                       serve https with these (PEM)                [plain http]\n"
            "  --backend-ca FILE    whom to trust at https:// servers of the file [the system's]\n"
            "  --redis-tls-ca FILE, --redis-tls-certificate FILE, --redis-tls-key FILE\n"
            "                       for rediss://: whom to trust, and who this is\n"
            "  --peer URL           the page shows this instance as well; it must allow this one\n"
            "  --demo-control URL   where the page of bridge/demo stops and starts things\n"
            "  --version, --help    print and leave\n"
            "\n"
            "Limits: 0 is none. Over one a client is told to come back later.\n"
            "\n"
            "Each option but --check-config can also be given as a variable, --max-streams as\n"
            "FRESHET_MAX_STREAMS, and in the file, as max_streams. The command line comes first,\n"
            "then variables, then the file.\n",
    .settings = settings,
    .count = SETTINGS,
    .set_defaults = options_set_defaults,
};

enum options_result options_read(struct options *options, int argc, char **argv, options_env env, FILE *out,
                                 FILE *err)
{
    return arguments_read(&arguments, options, argc, argv, env, out, err);
}

enum options_result options_override(struct options *options, int argc, char **argv, options_env env,
                                     FILE *out, FILE *err)
{
    return arguments_override(&arguments, options, argc, argv, env, out, err);
}

const struct setting *options_settings(size_t *count)
{
    *count = SETTINGS;
    return settings;
}
