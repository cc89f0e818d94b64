#include "bus/redis/proto/url.h"

#include "base/log.h"
#include "base/text.h"
#include <freshet/span.h>
#include <stdlib.h>
#include <string.h>

#define SERVER_PORT   6379
#define SENTINEL_PORT 26379
#define MAX_DATABASE  1000000

static bool skip_prefix(struct freshet_span *text, const char *prefix)
{
    if (!fr_text_begins(*text, prefix))
        return false;
    size_t len = strlen(prefix);
    *text = freshet_span(text->data + len, text->len - len);
    return true;
}

/* Cuts `text` at the first (or last) `mark`: what was before it, or false and nothing changed. */
static bool cut(struct freshet_span *text, char mark, bool last, struct freshet_span *before)
{
    const char *at = text->len == 0 ? NULL
                     : last         ? memrchr(text->data, mark, text->len)
                                    : memchr(text->data, mark, text->len);
    if (at == NULL)
        return false;
    *before = freshet_span(text->data, (size_t)(at - text->data));
    *text = freshet_span(at + 1, text->len - before->len - 1);
    return true;
}

/* Takes the percent-encoding off: how long `to` is then, or -1. A NUL is no part of anything here. */
static long unescape(char *to, struct freshet_span part)
{
    const char *begin = to;
    for (size_t i = 0; i < part.len; i++) {
        int byte = (unsigned char)part.data[i];
        if (byte == '%') {
            int high = part.len - i > 2 ? fr_text_hex_value(part.data[i + 1]) : -1;
            int low = part.len - i > 2 ? fr_text_hex_value(part.data[i + 2]) : -1;
            byte = high < 0 || low < 0 ? 0 : high * 16 + low;
            i += 2;
        }
        if (byte == 0)
            return -1;
        *to++ = (char)byte;
    }
    return to - begin;
}

/* `what` names the part in the error; the part itself is never repeated. */
static enum freshet_status decode(struct freshet_span part, const char *what, char **out,
                                  struct freshet_error *error)
{
    char *text = malloc(part.len + 1);
    if (text == NULL)
        return fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    long len = unescape(text, part);
    if (len < 0) {
        free(text);
        return fr_fail(error, FRESHET_INVALID, "redis URL: the %s has a bad percent-encoding", what);
    }
    text[len] = '\0';
    *out = text;
    return FRESHET_OK;
}

static enum freshet_status decode_address(struct fr_redis_url *url, struct freshet_span part,
                                          const char *what, uint16_t port, struct freshet_error *error)
{
    char *name = NULL;
    enum freshet_status status = decode(part, what, &name, error);
    if (status != FRESHET_OK)
        return status;
    if (!fr_redis_address_set(&url->addresses[url->address_count], freshet_span_text(name), port))
        status = fr_fail(error, FRESHET_INVALID, "redis URL: the %s is too long", what);
    else
        url->address_count++;
    free(name);
    return status;
}

static enum freshet_status read_number(struct freshet_span text, const char *what, uint32_t max,
                                       uint32_t *number, struct freshet_error *error)
{
    uint64_t value;
    if (!fr_text_read_number(text, max, &value))
        return fr_fail(error, FRESHET_INVALID, "redis URL: the %s is not a number up to %u", what, max);
    *number = (uint32_t)value;
    return FRESHET_OK;
}

static const struct scheme {
    const char *prefix;
    enum fr_redis_url_kind kind;
    bool tls, is_unix;
    uint16_t port;
} schemes[] = {
    {.prefix = "redis://", .port = SERVER_PORT},
    {.prefix = "rediss://", .tls = true, .port = SERVER_PORT},
    {.prefix = "redis+unix://", .is_unix = true},
    {.prefix = "redis+sentinel://", .kind = FR_REDIS_URL_SENTINEL, .port = SENTINEL_PORT},
    {.prefix = "rediss+sentinel://", .kind = FR_REDIS_URL_SENTINEL, .tls = true, .port = SENTINEL_PORT},
    {.prefix = "redis+cluster://", .kind = FR_REDIS_URL_CLUSTER, .port = SERVER_PORT},
    {.prefix = "rediss+cluster://", .kind = FR_REDIS_URL_CLUSTER, .tls = true, .port = SERVER_PORT},
};

/* NULL: none. */
static const struct scheme *read_scheme(struct freshet_span *rest)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (skip_prefix(rest, schemes[i].prefix))
            return &schemes[i];
    return NULL;
}

static enum freshet_status read_login(struct fr_redis_url *url, struct freshet_span login,
                                      struct freshet_error *error)
{
    struct freshet_span user;
    if (!cut(&login, ':', false, &user))
        return fr_fail(error, FRESHET_INVALID, "redis URL: before '@' must be user:password or :password");
    if (login.len == 0)
        return fr_fail(error, FRESHET_INVALID, "redis URL: the password is empty");
    if (user.len > 0) {
        enum freshet_status status = decode(user, "user", &url->user, error);
        if (status != FRESHET_OK)
            return status;
    }
    return decode(login, "password", &url->password, error);
}

static enum freshet_status read_port(struct freshet_span text, uint16_t *port, struct freshet_error *error)
{
    return fr_redis_address_read_port(text, port)
               ? FRESHET_OK
               : fr_fail(error, FRESHET_INVALID, "redis URL: the port is not a number from 1 to 65535");
}

