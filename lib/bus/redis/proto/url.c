#include "bus/redis/proto/url.h"

#include "base/log.h"
#include "base/text.h"
#include <freshet/span.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT 6379
#define MAX_DATABASE 1000000

static bool skip_prefix(struct freshet_span *text, const char *prefix)
{
    size_t len = strlen(prefix);
    if (text->len < len || memcmp(text->data, prefix, len) != 0)
        return false;
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

/* `what` names the part in the error; the part itself is never repeated. */
static enum freshet_status decode(struct freshet_span part, const char *what, char **out,
                                  struct freshet_error *error)
{
    char *text = malloc(part.len + 1), *to = text;
    if (text == NULL)
        return fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < part.len; i++) {
        int byte = (unsigned char)part.data[i];
        if (byte == '%') {
            int high = part.len - i > 2 ? fr_text_hex_value(part.data[i + 1]) : -1;
            int low = part.len - i > 2 ? fr_text_hex_value(part.data[i + 2]) : -1;
            byte = high < 0 || low < 0 ? 0 : high * 16 + low;
            i += 2;
        }
        if (byte == 0) {
            free(text);
            return fr_fail(error, FRESHET_INVALID, "redis URL: the %s has a bad percent-encoding", what);
        }
        *to++ = (char)byte;
    }
    *to = '\0';
    *out = text;
    return FRESHET_OK;
}

static enum freshet_status read_number(struct freshet_span text, const char *what, uint32_t max,
                                       uint32_t *number, struct freshet_error *error)
{
    uint32_t value = 0;
    bool good = text.len > 0 && text.len < 9;
    for (size_t i = 0; good && i < text.len; i++) {
        good = text.data[i] >= '0' && text.data[i] <= '9';
        value = value * 10 + (uint32_t)(text.data[i] - '0');
    }
    if (!good || value > max)
        return fr_fail(error, FRESHET_INVALID, "redis URL: the %s is not a number up to %u", what, max);
    *number = value;
    return FRESHET_OK;
}

static enum freshet_status read_scheme(struct fr_redis_url *url, struct freshet_span *rest, bool *is_unix,
                                       struct freshet_error *error)
{
    *is_unix = skip_prefix(rest, "redis+unix://");
    if (*is_unix || skip_prefix(rest, "redis://"))
        return FRESHET_OK;
    url->tls = skip_prefix(rest, "rediss://");
    if (url->tls)
        return FRESHET_OK;
    return fr_fail(error, FRESHET_INVALID,
                   "redis URL: it must begin with redis://, rediss:// or redis+unix://");
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

static enum freshet_status read_port(struct fr_redis_url *url, struct freshet_span text,
                                     struct freshet_error *error)
{
    uint32_t port = 0;
    enum freshet_status status = read_number(text, "port", UINT16_MAX, &port, error);
    if (status == FRESHET_OK && port == 0)
        status = fr_fail(error, FRESHET_INVALID, "redis URL: the port is 0");
    url->port = (uint16_t)port;
    return status;
}

static enum freshet_status read_host(struct fr_redis_url *url, struct freshet_span text,
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
    enum freshet_status status = has_port ? read_port(url, text, error) : FRESHET_OK;
    return status != FRESHET_OK ? status : decode(host, "host", &url->host, error);
}

static enum freshet_status read_address(struct fr_redis_url *url, struct freshet_span rest,
                                        struct freshet_error *error)
{
    struct freshet_span address = rest;
    bool has_database = cut(&rest, '/', false, &address);
    if (has_database && rest.len > 0) {
        enum freshet_status status = read_number(rest, "database", MAX_DATABASE, &url->database, error);
        if (status != FRESHET_OK)
            return status;
    }
    return read_host(url, address, error);
}

static enum freshet_status read_path(struct fr_redis_url *url, struct freshet_span rest,
                                     struct freshet_error *error)
{
    if (rest.len < 2 || rest.data[0] != '/')
        return fr_fail(error, FRESHET_INVALID, "redis URL: redis+unix:// needs an absolute path");
    return decode(rest, "path", &url->path, error);
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
    *url = (struct fr_redis_url){.port = DEFAULT_PORT};
    struct freshet_span rest = freshet_span_text(text), login;
    bool is_unix = false;
    enum freshet_status status = read_scheme(url, &rest, &is_unix, error);
    if (status == FRESHET_OK && cut_login(&rest, &login))
        status = read_login(url, login, error);
    if (status == FRESHET_OK)
        status = is_unix ? read_path(url, rest, error) : read_address(url, rest, error);
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
    free(url->host);
    free(url->path);
    *url = (struct fr_redis_url){0};
}
