#include "bus/redis/link/link.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "bus/redis/link/connect.h"
#include "bus/redis/link/loop.h"
#include "bus/redis/link/resolver.h"
#include "bus/redis/link/tls.h"
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#define LOGIN_RETRY_MS 5000
#define FEED_BYTES     16384 /* at once to the reader, which moves what it has not yet read */

static const char *state_texts[] = {"idle", "waiting", "resolving", "connecting", "greeting", "up"};

static void enter(struct fr_redis_link *link, enum fr_redis_link_state state);

static void arm(struct fr_redis_link *link, uint32_t ms)
{
    struct timeval after = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    event_del(link->timer);
    if (ms != FRESHET_NEVER)
        event_add(link->timer, &after);
}

static void arm_look(struct fr_redis_link *link)
{
    int64_t every_us = fr_redis_silence_look_every_us(&link->silence);
    arm(link, every_us == INT64_MAX ? FRESHET_NEVER : (uint32_t)(every_us / FR_US_PER_MS) + 1);
}

static void close_connection(struct fr_redis_link *link)
{
    if (link->bufferevent != NULL)
        bufferevent_free(link->bufferevent);
    link->bufferevent = NULL;
    if (link->reader != NULL)
        redisReaderFree(link->reader);
    link->reader = NULL;
}

static void forget_addresses(struct fr_redis_link *link)
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

static uint32_t next_delay_ms(struct fr_redis_link *link, enum fr_redis_fault fault)
{
    const struct freshet_redis_options *options = &link->options.config->options;
    if (fault == FR_REDIS_FAULT_LOGIN)
        return LOGIN_RETRY_MS;
    uint32_t doubled =
        link->backoff_ms > options->backoff_max_ms / 2 ? options->backoff_max_ms : link->backoff_ms * 2;
    link->backoff_ms = link->backoff_ms == 0 ? options->backoff_min_ms : doubled;
    return (uint32_t)fr_random_between(link->backoff_ms - link->backoff_ms / 4, link->backoff_ms);
}

static void tell(struct fr_redis_link *link, const struct fr_redis_reason *reason)
{
    bool known = strcmp(link->told, reason->text) == 0;
    enum freshet_log_level level =
        reason->fault == FR_REDIS_FAULT_LOGIN ? FRESHET_LOG_ERROR : FRESHET_LOG_WARN;
    if (link->options.brief)
        level = FRESHET_LOG_INFO;
    fr_log(link->options.log, known ? FRESHET_LOG_DEBUG : level, "redis %s: %s", link->options.name,
           reason->text);
    snprintf(link->told, sizeof(link->told), "%s", reason->text);
}

static void shut_direct(struct fr_redis_link *link)
{
    if (link->options.direct)
        fr_redis_loop_shut_direct(link->loop);
}

void fr_redis_link_break(struct fr_redis_link *link, const struct fr_redis_reason *reason)
{
    struct fr_redis_reason why = *reason; /* which may be part of what goes now */
    shut_direct(link);                    /* and this may break it itself */
    enum fr_redis_link_state was = link->state;
    if (was == FR_REDIS_LINK_IDLE || was == FR_REDIS_LINK_WAITING)
        return;
    close_connection(link);
    if (was != FR_REDIS_LINK_RESOLVING)
        forget_addresses(link);
    if (was == FR_REDIS_LINK_CONNECTING || was == FR_REDIS_LINK_GREETING)
        link->attempts_lost++;
    if (why.fault != FR_REDIS_FAULT_NETWORK)
        atomic_fetch_add_explicit(&link->errors, 1, memory_order_relaxed);
    int64_t stood_us = fr_clock_monotonic_us() - link->up_us;
    if (was == FR_REDIS_LINK_UP &&
        stood_us > 2 * (int64_t)link->options.config->options.backoff_max_ms * FR_US_PER_MS)
        link->backoff_ms = 0;
    tell(link, &why);
    link->state = FR_REDIS_LINK_WAITING;
    arm(link, next_delay_ms(link, why.fault));
    if (was == FR_REDIS_LINK_UP)
        link->options.owner.down(link->options.owner.user, why.text);
}

static void fail(struct fr_redis_link *link, enum fr_redis_fault fault, const char *text)
{
    struct fr_redis_reason reason = {.fault = fault};
    snprintf(reason.text, sizeof(reason.text), "%s", text);
    fr_redis_link_break(link, &reason);
}

