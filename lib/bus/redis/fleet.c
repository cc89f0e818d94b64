#include "bus/redis/fleet.h"

#include "base/clock.h"
#include "base/log.h"
#include <stdlib.h>
#include <string.h>

#define FOLLOWED_MS    100  /* nodes that send us to and fro are not followed any faster */
#define GOSSIP_MS      1000 /* until all nodes that are not cut off have heard of a new owner */
#define DEFAULT_MAP_MS 5000 /* where nothing is proved */
#define CANARY         0    /* this lane is used from the start: its shard shows whether the cluster works */

static void count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static struct fr_redis_member *member_of(struct fr_list *link)
{
    return FR_CONTAINER(link, struct fr_redis_member, link);
}

static size_t partition_of(const struct fr_redis_fleet *fleet, const struct fr_redis_lane *lane)
{
    return (size_t)(lane - fleet->options.lanes);
}

/* ---- shards ---- */

/* Something is not where it should be. */
static bool is_troubled(void *user)
{
    const struct fr_redis_fleet *fleet = user;
    for (size_t i = 0; i < FR_REDIS_PARTITIONS; i++) {
        const struct fr_redis_shard *shard = fleet->options.lanes[i].shard;
        if (!fleet->used[i])
            continue;
        if (shard == NULL || !fr_redis_link_is_up(&shard->subscribing) ||
            !fr_redis_link_is_up(&shard->commanding))
            return true;
    }
    return false;
}

static struct fr_redis_lane *lane_of(void *user, struct freshet_span channel)
{
    const struct fr_redis_fleet *fleet = user;
    unsigned partition = fr_redis_slot_of(channel) * FR_REDIS_PARTITIONS / FR_REDIS_SLOTS;
    struct fr_redis_lane *lane = &fleet->options.lanes[partition];
    struct freshet_span topic;
    return fr_redis_lane_topic(lane, channel, &topic) ? lane : NULL;
}

static void on_state(void *user, const char *reason)
{
    struct fr_redis_fleet *fleet = user;
    if (is_troubled(fleet))
        fr_redis_mapper_ask(&fleet->mapper);
    fleet->options.state(fleet->options.user, reason);
}

static void on_ended(void *user)
{
    struct fr_redis_fleet *fleet = user;
    fleet->options.ended(fleet->options.user);
}

static void leave(struct fr_redis_fleet *fleet, struct fr_redis_lane *lane)
{
    if (lane->accepted_us != FR_REDIS_NEVER_ACCEPTED)
        count(&fleet->doubts);
    fr_redis_lane_leave(lane);
}

static void place(struct fr_redis_fleet *fleet, struct fr_redis_lane *lane);

static void on_astray(void *user, struct fr_redis_lane *lane, const struct fr_redis_redirect *redirect)
{
    struct fr_redis_fleet *fleet = user;
    int64_t now_us = fr_clock_monotonic_us(), *moved_us = &fleet->moved_us[partition_of(fleet, lane)];
    bool is_followed = redirect->kind == FR_REDIS_REDIRECT_MOVED && redirect->address.port != 0 &&
                       now_us - *moved_us > FOLLOWED_MS * FR_US_PER_MS;
    leave(fleet, lane);
    if (is_followed && fr_redis_mapper_move(&fleet->mapper, lane->slot, &redirect->address)) {
        *moved_us = now_us;
        place(fleet, lane);
    }
    fr_redis_mapper_ask(&fleet->mapper);
    fr_redis_loop_wake(fleet->options.loop); /* what it has to say is said there */
    fleet->options.state(fleet->options.user, "a slot has moved");
}

static struct fr_redis_member *add_member(struct fr_redis_fleet *fleet,
                                          const struct fr_redis_address *address)
{
    struct fr_redis_member *member = calloc(1, sizeof(*member));
    if (member == NULL)
        return NULL;
    struct fr_redis_shard_options options = {
        .config = fleet->options.config,
        .address = &member->address,
        .loop = fleet->options.loop,
        .sink = fleet->options.sink,
        .everything = fleet->options.everything,
        .probes = fleet->options.probes,
        .is_sharded = true,
        .user = fleet,
        .lane_of = lane_of,
        .astray = on_astray,
        .state = on_state,
        .ended = on_ended,
    };
    member->address = *address;
    if (fr_redis_shard_init(&member->shard, &options) != FRESHET_OK) {
        fr_redis_shard_deinit(&member->shard);
        free(member);
        return NULL;
    }
    pthread_mutex_lock(&fleet->lock);
    fr_list_append(&fleet->members, &member->link);
    pthread_mutex_unlock(&fleet->lock);
    fr_redis_shard_begin(&member->shard);
    return member;
}

