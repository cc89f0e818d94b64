#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "bus/redis/link/guide.h"
#include "bus/redis/link/link_internal.h"
#include "bus/redis/link/loop.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#define LOGIN_RETRY_MS 1000  /* somebody has to act, and is not to be waited for long when he has */
#define FEED_BYTES     16384 /* at once to the reader, which moves what it has not yet read */

static const char *state_texts[] = {"idle",       "waiting",  "locating", "resolving",
                                    "connecting", "greeting", "up"};

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
    if (link->options.brief && reason->fault != FR_REDIS_FAULT_LOGIN)
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

/* Where the guide sent it there was no master. */
static void blame(struct fr_redis_link *link, enum fr_redis_link_state was, enum fr_redis_fault fault)
{
    bool reached = was == FR_REDIS_LINK_UP && fault != FR_REDIS_FAULT_ROLE;
    if (link->options.guide != NULL && was > FR_REDIS_LINK_LOCATING && !reached)
        fr_redis_guide_blame(link->options.guide, &link->where);
}

void fr_redis_link_break(struct fr_redis_link *link, const struct fr_redis_reason *reason)
{
    struct fr_redis_reason why = *reason; /* which may be part of what goes now */
    shut_direct(link);                    /* and this may break it itself */
    enum fr_redis_link_state was = link->state;
    if (was == FR_REDIS_LINK_IDLE || was == FR_REDIS_LINK_WAITING)
        return;
    fr_redis_link_close_connection(link);
    if (was != FR_REDIS_LINK_RESOLVING)
        fr_redis_link_forget_addresses(link);
    if (was == FR_REDIS_LINK_CONNECTING || was == FR_REDIS_LINK_GREETING)
        link->attempts_lost++;
    blame(link, was, why.fault);
    if (why.fault != FR_REDIS_FAULT_NETWORK)
        atomic_fetch_add_explicit(&link->errors, 1, memory_order_relaxed);
    int64_t stood_us = fr_clock_monotonic_us() - link->up_us;
    if (was == FR_REDIS_LINK_UP &&
        stood_us > 2 * (int64_t)link->options.config->options.backoff_max_ms * FR_US_PER_MS)
        link->backoff_ms = 0;
    tell(link, &why);
    link->state = FR_REDIS_LINK_WAITING;
    link->delay_ms = next_delay_ms(link, why.fault);
    arm(link, link->delay_ms);
    if (was == FR_REDIS_LINK_UP)
        link->options.owner.down(link->options.owner.user, &why);
}

void fr_redis_link_fail(struct fr_redis_link *link, enum fr_redis_fault fault, const char *text)
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

void fr_redis_link_take_login(struct fr_redis_link *link, const redisReply *reply)
{
    struct fr_redis_reason reason;
    if (!fr_redis_login_is_refused(reply, &reason))
        return;
    fr_redis_link_break(link, &reason);
}

