/* What a shard knows of its links by the probes that go over them. On the bus thread. */
#include "base/clock.h"
#include "bus/redis/shard/shard.h"
#include <stdio.h>

#define MISSES_UNTIL_BREAK 2

void fr_redis_shard_break_both(struct fr_redis_shard *shard, enum fr_redis_fault fault, const char *text)
{
    struct fr_redis_reason reason = {.fault = fault};
    snprintf(reason.text, sizeof(reason.text), "%s", text);
    fr_redis_link_break(&shard->subscribing, &reason);
    fr_redis_link_break(&shard->commanding, &reason);
}

struct freshet_span fr_redis_shard_probe_channel(const struct fr_redis_shard *shard)
{
    return freshet_span_text(shard->probe_channel);
}

bool fr_redis_shard_can_probe(const struct fr_redis_shard *shard)
{
    return shard->options.config->options.probe_interval_ms != FRESHET_NEVER &&
           fr_redis_link_is_up(&shard->commanding) &&
           fr_redis_subscriptions_is_confirmed(&shard->subscriptions, fr_redis_shard_probe_channel(shard));
}

static void send_probe(struct fr_redis_shard *shard)
{
    struct freshet_span role = freshet_span_text("ROLE");
    struct freshet_span arguments[] = {freshet_span_text("PUBLISH"), fr_redis_shard_probe_channel(shard),
                                       fr_redis_probe_next(&shard->probe, fr_clock_monotonic_us())};
    if (fr_redis_shard_send_aside(shard, FR_REDIS_ASIDE_PROBE, shard->probe.sent, arguments, 3))
        fr_redis_witness_probed(&shard->witness, shard->probe.sent, shard->published);
    else
        fr_redis_probe_forget(&shard->probe);
    if (!fr_redis_link_is_blind(&shard->commanding))
        fr_redis_shard_send_aside(shard, FR_REDIS_ASIDE_ROLE, 0, &role, 1);
}

void fr_redis_shard_probe(struct fr_redis_shard *shard)
{
    if (!fr_redis_shard_can_probe(shard))
        return;
    if (fr_redis_probe_state(&shard->probe) == FR_REDIS_PROBE_BACK)
        send_probe(shard);
    else
        shard->probe.wanted = true;
}

/* The subscribe link has to say first what was delivered before it was asked. */
static void question(struct fr_redis_shard *shard)
{
    if (shard->question != 0)
        return;
    shard->questioned = shard->probe.accepted;
    shard->question = fr_redis_subscriptions_ping(&shard->subscriptions);
}

static void miss_probe(struct fr_redis_shard *shard)
{
    if (!shard->probe.late)
        atomic_fetch_add_explicit(&shard->probes_lost, 1, memory_order_relaxed);
    shard->probe.late = true;
    if (fr_redis_probe_state(&shard->probe) == FR_REDIS_PROBE_ACCEPTED)
        question(shard);
}

void fr_redis_shard_look_for_probe(struct fr_redis_shard *shard)
{
    int64_t out_us = fr_clock_monotonic_us() - shard->probe.sent_us;
    bool is_new = out_us < (int64_t)shard->options.config->options.probe_interval_ms * FR_US_PER_MS / 2;
    if (fr_redis_shard_can_probe(shard) && fr_redis_probe_state(&shard->probe) != FR_REDIS_PROBE_BACK &&
        !is_new)
        miss_probe(shard);
    fr_redis_shard_probe(shard);
}

void fr_redis_shard_take_probe_answer(struct fr_redis_shard *shard, uint64_t number, bool accepted)
{
    if (!accepted) {
        fr_redis_probe_forget(&shard->probe);
        return;
    }
    fr_redis_probe_accept(&shard->probe, number);
    fr_redis_shard_witness_question(shard, number);
}

void fr_redis_shard_take_probe(struct fr_redis_shard *shard, struct freshet_span body)
{
    uint64_t number;
    int64_t now_us = fr_clock_monotonic_us();
    if (!fr_redis_probe_read(body, &number) || !fr_redis_probe_take(&shard->probe, number, now_us))
        return;
    if (shard->probe.seen_us == now_us) /* it was in time */
        atomic_store_explicit(&shard->probe_seen_us, now_us, memory_order_relaxed);
    fr_redis_shard_update_state(shard, "deliveries are proved");
    if (shard->probe.wanted)
        fr_redis_shard_probe(shard);
}

void fr_redis_shard_take_ping(struct fr_redis_shard *shard, uint64_t number)
{
    if (shard->question == 0 || number < shard->question)
        return;
    shard->question = 0;
    if (fr_redis_probe_check(&shard->probe, shard->questioned) || !fr_redis_shard_can_probe(shard))
        return;
    if (shard->probe.missed >= MISSES_UNTIL_BREAK)
        fr_redis_shard_break_both(shard, FR_REDIS_FAULT_NETWORK, "probes do not come back");
    else
        send_probe(shard);
}