static void end_member(struct fr_redis_fleet *fleet, struct fr_redis_member *member)
{
    pthread_mutex_lock(&fleet->lock);
    fr_list_remove(&member->link);
    fr_redis_shard_add_stats(&member->shard, &fleet->retired);
    pthread_mutex_unlock(&fleet->lock);
    fr_redis_shard_deinit(&member->shard);
    free(member);
}

static struct fr_redis_member *find_member(struct fr_redis_fleet *fleet,
                                           const struct fr_redis_address *address)
{
    for (struct fr_list *at = fleet->members.next; at != &fleet->members; at = at->next)
        if (fr_redis_address_equal(&member_of(at)->address, address))
            return member_of(at);
    return add_member(fleet, address);
}

/* ---- lanes ---- */

/* Where the slot map says. Without a map, or memory, it is nowhere until the next map. */
static void place(struct fr_redis_fleet *fleet, struct fr_redis_lane *lane)
{
    const struct fr_redis_address *owner = fr_redis_mapper_owner(&fleet->mapper, lane->slot);
    struct fr_redis_member *member = owner == NULL ? NULL : find_member(fleet, owner);
    struct fr_redis_shard *shard = member == NULL ? NULL : &member->shard;
    if (lane->shard == shard)
        return;
    if (lane->shard != NULL)
        leave(fleet, lane);
    if (shard != NULL)
        fr_redis_lane_join(lane, shard);
}

void fr_redis_fleet_use(struct fr_redis_fleet *fleet, struct fr_redis_lane *lane)
{
    bool *used = &fleet->used[partition_of(fleet, lane)];
    if (*used)
        return;
    *used = true;
    place(fleet, lane);
}

/* What a node says of itself vouches for nothing: it may have slept while another one took its place. And one
 * that was asked by a name of the program's may be any of them. */
static bool is_witness(const struct fr_redis_fleet *fleet, const struct fr_redis_lane *lane)
{
    const struct fr_redis_mapper *mapper = &fleet->mapper;
    const struct fr_redis_member *member = FR_CONTAINER(lane->shard, struct fr_redis_member, shard);
    bool is_another = fr_redis_map_has(&mapper->map, &mapper->asked) &&
                      !fr_redis_address_equal(&member->address, &mapper->asked);
    return is_another || mapper->map.node_count == 1;
}

static void vouch(struct fr_redis_fleet *fleet, struct fr_redis_lane *lane)
{
    if (lane->accepted_us == FR_REDIS_NEVER_ACCEPTED || !is_witness(fleet, lane))
        return;
    fr_redis_lane_vouch(lane, fleet->mapper.asked_us - (fleet->ending ? 0 : GOSSIP_MS * FR_US_PER_MS));
    if (lane->accepted_us == FR_REDIS_NEVER_ACCEPTED)
        count(&fleet->vouched);
}

static void on_mapped(void *user)
{
    struct fr_redis_fleet *fleet = user;
    for (size_t i = 0; i < FR_REDIS_PARTITIONS; i++) {
        struct fr_redis_lane *lane = &fleet->options.lanes[i];
        const struct fr_redis_shard *before = lane->shard;
        if (!fleet->used[i])
            continue;
        place(fleet, lane);
        if (lane->shard == before && before != NULL)
            vouch(fleet, lane);
    }
    fr_redis_loop_wake(fleet->options.loop);
    fleet->options.state(fleet->options.user, "the slot map has come");
    if (fleet->ending)
        fleet->options.ended(fleet->options.user);
}

/* ---- life ---- */

void fr_redis_fleet_settle(struct fr_redis_fleet *fleet)
{
    for (struct fr_list *at = fleet->members.next; at != &fleet->members; at = at->next)
        fr_redis_shard_settle(&member_of(at)->shard);
}

void fr_redis_fleet_log_in(struct fr_redis_fleet *fleet)
{
    for (struct fr_list *at = fleet->members.next; at != &fleet->members; at = at->next)
        fr_redis_shard_log_in(&member_of(at)->shard);
}

void fr_redis_fleet_keep_house(struct fr_redis_fleet *fleet)
{
    for (struct fr_list *at = fleet->members.next, *next; at != &fleet->members; at = next) {
        next = at->next;
        fr_redis_shard_keep_house(&member_of(at)->shard);
        if (!fr_list_is_empty(&member_of(at)->shard.lanes))
            continue;
        fr_log(&fleet->options.sink->log, FRESHET_LOG_INFO, "redis cluster: %s has no slots for us any more",
               fr_redis_address_text(&member_of(at)->address).text);
        end_member(fleet, member_of(at));
    }
}

static bool is_placed(const struct fr_redis_fleet *fleet)
{
    for (size_t i = 0; i < FR_REDIS_PARTITIONS; i++)
        if (fleet->used[i] && fleet->options.lanes[i].shard == NULL)
            return false;
    return true;
}