/* host, host:port, [address], [address]:port */
static enum freshet_status read_host(struct fr_redis_url *url, struct freshet_span text, uint16_t port,
                                     struct freshet_error *error)
{
    struct freshet_span host = text;
    bool has_port = false;
    if (skip_prefix(&text, "[")) {
        if (!cut(&text, ']', false, &host) || (text.len > 0 && text.data[0] != ':'))
            return fr_fail(error, FRESHET_INVALID, "redis URL: the brackets of the host do not close");
        has_port = skip_prefix(&text, ":");
    } else {
        has_port = cut(&text, ':', false, &host);
    }
    if (host.len == 0)
        return fr_fail(error, FRESHET_INVALID, "redis URL: the host is missing");
    enum freshet_status status = has_port ? read_port(text, &port, error) : FRESHET_OK;
    return status != FRESHET_OK ? status : decode_address(url, host, "host", port, error);
}

static enum freshet_status read_hosts(struct fr_redis_url *url, struct freshet_span rest, uint16_t port,
                                      struct freshet_error *error)
{
    struct freshet_span host;
    enum freshet_status status = FRESHET_OK;
    for (bool more = true; more && status == FRESHET_OK;) {
        more = cut(&rest, ',', false, &host);
        if (url->address_count == FR_REDIS_MAX_ADDRESSES)
            return fr_fail(error, FRESHET_INVALID, "redis URL: more than %d hosts", FR_REDIS_MAX_ADDRESSES);
        status = read_host(url, more ? host : rest, port, error);
    }
    if (status == FRESHET_OK && url->kind == FR_REDIS_URL_SERVER && url->address_count > 1)
        return fr_fail(error, FRESHET_INVALID,
                       "redis URL: several hosts, but it begins with neither redis+sentinel:// nor "
                       "redis+cluster://");
    return status;
}

static enum freshet_status read_database(struct fr_redis_url *url, struct freshet_span text,
                                         struct freshet_error *error)
{
    if (text.len > 0 && url->kind == FR_REDIS_URL_CLUSTER)
        return fr_fail(error, FRESHET_INVALID, "redis URL: a cluster has no databases");
    return text.len == 0 ? FRESHET_OK : read_number(text, "database", MAX_DATABASE, &url->database, error);
}

/* What stands behind the hosts: the database, and before it for sentinels the master's name. */
static enum freshet_status read_place(struct fr_redis_url *url, struct freshet_span rest,
                                      struct freshet_error *error)
{
    struct freshet_span master = rest;
    if (url->kind != FR_REDIS_URL_SENTINEL)
        return read_database(url, rest, error);
    bool has_database = cut(&rest, '/', false, &master);
    if (master.len == 0)
        return fr_fail(error, FRESHET_INVALID,
                       "redis URL: behind the sentinels must be the name of the master, as in "
                       "redis+sentinel://host1,host2/name");
    enum freshet_status status = decode(master, "name of the master", &url->master, error);
    if (status == FRESHET_OK && has_database)
        status = read_database(url, rest, error);
    return status;
}

static enum freshet_status read_address(struct fr_redis_url *url, struct freshet_span rest, uint16_t port,
                                        struct freshet_error *error)
{
    struct freshet_span hosts;
    if (!cut(&rest, '/', false, &hosts)) {
        hosts = rest;
        rest = freshet_span(NULL, 0);
    }
    enum freshet_status status = read_hosts(url, hosts, port, error);
    return status != FRESHET_OK ? status : read_place(url, rest, error);
}

static enum freshet_status read_path(struct fr_redis_url *url, struct freshet_span rest,
                                     struct freshet_error *error)
{
    if (rest.len < 2 || rest.data[0] != '/')
        return fr_fail(error, FRESHET_INVALID, "redis URL: redis+unix:// needs an absolute path");
    return decode_address(url, rest, "path", 0, error);
}

/* URLs of other clients have options there. Taken for a part of the host, they would make a host that nobody
 * finds, and only the log would say so. */
static enum freshet_status refuse_options(struct freshet_span rest, struct freshet_error *error)
{
    struct freshet_span before;
    if (!cut(&rest, '?', false, &before) && !cut(&rest, '#', false, &before))
        return FRESHET_OK;
    return fr_fail(error, FRESHET_INVALID,
                   "redis URL: nothing may stand behind '?' or '#'; in a name they are %%3F and %%23");
}

/* The login ends at the last '@' before the first '/', so that a raw '@' in a password is forgiven. */
static bool cut_login(struct freshet_span *rest, struct freshet_span *login)
{
    const char *slash = rest->len == 0 ? NULL : memchr(rest->data, '/', rest->len);
    struct freshet_span authority =
        freshet_span(rest->data, slash == NULL ? rest->len : (size_t)(slash - rest->data));
    if (!cut(&authority, '@', true, login))
        return false;
    *rest = freshet_span(authority.data, rest->len - login->len - 1);
    return true;
}

enum freshet_status fr_redis_url_init(struct fr_redis_url *url, const char *text, struct freshet_error *error)
{
    *url = (struct fr_redis_url){0};
    struct freshet_span rest = freshet_span_text(text), login;
    const struct scheme *scheme = read_scheme(&rest);
    if (scheme == NULL)
        return fr_fail(error, FRESHET_INVALID,
                       "redis URL: it must begin with redis://, redis+unix://, redis+sentinel:// or "
                       "redis+cluster://, or with rediss for TLS");
    url->kind = scheme->kind;
    url->tls = scheme->tls;
    enum freshet_status status = FRESHET_OK;
    if (cut_login(&rest, &login))
        status = read_login(url, login, error);
    if (status == FRESHET_OK)
        status = refuse_options(rest, error);
    if (status == FRESHET_OK)
        status = scheme->is_unix ? read_path(url, rest, error) : read_address(url, rest, scheme->port, error);
    if (status != FRESHET_OK)
        fr_redis_url_deinit(url);
    return status;
}

void fr_redis_url_deinit(struct fr_redis_url *url)
{
    if (url->password != NULL)
        explicit_bzero(url->password, strlen(url->password));
    free(url->password);
    free(url->user);
    free(url->master);
    *url = (struct fr_redis_url){0};
}
