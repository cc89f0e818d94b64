/* The command link of the bus: publishes, and between them probes and questions. On the bus thread. */
#include "base/clock.h"
#include "base/log.h"
#include "bus/redis/bus.h"
#include "bus/redis/proto/wire.h"
#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

#define MAX_OUTPUT_BYTES (1024 * 1024) /* beyond it publishes wait in the outbox */

/* What follows `from` bytes of it. False: the link is broken. */
static bool write_publish(struct fr_redis_bus *bus, struct evbuffer *output,
                          const struct fr_redis_publish *publish, size_t from)
{
    bus->published++;
    if (evbuffer_add(output, publish->wire + from, publish->wire_len - from) == 0)
        return true;
    struct fr_redis_reason reason = {.fault = FR_REDIS_FAULT_UNKNOWN, .text = "out of memory"};
    fr_redis_link_break(&bus->commanding, &reason);
    return false;
}

void fr_redis_bus_add(struct fr_redis_bus *bus, struct fr_redis_publish *publish)
{
    size_t written = publish->written;
    fr_redis_outbox_add(&bus->outbox, publish, publish->since_us);
    struct evbuffer *output = written == 0 ? NULL : fr_redis_link_output(&bus->commanding);
    if (output != NULL)
        write_publish(bus, output, publish, written);
}

void fr_redis_bus_send(struct fr_redis_bus *bus)
{
    const struct fr_redis_publish *publish;
    if (fr_list_is_empty(&bus->outbox.waiting))
        return;
    struct evbuffer *output = fr_redis_link_output(&bus->commanding);
    while (output != NULL && evbuffer_get_length(output) < MAX_OUTPUT_BYTES &&
           (publish = fr_redis_outbox_next(&bus->outbox)) != NULL)
        if (!write_publish(bus, output, publish, 0))
            return;
}

static void note_idle(struct fr_redis_bus *bus)
{
    if (bus->aside_count == 0 && fr_redis_outbox_is_empty(&bus->outbox))
        fr_redis_link_idle(&bus->commanding);
}

bool fr_redis_bus_send_aside(struct fr_redis_bus *bus, enum fr_redis_aside_kind kind, uint64_t probe,
                             const struct freshet_span *arguments, size_t count)
{
    struct evbuffer *output = fr_redis_link_output(&bus->commanding);
    if (output == NULL || bus->aside_count == FR_REDIS_MAX_ASIDES ||
        !fr_redis_wire_add(output, arguments, count))
        return false;
    bus->asides[(bus->aside_first + bus->aside_count++) % FR_REDIS_MAX_ASIDES] =
        (struct fr_redis_aside){.kind = kind, .after = bus->published, .probe = probe};
    return true;
}

static void refuse_publish(struct fr_redis_bus *bus, const redisReply *reply)
{
    struct fr_redis_reason reason;
    fr_redis_reason_of(&reason, reply);
    atomic_fetch_add_explicit(&bus->errors, 1, memory_order_relaxed);
    if (strcmp(reason.text, bus->refusal) != 0)
        fr_log(&bus->sink.log, FRESHET_LOG_ERROR, "redis refuses a publish: %s", reason.text);
    snprintf(bus->refusal, sizeof(bus->refusal), "%s", reason.text);
}

/* Of a publish that cannot be answered: it stays, for the next link. */
static void reject(struct fr_redis_bus *bus, enum fr_redis_fault fault, const redisReply *reply)
{
    if (fault == FR_REDIS_FAULT_ROLE)
        fr_redis_bus_break_both(bus, fault, fr_redis_fault_text(fault));
    else
        fr_redis_link_reject(&bus->commanding, reply);
}

static void take_publish_answer(struct fr_redis_bus *bus, const redisReply *reply)
{
    enum fr_redis_fault fault = FR_REDIS_FAULT_UNKNOWN;
    if (reply->type == REDIS_REPLY_ERROR)
        fault = fr_redis_fault_of(freshet_span(reply->str, reply->len));
    bool accepted = reply->type == REDIS_REPLY_INTEGER;
    bool refused = reply->type == REDIS_REPLY_ERROR && !fr_redis_fault_ends_link(fault);
    if ((!accepted && !refused) || bus->answered == bus->published) {
        reject(bus, fault, reply);
        return;
    }
    if (refused)
        refuse_publish(bus, reply);
    else
        bus->refusal[0] = '\0';
    bus->answered++;
    if (accepted)
        fr_redis_witness_accepted(&bus->witness, bus->answered);
    fr_redis_outbox_answer(&bus->outbox, accepted ? FRESHET_OK : FRESHET_REFUSED,
                           accepted ? reply->integer : -1);
    note_idle(bus);
    fr_redis_bus_end_if_done(bus);
}

