#include "options/url.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static bool refuse(char *problem, size_t size, const char *why)
{
    snprintf(problem, size, "%s", why);
    return false;
}

static bool copy(char *out, size_t size, const char *from, size_t len)
{
    if (len >= size)
        return false;
    memcpy(out, from, len);
    out[len] = '\0';
    return true;
}

/* `user:password@` before the host; both may be empty. Answers where the host begins. */
static const char *read_user(struct url *url, const char *text, const char *end)
{
    const char *at = memrchr(text, '@', (size_t)(end - text));
    if (at == NULL)
        return text;
    const char *colon = memchr(text, ':', (size_t)(at - text));
    const char *user_end = colon == NULL ? at : colon;
    if (!copy(url->user, sizeof(url->user), text, (size_t)(user_end - text)))
        return NULL;
    if (colon != NULL && !copy(url->password, sizeof(url->password), colon + 1, (size_t)(at - colon - 1)))
        return NULL;
    return at + 1;
}

static bool resolve(struct url *url, const char *default_port, char *problem, size_t size)
{
    char host[256], *port;
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM};
    strcpy(host, url->host);
    char *name = host, *bracket = strchr(host, ']');
    if (host[0] == '[' && bracket != NULL) {
        name = host + 1;
        *bracket = '\0';
        port = bracket[1] == ':' ? bracket + 2 : NULL;
    } else if ((port = strchr(host, ':')) != NULL) {
        *port++ = '\0';
    }
    if (getaddrinfo(name, port == NULL ? default_port : port, &hints, &found) != 0)
        return refuse(problem, size, "its host or port is unknown");
    memcpy(&url->address, found->ai_addr, found->ai_addrlen);
    url->address_len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static bool parse_unix(struct url *url, const char *path, char *problem, size_t size)
{
    struct sockaddr_un *address = (struct sockaddr_un *)&url->address;
    url->kind = URL_REDIS_UNIX;
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof(address->sun_path) || path[0] != '/')
        return refuse(problem, size, "write redis+unix:///path/of/socket");
    strcpy(address->sun_path, path);
    strcpy(url->host, path);
    url->address_len = sizeof(*address);
    return true;
}

bool url_parse(struct url *url, const char *text, char *problem, size_t size)
{
    memset(url, 0, sizeof(*url));
    if (strncmp(text, "redis+unix://", 13) == 0)
        return parse_unix(url, text + 13, problem, size);
    bool is_redis = strncmp(text, "redis://", 8) == 0;
    if (!is_redis && strncmp(text, "http://", 7) != 0)
        return refuse(problem, size,
                      "write http://HOST:PORT/PATH, redis://HOST:PORT or redis+unix:///PATH (no TLS)");
    const char *host = text + (is_redis ? 8 : 7);
    const char *end = host + strcspn(host, "/?#");
    if (is_redis && (host = read_user(url, host, end)) == NULL)
        return refuse(problem, size, "its user or password is too long");
    if (host == end || !copy(url->host, sizeof(url->host), host, (size_t)(end - host)))
        return refuse(problem, size, "it has no host");
    url->kind = is_redis ? URL_REDIS : URL_HTTP;
    if (is_redis && *end == '/')
        url->database = (unsigned)strtoul(end + 1, NULL, 10);
    else if (snprintf(url->path, sizeof(url->path), "%s%.*s", *end == '/' ? "" : "/", (int)strcspn(end, "#"),
                      end) >= (int)sizeof(url->path))
        return refuse(problem, size, "its path has more than 1023 bytes");
    return resolve(url, is_redis ? "6379" : "80", problem, size);
}

/* `A` or `A-B` */
static bool read_span(char *text, uint32_t *first, uint32_t *last)
{
    struct in_addr from, to;
    char *dash = strchr(text, '-');
    if (dash != NULL)
        *dash++ = '\0';
    if (inet_pton(AF_INET, text, &from) != 1 || inet_pton(AF_INET, dash == NULL ? text : dash, &to) != 1)
        return false;
    *first = ntohl(from.s_addr);
    *last = ntohl(to.s_addr);
    return *first <= *last && *last - *first < 65536;
}

size_t sources_parse(const char *text, struct in_addr *out, size_t capacity)
{
    size_t count = 0;
    uint32_t first, last;
    char *list = strdup(text), *rest = list, *part;
    while (list != NULL && (part = strsep(&rest, ",")) != NULL) {
        if (!read_span(part, &first, &last)) {
            count = 0;
            break;
        }
        for (uint32_t address = first; address <= last; address++) {
            if (count < capacity)
                out[count].s_addr = htonl(address);
            count++;
        }
    }
    free(list);
    return count;
}
