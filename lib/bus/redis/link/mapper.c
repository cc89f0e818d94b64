#include "bus/redis/link/mapper.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "bus/redis/link/loop.h"
#include "bus/redis/proto/wire.h"
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#define LOOK_MS       25          /* while it asks: whether it has come to nothing */
#define AT_ONCE_MS    50          /* between two attempts, at least */
#define TROUBLED_MS   250         /* between two questions while something is not where it should be */
#define SLOWEST       10          /* connect_timeout_ms for what is slow, but goes on: a map, a name */
#define MAX_MAP_BYTES (16u << 20) /* of 16,384 slots that take turns, with a few replicas each */

static int64_t ms_to_us(int64_t ms)
{
    return ms * FR_US_PER_MS;
}

static void arm(struct fr_redis_mapper *mapper, int64_t after_us)
{
    if (after_us < 0)
        after_us = 0;
    struct timeval after = {.tv_sec = after_us / FR_US_PER_S, .tv_usec = after_us % FR_US_PER_S};
    event_add(mapper->timer, &after);
}

static bool is_asking(const struct fr_redis_mapper *mapper)
{
    return mapper->asking.state != FR_REDIS_LINK_IDLE;
}

void fr_redis_mapper_ask(struct fr_redis_mapper *mapper)
{
    int64_t now_us = fr_clock_monotonic_us();
    int64_t next_us = now_us > mapper->earliest_us ? now_us : mapper->earliest_us;
    if (is_asking(mapper) || next_us >= mapper->next_us)
        return;
    mapper->next_us = next_us;
    arm(mapper, next_us - now_us);
}

static void begin(struct fr_redis_mapper *mapper)
{
    mapper->asked = fr_redis_scout_next(&mapper->scout, &mapper->map);
    mapper->begun_us = mapper->asked_us = fr_clock_monotonic_us();
    mapper->earliest_us = mapper->begun_us + ms_to_us(AT_ONCE_MS);
    mapper->answers = 0;
    fr_redis_link_start(&mapper->asking);
    arm(mapper, ms_to_us(LOOK_MS));
}

/* The attempt is over; `next_us`: until the next one. */
static void end(struct fr_redis_mapper *mapper, int64_t next_us)
{
    fr_redis_link_stop(&mapper->asking);
    mapper->next_us = fr_clock_monotonic_us() + next_us;
    arm(mapper, next_us);
}

/* Once, until it is another reason. */
static void tell(struct fr_redis_mapper *mapper, const char *reason)
{
    char text[sizeof(mapper->told)];
    snprintf(text, sizeof(text), "%s: %s", fr_redis_address_text(&mapper->asked).text, reason);
    if (strcmp(text, mapper->told) != 0)
        fr_log(mapper->options.log, FRESHET_LOG_WARN, "redis cluster: no slot map from %s", text);
    snprintf(mapper->told, sizeof(mapper->told), "%s", text);
}

static size_t count_candidates(const struct fr_redis_mapper *mapper)
{
    return mapper->map.node_count + mapper->scout.seed_count;
}

/* Another node is asked. That one does not answer is everyday; that none does is worth a line. */
static void fail(struct fr_redis_mapper *mapper, const char *reason)
{
    if (++mapper->failures % count_candidates(mapper) == 0)
        tell(mapper, reason);
    end(mapper, ms_to_us(AT_ONCE_MS));
}

/* How long all of them are left in peace: longer with each round, as a link leaves its server, and for as
 * long as a link does where a login was refused. */
static int64_t rest_us(const struct fr_redis_mapper *mapper)
{
    const struct freshet_redis_options *options = &mapper->options.config->options;
    uint32_t rest_ms = options->backoff_min_ms, max_ms = options->backoff_max_ms;
    for (size_t rounds = mapper->mute / count_candidates(mapper); rounds > 1 && rest_ms < max_ms; rounds--)
        rest_ms = rest_ms > max_ms / 2 ? max_ms : rest_ms * 2;
    if (rest_ms < mapper->asking.delay_ms)
        rest_ms = mapper->asking.delay_ms;
    return ms_to_us(fr_random_between(rest_ms - rest_ms / 4, rest_ms));
}

/* The node had no map to give. Where that is so of each, they are not asked again at once: they are all away,
 * or they refuse us. */
static void fail_mute(struct fr_redis_mapper *mapper, const char *reason)
{
    bool is_round = ++mapper->mute % count_candidates(mapper) == 0;
    fail(mapper, reason);
    if (!is_round)
        return;
    int64_t pause_us = rest_us(mapper);
    mapper->next_us = mapper->earliest_us = fr_clock_monotonic_us() + pause_us;
    arm(mapper, pause_us);
}

static void take_map(struct fr_redis_mapper *mapper, const redisReply *reply)
{
    struct fr_redis_map map;
    struct freshet_error error = {""};
    if (fr_redis_map_read(&map, reply, &mapper->asked, &error) != FRESHET_OK) {
        atomic_fetch_add_explicit(&mapper->errors, 1, memory_order_relaxed);
        fail_mute(mapper, error.text);
        return;
    }
    mapper->mute = 0;
    if (!fr_redis_scout_believes(&mapper->scout, &mapper->map, &mapper->outlook)) {
        fr_redis_map_deinit(&map);
        fail(mapper, mapper->outlook.works ? "it knows less than others have told"
                                           : "it says that its cluster is down");
        return;
    }
    fr_redis_map_deinit(&mapper->map);
    mapper->map = map;
    mapper->failures = 0;
    mapper->told[0] = '\0';
    mapper->options.mapped(mapper->options.user);
    bool is_troubled = mapper->options.is_troubled(mapper->options.user);
    end(mapper, ms_to_us(is_troubled ? TROUBLED_MS : mapper->options.interval_ms));
}

