/* One attempt to connect: where to, which address, the socket, the greeting. */
#include "bus/redis/link/connect.h"
#include "bus/redis/link/guide.h"
#include "bus/redis/link/link_internal.h"
#include "bus/redis/link/loop.h"
#include "bus/redis/link/resolver.h"
#include "bus/redis/link/tls.h"
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

void fr_redis_link_close_connection(struct fr_redis_link *link)
{
    if (link->bufferevent != NULL)
        bufferevent_free(link->bufferevent);
    link->bufferevent = NULL;
    if (link->reader != NULL)
        redisReaderFree(link->reader);
    link->reader = NULL;
}

void fr_redis_link_forget_addresses(struct fr_redis_link *link)
{
    link->address = NULL;
    if (link->numeric != NULL)
        freeaddrinfo(link->numeric);
    link->numeric = NULL;
    if (link->resolved != NULL)
        event_free(link->resolved);
    link->resolved = NULL;
    fr_redis_resolver_destroy(link->resolver);
    link->resolver = NULL;
}

static void lose(struct fr_redis_link *link, short what)
{
    int code = EVUTIL_SOCKET_ERROR();
    char text[200];
    const char *tls = !link->options.config->url.tls ? NULL : fr_redis_tls_error(link->bufferevent);
    if (tls != NULL)
        snprintf(text, sizeof(text), "TLS: %s", tls);
    else if (what & BEV_EVENT_EOF)
        snprintf(text, sizeof(text), "closed by Redis");
    else
        snprintf(text, sizeof(text), "%s", evutil_socket_error_to_string(code));
    if (link->state == FR_REDIS_LINK_CONNECTING && tls == NULL && link->address != NULL &&
        link->address->ai_next != NULL) {
        link->address = link->address->ai_next;
        fr_redis_link_enter(link, FR_REDIS_LINK_CONNECTING);
        return;
    }
    link->closed_by_peer = (what & BEV_EVENT_EOF) != 0 || code == ECONNRESET || code == EPIPE;
    fr_redis_link_fail(link, FR_REDIS_FAULT_NETWORK, text);
}

static void on_event(struct bufferevent *bufferevent, short what, void *user)
{
    struct fr_redis_link *link = user;
    if (link->bufferevent != bufferevent)
        return;
    if (what & BEV_EVENT_CONNECTED)
        fr_redis_link_enter(link, FR_REDIS_LINK_GREETING);
    else if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        lose(link, what);
}

static void take_answer(struct fr_redis_link *link)
{
    const struct addrinfo *addresses;
    int code;
    if (!fr_redis_resolver_answer(link->resolver, &addresses, &code))
        return;
    if (addresses == NULL) {
        fr_redis_link_forget_addresses(link);
        char text[200];
        snprintf(text, sizeof(text), "host not found: %s", gai_strerror(code));
        fr_redis_link_fail(link, FR_REDIS_FAULT_NETWORK, text);
        return;
    }
    link->address = fr_redis_connect_pick(addresses, link->attempts_lost);
    fr_redis_link_enter(link, FR_REDIS_LINK_CONNECTING);
}

static void on_resolved(evutil_socket_t fd, short what, void *user)
{
    struct fr_redis_link *link = user;
    (void)fd, (void)what;
    if (link->state == FR_REDIS_LINK_RESOLVING)
        take_answer(link);
}

static bool start_resolver(struct fr_redis_link *link)
{
    if (link->resolver != NULL)
        return true;
    if (fr_redis_resolver_new(&link->resolver, link->where.name, link->where.port) != FRESHET_OK)
        return false;
    link->resolved =
        event_new(link->loop->base, fr_redis_resolver_fd(link->resolver), EV_READ, on_resolved, link);
    return link->resolved != NULL && event_add(link->resolved, NULL) == 0;
}

void fr_redis_link_begin_resolving(struct fr_redis_link *link)
{
    const struct fr_redis_address *where = &link->where;
    if (where->port == 0) {
        fr_redis_link_enter(link, FR_REDIS_LINK_CONNECTING);
        return;
    }
    link->numeric = link->resolver != NULL ? NULL : fr_redis_resolve_numeric(where->name, where->port);
    if (link->numeric != NULL) {
        link->address = link->numeric;
        fr_redis_link_enter(link, FR_REDIS_LINK_CONNECTING);
        return;
    }
    if (start_resolver(link)) {
        take_answer(link);
        return;
    }
    fr_redis_link_forget_addresses(link);
    fr_redis_link_fail(link, FR_REDIS_FAULT_NETWORK, "no thread to look the host up");
}

void fr_redis_link_begin_connecting(struct fr_redis_link *link)
{
    bool is_tcp = link->where.port != 0;
    struct freshet_error error = {.text = "out of memory"};
    fr_redis_link_close_connection(link);
    link->reader = redisReaderCreate();
    if (link->reader != NULL)
        link->bufferevent = fr_redis_connect_open(link->loop->base, link->options.config,
                                                  is_tcp ? link->where.name : NULL, &error);
    if (link->bufferevent == NULL) {
        fr_redis_link_fail(link, FR_REDIS_FAULT_UNKNOWN, error.text);
        return;
    }
    fr_resp_limit_init(&link->guard, &link->options.limits);
    /* Until the link is up. */
    link->guard.limits.max_elements = FR_REDIS_ROLE_ELEMENTS;
    link->guard.limits.max_bytes = FR_REDIS_ROLE_BYTES;
    struct bufferevent *bufferevent = link->bufferevent;
    bufferevent_setcb(bufferevent, fr_redis_link_on_read, fr_redis_link_on_write, on_event, link);
    bool begun = fr_redis_connect_begin(bufferevent, link->address, is_tcp ? NULL : link->where.name);
    /* Otherwise on_event has dealt with it. */
    if (!begun && link->bufferevent == bufferevent)
        lose(link, BEV_EVENT_ERROR);
}

void fr_redis_link_begin_greeting(struct fr_redis_link *link)
{
    struct fr_redis_reason reason;
    if (link->where.port != 0)
        fr_redis_connect_tune(link->bufferevent, link->options.config);
    if (!fr_redis_greeting_send(&link->greeting, bufferevent_get_output(link->bufferevent),
                                &link->options.greeting, &reason))
        fr_redis_link_break(link, &reason);
}

void fr_redis_link_begin_locating(struct fr_redis_link *link)
{
    if (link->options.guide != NULL)
        fr_redis_guide_ask(link->options.guide); /* may call fr_redis_link_go() at once */
    else
        fr_redis_link_go(link, link->options.address);
}

void fr_redis_link_go(struct fr_redis_link *link, const struct fr_redis_address *address)
{
    if (link->state != FR_REDIS_LINK_LOCATING)
        return;
    if (!fr_redis_address_equal(&link->where, address))
        fr_redis_link_forget_addresses(link);
    link->where = *address;
    fr_redis_link_enter(link, FR_REDIS_LINK_RESOLVING);
}