static void take_role(struct fr_redis_bus *bus, const redisReply *reply)
{
    switch (fr_redis_role_of(reply)) {
    case FR_REDIS_ROLE_MASTER:
    case FR_REDIS_ROLE_LATER:
        break;
    case FR_REDIS_ROLE_OTHER:
        fr_redis_bus_break_both(bus, FR_REDIS_FAULT_ROLE, fr_redis_fault_text(FR_REDIS_FAULT_ROLE));
        break;
    case FR_REDIS_ROLE_UNKNOWN:
        fr_redis_link_blind(&bus->commanding, reply);
        break;
    }
}

static void take_probe_answer(struct fr_redis_bus *bus, uint64_t number, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        refuse_publish(bus, reply);
    fr_redis_bus_take_probe_answer(bus, number, reply->type == REDIS_REPLY_INTEGER);
}

static void take_aside_answer(struct fr_redis_bus *bus, const struct fr_redis_aside *aside,
                              const redisReply *reply)
{
    enum fr_redis_fault fault = reply->type == REDIS_REPLY_ERROR
                                    ? fr_redis_fault_of(freshet_span(reply->str, reply->len))
                                    : FR_REDIS_FAULT_UNKNOWN;
    if (fault == FR_REDIS_FAULT_LOGIN)
        fr_redis_link_reject(&bus->commanding, reply);
    else if (aside->kind == FR_REDIS_ASIDE_ROLE)
        take_role(bus, reply);
    else if (aside->kind == FR_REDIS_ASIDE_PROBE)
        take_probe_answer(bus, aside->probe, reply);
}

static void on_command_reply(void *user, redisReply *reply)
{
    struct fr_redis_bus *bus = user;
    struct fr_redis_aside aside = bus->asides[bus->aside_first];
    if (bus->aside_count == 0 || aside.after != bus->answered) {
        take_publish_answer(bus, reply);
        return;
    }
    bus->aside_first = (bus->aside_first + 1) % FR_REDIS_MAX_ASIDES;
    bus->aside_count--;
    take_aside_answer(bus, &aside, reply);
    note_idle(bus);
}

static void on_command_up(void *user)
{
    struct fr_redis_bus *bus = user;
    bus->aside_count = 0;
    bus->published = bus->answered = 0;
    fr_redis_witness_linked(&bus->witness, fr_clock_monotonic_us());
    fr_redis_bus_probe(bus);
    fr_redis_bus_send(bus);
    note_idle(bus);
}

static void on_command_down(void *user, const char *reason)
{
    struct fr_redis_bus *bus = user;
    bus->aside_count = 0;
    fr_redis_outbox_lost(&bus->outbox);
    fr_redis_bus_witness_dismiss(bus);
    fr_redis_bus_lose_proof(bus);
    fr_redis_bus_update_state(bus, reason);
}

static void on_command_ping(void *user)
{
    struct fr_redis_bus *bus = user;
    struct freshet_span ping = freshet_span_text("PING");
    if (bus->aside_count == 0 && bus->answered == bus->published)
        fr_redis_bus_send_aside(bus, FR_REDIS_ASIDE_PING, 0, &ping, 1);
}

static bool on_command_silent(void *user, bool over)
{
    return fr_redis_bus_witness_excuses(user, over);
}

static void on_command_drained(void *user)
{
    fr_redis_bus_send(user);
}

struct fr_redis_link_owner fr_redis_bus_command_owner(struct fr_redis_bus *bus)
{
    return (struct fr_redis_link_owner){.user = bus,
                                        .up = on_command_up,
                                        .down = on_command_down,
                                        .reply = on_command_reply,
                                        .ping = on_command_ping,
                                        .silent = on_command_silent,
                                        .drained = on_command_drained};
}