/* The words of a server that is no node of a cluster. */
static bool is_alone(struct freshet_span error)
{
    return fr_text_begins(error, "ERR This instance has cluster support disabled");
}

static void take_outlook(struct fr_redis_mapper *mapper, const redisReply *reply)
{
    char text[300];
    struct freshet_span said =
        reply->str == NULL ? freshet_span(NULL, 0) : freshet_span(reply->str, reply->len);
    if (reply->type == REDIS_REPLY_STRING && fr_redis_outlook_read(&mapper->outlook, said))
        return;
    snprintf(text, sizeof(text), "CLUSTER INFO: \"%s\"%s", fr_escape(said).text,
             is_alone(said) ? ": it is no cluster, use redis://" : "");
    atomic_fetch_add_explicit(&mapper->errors, 1, memory_order_relaxed);
    fail_mute(mapper, text);
}

static void on_map_reply(void *user, redisReply *reply)
{
    struct fr_redis_mapper *mapper = user;
    if (mapper->answers++ == 0)
        take_outlook(mapper, reply);
    else
        take_map(mapper, reply);
}

static void on_map_up(void *user)
{
    struct fr_redis_mapper *mapper = user;
    struct freshet_span info[] = {freshet_span_text("CLUSTER"), freshet_span_text("INFO")};
    struct freshet_span slots[] = {freshet_span_text("CLUSTER"), freshet_span_text("SLOTS")};
    struct evbuffer *output = fr_redis_link_output(&mapper->asking);
    mapper->asked_us = fr_clock_monotonic_us();
    if (output == NULL || !fr_redis_wire_add(output, info, 2) || !fr_redis_wire_add(output, slots, 2))
        fail_mute(mapper, "out of memory");
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

/* A slow name server would be asked in vain for ever if each attempt began anew. But the others that may
 * have the map come first. */
static bool waits_for_name(const struct fr_redis_mapper *mapper)
{
    int64_t connect_ms = mapper->options.config->options.connect_timeout_ms;
    return fr_redis_link_is_looking_up(&mapper->asking) && mapper->mute >= count_candidates(mapper) &&
           fr_clock_monotonic_us() - mapper->begun_us < ms_to_us(connect_ms * SLOWEST);
}

/* The map of a large cluster may take its time on a slow way, if it comes. */
static bool is_late(const struct fr_redis_mapper *mapper)
{
    int64_t patience_us = ms_to_us(mapper->options.config->options.connect_timeout_ms);
    int64_t now_us = fr_clock_monotonic_us(), heard_us = mapper->asking.silence.heard_us;
    if (!fr_redis_link_is_up(&mapper->asking))
        return false;
    return now_us - heard_us > patience_us || now_us - mapper->asked_us > patience_us * SLOWEST;
}

/* The link would try the same node again; its attempts have their own end. */
static void look(struct fr_redis_mapper *mapper)
{
    if (mapper->asking.state == FR_REDIS_LINK_WAITING && !waits_for_name(mapper))
        fail_mute(mapper, mapper->asking.told);
    else if (is_late(mapper))
        fail_mute(mapper, "no answer in time");
    else
        arm(mapper, ms_to_us(LOOK_MS));
}

static void on_map_timer(evutil_socket_t fd, short what, void *user)
{
    struct fr_redis_mapper *mapper = user;
    (void)fd;
    (void)what;
    if (is_asking(mapper))
        look(mapper);
    else
        begin(mapper);
}

const struct fr_redis_address *fr_redis_mapper_owner(const struct fr_redis_mapper *mapper, uint16_t slot)
{
    return fr_redis_map_owner(&mapper->map, slot);
}

bool fr_redis_mapper_move(struct fr_redis_mapper *mapper, uint16_t slot, const struct fr_redis_address *owner)
{
    return fr_redis_map_move(&mapper->map, slot, owner);
}

enum freshet_status fr_redis_mapper_init(struct fr_redis_mapper *mapper,
                                         const struct fr_redis_mapper_options *options)
{
    const struct fr_redis_config *config = options->config;
    *mapper = (struct fr_redis_mapper){.options = *options, .next_us = INT64_MAX};
    struct fr_redis_link_options link = {
        .config = config,
        .log = options->log,
        .name = "map link",
        .greeting = {.name = options->name, .login = &config->login},
        .address = &mapper->asked,
        .limits = {.max_reply = MAX_MAP_BYTES},
        .owner = {.user = mapper,
                  .up = on_map_up,
                  .down = on_map_down,
                  .reply = on_map_reply,
                  .ping = on_map_ping},
        .brief = true,
    };
    fr_redis_map_init(&mapper->map);
    fr_redis_scout_init(&mapper->scout, config->url.addresses, config->url.address_count);
    mapper->timer = evtimer_new(options->loop->base, on_map_timer, mapper);
    if (mapper->timer == NULL)
        return FRESHET_NO_MEMORY;
    return fr_redis_link_init(&mapper->asking, options->loop, &link);
}

void fr_redis_mapper_deinit(struct fr_redis_mapper *mapper)
{
    if (mapper->timer != NULL)
        event_free(mapper->timer);
    mapper->timer = NULL;
    fr_redis_link_deinit(&mapper->asking);
    fr_redis_map_deinit(&mapper->map);
}
