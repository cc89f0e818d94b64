/* The short-lived third link: it vouches for what the command link has had accepted, and says whether a
 * silent command link is dead (proto/witness.h has the reasons). On the bus thread. */
#include "base/clock.h"
#include "base/log.h"
#include "bus/redis/proto/wire.h"
#include "bus/redis/shard/shard.h"
#include <event2/buffer.h>

#define MOST_US   (10 * (int64_t)FR_US_PER_S) /* that it listens in vain */
#define HELLO     "witness"                   /* what it publishes itself: no number, so no probe */
#define ELSEWHERE "the address leads to another server by now"

static void count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void begin(struct fr_redis_shard *shard)
{
    fr_redis_witness_begin(&shard->witness, fr_clock_monotonic_us());
    fr_redis_link_start(&shard->witnessing);
}

static void end(struct fr_redis_shard *shard)
{
    fr_redis_link_stop(&shard->witnessing);
    fr_redis_witness_end(&shard->witness);
}

/* False: the link is broken. */
static bool say(struct fr_redis_shard *shard, const struct freshet_span *arguments, size_t argument_count)
{
    struct evbuffer *output = fr_redis_link_output(&shard->witnessing);
    if (output == NULL)
        return false;
    if (fr_redis_wire_add(output, arguments, argument_count))
        return true;
    struct fr_redis_reason reason = {.fault = FR_REDIS_FAULT_UNKNOWN, .text = "out of memory"};
    fr_redis_link_break(&shard->witnessing, &reason);
    return false;
}

static void on_witness_up(void *user)
{
    struct fr_redis_shard *shard = user;
    struct freshet_span channel = fr_redis_shard_probe_channel(shard);
    bool is_sharded = shard->options.is_sharded;
    struct freshet_span publish[] = {freshet_span_text(is_sharded ? "SPUBLISH" : "PUBLISH"), channel,
                                     freshet_span_text(HELLO)};
    struct freshet_span subscribe[] = {freshet_span_text(is_sharded ? "SSUBSCRIBE" : "SUBSCRIBE"), channel};
    fr_redis_witness_up(&shard->witness);
    if (say(shard, publish, 3))
        say(shard, subscribe, 2);
}

static void on_witness_down(void *user, const struct fr_redis_reason *reason)
{
    struct fr_redis_shard *shard = user;
    (void)reason;
    fr_redis_witness_lost(&shard->witness, fr_clock_monotonic_us());
}

static void ping(struct fr_redis_shard *shard)
{
    struct freshet_span command = freshet_span_text("PING");
    if (say(shard, &command, 1))
        fr_redis_witness_pinged(&shard->witness);
}

static void take_subscribed(struct fr_redis_shard *shard, const redisReply *reply)
{
    if (fr_redis_push_read(reply).kind != FR_REDIS_PUSH_SUBSCRIBED) {
        fr_redis_link_reject(&shard->witnessing, reply);
        return;
    }
    fr_redis_witness_subscribed(&shard->witness);
    fr_redis_shard_probe(shard);
}

static void vouch(struct fr_redis_shard *shard)
{
    count(&shard->witnesses);
    end(shard);
    if (shard->ending)
        fr_redis_loop_wake(
            shard->options.loop); /* to end, or to begin another one: not from within this one's call */
}

/* Its own word comes here too, and answers to PING. */
static void take_pushed(struct fr_redis_shard *shard, const redisReply *reply)
{
    struct fr_redis_push push = fr_redis_push_read(reply);
    uint64_t probe;
    if (push.kind == FR_REDIS_PUSH_MESSAGE) {
        if (fr_redis_probe_read(push.body, &probe) && fr_redis_witness_heard(&shard->witness, probe))
            vouch(shard);
    } else if (fr_redis_witness_ponged(&shard->witness)) {
        count(&shard->elsewhere);
        fr_redis_shard_break_both(shard, FR_REDIS_FAULT_ROLE, ELSEWHERE);
    }
}