void fr_redis_link_reject(struct fr_redis_link *link, const redisReply *reply)
{
    struct fr_redis_reason reason;
    fr_redis_reason_of(&reason, reply);
    fr_redis_link_break(link, &reason);
}

static void greet(struct fr_redis_link *link, const redisReply *reply)
{
    struct fr_redis_reason reason;
    switch (fr_redis_greeting_answer(&link->greeting, reply, &reason)) {
    case FR_REDIS_GREETING_MORE:
        break;
    case FR_REDIS_GREETING_DONE:
        enter(link, FR_REDIS_LINK_UP);
        break;
    case FR_REDIS_GREETING_FAILED:
        fr_redis_link_break(link, &reason);
        break;
    }
}

/* Hands on what is complete, for as long as the connection lives. */
static void parse(struct fr_redis_link *link, const struct bufferevent *bufferevent)
{
    while (link->bufferevent == bufferevent) {
        void *reply = NULL;
        if (redisReaderGetReply(link->reader, &reply) != REDIS_OK) {
            fail(link, FR_REDIS_FAULT_UNKNOWN, "an answer that is not RESP");
            return;
        }
        if (reply == NULL)
            return;
        if (link->state == FR_REDIS_LINK_UP)
            link->options.owner.reply(link->options.owner.user, reply);
        else
            greet(link, reply);
        freeReplyObject(reply);
    }
}

static void feed_reader(void *user, struct freshet_span piece)
{
    struct fr_redis_link *link = user;
    redisReaderFeed(link->reader, piece.data, piece.len);
}

static void on_read(struct bufferevent *bufferevent, void *user)
{
    struct fr_redis_link *link = user;
    struct evbuffer *input = bufferevent_get_input(bufferevent);
    struct evbuffer_iovec piece;
    fr_redis_silence_heard(&link->silence, fr_clock_monotonic_us());
    shut_direct(link); /* what is answered has to be known */
    while (link->bufferevent == bufferevent && evbuffer_peek(input, 1, NULL, &piece, 1) > 0) {
        size_t len = piece.iov_len < FEED_BYTES ? piece.iov_len : FEED_BYTES;
        if (!fr_resp_limit_feed(&link->guard, freshet_span(piece.iov_base, len), feed_reader, link)) {
            fail(link, FR_REDIS_FAULT_UNKNOWN, link->guard.error);
            return;
        }
        evbuffer_drain(input, len);
        parse(link, bufferevent);
    }
}

static void on_write(struct bufferevent *bufferevent, void *user)
{
    struct fr_redis_link *link = user;
    (void)bufferevent;
    if (link->state == FR_REDIS_LINK_UP && link->options.owner.drained != NULL)
        link->options.owner.drained(link->options.owner.user);
}

static void lose(struct fr_redis_link *link, short what)
{
    int code = EVUTIL_SOCKET_ERROR();
    char text[200];
    const char *tls = link->options.config->tls == NULL ? NULL : fr_redis_tls_error(link->bufferevent);
    if (tls != NULL)
        snprintf(text, sizeof(text), "TLS: %s", tls);
    else if (what & BEV_EVENT_EOF)
        snprintf(text, sizeof(text), "closed by Redis");
    else
        snprintf(text, sizeof(text), "%s", evutil_socket_error_to_string(code));
    if (link->state == FR_REDIS_LINK_CONNECTING && tls == NULL && link->address != NULL &&
        link->address->ai_next != NULL) {
        link->address = link->address->ai_next;
        enter(link, FR_REDIS_LINK_CONNECTING);
        return;
    }
    link->closed_by_peer = (what & BEV_EVENT_EOF) != 0 || code == ECONNRESET || code == EPIPE;
    fail(link, FR_REDIS_FAULT_NETWORK, text);
}

static void on_event(struct bufferevent *bufferevent, short what, void *user)
{
    struct fr_redis_link *link = user;
    if (link->bufferevent != bufferevent)
        return;
    if (what & BEV_EVENT_CONNECTED)
        enter(link, FR_REDIS_LINK_GREETING);
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
        forget_addresses(link);
        char text[200];
        snprintf(text, sizeof(text), "host not found: %s", gai_strerror(code));
        fail(link, FR_REDIS_FAULT_NETWORK, text);
        return;
    }
    link->address = fr_redis_connect_pick(addresses, link->attempts_lost);
    enter(link, FR_REDIS_LINK_CONNECTING);
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
    const struct fr_redis_url *url = &link->options.config->url;
    if (link->resolver != NULL)
        return true;
    if (fr_redis_resolver_new(&link->resolver, url->host, url->port) != FRESHET_OK)
        return false;
    link->resolved =
        event_new(link->loop->base, fr_redis_resolver_fd(link->resolver), EV_READ, on_resolved, link);
    return link->resolved != NULL && event_add(link->resolved, NULL) == 0;
}