/* A topic whose shard is down is told so by itself: down is only a cluster of which nothing is left. */
enum freshet_bus_state fr_redis_fleet_state(struct fr_redis_fleet *fleet)
{
    bool is_any_up = false, are_all_proved = is_placed(fleet);
    for (struct fr_list *at = fleet->members.next; at != &fleet->members; at = at->next) {
        const struct fr_redis_shard *shard = &member_of(at)->shard;
        if (fr_list_is_empty(&shard->lanes))
            continue;
        enum freshet_bus_state state = fr_redis_shard_state(shard);
        is_any_up = is_any_up || state != FRESHET_BUS_DOWN;
        are_all_proved = are_all_proved && state == FRESHET_BUS_PROVED;
    }
    return !is_any_up ? FRESHET_BUS_DOWN : are_all_proved ? FRESHET_BUS_PROVED : FRESHET_BUS_UP;
}

bool fr_redis_fleet_is_done(struct fr_redis_fleet *fleet)
{
    bool is_doubtful = false;
    for (size_t i = 0; i < FR_REDIS_PARTITIONS; i++) {
        if (!fr_redis_outbox_is_empty(&fleet->options.lanes[i].outbox))
            return false;
        is_doubtful = is_doubtful || fleet->options.lanes[i].accepted_us != FR_REDIS_NEVER_ACCEPTED;
    }
    if (!is_doubtful || is_troubled(fleet))
        return true;
    fr_redis_mapper_ask(&fleet->mapper);
    return false;
}

void fr_redis_fleet_begin(struct fr_redis_fleet *fleet)
{
    fr_redis_fleet_use(fleet, &fleet->options.lanes[CANARY]);
    fr_redis_mapper_ask(&fleet->mapper);
}

void fr_redis_fleet_end(struct fr_redis_fleet *fleet)
{
    fleet->ending = true;
    for (struct fr_list *at = fleet->members.next; at != &fleet->members; at = at->next)
        fr_redis_shard_end(&member_of(at)->shard);
}

enum freshet_status fr_redis_fleet_init(struct fr_redis_fleet *fleet,
                                        const struct fr_redis_fleet_options *options)
{
    *fleet = (struct fr_redis_fleet){.options = *options};
    fr_list_init(&fleet->members);
    pthread_mutex_init(&fleet->lock, NULL);
    for (size_t i = 0; i < FR_REDIS_PARTITIONS; i++)
        fleet->moved_us[i] = INT64_MIN / 2;
    uint32_t interval_ms = options->config->options.probe_interval_ms;
    struct fr_redis_mapper_options mapper = {
        .config = options->config,
        .log = &options->sink->log,
        .loop = options->loop,
        .name = "freshet-map",
        .interval_ms = interval_ms == FRESHET_NEVER ? DEFAULT_MAP_MS : interval_ms,
        .user = fleet,
        .mapped = on_mapped,
        .is_troubled = is_troubled,
    };
    return fr_redis_mapper_init(&fleet->mapper, &mapper);
}

void fr_redis_fleet_disband(struct fr_redis_fleet *fleet)
{
    for (size_t i = 0; i < FR_REDIS_PARTITIONS; i++) {
        struct fr_redis_lane *lane = &fleet->options.lanes[i];
        fr_redis_lane_vouch(lane, INT64_MAX);
        if (lane->shard != NULL)
            fr_redis_lane_leave(lane);
    }
    while (!fr_list_is_empty(&fleet->members))
        end_member(fleet, member_of(fleet->members.next));
}

void fr_redis_fleet_deinit(struct fr_redis_fleet *fleet)
{
    if (fleet->options.lanes == NULL)
        return;
    fr_redis_fleet_disband(fleet);
    fr_redis_mapper_deinit(&fleet->mapper);
    pthread_mutex_destroy(&fleet->lock);
    fleet->options.lanes = NULL;
}

void fr_redis_fleet_add_stats(struct fr_redis_fleet *fleet, struct freshet_bus_stats *stats)
{
    pthread_mutex_lock(&fleet->lock);
    stats->reconnects += fleet->retired.reconnects;
    stats->errors += fleet->retired.errors;
    stats->probes_lost += fleet->retired.probes_lost;
    for (struct fr_list *at = fleet->members.next; at != &fleet->members; at = at->next)
        fr_redis_shard_add_stats(&member_of(at)->shard, stats);
    pthread_mutex_unlock(&fleet->lock);
    stats->errors += atomic_load_explicit(&fleet->mapper.errors, memory_order_relaxed);
    stats->witnesses += atomic_load_explicit(&fleet->vouched, memory_order_relaxed);
    stats->doubts += atomic_load_explicit(&fleet->doubts, memory_order_relaxed);
}
