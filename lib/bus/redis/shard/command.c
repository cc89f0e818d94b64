/* The command link of a shard: publishes, and between them probes and questions. On the bus thread. */
#include "base/clock.h"
#include "base/log.h"
#include "bus/redis/proto/wire.h"
#include "bus/redis/shard/shard.h"
#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

#define MAX_OUTPUT_BYTES (1024 * 1024) /* beyond it publishes wait in the outbox */

/* What follows `from` bytes of it. False: the link is broken. */
static bool write_publish(struct fr_redis_shard *shard, struct evbuffer *output,
                          const struct fr_redis_publish *publish, size_t from)
{
    shard->published++;
    if (evbuffer_add(output, publish->wire + from, publish->wire_len - from) == 0)
        return true;
    struct fr_redis_reason reason = {.fault = FR_REDIS_FAULT_UNKNOWN, .text = "out of memory"};
    fr_redis_link_break(&shard->commanding, &reason);
    return false;
}

void fr_redis_shard_add(struct fr_redis_shard *shard, struct fr_redis_publish *publish)
{
    size_t written = publish->written;
    fr_redis_outbox_add(&shard->outbox, publish, publish->since_us);
    struct evbuffer *output = written == 0 ? NULL : fr_redis_link_output(&shard->commanding);
    if (output != NULL)
        write_publish(shard, output, publish, written);
}

void fr_redis_shard_send(struct fr_redis_shard *shard)
{
    const struct fr_redis_publish *publish;
    if (fr_list_is_empty(&shard->outbox.waiting))
        return;
    struct evbuffer *output = fr_redis_link_output(&shard->commanding);
    while (output != NULL && evbuffer_get_length(output) < MAX_OUTPUT_BYTES &&
           (publish = fr_redis_outbox_next(&shard->outbox)) != NULL)
        if (!write_publish(shard, output, publish, 0))
            return;
}

static void note_idle(struct fr_redis_shard *shard)
{
    if (shard->aside_count == 0 && fr_redis_outbox_is_empty(&shard->outbox))
        fr_redis_link_idle(&shard->commanding);
}

bool fr_redis_shard_send_aside(struct fr_redis_shard *shard, enum fr_redis_aside_kind kind, uint64_t probe,
                               const struct freshet_span *arguments, size_t count)
{
    struct evbuffer *output = fr_redis_link_output(&shard->commanding);
    if (output == NULL || shard->aside_count == FR_REDIS_MAX_ASIDES ||
        !fr_redis_wire_add(output, arguments, count))
        return false;
    shard->asides[(shard->aside_first + shard->aside_count++) % FR_REDIS_MAX_ASIDES] =
        (struct fr_redis_aside){.kind = kind, .after = shard->published, .probe = probe};
    return true;
}

static void refuse_publish(struct fr_redis_shard *shard, const redisReply *reply)
{
    struct fr_redis_reason reason;
    fr_redis_reason_of(&reason, reply);
    atomic_fetch_add_explicit(&shard->errors, 1, memory_order_relaxed);
    if (strcmp(reason.text, shard->refusal) != 0)
        fr_log(&shard->options.sink->log, FRESHET_LOG_ERROR, "redis refuses a publish: %s", reason.text);
    snprintf(shard->refusal, sizeof(shard->refusal), "%s", reason.text);
}

/* Of a publish that cannot be answered: it stays, for the next link. */
static void reject(struct fr_redis_shard *shard, enum fr_redis_fault fault, const redisReply *reply)
{
    if (fault == FR_REDIS_FAULT_ROLE)
        fr_redis_shard_break_both(shard, fault, fr_redis_fault_text(fault));
    else
        fr_redis_link_reject(&shard->commanding, reply);
}

static void take_publish_answer(struct fr_redis_shard *shard, const redisReply *reply)
{
    enum fr_redis_fault fault = FR_REDIS_FAULT_UNKNOWN;
    if (reply->type == REDIS_REPLY_ERROR)
        fault = fr_redis_fault_of(freshet_span(reply->str, reply->len));
    bool accepted = reply->type == REDIS_REPLY_INTEGER;
    bool refused = reply->type == REDIS_REPLY_ERROR && !fr_redis_fault_ends_link(fault);
    if ((!accepted && !refused) || shard->answered == shard->published) {
        reject(shard, fault, reply);
        return;
    }
    if (refused)
        refuse_publish(shard, reply);
    else
        shard->refusal[0] = '\0';
    shard->answered++;
    if (accepted)
        fr_redis_witness_accepted(&shard->witness, shard->answered);
    fr_redis_outbox_answer(&shard->outbox, accepted ? FRESHET_OK : FRESHET_REFUSED,
                           accepted ? reply->integer : -1);
    note_idle(shard);
    if (shard->ending)
        shard->options.ended(shard->options.user);
}

