/* The bus on its thread: from its first turn to its last. */
#include "base/clock.h"
#include "base/log.h"
#include "bus/redis/bus.h"
#include <event2/event.h>
#include <stdlib.h>

#define HOUSEKEEPING_MS 250

bool fr_redis_bus_has_fleet(const struct fr_redis_bus *bus)
{
    return bus->config.url.kind == FR_REDIS_URL_CLUSTER;
}

static enum freshet_bus_state state_of(struct fr_redis_bus *bus)
{
    return fr_redis_bus_has_fleet(bus) ? fr_redis_fleet_state(&bus->fleet) : fr_redis_shard_state(&bus->only);
}

static void update_state(void *user, const char *reason)
{
    static const char *texts[] = {"down", "up", "proved"};
    struct fr_redis_bus *bus = user;
    enum freshet_bus_state state = state_of(bus);
    if ((int)state == atomic_load(&bus->state))
        return;
    atomic_store(&bus->state, (int)state);
    fr_log(&bus->sink.log, FRESHET_LOG_INFO, "redis bus: %s: %s", texts[state], reason);
    bus->sink.state(bus->sink.context, state, freshet_span_text(reason));
}

static bool is_done(struct fr_redis_bus *bus)
{
    if (fr_redis_bus_has_fleet(bus))
        return fr_redis_fleet_is_done(&bus->fleet);
    return fr_redis_outbox_is_empty(&bus->lanes[0].outbox) && fr_redis_shard_is_done(&bus->only);
}

/* Stopping, and everything is answered: ends the thread. */
static void end_if_done(void *user)
{
    struct fr_redis_bus *bus = user;
    if (bus->stopping && !atomic_load(&bus->overflowed) && is_done(bus))
        fr_redis_loop_break(&bus->loop);
}

static void use(struct fr_redis_bus *bus, struct fr_redis_lane *lane)
{
    if (fr_redis_bus_has_fleet(bus))
        fr_redis_fleet_use(&bus->fleet, lane);
}

void fr_redis_bus_want(struct fr_redis_bus *bus, struct fr_redis_lane *lane, struct fr_redis_channel *channel)
{
    fr_redis_lane_want(lane, channel);
    use(bus, lane);
}

void fr_redis_bus_add(struct fr_redis_bus *bus, struct fr_redis_lane *lane, struct fr_redis_publish *publish)
{
    bool is_written = publish->written > 0;
    fr_redis_outbox_add(&lane->outbox, publish, publish->since_us);
    if (is_written)
        fr_redis_shard_send_rest(&bus->only, lane, publish);
    use(bus, lane);
}

static void collapse_overflowed(struct fr_redis_bus *bus)
{
    fr_redis_loop_shut_direct(&bus->loop); /* what went there was before the mark */
    for (size_t i = 0; i < bus->lane_count; i++) {
        if (!atomic_exchange(&bus->lanes[i].overflowed, false))
            continue;
        fr_redis_outbox_collapse(&bus->lanes[i].outbox);
        use(bus, &bus->lanes[i]);
    }
}

void fr_redis_bus_settle(void *user)
{
    struct fr_redis_bus *bus = user;
    if (atomic_exchange(&bus->overflowed, false))
        collapse_overflowed(bus);
    if (fr_redis_bus_has_fleet(bus))
        fr_redis_fleet_settle(&bus->fleet);
    else
        fr_redis_shard_settle(&bus->only);
    end_if_done(bus);
}

static void on_housekeeping(evutil_socket_t fd, short what, void *user)
{
    struct fr_redis_bus *bus = user;
    (void)fd;
    (void)what;
    for (size_t i = 0; i < bus->lane_count; i++)
        fr_redis_outbox_age(&bus->lanes[i].outbox, fr_clock_monotonic_us());
    if (fr_redis_bus_has_fleet(bus))
        fr_redis_fleet_keep_house(&bus->fleet);
    else
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
    if (fr_redis_bus_has_fleet(bus)) {
        fr_redis_fleet_begin(&bus->fleet);
        return;
    }
    fr_redis_guide_begin(&bus->guide);
    fr_redis_shard_begin(&bus->only);
}

