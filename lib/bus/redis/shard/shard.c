#include "bus/redis/shard/shard.h"

#include "base/clock.h"
#include "base/random.h"
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#define IN_TIME           2 /* probe intervals: what is proved is so for as long */
#define MAX_PUSH_ELEMENTS 16
#define MAX_PUSH_BYTES    8192 /* without a body: the kind and a channel */

static void arm_probe(struct fr_redis_shard *shard, uint64_t ms)
{
    struct timeval after = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    event_add(shard->probe_timer, &after);
}

static int64_t in_time_us(const struct fr_redis_shard *shard)
{
    return IN_TIME * (int64_t)shard->options.config->options.probe_interval_ms * FR_US_PER_MS;
}

enum freshet_bus_state fr_redis_shard_state(const struct fr_redis_shard *shard)
{
    if (!fr_redis_link_is_up(&shard->subscribing))
        return FRESHET_BUS_DOWN;
    int64_t age_us = fr_clock_monotonic_us() - shard->probe.seen_us;
    bool proved =
        fr_redis_link_is_up(&shard->commanding) && shard->probe.seen_us >= 0 && age_us <= in_time_us(shard);
    return proved ? FRESHET_BUS_PROVED : FRESHET_BUS_UP;
}

void fr_redis_shard_update_state(struct fr_redis_shard *shard, const char *reason)
{
    shard->options.state(shard->options.user, reason);
}

void fr_redis_shard_lose_proof(struct fr_redis_shard *shard)
{
    fr_redis_probe_reset(&shard->probe);
    shard->question = 0;
}

void fr_redis_shard_settle(struct fr_redis_shard *shard)
{
    fr_redis_shard_send(shard);
    fr_redis_shard_pump(shard);
}

void fr_redis_shard_keep_house(struct fr_redis_shard *shard)
{
    fr_redis_shard_seat(shard);
    fr_redis_shard_witness_settle(shard);
}

static void on_probe_timer(evutil_socket_t fd, short what, void *user)
{
    struct fr_redis_shard *shard = user;
    uint32_t interval_ms = shard->options.config->options.probe_interval_ms;
    (void)fd;
    (void)what;
    arm_probe(shard, fr_random_between(interval_ms - interval_ms / 10, interval_ms));
    fr_redis_shard_look_for_probe(shard);
}

void fr_redis_shard_begin(struct fr_redis_shard *shard)
{
    uint32_t interval_ms = shard->options.config->options.probe_interval_ms;
    if (interval_ms != FRESHET_NEVER)
        arm_probe(shard, interval_ms);
    fr_redis_link_start(&shard->subscribing);
    fr_redis_link_start(&shard->commanding);
}

void fr_redis_shard_end(struct fr_redis_shard *shard)
{
    shard->ending = true;
    shard->witness.next_us = INT64_MIN; /* at once */
}

/* The last thing a program does may well be a publish. A witness that cannot be had is not waited for. */
static bool awaits_witness(const struct fr_redis_shard *shard)
{
    return fr_redis_witness_is_doubtful(&shard->witness) && fr_redis_shard_can_probe(shard) &&
           shard->witnessing.state != FR_REDIS_LINK_WAITING;
}

bool fr_redis_shard_is_done(struct fr_redis_shard *shard)
{
    if (!awaits_witness(shard))
        return true;
    fr_redis_shard_witness_settle(shard);
    return false;
}

