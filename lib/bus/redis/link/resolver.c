#include "bus/redis/link/resolver.h"

#include "base/thread.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct fr_redis_resolver {
    pthread_mutex_t lock;
    unsigned references; /* under the lock: the owner and the thread */
    bool done;
    int code;
    struct addrinfo *addresses;
    int fd;
    char port[8];
    char host[];
};

static void release(struct fr_redis_resolver *resolver)
{
    pthread_mutex_lock(&resolver->lock);
    unsigned left = --resolver->references;
    pthread_mutex_unlock(&resolver->lock);
    if (left > 0)
        return;
    if (resolver->addresses != NULL)
        freeaddrinfo(resolver->addresses);
    close(resolver->fd);
    pthread_mutex_destroy(&resolver->lock);
    free(resolver);
}

static void *look_up(void *user)
{
    struct fr_redis_resolver *resolver = user;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *addresses = NULL;
    int code = getaddrinfo(resolver->host, resolver->port, &hints, &addresses);
    pthread_mutex_lock(&resolver->lock);
    resolver->addresses = code == 0 ? addresses : NULL;
    resolver->code = code;
    resolver->done = true;
    eventfd_write(resolver->fd, 1);
    pthread_mutex_unlock(&resolver->lock);
    release(resolver);
    return NULL;
}

static bool start_thread(struct fr_redis_resolver *resolver)
{
    pthread_t thread;
    if (!fr_thread_start(&thread, look_up, resolver))
        return false;
    pthread_detach(thread);
    return true;
}

enum freshet_status fr_redis_resolver_new(struct fr_redis_resolver **out, const char *host, uint16_t port)
{
    *out = NULL;
    size_t len = strlen(host) + 1;
    struct fr_redis_resolver *resolver = calloc(1, sizeof(*resolver) + len);
    if (resolver == NULL)
        return FRESHET_NO_MEMORY;
    memcpy(resolver->host, host, len);
    snprintf(resolver->port, sizeof(resolver->port), "%u", port);
    pthread_mutex_init(&resolver->lock, NULL);
    resolver->references = 2;
    resolver->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (resolver->fd < 0 || !start_thread(resolver)) {
        if (resolver->fd >= 0)
            close(resolver->fd);
        pthread_mutex_destroy(&resolver->lock);
        free(resolver);
        return FRESHET_SYSTEM;
    }
    *out = resolver;
    return FRESHET_OK;
}

int fr_redis_resolver_fd(const struct fr_redis_resolver *resolver)
{
    return resolver->fd;
}

bool fr_redis_resolver_answer(struct fr_redis_resolver *resolver, const struct addrinfo **addresses,
                              int *code)
{
    pthread_mutex_lock(&resolver->lock);
    bool done = resolver->done;
    *addresses = resolver->addresses;
    *code = resolver->code;
    pthread_mutex_unlock(&resolver->lock);
    return done;
}

void fr_redis_resolver_destroy(struct fr_redis_resolver *resolver)
{
    if (resolver != NULL)
        release(resolver);
}

struct addrinfo *fr_redis_resolve_numeric(const char *host, uint16_t port)
{
    char service[8];
    snprintf(service, sizeof(service), "%u", port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV},
                    *addresses = NULL;
    return getaddrinfo(host, service, &hints, &addresses) == 0 ? addresses : NULL;
}