void fr_redis_bus_end(struct fr_redis_bus *bus, uint64_t deadline_ms)
{
    struct timeval after = {.tv_sec = (time_t)(deadline_ms / 1000),
                            .tv_usec = (suseconds_t)(deadline_ms % 1000 * 1000)};
    bus->stopping = true;
    event_add(bus->stop_timer, &after);
    if (fr_redis_bus_has_fleet(bus))
        fr_redis_fleet_end(&bus->fleet);
    else
        fr_redis_shard_end(&bus->only);
    end_if_done(bus);
}

static enum freshet_status init_lanes(struct fr_redis_bus *bus)
{
    struct fr_redis_lane_options options = {
        .config = &bus->config,
        .sink = &bus->sink,
        .everything = bus->everything,
        .room = &bus->room,
        .user = bus,
        .is_sharded = fr_redis_bus_has_fleet(bus),
    };
    size_t count = options.is_sharded ? FR_REDIS_PARTITIONS : 1;
    bus->room.max_count = bus->config.options.max_queued_publishes;
    bus->room.max_bytes = bus->config.options.max_queued_bytes;
    bus->lanes = calloc(count, sizeof(*bus->lanes));
    if (bus->lanes == NULL)
        return FRESHET_NO_MEMORY;
    for (bus->lane_count = 0; bus->lane_count < count; bus->lane_count++) {
        options.tag = options.is_sharded ? fr_redis_partition_tag((unsigned)bus->lane_count) : 0;
        if (!fr_redis_lane_init(&bus->lanes[bus->lane_count], &options)) {
            fr_redis_lane_deinit(&bus->lanes[bus->lane_count]);
            return FRESHET_NO_MEMORY;
        }
    }
    return FRESHET_OK;
}

static struct fr_redis_lane *only_lane(void *user, struct freshet_span channel)
{
    struct fr_redis_bus *bus = user;
    (void)channel;
    return &bus->lanes[0];
}

/* One server, or the master that sentinels name. */
static enum freshet_status init_only(struct fr_redis_bus *bus)
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
        .lane_of = only_lane,
        .state = update_state,
        .ended = end_if_done,
    };
    enum freshet_status status = FRESHET_OK;
    if (is_guided)
        status = fr_redis_guide_init(&bus->guide, &bus->config, &bus->sink.log, &bus->loop, false);
    if (status == FRESHET_OK)
        status = fr_redis_shard_init(&bus->only, &options);
    if (status == FRESHET_OK)
        fr_redis_lane_join(&bus->lanes[0], &bus->only);
    return status;
}

static enum freshet_status init_fleet(struct fr_redis_bus *bus)
{
    return fr_redis_fleet_init(&bus->fleet, &(struct fr_redis_fleet_options){.config = &bus->config,
                                                                             .loop = &bus->loop,
                                                                             .sink = &bus->sink,
                                                                             .lanes = bus->lanes,
                                                                             .everything = bus->everything,
                                                                             .probes = bus->probes,
                                                                             .user = bus,
                                                                             .state = update_state,
                                                                             .ended = end_if_done});
}

enum freshet_status fr_redis_bus_turns_init(struct fr_redis_bus *bus)
{
    bus->housekeeping = event_new(bus->loop.base, -1, EV_PERSIST, on_housekeeping, bus);
    bus->stop_timer = evtimer_new(bus->loop.base, on_stop_timer, bus);
    if (bus->housekeeping == NULL || bus->stop_timer == NULL)
        return FRESHET_NO_MEMORY;
    enum freshet_status status = init_lanes(bus);
    if (status != FRESHET_OK)
        return status;
    return fr_redis_bus_has_fleet(bus) ? init_fleet(bus) : init_only(bus);
}

void fr_redis_bus_turns_deinit(struct fr_redis_bus *bus)
{
    if (bus->housekeeping != NULL)
        event_free(bus->housekeeping);
    if (bus->stop_timer != NULL)
        event_free(bus->stop_timer);
    bus->housekeeping = bus->stop_timer = NULL;
    fr_redis_fleet_deinit(&bus->fleet);
    if (bus->lane_count > 0 && bus->lanes[0].shard != NULL)
        fr_redis_lane_leave(&bus->lanes[0]);
    fr_redis_shard_deinit(&bus->only);
    fr_redis_guide_deinit(&bus->guide);
    for (size_t i = 0; i < bus->lane_count; i++)
        fr_redis_lane_deinit(&bus->lanes[i]);
    free(bus->lanes);
    bus->lanes = NULL;
    bus->lane_count = 0;
}