static uint64_t read_counter(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static int64_t probe_age_ms(const struct fr_redis_shard *shard)
{
    int64_t seen_us = atomic_load_explicit(&shard->probe_seen_us, memory_order_relaxed);
    return seen_us < 0 ? -1 : (fr_clock_monotonic_us() - seen_us) / FR_US_PER_MS;
}

void fr_redis_shard_add_stats(const struct fr_redis_shard *shard, struct freshet_bus_stats *stats)
{
    const struct fr_redis_link *a = &shard->subscribing, *b = &shard->commanding;
    int64_t age_ms = probe_age_ms(shard);
    stats->reconnects += read_counter(&a->reconnects) + read_counter(&b->reconnects);
    stats->errors += read_counter(&shard->errors) + read_counter(&a->errors) + read_counter(&b->errors);
    stats->probes_lost += read_counter(&shard->probes_lost);
    stats->witnesses += read_counter(&shard->witnesses);
    stats->doubts += read_counter(&shard->doubts);
    stats->elsewhere += read_counter(&shard->elsewhere);
    stats->probe_age_ms = age_ms > stats->probe_age_ms ? age_ms : stats->probe_age_ms;
}

void fr_redis_shard_count_error(struct fr_redis_shard *shard)
{
    atomic_fetch_add_explicit(&shard->errors, 1, memory_order_relaxed);
}

static void name_links(struct fr_redis_shard *shard)
{
    struct fr_redis_address_text where = {""};
    if (shard->options.is_sharded)
        where = fr_redis_address_text(shard->options.address);
    const char *to = shard->options.is_sharded ? " to " : "";
    snprintf(shard->subscribing_name, sizeof(shard->subscribing_name), "subscribe link%s%s", to, where.text);
    snprintf(shard->commanding_name, sizeof(shard->commanding_name), "command link%s%s", to, where.text);
}

static enum freshet_status init_links(struct fr_redis_shard *shard)
{
    name_links(shard);
    struct fr_redis_link_options options = {
        .config = shard->options.config,
        .log = &shard->options.sink->log,
        .name = shard->subscribing_name,
        .greeting = {.name = "freshet-subscribe",
                     .login = &shard->options.config->login,
                     .needs_master = true,
                     .asks_mode = shard->options.config->url.kind == FR_REDIS_URL_SERVER},
        .address = shard->options.address,
        .guide = shard->options.guide,
        .limits = {.max_elements = MAX_PUSH_ELEMENTS,
                   .max_bytes = MAX_PUSH_BYTES,
                   .max_body = shard->options.config->options.max_message_bytes},
        .owner = fr_redis_shard_subscribe_owner(shard),
    };
    enum freshet_status status = fr_redis_link_init(&shard->subscribing, shard->options.loop, &options);
    if (status != FRESHET_OK)
        return status;
    options.name = "witness";
    options.greeting.name = "freshet-witness";
    options.greeting.asks_mode = false;
    options.owner = fr_redis_shard_witness_owner(shard);
    options.brief = true;
    status = fr_redis_link_init(&shard->witnessing, shard->options.loop, &options);
    options.name = shard->commanding_name;
    options.greeting.name = "freshet-command";
    options.brief = false;
    options.limits.max_elements = FR_REDIS_ROLE_ELEMENTS;
    options.limits.max_bytes = FR_REDIS_ROLE_BYTES;
    options.owner = fr_redis_shard_command_owner(shard);
    options.direct = shard->options.direct;
    return status != FRESHET_OK ? status
                                : fr_redis_link_init(&shard->commanding, shard->options.loop, &options);
}

enum freshet_status fr_redis_shard_init(struct fr_redis_shard *shard,
                                        const struct fr_redis_shard_options *options)
{
    *shard = (struct fr_redis_shard){.options = *options};
    fr_list_init(&shard->lanes);
    fr_redis_probe_init(&shard->probe, in_time_us(shard));
    fr_redis_witness_init(&shard->witness);
    atomic_store(&shard->probe_seen_us, -1);
    shard->probe_timer = evtimer_new(options->loop->base, on_probe_timer, shard);
    if (shard->probe_timer == NULL)
        return FRESHET_NO_MEMORY;
    return init_links(shard);
}

void fr_redis_shard_deinit(struct fr_redis_shard *shard)
{
    if (shard->probe_timer != NULL)
        event_free(shard->probe_timer);
    shard->probe_timer = NULL;
    fr_redis_link_deinit(&shard->subscribing);
    fr_redis_link_deinit(&shard->commanding);
    fr_redis_link_deinit(&shard->witnessing);
    fr_redis_answers_deinit(&shard->subscribe_answers);
    fr_redis_answers_deinit(&shard->command_answers);
}