static void greet(struct fr_redis_link *link, const redisReply *reply)
{
    struct fr_redis_reason reason;
    switch (fr_redis_greeting_answer(&link->greeting, reply, &reason)) {
    case FR_REDIS_GREETING_MORE:
        break;
    case FR_REDIS_GREETING_DONE:
        fr_redis_link_enter(link, FR_REDIS_LINK_UP);
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
            fr_redis_link_fail(link, FR_REDIS_FAULT_UNKNOWN, "an answer that is not RESP");
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

void fr_redis_link_on_read(struct bufferevent *bufferevent, void *user)
{
    struct fr_redis_link *link = user;
    struct evbuffer *input = bufferevent_get_input(bufferevent);
    struct evbuffer_iovec piece;
    fr_redis_silence_heard(&link->silence, fr_clock_monotonic_us());
    shut_direct(link); /* what is answered has to be known */
    while (link->bufferevent == bufferevent && evbuffer_peek(input, 1, NULL, &piece, 1) > 0) {
        size_t len = piece.iov_len < FEED_BYTES ? piece.iov_len : FEED_BYTES;
        if (!fr_resp_limit_feed(&link->guard, freshet_span(piece.iov_base, len), feed_reader, link)) {
            fr_redis_link_fail(link, FR_REDIS_FAULT_UNKNOWN, link->guard.error);
            return;
        }
        evbuffer_drain(input, len);
        parse(link, bufferevent);
    }
}

void fr_redis_link_on_write(struct bufferevent *bufferevent, void *user)
{
    struct fr_redis_link *link = user;
    (void)bufferevent;
    if (link->state == FR_REDIS_LINK_UP && link->options.owner.drained != NULL)
        link->options.owner.drained(link->options.owner.user);
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

/* Pub/sub goes over such a node as over any other, and nobody would notice what it costs. */
static void tell_cluster(struct fr_redis_link *link)
{
    if (link->greeting.is_cluster && !link->told_cluster)
        fr_log(link->options.log, FRESHET_LOG_WARN,
               "redis %s: %s; as it is, each publish is work for every node", link->options.name,
               FR_REDIS_IS_CLUSTER);
    link->told_cluster = link->told_cluster || link->greeting.is_cluster;
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
    tell_cluster(link);
    arm_look(link);
    link->options.owner.up(link->options.owner.user);
}

void fr_redis_link_enter(struct fr_redis_link *link, enum fr_redis_link_state state)
{
    fr_log(link->options.log, FRESHET_LOG_DEBUG, "redis %s: %s -> %s", link->options.name,
           state_texts[link->state], state_texts[state]);
    link->state = state;
    switch (state) {
    case FR_REDIS_LINK_IDLE:
    case FR_REDIS_LINK_WAITING:
        break;
    case FR_REDIS_LINK_LOCATING:
        arm(link, link->options.config->options.connect_timeout_ms);
        fr_redis_link_begin_locating(link);
        break;
    case FR_REDIS_LINK_RESOLVING:
        arm(link, link->options.config->options.connect_timeout_ms);
        fr_redis_link_begin_resolving(link);
        break;
    case FR_REDIS_LINK_CONNECTING:
        fr_redis_link_begin_connecting(link);
        break;
    case FR_REDIS_LINK_GREETING:
        fr_redis_link_begin_greeting(link);
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
        fr_redis_link_fail(link, FR_REDIS_FAULT_NETWORK, "silent for too long");
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
        fr_redis_link_enter(link, FR_REDIS_LINK_LOCATING);
        break;
    case FR_REDIS_LINK_LOCATING:
        fr_redis_link_fail(link, FR_REDIS_FAULT_NETWORK, fr_redis_guide_trouble(link->options.guide));
        break;
    case FR_REDIS_LINK_RESOLVING:
    case FR_REDIS_LINK_CONNECTING:
    case FR_REDIS_LINK_GREETING:
        fr_redis_link_fail(link, FR_REDIS_FAULT_NETWORK, "no answer within the connect timeout");
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
    fr_list_init(&link->guided);
    link->timer = evtimer_new(loop->base, on_timer, link);
    if (link->timer == NULL)
        return FRESHET_NO_MEMORY;
    if (options->guide != NULL)
        fr_list_append(&options->guide->guided, &link->guided);
    return FRESHET_OK;
}

void fr_redis_link_start(struct fr_redis_link *link)
{
    fr_redis_link_enter(link, FR_REDIS_LINK_LOCATING);
}

void fr_redis_link_stop(struct fr_redis_link *link)
{
    link->state = FR_REDIS_LINK_IDLE;
    link->backoff_ms = 0;
    fr_redis_link_close_connection(link);
    fr_redis_link_forget_addresses(link);
    if (link->timer != NULL)
        event_del(link->timer);
}

void fr_redis_link_deinit(struct fr_redis_link *link)
{
    fr_redis_link_stop(link);
    if (link->guided.next != NULL)
        fr_list_remove(&link->guided);
    if (link->timer != NULL)
        event_free(link->timer);
    link->timer = NULL;
}

void fr_redis_link_leave(struct fr_redis_link *link, const struct fr_redis_address *master,
                         const struct fr_redis_reason *reason)
{
    if (link->state > FR_REDIS_LINK_LOCATING && !fr_redis_address_equal(&link->where, master))
        fr_redis_link_break(link, reason);
    if (link->state == FR_REDIS_LINK_WAITING)
        arm(link, 0);
}

bool fr_redis_link_is_up(const struct fr_redis_link *link)
{
    return link->state == FR_REDIS_LINK_UP;
}

bool fr_redis_link_is_heard(const struct fr_redis_link *link)
{
    return fr_redis_link_is_up(link) && fr_redis_silence_is_short(&link->silence, fr_clock_monotonic_us());
}

bool fr_redis_link_is_looking_up(const struct fr_redis_link *link)
{
    return link->resolver != NULL && link->state < FR_REDIS_LINK_CONNECTING;
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
    if (link->options.direct && fr_redis_link_is_up(link) && !link->options.config->url.tls &&
        evbuffer_get_length(bufferevent_get_output(link->bufferevent)) == 0)
        fr_redis_loop_open_direct(link->loop, bufferevent_getfd(link->bufferevent));
}
