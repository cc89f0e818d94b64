/* What the bus knows of its links by the probes that go over them. On the bus thread. */
#include "base/clock.h"
#include "bus/redis/bus.h"
#include <stdio.h>

#define MISSES_UNTIL_BREAK 2

void fr_redis_bus_break_both(struct fr_redis_bus *bus, enum fr_redis_fault fault, const char *text)
{
    struct fr_redis_reason reason = {.fault = fault};
    snprintf(reason.text, sizeof(reason.text), "%s", text);
    fr_redis_link_break(&bus->subscribing, &reason);
    fr_redis_link_break(&bus->commanding, &reason);
}

struct freshet_span fr_redis_bus_probe_channel(const struct fr_redis_bus *bus)
{
    return freshet_span_text(bus->probe_channel);
}

bool fr_redis_bus_can_probe(const struct fr_redis_bus *bus)
{
    return bus->config.options.probe_interval_ms != FRESHET_NEVER && fr_redis_link_is_up(&bus->commanding) &&
           fr_redis_subscriptions_is_confirmed(&bus->subscriptions, fr_redis_bus_probe_channel(bus));
}

static void send_probe(struct fr_redis_bus *bus)
{
    struct freshet_span role = freshet_span_text("ROLE");
    struct freshet_span arguments[] = {freshet_span_text("PUBLISH"), fr_redis_bus_probe_channel(bus),
                                       fr_redis_probe_next(&bus->probe, fr_clock_monotonic_us())};
    if (fr_redis_bus_send_aside(bus, FR_REDIS_ASIDE_PROBE, bus->probe.sent, arguments, 3))
        fr_redis_witness_probed(&bus->witness, bus->probe.sent, bus->published);
    else
        fr_redis_probe_forget(&bus->probe);
    if (!fr_redis_link_is_blind(&bus->commanding))
        fr_redis_bus_send_aside(bus, FR_REDIS_ASIDE_ROLE, 0, &role, 1);
}

void fr_redis_bus_probe(struct fr_redis_bus *bus)
{
    if (!fr_redis_bus_can_probe(bus))
        return;
    if (fr_redis_probe_state(&bus->probe) == FR_REDIS_PROBE_BACK)
        send_probe(bus);
    else
        bus->probe.wanted = true;
}

/* The subscribe link has to say first what was delivered before it was asked. */
static void question(struct fr_redis_bus *bus)
{
    if (bus->question != 0)
        return;
    bus->questioned = bus->probe.accepted;
    bus->question = fr_redis_subscriptions_ping(&bus->subscriptions);
}

static void miss_probe(struct fr_redis_bus *bus)
{
    if (!bus->probe.late)
        atomic_fetch_add_explicit(&bus->probes_lost, 1, memory_order_relaxed);
    bus->probe.late = true;
    if (fr_redis_probe_state(&bus->probe) == FR_REDIS_PROBE_ACCEPTED)
        question(bus);
}

void fr_redis_bus_look_for_probe(struct fr_redis_bus *bus)
{
    int64_t out_us = fr_clock_monotonic_us() - bus->probe.sent_us;
    bool is_new = out_us < (int64_t)bus->config.options.probe_interval_ms * FR_US_PER_MS / 2;
    if (fr_redis_bus_can_probe(bus) && fr_redis_probe_state(&bus->probe) != FR_REDIS_PROBE_BACK && !is_new)
        miss_probe(bus);
    fr_redis_bus_probe(bus);
}

void fr_redis_bus_take_probe_answer(struct fr_redis_bus *bus, uint64_t number, bool accepted)
{
    if (!accepted) {
        fr_redis_probe_forget(&bus->probe);
        return;
    }
    fr_redis_probe_accept(&bus->probe, number);
    fr_redis_bus_witness_question(bus, number);
}

void fr_redis_bus_take_probe(struct fr_redis_bus *bus, struct freshet_span body)
{
    uint64_t number;
    int64_t now_us = fr_clock_monotonic_us();
    if (!fr_redis_probe_read(body, &number) || !fr_redis_probe_take(&bus->probe, number, now_us))
        return;
    if (bus->probe.seen_us == now_us) /* it was in time */
        atomic_store_explicit(&bus->probe_seen_us, now_us, memory_order_relaxed);
    fr_redis_bus_update_state(bus, "deliveries are proved");
    if (bus->probe.wanted)
        fr_redis_bus_probe(bus);
}

void fr_redis_bus_take_ping(struct fr_redis_bus *bus, uint64_t number)
{
    if (bus->question == 0 || number < bus->question)
        return;
    bus->question = 0;
    if (fr_redis_probe_check(&bus->probe, bus->questioned) || !fr_redis_bus_can_probe(bus))
        return;
    if (bus->probe.missed >= MISSES_UNTIL_BREAK)
        fr_redis_bus_break_both(bus, FR_REDIS_FAULT_NETWORK, "probes do not come back");
    else
        send_probe(bus);
}