static void begin_resolving(struct fr_redis_link *link)
{
    const struct fr_redis_url *url = &link->options.config->url;
    if (url->path != NULL) {
        enter(link, FR_REDIS_LINK_CONNECTING);
        return;
    }
    link->numeric = link->resolver != NULL ? NULL : fr_redis_resolve_numeric(url->host, url->port);
    if (link->numeric != NULL) {
        link->address = link->numeric;
        enter(link, FR_REDIS_LINK_CONNECTING);
        return;
    }
    if (start_resolver(link)) {
        take_answer(link);
        return;
    }
    forget_addresses(link);
    fail(link, FR_REDIS_FAULT_NETWORK, "no thread to look the host up");
}

static void begin_connecting(struct fr_redis_link *link)
{
    close_connection(link);
    link->reader = redisReaderCreate();
    link->bufferevent = fr_redis_connect_open(link->loop->base, link->options.config);
    if (link->reader == NULL || link->bufferevent == NULL) {
        fail(link, FR_REDIS_FAULT_NETWORK, "out of memory");
        return;
    }
    fr_resp_limit_init(&link->guard, &link->options.limits);
    /* Until the link is up. */
    link->guard.limits.max_elements = FR_REDIS_ROLE_ELEMENTS;
    link->guard.limits.max_bytes = FR_REDIS_ROLE_BYTES;
    struct bufferevent *bufferevent = link->bufferevent;
    bufferevent_setcb(bufferevent, on_read, on_write, on_event, link);
    bool begun = fr_redis_connect_begin(bufferevent, link->options.config, link->address);
    /* Otherwise on_event has dealt with it. */
    if (!begun && link->bufferevent == bufferevent)
        lose(link, BEV_EVENT_ERROR);
}

static void begin_greeting(struct fr_redis_link *link)
{
    fr_redis_connect_tune(link->bufferevent, link->options.config);
    if (!fr_redis_greeting_send(&link->greeting, bufferevent_get_output(link->bufferevent),
                                link->options.config, &link->options.greeting))
        fail(link, FR_REDIS_FAULT_NETWORK, "out of memory");
}

/* Once, and not before it could be asked in between. */
static void tell_blind(struct fr_redis_link *link)
{
    bool blind = fr_redis_link_is_blind(link);
    if (blind && !link->told_blind && !link->options.brief)
        fr_log(link->options.log, FRESHET_LOG_WARN,
               "redis %s: ROLE is refused, so a server that is not the master any more is found later: %s",
               link->options.name, link->greeting.blind);
    link->told_blind = blind;
}

void fr_redis_link_blind(struct fr_redis_link *link, const redisReply *error)
{
    struct fr_redis_reason reason;
    fr_redis_reason_of(&reason, error);
    snprintf(link->greeting.blind, sizeof(link->greeting.blind), "%s", reason.text);
    tell_blind(link);
}

static void begin_up(struct fr_redis_link *link)
{
    uint32_t timeout_ms = link->options.config->options.link_timeout_ms;
    link->up_us = fr_clock_monotonic_us();
    fr_redis_silence_begin(&link->silence,
                           timeout_ms == FRESHET_NEVER ? INT64_MAX : (int64_t)timeout_ms * FR_US_PER_MS,
                           link->up_us);
    link->attempts_lost = 0;
    link->guard.limits = link->options.limits;
    link->told[0] = '\0';
    link->closed_by_peer = false;
    if (link->was_up)
        atomic_fetch_add_explicit(&link->reconnects, 1, memory_order_relaxed);
    link->was_up = true;
    fr_log(link->options.log, link->options.brief ? FRESHET_LOG_DEBUG : FRESHET_LOG_INFO, "redis %s: up",
           link->options.name);
    tell_blind(link);
    arm_look(link);
    link->options.owner.up(link->options.owner.user);
}