static void take_role(struct fr_redis_shard *shard, const redisReply *reply)
{
    switch (fr_redis_role_of(reply)) {
    case FR_REDIS_ROLE_MASTER:
    case FR_REDIS_ROLE_LATER:
        break;
    case FR_REDIS_ROLE_OTHER:
        fr_redis_shard_break_both(shard, FR_REDIS_FAULT_ROLE, fr_redis_fault_text(FR_REDIS_FAULT_ROLE));
        break;
    case FR_REDIS_ROLE_UNKNOWN:
        fr_redis_link_blind(&shard->commanding, reply);
        break;
    }
}

static void take_probe_answer(struct fr_redis_shard *shard, uint64_t number, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        refuse_publish(shard, reply);
    fr_redis_shard_take_probe_answer(shard, number, reply->type == REDIS_REPLY_INTEGER);
}

void fr_redis_shard_log_in(struct fr_redis_shard *shard)
{
    struct freshet_redis_login login;
    struct freshet_span arguments[3];
    if (!fr_redis_link_is_up(&shard->commanding) ||
        !fr_redis_login_ask(&login, &shard->options.config->login))
        return;
    size_t count = fr_redis_login_command(&login, arguments);
    fr_redis_shard_send_aside(shard, FR_REDIS_ASIDE_LOGIN, 0, arguments, count);
    fr_redis_login_forget(&login);
}

static void take_aside_answer(struct fr_redis_shard *shard, const struct fr_redis_aside *aside,
                              const redisReply *reply)
{
    enum fr_redis_fault fault = reply->type == REDIS_REPLY_ERROR
                                    ? fr_redis_fault_of(freshet_span(reply->str, reply->len))
                                    : FR_REDIS_FAULT_UNKNOWN;
    if (aside->kind == FR_REDIS_ASIDE_LOGIN)
        fr_redis_link_take_login(&shard->commanding, reply);
    else if (fault == FR_REDIS_FAULT_LOGIN)
        fr_redis_link_reject(&shard->commanding, reply);
    else if (aside->kind == FR_REDIS_ASIDE_ROLE)
        take_role(shard, reply);
    else if (aside->kind == FR_REDIS_ASIDE_PROBE)
        take_probe_answer(shard, aside->probe, reply);
}

static void on_command_reply(void *user, redisReply *reply)
{
    struct fr_redis_shard *shard = user;
    struct fr_redis_aside aside = shard->asides[shard->aside_first];
    if (shard->aside_count == 0 || aside.after != shard->answered) {
        take_publish_answer(shard, reply);
        return;
    }
    shard->aside_first = (shard->aside_first + 1) % FR_REDIS_MAX_ASIDES;
    shard->aside_count--;
    take_aside_answer(shard, &aside, reply);
    note_idle(shard);
}

static void on_command_up(void *user)
{
    struct fr_redis_shard *shard = user;
    shard->aside_count = 0;
    shard->published = shard->answered = 0;
    fr_redis_witness_linked(&shard->witness, fr_clock_monotonic_us());
    fr_redis_shard_probe(shard);
    fr_redis_shard_send(shard);
    note_idle(shard);
}

static void on_command_down(void *user, const struct fr_redis_reason *reason)
{
    struct fr_redis_shard *shard = user;
    shard->aside_count = 0;
    fr_redis_outbox_lost(&shard->outbox);
    fr_redis_shard_witness_dismiss(shard);
    fr_redis_shard_lose_proof(shard);
    fr_redis_shard_update_state(shard, reason->text);
}

static void on_command_ping(void *user)
{
    struct fr_redis_shard *shard = user;
    struct freshet_span ping = freshet_span_text("PING");
    if (shard->aside_count == 0 && shard->answered == shard->published)
        fr_redis_shard_send_aside(shard, FR_REDIS_ASIDE_PING, 0, &ping, 1);
}

static bool on_command_silent(void *user, bool over)
{
    return fr_redis_shard_witness_excuses(user, over);
}

static void on_command_drained(void *user)
{
    fr_redis_shard_send(user);
}

struct fr_redis_link_owner fr_redis_shard_command_owner(struct fr_redis_shard *shard)
{
    return (struct fr_redis_link_owner){.user = shard,
                                        .up = on_command_up,
                                        .down = on_command_down,
                                        .reply = on_command_reply,
                                        .ping = on_command_ping,
                                        .silent = on_command_silent,
                                        .drained = on_command_drained};
}
