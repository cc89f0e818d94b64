#include "bus/redis/link/connect.h"

#include "base/log.h"
#include "bus/redis/link/tls.h"
#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define BYTES_A_TURN (256 * 1024) /* libevent's default of 16 KiB costs half of the speed */

static struct bufferevent *open_tls(struct event_base *base, const struct fr_redis_config *config,
                                    const char *host, struct freshet_error *error)
{
    SSL_CTX *context;
    if (fr_redis_tls_new(&context, &config->tls_files, error) != FRESHET_OK)
        return NULL;
    struct bufferevent *bufferevent =
        fr_redis_tls_open(context, base, config->tls_name != NULL ? config->tls_name : host);
    SSL_CTX_free(context);
    return bufferevent;
}

struct bufferevent *fr_redis_connect_open(struct event_base *base, const struct fr_redis_config *config,
                                          const char *host, struct freshet_error *error)
{
    fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    struct bufferevent *bufferevent = config->url.tls
                                          ? open_tls(base, config, host, error)
                                          : bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (bufferevent == NULL)
        return NULL;
    bufferevent_set_max_single_read(bufferevent, BYTES_A_TURN);
    bufferevent_set_max_single_write(bufferevent, BYTES_A_TURN);
    return bufferevent;
}

static bool connect_path(struct bufferevent *bufferevent, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(address.sun_path, path, len);
    return bufferevent_socket_connect(bufferevent, (struct sockaddr *)&address, sizeof(address)) == 0;
}

/* libevent's own would be inherited by the program's children, and so outlive the link. */
static bool open_socket(struct bufferevent *bufferevent, int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd >= 0 && bufferevent_setfd(bufferevent, fd) == 0;
}

bool fr_redis_connect_begin(struct bufferevent *bufferevent, const struct addrinfo *address, const char *path)
{
    if (!open_socket(bufferevent, address == NULL ? AF_UNIX : address->ai_family) ||
        bufferevent_enable(bufferevent, EV_READ | EV_WRITE) != 0)
        return false;
    if (address == NULL)
        return connect_path(bufferevent, path);
    return bufferevent_socket_connect(bufferevent, address->ai_addr, (int)address->ai_addrlen) == 0;
}

void fr_redis_connect_tune(struct bufferevent *bufferevent, const struct fr_redis_config *config)
{
    evutil_socket_t fd = bufferevent_getfd(bufferevent);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    unsigned timeout_ms = config->options.link_timeout_ms;
    if (timeout_ms != FRESHET_NEVER)
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
}

const struct addrinfo *fr_redis_connect_pick(const struct addrinfo *first, unsigned attempts_lost)
{
    unsigned count = 0;
    for (const struct addrinfo *at = first; at != NULL; at = at->ai_next)
        count++;
    for (unsigned skip = count == 0 ? 0 : attempts_lost % count; skip > 0; skip--)
        first = first->ai_next;
    return first;
}