static void on_witness_reply(void *user, redisReply *reply)
{
    struct fr_redis_shard *shard = user;
    switch (shard->witness.state) {
    case FR_REDIS_WITNESS_ABSENT:
    case FR_REDIS_WITNESS_COMING:
        break;
    case FR_REDIS_WITNESS_SPEAKING:
        fr_redis_witness_answered(&shard->witness, fr_clock_monotonic_us());
        break;
    case FR_REDIS_WITNESS_ASKING:
        take_subscribed(shard, reply);
        break;
    case FR_REDIS_WITNESS_LISTENING:
        take_pushed(shard, reply);
        break;
    }
}

static void on_witness_ping(void *user)
{
    struct fr_redis_shard *shard = user;
    if (shard->witness.state == FR_REDIS_WITNESS_LISTENING)
        ping(shard);
}

struct fr_redis_link_owner fr_redis_shard_witness_owner(struct fr_redis_shard *shard)
{
    return (struct fr_redis_link_owner){.user = shard,
                                        .up = on_witness_up,
                                        .down = on_witness_down,
                                        .reply = on_witness_reply,
                                        .ping = on_witness_ping};
}

void fr_redis_shard_witness_question(struct fr_redis_shard *shard, uint64_t probe)
{
    if (fr_redis_witness_probe_accepted(&shard->witness, probe))
        ping(shard);
}

/* The witness has said what it was made for, or waits for what will not come. */
static bool is_idle(const struct fr_redis_shard *shard)
{
    const struct fr_redis_witness *witness = &shard->witness;
    if (witness->state == FR_REDIS_WITNESS_LISTENING)
        return fr_clock_monotonic_us() - witness->answered_us > MOST_US || !fr_redis_shard_can_probe(shard);
    return !fr_redis_witness_is_doubtful(witness) && fr_redis_link_is_heard(&shard->commanding);
}

void fr_redis_shard_witness_settle(struct fr_redis_shard *shard)
{
    if (shard->witness.state != FR_REDIS_WITNESS_ABSENT) {
        if (is_idle(shard))
            end(shard);
        else if (fr_redis_witness_has_doubts(&shard->witness))
            fr_redis_shard_probe(shard);
    } else if (fr_redis_shard_can_probe(shard) &&
               fr_redis_witness_is_due(&shard->witness, fr_clock_monotonic_us())) {
        begin(shard);
    }
}

/* One that is to say something about now: an older one may have spoken before the silence. */
static void ask_for_opinion(struct fr_redis_shard *shard)
{
    int64_t now_us = fr_clock_monotonic_us();
    if (shard->opinion_us > shard->commanding.silence.heard_us)
        return;
    shard->opinion_us = now_us;
    if (shard->witness.state > FR_REDIS_WITNESS_SPEAKING)
        end(shard);
    if (shard->witness.state == FR_REDIS_WITNESS_ABSENT)
        begin(shard);
}

static void tell_excused(struct fr_redis_shard *shard)
{
    if (shard->excused_us > shard->commanding.silence.heard_us)
        return;
    shard->excused_us = fr_clock_monotonic_us();
    fr_log(
        &shard->options.sink->log, FRESHET_LOG_WARN,
        "redis command link: silent, but a new connection's PUBLISH waits, too: Redis holds publishes back");
}

bool fr_redis_shard_witness_excuses(struct fr_redis_shard *shard, bool over)
{
    int64_t timeout_us = (int64_t)shard->options.config->options.link_timeout_ms * FR_US_PER_MS;
    if (!fr_redis_link_is_heard(&shard->subscribing))
        return false;
    ask_for_opinion(shard);
    bool excused =
        fr_redis_witness_excuses(&shard->witness, fr_clock_monotonic_us(), timeout_us / 16, timeout_us / 2);
    if (over && excused)
        tell_excused(shard);
    return excused;
}

void fr_redis_shard_witness_dismiss(struct fr_redis_shard *shard)
{
    if (fr_redis_witness_is_doubtful(&shard->witness)) {
        count(&shard->doubts);
        for (struct fr_list *at = shard->lanes.next; at != &shard->lanes; at = at->next)
            fr_redis_outbox_owe_mark(&FR_CONTAINER(at, struct fr_redis_lane, link)->outbox);
        fr_log(&shard->options.sink->log, FRESHET_LOG_WARN,
               "redis bus: the command link ended before it was seen that what it accepted last reached "
               "everybody: all are told to load again");
    }
    end(shard);
}
