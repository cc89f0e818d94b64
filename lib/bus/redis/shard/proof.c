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

void fr_redis_shard_seat(struct fr_redis_shard *shard)
{
    if (shard->seat != NULL || fr_list_is_empty(&shard->lanes))
        return;
    struct fr_redis_lane *lane = FR_CONTAINER(shard->lanes.next, struct fr_redis_lane, link);
    struct fr_redis_channel *channel =
        fr_redis_channel_new(lane->prefix, freshet_span_text(shard->options.probes), 0);
    if (channel == NULL)
        return;
    snprintf(shard->probe_channel, sizeof(shard->probe_channel), "%s%s", lane->prefix_text,
             shard->options.probes);
    shard->seat = lane;
    fr_redis_lane_want(lane, channel);
}

void fr_redis_shard_unseat(struct fr_redis_shard *shard, struct fr_redis_lane *lane)
{
    if (shard->seat != lane)
        return;
    fr_redis_subscriptions_remove(&lane->subscriptions, fr_redis_shard_probe_channel(shard));
    shard->seat = NULL;
    fr_redis_shard_lose_proof(shard);
    fr_redis_shard_seat(shard);
}

struct freshet_span fr_redis_shard_probe_channel(const struct fr_redis_shard *shard)
{
    return freshet_span_text(shard->probe_channel);
}

bool fr_redis_shard_can_probe(const struct fr_redis_shard *shard)
{
    return shard->options.config->options.probe_interval_ms != FRESHET_NEVER &&
           fr_redis_link_is_up(&shard->commanding) && shard->seat != NULL &&
           fr_redis_subscriptions_is_confirmed(&shard->seat->subscriptions,
                                               fr_redis_shard_probe_channel(shard));
}

static void send_probe(struct fr_redis_shard *shard)
{
    struct freshet_span role = freshet_span_text("ROLE");
    const char *verb = shard->options.is_sharded ? "SPUBLISH" : "PUBLISH";
    struct freshet_span arguments[] = {freshet_span_text(verb), fr_redis_shard_probe_channel(shard),
                                       fr_redis_probe_next(&shard->probe, fr_clock_monotonic_us())};
    if (fr_redis_shard_ask(shard, FR_REDIS_ASKED_PROBE, shard->probe.sent, arguments, 3))
        fr_redis_witness_probed(&shard->witness, shard->probe.sent, shard->published);
    else
        fr_redis_probe_forget(&shard->probe);
    if (!fr_redis_link_is_blind(&shard->commanding))
        fr_redis_shard_ask(shard, FR_REDIS_ASKED_ROLE, 0, &role, 1);
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
    if (shard->question != 0 || shard->seat == NULL)
        return;
    shard->questioned = shard->probe.accepted;
    shard->question = fr_redis_subscriptions_ping(&shard->seat->subscriptions);
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
