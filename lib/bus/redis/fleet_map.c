/* The short-lived link of a fleet: it asks one node of the cluster for the slot map, and goes. */
#include "base/clock.h"
#include "base/log.h"
#include "bus/redis/fleet.h"
#include "bus/redis/proto/wire.h"
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#define LOOK_MS       25  /* while it asks: whether it has come to nothing */
#define AT_ONCE_MS    50  /* between two attempts, at least */
#define TROUBLED_MS   250 /* between two questions while something is not where it should be */
#define DEFAULT_MS    5000
#define MAX_MAP_BYTES (16u << 20) /* of 16,384 slots that take turns, with a few replicas each */

static int64_t ms_to_us(int64_t ms)
{
    return ms * FR_US_PER_MS;
}

static int64_t interval_us(const struct fr_redis_fleet *fleet)
{
    uint32_t interval_ms = fleet->options.config->options.probe_interval_ms;
    return ms_to_us(interval_ms == FRESHET_NEVER ? DEFAULT_MS : interval_ms);
}

static void arm(struct fr_redis_fleet *fleet, int64_t after_us)
{
    if (after_us < 0)
        after_us = 0;
    struct timeval after = {.tv_sec = after_us / FR_US_PER_S, .tv_usec = after_us % FR_US_PER_S};
    event_add(fleet->timer, &after);
}

static bool is_asking(const struct fr_redis_fleet *fleet)
{
    return fleet->asking.state != FR_REDIS_LINK_IDLE;
}

void fr_redis_fleet_ask(struct fr_redis_fleet *fleet)
{
    int64_t now_us = fr_clock_monotonic_us(), earliest_us = fleet->begun_us + ms_to_us(AT_ONCE_MS);
    int64_t next_us = now_us > earliest_us ? now_us : earliest_us;
    if (is_asking(fleet) || next_us >= fleet->next_us)
        return;
    fleet->next_us = next_us;
    arm(fleet, next_us - now_us);
}

static void begin(struct fr_redis_fleet *fleet)
{
    fleet->asked = fr_redis_scout_next(&fleet->scout, &fleet->map);
    fleet->begun_us = fleet->asked_us = fr_clock_monotonic_us();
    fleet->answers = 0;
    fr_redis_link_start(&fleet->asking);
    arm(fleet, ms_to_us(LOOK_MS));
}

/* The attempt is over; `next_ms`: until the next one. */
static void end(struct fr_redis_fleet *fleet, int64_t next_us)
{
    fr_redis_link_stop(&fleet->asking);
    fleet->next_us = fr_clock_monotonic_us() + next_us;
    arm(fleet, next_us);
}

/* Once, until it is another reason. */
static void tell(struct fr_redis_fleet *fleet, const char *reason)
{
    char text[sizeof(fleet->told)];
    snprintf(text, sizeof(text), "%s: %s", fr_redis_address_text(&fleet->asked).text, reason);
    if (strcmp(text, fleet->told) != 0)
        fr_log(&fleet->options.sink->log, FRESHET_LOG_WARN, "redis cluster: no slot map from %s", text);
    snprintf(fleet->told, sizeof(fleet->told), "%s", text);
}

/* Another node is asked. That one does not answer is everyday; that none does is worth a line. */
static void fail(struct fr_redis_fleet *fleet, const char *reason)
{
    if (++fleet->failures % (fleet->map.node_count + fleet->scout.seed_count) == 0)
        tell(fleet, reason);
    end(fleet, ms_to_us(AT_ONCE_MS));
}

static void take_map(struct fr_redis_fleet *fleet, const redisReply *reply)
{
    struct fr_redis_map map;
    struct freshet_error error = {""};
    if (fr_redis_map_read(&map, reply, &fleet->asked, &error) != FRESHET_OK) {
        atomic_fetch_add_explicit(&fleet->errors, 1, memory_order_relaxed);
        fail(fleet, error.text);
        return;
    }
    if (!fr_redis_scout_believes(&fleet->scout, &fleet->map, &fleet->outlook)) {
        fr_redis_map_deinit(&map);
        fail(fleet, fleet->outlook.works ? "it knows less than others have told"
                                         : "it says that its cluster is down");
        return;
    }
    fleet->failures = 0;
    fleet->told[0] = '\0';
    fr_redis_fleet_take_map(fleet, &map);
    end(fleet, fr_redis_fleet_is_troubled(fleet) ? ms_to_us(TROUBLED_MS) : interval_us(fleet));
    if (fleet->ending)
        fleet->options.ended(fleet->options.user);
}