static void enter(struct fr_redis_link *link, enum fr_redis_link_state state)
{
    fr_log(link->options.log, FRESHET_LOG_DEBUG, "redis %s: %s -> %s", link->options.name,
           state_texts[link->state], state_texts[state]);
    link->state = state;
    switch (state) {
    case FR_REDIS_LINK_IDLE:
    case FR_REDIS_LINK_WAITING:
        break;
    case FR_REDIS_LINK_RESOLVING:
        arm(link, link->options.config->options.connect_timeout_ms);
        begin_resolving(link);
        break;
    case FR_REDIS_LINK_CONNECTING:
        begin_connecting(link);
        break;
    case FR_REDIS_LINK_GREETING:
        begin_greeting(link);
        break;
    case FR_REDIS_LINK_UP:
        begin_up(link);
        break;
    }
}

static void look(struct fr_redis_link *link)
{
    const struct fr_redis_link_owner *owner = &link->options.owner;
    enum fr_redis_silence_stage stage = fr_redis_silence_look(&link->silence, fr_clock_monotonic_us());
    bool over = stage == FR_REDIS_SILENCE_OVER;
    bool is_doubtful = over || stage == FR_REDIS_SILENCE_DOUBT;
    bool is_kept = is_doubtful && owner->silent != NULL && owner->silent(owner->user, over);
    if (over && !is_kept) {
        fail(link, FR_REDIS_FAULT_NETWORK, "silent for too long");
        return;
    }
    arm_look(link);
    if (stage == FR_REDIS_SILENCE_TO_ASK)
        owner->ping(owner->user);
}

static void on_timer(evutil_socket_t fd, short what, void *user)
{
    struct fr_redis_link *link = user;
    (void)fd, (void)what;
    switch (link->state) {
    case FR_REDIS_LINK_IDLE:
        break;
    case FR_REDIS_LINK_WAITING:
        enter(link, FR_REDIS_LINK_RESOLVING);
        break;
    case FR_REDIS_LINK_RESOLVING:
    case FR_REDIS_LINK_CONNECTING:
    case FR_REDIS_LINK_GREETING:
        fail(link, FR_REDIS_FAULT_NETWORK, "no answer within the connect timeout");
        break;
    case FR_REDIS_LINK_UP:
        look(link);
        break;
    }
}

enum freshet_status fr_redis_link_init(struct fr_redis_link *link, struct fr_redis_loop *loop,
                                       const struct fr_redis_link_options *options)
{
    *link = (struct fr_redis_link){.options = *options, .loop = loop};
    link->timer = evtimer_new(loop->base, on_timer, link);
    return link->timer == NULL ? FRESHET_NO_MEMORY : FRESHET_OK;
}

void fr_redis_link_start(struct fr_redis_link *link)
{
    enter(link, FR_REDIS_LINK_RESOLVING);
}

void fr_redis_link_stop(struct fr_redis_link *link)
{
    link->state = FR_REDIS_LINK_IDLE;
    link->backoff_ms = 0;
    close_connection(link);
    forget_addresses(link);
    if (link->timer != NULL)
        event_del(link->timer);
}

void fr_redis_link_deinit(struct fr_redis_link *link)
{
    fr_redis_link_stop(link);
    if (link->timer != NULL)
        event_free(link->timer);
    link->timer = NULL;
}

bool fr_redis_link_is_up(const struct fr_redis_link *link)
{
    return link->state == FR_REDIS_LINK_UP;
}

bool fr_redis_link_is_heard(const struct fr_redis_link *link)
{
    return fr_redis_link_is_up(link) && fr_redis_silence_is_short(&link->silence, fr_clock_monotonic_us());
}

bool fr_redis_link_is_blind(const struct fr_redis_link *link)
{
    return link->greeting.blind[0] != '\0';
}

struct evbuffer *fr_redis_link_output(struct fr_redis_link *link)
{
    shut_direct(link); /* which may break it */
    return fr_redis_link_is_up(link) ? bufferevent_get_output(link->bufferevent) : NULL;
}

void fr_redis_link_idle(struct fr_redis_link *link)
{
    if (link->options.direct && fr_redis_link_is_up(link) && link->options.config->tls == NULL &&
        evbuffer_get_length(bufferevent_get_output(link->bufferevent)) == 0)
        fr_redis_loop_open_direct(link->loop, bufferevent_getfd(link->bufferevent));
}
