#include "bus/redis/link/guide.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "bus/redis/link/loop.h"
#include "bus/redis/proto/push.h"
#include "bus/redis/proto/wire.h"
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#define SWITCHES     "+switch-master"
#define MAX_ELEMENTS 16
#define MAX_BYTES    8192
#define MAX_BODY     4096
#define MAX_REPLICAS 32

#define MAX_PATIENCE_US (FR_US_PER_S / 4) /* with one sentinel, before the next is asked, too */

static bool say(struct evbuffer *output, const char *first, const char *second, const char *third)
{
    struct freshet_span arguments[] = {freshet_span_text(first), freshet_span_text(second),
                                       freshet_span_text(third == NULL ? "" : third)};
    return fr_redis_wire_add(output, arguments, third == NULL ? 2 : 3);
}

static bool say_all(const struct fr_redis_guide *guide, struct evbuffer *output)
{
    const char *master = guide->config->url.master;
    return say(output, "UNSUBSCRIBE", SWITCHES, NULL) &&
           say(output, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", master) &&
           (!guide->replica_will_do || say(output, "SENTINEL", "REPLICAS", master)) &&
           say(output, "SUBSCRIBE", SWITCHES, NULL);
}

static void put_question(struct fr_redis_guide_sentinel *sentinel)
{
    struct evbuffer *output = fr_redis_link_output(&sentinel->link);
    if (output == NULL || sentinel->step != FR_REDIS_GUIDE_LISTENING)
        return;
    sentinel->step = FR_REDIS_GUIDE_UNSUBSCRIBING;
    if (say_all(sentinel->guide, output))
        return;
    struct fr_redis_reason reason = {.fault = FR_REDIS_FAULT_UNKNOWN, .text = "out of memory"};
    fr_redis_link_break(&sentinel->link, &reason);
}

static void arm(struct fr_redis_guide *guide)
{
    int64_t wake_us = fr_redis_sentinels_wake_us(&guide->known), now_us = fr_clock_monotonic_us();
    event_del(guide->timer);
    if (wake_us == INT64_MAX)
        return;
    int64_t left_us = wake_us > now_us ? wake_us - now_us : 0;
    struct timeval after = {.tv_sec = left_us / FR_US_PER_S, .tv_usec = left_us % FR_US_PER_S};
    event_add(guide->timer, &after);
}

static void settle(struct fr_redis_guide *guide)
{
    int place;
    while ((place = fr_redis_sentinels_next(&guide->known, fr_clock_monotonic_us())) >= 0)
        put_question(&guide->sentinels[place]);
    arm(guide);
}

static struct fr_redis_link *link_of(struct fr_list *node)
{
    return FR_CONTAINER(node, struct fr_redis_link, guided);
}

static void lead_away(struct fr_redis_guide *guide)
{
    struct fr_redis_address_text name = fr_redis_address_text(&guide->known.target);
    const char *what =
        fr_redis_address_equal(&guide->known.target, &guide->known.master) ? "master" : "replica";
    struct fr_redis_reason reason = {.fault = FR_REDIS_FAULT_ROLE};
    snprintf(reason.text, sizeof(reason.text), "the sentinels name another %s: %.150s", what, name.text);
    fr_log(guide->log, FRESHET_LOG_INFO, "redis sentinels: the %s is %s", what, name.text);
    for (struct fr_list *at = guide->guided.next; at != &guide->guided; at = at->next)
        fr_redis_link_leave(link_of(at), &guide->known.target, &reason);
}

/* The sentinels have said where links are to be. */
static void lead(struct fr_redis_guide *guide, const struct fr_redis_address *replicas, unsigned count)
{
    guide->trouble[0] = '\0';
    if (fr_redis_sentinels_aim(&guide->known, replicas, count, (unsigned)fr_random_between(0, MAX_REPLICAS)))
        lead_away(guide);
    for (struct fr_list *at = guide->guided.next; at != &guide->guided; at = at->next)
        fr_redis_link_go(link_of(at), &guide->known.target);
}

static void refuse(struct fr_redis_guide_sentinel *sentinel, const redisReply *reply)
{
    struct fr_redis_guide *guide = sentinel->guide;
    struct fr_redis_reason reason;
    fr_redis_reason_of(&reason, reply);
    if (reply->type == REDIS_REPLY_NIL)
        snprintf(reason.text, sizeof(reason.text), "it knows no master called \"%.100s\"",
                 fr_escape(freshet_span_text(guide->config->url.master)).text);
    else if (reply->type == REDIS_REPLY_ERROR &&
             fr_text_begins(freshet_span(reply->str, reply->len), "ERR unknown command"))
        snprintf(reason.text, sizeof(reason.text), "it is no sentinel: use redis:// for a Redis");
    snprintf(guide->trouble, sizeof(guide->trouble), "%.80s: %.110s", sentinel->name, reason.text);
    fr_redis_sentinels_refuse(&guide->known, sentinel->place);
}

static void take_answer(struct fr_redis_guide_sentinel *sentinel, const redisReply *reply)
{
    struct fr_redis_guide *guide = sentinel->guide;
    struct fr_redis_address master;
    sentinel->is_believed = false;
    if (fr_redis_sentinel_read(reply, &master))
        sentinel->is_believed =
            fr_redis_sentinels_answer(&guide->known, sentinel->place, &master, fr_clock_monotonic_us());
    else
        refuse(sentinel, reply);
    if (sentinel->is_believed && !guide->replica_will_do)
        lead(guide, NULL, 0);
    settle(guide);
}

static void take_replicas(struct fr_redis_guide_sentinel *sentinel, const redisReply *reply)
{
    struct fr_redis_guide *guide = sentinel->guide;
    struct fr_redis_address replicas[MAX_REPLICAS];
    unsigned count = fr_redis_sentinel_read_replicas(reply, replicas, MAX_REPLICAS);
    if (sentinel->is_believed)
        lead(guide, replicas, count);
}

static void take_switch(struct fr_redis_guide_sentinel *sentinel, struct freshet_span body)
{
    struct fr_redis_guide *guide = sentinel->guide;
    struct fr_redis_address from, to;
    if (!fr_redis_sentinel_read_switch(body, freshet_span_text(guide->config->url.master), &from, &to))
        return;
    fr_redis_sentinels_switch(&guide->known, sentinel->place, &from, &to, fr_clock_monotonic_us());
    if (guide->replica_will_do)
        fr_redis_sentinels_want(&guide->known); /* whose replicas are others now */
    else
        lead(guide, NULL, 0);
    settle(guide);
}

/* Without the right to subscribe it is asked from time to time, and no more. */
static void take_subscribed(struct fr_redis_guide_sentinel *sentinel, const redisReply *reply)
{
    struct fr_redis_reason reason;
    if (reply->type != REDIS_REPLY_ERROR)
        return;
    fr_redis_reason_of(&reason, reply);
    fr_log(sentinel->guide->log, FRESHET_LOG_DEBUG, "redis %s: %s: %s", sentinel->name, SWITCHES,
           reason.text);
}

static void on_reply(void *user, redisReply *reply)
{
    struct fr_redis_guide_sentinel *sentinel = user;
    struct fr_redis_guide *guide = sentinel->guide;
    struct fr_redis_push push = fr_redis_push_read(reply);
    if (push.kind == FR_REDIS_PUSH_MESSAGE) {
        take_switch(sentinel, push.body);
        return;
    }
    switch (sentinel->step) {
    case FR_REDIS_GUIDE_LISTENING:
        fr_redis_link_reject(&sentinel->link, reply);
        break;
    case FR_REDIS_GUIDE_UNSUBSCRIBING:
        sentinel->step = FR_REDIS_GUIDE_ASKING;
        break;
    case FR_REDIS_GUIDE_ASKING:
        sentinel->step = guide->replica_will_do ? FR_REDIS_GUIDE_LOOKING : FR_REDIS_GUIDE_SUBSCRIBING;
        take_answer(sentinel, reply);
        break;
    case FR_REDIS_GUIDE_LOOKING:
        sentinel->step = FR_REDIS_GUIDE_SUBSCRIBING;
        take_replicas(sentinel, reply);
        break;
    case FR_REDIS_GUIDE_SUBSCRIBING:
        sentinel->step = FR_REDIS_GUIDE_LISTENING;
        take_subscribed(sentinel, reply);
        if (guide->known.all[sentinel->place].state == FR_REDIS_SENTINEL_ASKED)
            put_question(sentinel); /* in the meantime it was its turn again */
        break;
    }
}

static void on_up(void *user)
{
    struct fr_redis_guide_sentinel *sentinel = user;
    sentinel->step = FR_REDIS_GUIDE_LISTENING;
    fr_redis_sentinels_came(&sentinel->guide->known, sentinel->place, fr_clock_monotonic_us());
    put_question(sentinel);
    settle(sentinel->guide);
}

static void on_down(void *user, const struct fr_redis_reason *reason)
{
    struct fr_redis_guide_sentinel *sentinel = user;
    (void)reason;
    fr_redis_sentinels_went(&sentinel->guide->known, sentinel->place);
    settle(sentinel->guide);
}

static void on_ping(void *user)
{
    put_question(user);
}

static void on_timer(evutil_socket_t fd, short what, void *user)
{
    (void)fd;
    (void)what;
    settle(user);
}

static enum freshet_status init_sentinel(struct fr_redis_guide *guide, unsigned place)
{
    struct fr_redis_guide_sentinel *sentinel = &guide->sentinels[place];
    const struct fr_redis_address *address = &guide->config->url.addresses[place];
    snprintf(sentinel->name, sizeof(sentinel->name), "sentinel %s", fr_redis_address_text(address).text);
    sentinel->guide = guide;
    sentinel->place = place;
    struct fr_redis_link_options options = {
        .config = guide->config,
        .log = guide->log,
        .name = sentinel->name,
        .greeting = {.name = "freshet-sentinel", .login = &guide->config->sentinel_login},
        .limits = {.max_elements = guide->replica_will_do ? MAX_REPLICAS * 64 : MAX_ELEMENTS,
                   .max_bytes = guide->replica_will_do ? MAX_REPLICAS * 4096 : MAX_BYTES,
                   .max_body = MAX_BODY},
        .owner = {.user = sentinel, .up = on_up, .down = on_down, .reply = on_reply, .ping = on_ping},
        .address = address,
    };
    return fr_redis_link_init(&sentinel->link, guide->loop, &options);
}

enum freshet_status fr_redis_guide_init(struct fr_redis_guide *guide, const struct fr_redis_config *config,
                                        const struct freshet_log *log, struct fr_redis_loop *loop,
                                        bool replica_will_do)
{
    const struct freshet_redis_options *options = &config->options;
    int64_t every_us = options->probe_interval_ms == FRESHET_NEVER
                           ? INT64_MAX
                           : (int64_t)options->probe_interval_ms * FR_US_PER_MS;
    int64_t patience_us = (int64_t)options->connect_timeout_ms * FR_US_PER_MS / 4;
    if (patience_us > MAX_PATIENCE_US)
        patience_us = MAX_PATIENCE_US;
    unsigned count = config->url.address_count;
    *guide = (struct fr_redis_guide){
        .config = config, .log = log, .loop = loop, .replica_will_do = replica_will_do};
    fr_list_init(&guide->guided);
    fr_redis_sentinels_init(&guide->known, count, every_us, patience_us);
    guide->sentinels = calloc(count, sizeof(*guide->sentinels));
    guide->timer = evtimer_new(loop->base, on_timer, guide);
    enum freshet_status status =
        guide->sentinels == NULL || guide->timer == NULL ? FRESHET_NO_MEMORY : FRESHET_OK;
    for (unsigned i = 0; i < count && status == FRESHET_OK; i++)
        status = init_sentinel(guide, i);
    return status;
}

void fr_redis_guide_deinit(struct fr_redis_guide *guide)
{
    for (unsigned i = 0; guide->sentinels != NULL && i < guide->known.count; i++)
        fr_redis_link_deinit(&guide->sentinels[i].link);
    free(guide->sentinels);
    if (guide->timer != NULL)
        event_free(guide->timer);
    *guide = (struct fr_redis_guide){0};
}

void fr_redis_guide_begin(struct fr_redis_guide *guide)
{
    for (unsigned i = 0; i < guide->known.count; i++)
        fr_redis_link_start(&guide->sentinels[i].link);
}

void fr_redis_guide_ask(struct fr_redis_guide *guide)
{
    fr_redis_sentinels_want(&guide->known);
    settle(guide);
}

void fr_redis_guide_blame(struct fr_redis_guide *guide, const struct fr_redis_address *address)
{
    fr_redis_sentinels_blame(&guide->known, address);
}

const char *fr_redis_guide_trouble(const struct fr_redis_guide *guide)
{
    return guide->trouble[0] == '\0' ? "no sentinel answers" : guide->trouble;
}