static void take_outlook(struct fr_redis_fleet *fleet, const redisReply *reply)
{
    char text[200];
    if (reply->type == REDIS_REPLY_STRING &&
        fr_redis_outlook_read(&fleet->outlook, freshet_span(reply->str, reply->len)))
        return;
    snprintf(
        text, sizeof(text), "CLUSTER INFO: \"%s\"",
        fr_escape(reply->str == NULL ? freshet_span(NULL, 0) : freshet_span(reply->str, reply->len)).text);
    atomic_fetch_add_explicit(&fleet->errors, 1, memory_order_relaxed);
    fail(fleet, text);
}

static void on_map_reply(void *user, redisReply *reply)
{
    struct fr_redis_fleet *fleet = user;
    if (fleet->answers++ == 0)
        take_outlook(fleet, reply);
    else
        take_map(fleet, reply);
}

static void on_map_up(void *user)
{
    struct fr_redis_fleet *fleet = user;
    struct freshet_span info[] = {freshet_span_text("CLUSTER"), freshet_span_text("INFO")};
    struct freshet_span slots[] = {freshet_span_text("CLUSTER"), freshet_span_text("SLOTS")};
    struct evbuffer *output = fr_redis_link_output(&fleet->asking);
    fleet->asked_us = fr_clock_monotonic_us();
    if (output == NULL || !fr_redis_wire_add(output, info, 2) || !fr_redis_wire_add(output, slots, 2))
        fail(fleet, "out of memory");
}

static void on_map_down(void *user, const struct fr_redis_reason *reason)
{
    (void)user;
    (void)reason; /* the timer sees that it waits */
}

static void on_map_ping(void *user)
{
    (void)user; /* two answers are out */
}

/* The link would try the same node again. */
static void look(struct fr_redis_fleet *fleet)
{
    int64_t out_us = fr_clock_monotonic_us() - fleet->asked_us;
    if (fleet->asking.state == FR_REDIS_LINK_WAITING)
        fail(fleet, fleet->asking.told);
    else if (out_us > ms_to_us(fleet->options.config->options.connect_timeout_ms))
        fail(fleet, "no answer in time");
    else
        arm(fleet, ms_to_us(LOOK_MS));
}

static void on_map_timer(evutil_socket_t fd, short what, void *user)
{
    struct fr_redis_fleet *fleet = user;
    (void)fd;
    (void)what;
    if (is_asking(fleet))
        look(fleet);
    else
        begin(fleet);
}

enum freshet_status fr_redis_fleet_map_init(struct fr_redis_fleet *fleet)
{
    const struct fr_redis_config *config = fleet->options.config;
    struct fr_redis_link_options options = {
        .config = config,
        .log = &fleet->options.sink->log,
        .name = "map link",
        .greeting = {.name = "freshet-map", .login = &config->login},
        .address = &fleet->asked,
        .limits = {.max_reply = MAX_MAP_BYTES},
        .owner =
            {.user = fleet, .up = on_map_up, .down = on_map_down, .reply = on_map_reply, .ping = on_map_ping},
        .brief = true,
    };
    fr_redis_scout_init(&fleet->scout, config->url.addresses, config->url.address_count);
    fleet->next_us = INT64_MAX;
    fleet->timer = evtimer_new(fleet->options.loop->base, on_map_timer, fleet);
    if (fleet->timer == NULL)
        return FRESHET_NO_MEMORY;
    return fr_redis_link_init(&fleet->asking, fleet->options.loop, &options);
}

void fr_redis_fleet_map_deinit(struct fr_redis_fleet *fleet)
{
    if (fleet->timer != NULL)
        event_free(fleet->timer);
    fleet->timer = NULL;
    fr_redis_link_deinit(&fleet->asking);
}
