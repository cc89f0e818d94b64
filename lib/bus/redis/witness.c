/* The short-lived third link: it vouches for what the command link has had accepted, and says whether a
 * silent command link is dead (redis_witness.h has the reasons). On the bus thread. */
#include "base/clock.h"
#include "base/log.h"
#include "bus/redis/bus.h"
#include "bus/redis/proto/wire.h"
#include <event2/buffer.h>

#define MOST_US   (10 * (int64_t)FR_US_PER_S) /* that it listens in vain */
#define HELLO     "witness"                   /* what it publishes itself: no number, so no probe */
#define ELSEWHERE "the address leads to another server by now"

static void count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void begin(struct fr_redis_bus *bus)
{
    fr_redis_witness_begin(&bus->witness, fr_clock_monotonic_us());
    fr_redis_link_start(&bus->witnessing);
}

static void end(struct fr_redis_bus *bus)
{
    fr_redis_link_stop(&bus->witnessing);
    fr_redis_witness_end(&bus->witness);
}

/* False: the link is broken. */
static bool say(struct fr_redis_bus *bus, const struct freshet_span *arguments, size_t argument_count)
{
    struct evbuffer *output = fr_redis_link_output(&bus->witnessing);
    if (output == NULL)
        return false;
    if (fr_redis_wire_add(output, arguments, argument_count))
        return true;
    struct fr_redis_reason reason = {.fault = FR_REDIS_FAULT_UNKNOWN, .text = "out of memory"};
    fr_redis_link_break(&bus->witnessing, &reason);
    return false;
}

static void on_witness_up(void *user)
{
    struct fr_redis_bus *bus = user;
    struct freshet_span channel = fr_redis_bus_probe_channel(bus);
    struct freshet_span publish[] = {freshet_span_text("PUBLISH"), channel, freshet_span_text(HELLO)};
    struct freshet_span subscribe[] = {freshet_span_text("SUBSCRIBE"), channel};
    fr_redis_witness_up(&bus->witness);
    if (say(bus, publish, 3))
        say(bus, subscribe, 2);
}

static void on_witness_down(void *user, const char *reason)
{
    struct fr_redis_bus *bus = user;
    (void)reason;
    fr_redis_witness_lost(&bus->witness, fr_clock_monotonic_us());
}

static void ping(struct fr_redis_bus *bus)
{
    struct freshet_span command = freshet_span_text("PING");
    if (say(bus, &command, 1))
        fr_redis_witness_pinged(&bus->witness);
}

static void take_subscribed(struct fr_redis_bus *bus, const redisReply *reply)
{
    if (fr_redis_push_read(reply).kind != FR_REDIS_PUSH_SUBSCRIBED) {
        fr_redis_link_reject(&bus->witnessing, reply);
        return;
    }
    fr_redis_witness_subscribed(&bus->witness);
    fr_redis_bus_probe(bus);
}

static void vouch(struct fr_redis_bus *bus)
{
    count(&bus->witnesses);
    end(bus);
    if (bus->stopping)
        fr_redis_loop_wake(&bus->loop); /* to end, or to begin another one: not from within this one's call */
}

/* Its own word comes here too, and answers to PING. */
static void take_pushed(struct fr_redis_bus *bus, const redisReply *reply)
{
    struct fr_redis_push push = fr_redis_push_read(reply);
    uint64_t probe;
    if (push.kind == FR_REDIS_PUSH_MESSAGE) {
        if (fr_redis_probe_read(push.body, &probe) && fr_redis_witness_heard(&bus->witness, probe))
            vouch(bus);
    } else if (fr_redis_witness_ponged(&bus->witness)) {
        count(&bus->elsewhere);
        fr_redis_bus_break_both(bus, FR_REDIS_FAULT_ROLE, ELSEWHERE);
    }
}

