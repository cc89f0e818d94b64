#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "bus/redis/bus.h"
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#define HOUSEKEEPING_MS   250
#define IN_TIME           2 /* probe intervals: what is proved is so for as long */
#define MAX_PUSH_ELEMENTS 16
#define MAX_PUSH_BYTES    8192 /* without a body: the kind and a channel */

static void arm(struct event *timer, uint64_t ms)
{
    struct timeval after = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    event_add(timer, &after);
}

static int64_t in_time_us(const struct fr_redis_bus *bus)
{
    return IN_TIME * (int64_t)bus->config.options.probe_interval_ms * FR_US_PER_MS;
}

static enum freshet_bus_state judge(const struct fr_redis_bus *bus)
{
    if (!fr_redis_link_is_up(&bus->subscribing))
        return FRESHET_BUS_DOWN;
    int64_t age_us = fr_clock_monotonic_us() - bus->probe.seen_us;
    bool proved =
        fr_redis_link_is_up(&bus->commanding) && bus->probe.seen_us >= 0 && age_us <= in_time_us(bus);
    return proved ? FRESHET_BUS_PROVED : FRESHET_BUS_UP;
}

void fr_redis_bus_update_state(struct fr_redis_bus *bus, const char *reason)
{
    static const char *texts[] = {"down", "up", "proved"};
    enum freshet_bus_state state = judge(bus);
    if ((int)state == atomic_load(&bus->state))
        return;
    atomic_store(&bus->state, (int)state);
    fr_log(&bus->sink.log, FRESHET_LOG_INFO, "redis bus: %s: %s", texts[state], reason);
    bus->sink.state(bus->sink.context, state, freshet_span_text(reason));
}

void fr_redis_bus_lose_proof(struct fr_redis_bus *bus)
{
    fr_redis_probe_reset(&bus->probe);
    bus->question = 0;
}

/* The last thing a program does may well be a publish. A witness that cannot be had is not waited for. */
static bool awaits_witness(const struct fr_redis_bus *bus)
{
    return fr_redis_witness_is_doubtful(&bus->witness) && fr_redis_bus_can_probe(bus) &&
           bus->witnessing.state != FR_REDIS_LINK_WAITING;
}

void fr_redis_bus_end_if_done(struct fr_redis_bus *bus)
{
    if (!bus->stopping || atomic_load(&bus->overflowed) || !fr_redis_outbox_is_empty(&bus->outbox))
        return;
    if (awaits_witness(bus))
        fr_redis_bus_witness_settle(bus);
    else
        fr_redis_loop_break(&bus->loop);
}

void fr_redis_bus_settle(void *user)
{
    struct fr_redis_bus *bus = user;
    if (atomic_exchange(&bus->overflowed, false)) {
        fr_redis_loop_shut_direct(&bus->loop); /* what went there was before the mark */
        fr_redis_outbox_collapse(&bus->outbox);
    }
    fr_redis_bus_send(bus);
    fr_redis_bus_pump(bus);
    fr_redis_bus_end_if_done(bus);
}

static void on_housekeeping(evutil_socket_t fd, short what, void *user)
{
    struct fr_redis_bus *bus = user;
    (void)fd;
    (void)what;
    fr_redis_outbox_age(&bus->outbox, fr_clock_monotonic_us());
    fr_redis_bus_witness_settle(bus);
    fr_redis_bus_settle(bus);
    fr_redis_bus_update_state(bus, "probes do not come back in time");
}

static void on_probe_timer(evutil_socket_t fd, short what, void *user)
{
    struct fr_redis_bus *bus = user;
    uint32_t interval_ms = bus->config.options.probe_interval_ms;
    (void)fd;
    (void)what;
    arm(bus->probe_timer, fr_random_between(interval_ms - interval_ms / 10, interval_ms));
    fr_redis_bus_look_for_probe(bus);
}

static void on_stop_timer(evutil_socket_t fd, short what, void *user)
{
    struct fr_redis_bus *bus = user;
    (void)fd;
    (void)what;
    fr_redis_loop_break(&bus->loop);
}

void fr_redis_bus_begin(struct fr_redis_bus *bus)
{
    struct timeval often = {.tv_usec = HOUSEKEEPING_MS * 1000};
    event_add(bus->housekeeping, &often);
    if (bus->config.options.probe_interval_ms != FRESHET_NEVER)
        arm(bus->probe_timer, bus->config.options.probe_interval_ms);
    fr_redis_link_start(&bus->subscribing);
    fr_redis_link_start(&bus->commanding);
}

