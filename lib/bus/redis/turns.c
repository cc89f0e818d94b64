/* The bus on its thread: from its first turn to its last. */
#include "base/log.h"
#include "bus/redis/bus.h"
#include <event2/event.h>

#define HOUSEKEEPING_MS 250

struct fr_redis_shard *fr_redis_bus_shard_of(struct fr_redis_bus *bus, struct freshet_span topic)
{
    (void)topic;
    return &bus->only;
}

static void update_state(void *user, const char *reason)
{
    static const char *texts[] = {"down", "up", "proved"};
    struct fr_redis_bus *bus = user;
    enum freshet_bus_state state = fr_redis_shard_state(&bus->only);
    if ((int)state == atomic_load(&bus->state))
        return;
    atomic_store(&bus->state, (int)state);
    fr_log(&bus->sink.log, FRESHET_LOG_INFO, "redis bus: %s: %s", texts[state], reason);
    bus->sink.state(bus->sink.context, state, freshet_span_text(reason));
}

/* Stopping, and everything is answered: ends the thread. */
static void end_if_done(void *user)
{
    struct fr_redis_bus *bus = user;
    if (bus->stopping && !atomic_load(&bus->overflowed) && fr_redis_shard_is_done(&bus->only))
        fr_redis_loop_break(&bus->loop);
}

void fr_redis_bus_settle(void *user)
{
    struct fr_redis_bus *bus = user;
    if (atomic_exchange(&bus->overflowed, false)) {
        fr_redis_loop_shut_direct(&bus->loop); /* what went there was before the mark */
        fr_redis_outbox_collapse(&bus->only.outbox);
    }
    fr_redis_shard_settle(&bus->only);
    end_if_done(bus);
}

static void on_housekeeping(evutil_socket_t fd, short what, void *user)
{
    struct fr_redis_bus *bus = user;
    (void)fd;
    (void)what;
    fr_redis_shard_keep_house(&bus->only);
    fr_redis_bus_settle(bus);
    update_state(bus, "probes do not come back in time");
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
    fr_redis_guide_begin(&bus->guide);
    fr_redis_shard_begin(&bus->only);
}

void fr_redis_bus_end(struct fr_redis_bus *bus, uint64_t deadline_ms)
{
    struct timeval after = {.tv_sec = (time_t)(deadline_ms / 1000),
                            .tv_usec = (suseconds_t)(deadline_ms % 1000 * 1000)};
    bus->stopping = true;
    event_add(bus->stop_timer, &after);
    fr_redis_shard_end(&bus->only);
    end_if_done(bus);
}

enum freshet_status fr_redis_bus_turns_init(struct fr_redis_bus *bus)
{
    bool is_guided = bus->config.url.kind == FR_REDIS_URL_SENTINEL;
    struct fr_redis_shard_options options = {
        .config = &bus->config,
        .address = is_guided ? NULL : &bus->config.url.addresses[0],
        .guide = is_guided ? &bus->guide : NULL,
        .loop = &bus->loop,
        .sink = &bus->sink,
        .everything = bus->everything,
        .probes = bus->probes,
        .direct = true,
        .user = bus,
        .state = update_state,
        .ended = end_if_done,
    };
    bus->housekeeping = event_new(bus->loop.base, -1, EV_PERSIST, on_housekeeping, bus);
    bus->stop_timer = evtimer_new(bus->loop.base, on_stop_timer, bus);
    if (bus->housekeeping == NULL || bus->stop_timer == NULL)
        return FRESHET_NO_MEMORY;
    enum freshet_status status = FRESHET_OK;
    if (is_guided)
        status = fr_redis_guide_init(&bus->guide, &bus->config, &bus->sink.log, &bus->loop, false);
    return status != FRESHET_OK ? status : fr_redis_shard_init(&bus->only, &options);
}

void fr_redis_bus_turns_deinit(struct fr_redis_bus *bus)
{
    if (bus->housekeeping != NULL)
        event_free(bus->housekeeping);
    if (bus->stop_timer != NULL)
        event_free(bus->stop_timer);
    bus->housekeeping = bus->stop_timer = NULL;
    fr_redis_shard_deinit(&bus->only);
    fr_redis_guide_deinit(&bus->guide);
}