static void on_witness_reply(void *user, redisReply *reply)
{
    struct fr_redis_bus *bus = user;
    switch (bus->witness.state) {
    case FR_REDIS_WITNESS_ABSENT:
    case FR_REDIS_WITNESS_COMING:
        break;
    case FR_REDIS_WITNESS_SPEAKING:
        fr_redis_witness_answered(&bus->witness, fr_clock_monotonic_us());
        break;
    case FR_REDIS_WITNESS_ASKING:
        take_subscribed(bus, reply);
        break;
    case FR_REDIS_WITNESS_LISTENING:
        take_pushed(bus, reply);
        break;
    }
}

static void on_witness_ping(void *user)
{
    struct fr_redis_bus *bus = user;
    if (bus->witness.state == FR_REDIS_WITNESS_LISTENING)
        ping(bus);
}

struct fr_redis_link_owner fr_redis_bus_witness_owner(struct fr_redis_bus *bus)
{
    return (struct fr_redis_link_owner){.user = bus,
                                        .up = on_witness_up,
                                        .down = on_witness_down,
                                        .reply = on_witness_reply,
                                        .ping = on_witness_ping};
}

void fr_redis_bus_witness_question(struct fr_redis_bus *bus, uint64_t probe)
{
    if (fr_redis_witness_probe_accepted(&bus->witness, probe))
        ping(bus);
}

/* It has said what it was made for, or it waits for what will not come. */
static bool is_idle(const struct fr_redis_bus *bus)
{
    const struct fr_redis_witness *witness = &bus->witness;
    if (witness->state == FR_REDIS_WITNESS_LISTENING)
        return fr_clock_monotonic_us() - witness->answered_us > MOST_US || !fr_redis_bus_can_probe(bus);
    return !fr_redis_witness_is_doubtful(witness) && fr_redis_link_is_heard(&bus->commanding);
}

void fr_redis_bus_witness_settle(struct fr_redis_bus *bus)
{
    if (bus->witness.state != FR_REDIS_WITNESS_ABSENT) {
        if (is_idle(bus))
            end(bus);
        else if (fr_redis_witness_has_doubts(&bus->witness))
            fr_redis_bus_probe(bus);
    } else if (fr_redis_bus_can_probe(bus) &&
               fr_redis_witness_is_due(&bus->witness, fr_clock_monotonic_us())) {
        begin(bus);
    }
}

/* One that is to say something about now: an older one may have spoken before the silence. */
static void ask_for_opinion(struct fr_redis_bus *bus)
{
    int64_t now_us = fr_clock_monotonic_us();
    if (bus->opinion_us > bus->commanding.silence.heard_us)
        return;
    bus->opinion_us = now_us;
    if (bus->witness.state > FR_REDIS_WITNESS_SPEAKING)
        end(bus);
    if (bus->witness.state == FR_REDIS_WITNESS_ABSENT)
        begin(bus);
}

static void tell_excused(struct fr_redis_bus *bus)
{
    if (bus->excused_us > bus->commanding.silence.heard_us)
        return;
    bus->excused_us = fr_clock_monotonic_us();
    fr_log(
        &bus->sink.log, FRESHET_LOG_WARN,
        "redis command link: silent, but a new connection's PUBLISH waits, too: Redis holds publishes back");
}

bool fr_redis_bus_witness_excuses(struct fr_redis_bus *bus, bool over)
{
    int64_t timeout_us = (int64_t)bus->config.options.link_timeout_ms * FR_US_PER_MS;
    if (!fr_redis_link_is_heard(&bus->subscribing))
        return false;
    ask_for_opinion(bus);
    bool excused =
        fr_redis_witness_excuses(&bus->witness, fr_clock_monotonic_us(), timeout_us / 16, timeout_us / 2);
    if (over && excused)
        tell_excused(bus);
    return excused;
}

void fr_redis_bus_witness_dismiss(struct fr_redis_bus *bus)
{
    if (fr_redis_witness_is_doubtful(&bus->witness)) {
        count(&bus->doubts);
        fr_redis_outbox_owe_mark(&bus->outbox);
        fr_log(&bus->sink.log, FRESHET_LOG_WARN,
               "redis bus: the command link ended before it was seen that what it accepted last reached "
               "everybody: all are told to load again");
    }
    end(bus);
}