void fr_redis_bus_end(struct fr_redis_bus *bus, uint64_t deadline_ms)
{
    bus->stopping = true;
    bus->witness.next_us = INT64_MIN; /* at once */
    arm(bus->stop_timer, deadline_ms);
    fr_redis_bus_end_if_done(bus);
}

static void on_answer(void *user, void *token, enum freshet_status status, int64_t receivers)
{
    struct fr_redis_bus *bus = user;
    bus->sink.published(bus->sink.context, token, status, receivers);
}

static bool want_control(struct fr_redis_bus *bus, const char *name)
{
    struct fr_redis_channel *channel = fr_redis_channel_new(bus->prefix, freshet_span_text(name), 0);
    if (channel != NULL)
        fr_redis_subscriptions_add(&bus->subscriptions, channel);
    return channel != NULL;
}

static bool init_parts(struct fr_redis_bus *bus)
{
    const struct freshet_redis_options *options = &bus->config.options;
    struct fr_redis_subscriptions_owner owner = fr_redis_bus_subscriptions_owner(bus);
    char everything[512];
    int len = snprintf(everything, sizeof(everything), "%s%s", bus->config.prefix, bus->everything);
    struct fr_redis_outbox_options outbox = {
        .max_count = options->max_queued_publishes,
        .max_bytes = options->max_queued_bytes,
        .max_age_us = options->max_queued_ms == FRESHET_NEVER
                          ? INT64_MAX
                          : (int64_t)options->max_queued_ms * FR_US_PER_MS,
        .everything_channel = freshet_span(everything, (size_t)len),
        .user = bus,
        .answer = on_answer,
    };
    fr_redis_probe_init(&bus->probe, in_time_us(bus));
    fr_redis_witness_init(&bus->witness);
    return fr_redis_subscriptions_init(&bus->subscriptions, &owner) &&
           fr_redis_outbox_init(&bus->outbox, &outbox) && want_control(bus, bus->probe_name) &&
           want_control(bus, bus->everything);
}

static enum freshet_status init_links(struct fr_redis_bus *bus)
{
    struct fr_redis_link_options options = {
        .config = &bus->config,
        .log = &bus->sink.log,
        .name = "subscribe link",
        .greeting = {.name = "freshet-subscribe", .needs_master = true},
        .limits = {.max_elements = MAX_PUSH_ELEMENTS,
                   .max_bytes = MAX_PUSH_BYTES,
                   .max_body = bus->config.options.max_message_bytes},
        .owner = fr_redis_bus_subscribe_owner(bus),
    };
    enum freshet_status status = fr_redis_link_init(&bus->subscribing, &bus->loop, &options);
    if (status != FRESHET_OK)
        return status;
    options.name = "witness";
    options.greeting.name = "freshet-witness";
    options.owner = fr_redis_bus_witness_owner(bus);
    options.brief = true;
    status = fr_redis_link_init(&bus->witnessing, &bus->loop, &options);
    options.name = "command link";
    options.greeting.name = "freshet-command";
    options.brief = false;
    options.limits.max_elements = FR_REDIS_ROLE_ELEMENTS;
    options.limits.max_bytes = FR_REDIS_ROLE_BYTES;
    options.owner = fr_redis_bus_command_owner(bus);
    options.direct = true;
    return status != FRESHET_OK ? status : fr_redis_link_init(&bus->commanding, &bus->loop, &options);
}

enum freshet_status fr_redis_bus_links_init(struct fr_redis_bus *bus)
{
    bus->housekeeping = event_new(bus->loop.base, -1, EV_PERSIST, on_housekeeping, bus);
    bus->probe_timer = evtimer_new(bus->loop.base, on_probe_timer, bus);
    bus->stop_timer = evtimer_new(bus->loop.base, on_stop_timer, bus);
    if (bus->housekeeping == NULL || bus->probe_timer == NULL || bus->stop_timer == NULL || !init_parts(bus))
        return FRESHET_NO_MEMORY;
    return init_links(bus);
}

void fr_redis_bus_links_deinit(struct fr_redis_bus *bus)
{
    struct event **timers[] = {&bus->housekeeping, &bus->probe_timer, &bus->stop_timer};
    for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
        if (*timers[i] != NULL)
            event_free(*timers[i]);
        *timers[i] = NULL;
    }
    fr_redis_link_deinit(&bus->subscribing);
    fr_redis_link_deinit(&bus->commanding);
    fr_redis_link_deinit(&bus->witnessing);
    fr_redis_subscriptions_deinit(&bus->subscriptions);
    fr_redis_outbox_deinit(&bus->outbox);
}
