/* The command link of a shard: publishes of its lanes, and between them probes and questions. On the bus
 * thread. */
#include "base/clock.h"
#include "base/log.h"
#include "bus/redis/proto/wire.h"
#include "bus/redis/shard/hearing.h"
#include "bus/redis/shard/shard.h"
#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

#define MAX_OUTPUT_BYTES (1024 * 1024) /* beyond it publishes wait in the outbox */

/* What follows `from` bytes of it. False: the link is broken. */
static bool write_publish(struct fr_redis_shard *shard, struct fr_redis_lane *lane, struct evbuffer *output,
                          const struct fr_redis_publish *publish, size_t from)
{
    shard->published++;
    if (fr_redis_answers_reserve(&shard->command_answers) &&
        evbuffer_add(output, publish->wire + from, publish->wire_len - from) == 0) {
        fr_redis_answers_add_one(
            &shard->command_answers,
            &(struct fr_redis_awaited){
                .owner = lane, .epoch = lane->epoch, .count = 1, .kind = FR_REDIS_ASKED_PUBLISH});
        return true;
    }
    struct fr_redis_reason reason = {.fault = FR_REDIS_FAULT_UNKNOWN, .text = "out of memory"};
    fr_redis_link_break(&shard->commanding, &reason);
    return false;
}

void fr_redis_shard_send_rest(struct fr_redis_shard *shard, struct fr_redis_lane *lane,
                              const struct fr_redis_publish *publish)
{
    struct evbuffer *output = fr_redis_link_output(&shard->commanding);
    if (output != NULL)
        write_publish(shard, lane, output, publish, publish->written);
}

/* False: there is no room for more, or no link. */
static bool send_lane(struct fr_redis_shard *shard, struct fr_redis_lane *lane)
{
    const struct fr_redis_publish *publish;
    if (fr_list_is_empty(&lane->outbox.waiting))
        return true;
    struct evbuffer *output = fr_redis_link_output(&shard->commanding);
    while (output != NULL && evbuffer_get_length(output) < MAX_OUTPUT_BYTES) {
        publish = fr_redis_outbox_next(&lane->outbox);
        if (publish == NULL)
            return true;
        if (!write_publish(shard, lane, output, publish, 0))
            return false;
    }
    return false;
}

/* Where the room ends, the next lane comes first the next time. */
void fr_redis_shard_send(struct fr_redis_shard *shard)
{
    for (struct fr_list *at = shard->lanes.next; at != &shard->lanes; at = at->next) {
        if (send_lane(shard, FR_CONTAINER(at, struct fr_redis_lane, link)))
            continue;
        fr_list_remove(&shard->lanes);
        fr_list_append(at->next, &shard->lanes);
        return;
    }
}

static bool is_waiting(const struct fr_redis_shard *shard)
{
    for (const struct fr_list *at = shard->lanes.next; at != &shard->lanes; at = at->next)
        if (!fr_list_is_empty(&FR_CONTAINER(at, struct fr_redis_lane, link)->outbox.waiting))
            return true;
    return false;
}

static void note_idle(struct fr_redis_shard *shard)
{
    if (shard->options.direct && fr_redis_answers_is_empty(&shard->command_answers) && !is_waiting(shard))
        fr_redis_link_idle(&shard->commanding);
}

static uint32_t epoch_of(const struct fr_redis_lane *lane)
{
    return lane == NULL ? 0 : lane->epoch;
}

bool fr_redis_shard_ask(struct fr_redis_shard *shard, enum fr_redis_asked kind, uint64_t probe,
                        const struct freshet_span *arguments, size_t count)
{
    struct evbuffer *output = fr_redis_link_output(&shard->commanding);
    if (output == NULL || !fr_redis_answers_reserve(&shard->command_answers) ||
        !fr_redis_wire_add(output, arguments, count))
        return false;
    fr_redis_answers_add(
        &shard->command_answers,
        &(struct fr_redis_awaited){
            .owner = shard->seat, .epoch = epoch_of(shard->seat), .count = 1, .kind = kind, .number = probe});
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

static bool is_elsewhere(const struct fr_redis_shard *shard, struct freshet_span error,
                         struct fr_redis_redirect *redirect)
{
    return shard->options.is_sharded && fr_redis_is_astray(error, &shard->commanding.where, redirect);
}

/* Who vouches for it: of a Redis that stands alone the witness, in a cluster the slot map. */
static void accept_publish(struct fr_redis_shard *shard, struct fr_redis_lane *lane)
{
    shard->refusal[0] = '\0';
    if (lane->options.is_sharded)
        lane->accepted_us = fr_clock_monotonic_us();
    else
        fr_redis_witness_accepted(&shard->witness, shard->answered);
}

/* False: this is no answer that the link survives. */
static bool take_publish_answer(struct fr_redis_shard *shard, struct fr_redis_lane *lane, bool has_left,
                                const redisReply *reply)
{
    struct freshet_span error =
        reply->type == REDIS_REPLY_ERROR ? freshet_span(reply->str, reply->len) : freshet_span(NULL, 0);
    enum fr_redis_fault fault = error.data == NULL ? FR_REDIS_FAULT_UNKNOWN : fr_redis_fault_of(error);
    struct fr_redis_redirect redirect;
    bool is_accepted = reply->type == REDIS_REPLY_INTEGER;
    bool is_astray = error.data != NULL && is_elsewhere(shard, error, &redirect);
    if (!is_accepted && !is_astray && (error.data == NULL || fr_redis_fault_ends_link(fault))) {
        reject(shard, fault, reply);
        return false;
    }
    shard->answered++;
    if (has_left)
        return true;
    if (is_astray) {
        shard->options.astray(shard->options.user, lane, &redirect);
        return true;
    }
    if (is_accepted)
        accept_publish(shard, lane);
    else
        refuse_publish(shard, reply);
    fr_redis_outbox_answer(&lane->outbox, is_accepted ? FRESHET_OK : FRESHET_REFUSED,
                           is_accepted ? reply->integer : -1);
    return true;
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
    struct fr_redis_redirect redirect;
    bool is_error = reply->type == REDIS_REPLY_ERROR;
    if (is_error && is_elsewhere(shard, freshet_span(reply->str, reply->len), &redirect)) {
        shard->options.astray(shard->options.user, shard->seat, &redirect);
        return;
    }
    if (is_error)
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
    fr_redis_shard_ask(shard, FR_REDIS_ASKED_LOGIN, 0, arguments, count);
    fr_redis_login_forget(&login);
}

/* To something that is no publish. */
static void take_aside_answer(struct fr_redis_shard *shard, const struct fr_redis_awaited *awaited,
                              const redisReply *reply)
{
    enum fr_redis_fault fault = reply->type == REDIS_REPLY_ERROR
                                    ? fr_redis_fault_of(freshet_span(reply->str, reply->len))
                                    : FR_REDIS_FAULT_UNKNOWN;
    if (awaited->kind == FR_REDIS_ASKED_LOGIN)
        fr_redis_link_take_login(&shard->commanding, reply);
    else if (fault == FR_REDIS_FAULT_LOGIN)
        fr_redis_link_reject(&shard->commanding, reply);
    else if (awaited->kind == FR_REDIS_ASKED_ROLE)
        take_role(shard, reply);
    else if (awaited->kind == FR_REDIS_ASKED_PROBE && awaited->owner == shard->seat &&
             awaited->epoch == epoch_of(shard->seat))
        take_probe_answer(shard, awaited->number, reply);
}

static void on_command_reply(void *user, redisReply *reply)
{
    struct fr_redis_shard *shard = user;
    const struct fr_redis_awaited *next = fr_redis_answers_next(&shard->command_answers);
    if (next == NULL) {
        fr_redis_link_reject(&shard->commanding, reply);
        return;
    }
    struct fr_redis_awaited awaited = *next;
    struct fr_redis_lane *lane = awaited.owner; /* of a publish */
    fr_redis_answers_take(&shard->command_answers);
    if (awaited.kind != FR_REDIS_ASKED_PUBLISH)
        take_aside_answer(shard, &awaited, reply);
    else if (!take_publish_answer(shard, lane, awaited.epoch != lane->epoch, reply))
        return;
    note_idle(shard);
    if (shard->ending && awaited.kind == FR_REDIS_ASKED_PUBLISH)
        shard->options.ended(shard->options.user);
}

static void on_command_up(void *user)
{
    struct fr_redis_shard *shard = user;
    shard->published = shard->answered = 0;
    fr_redis_witness_linked(&shard->witness, fr_clock_monotonic_us());
    fr_redis_shard_probe(shard);
    fr_redis_shard_send(shard);
    note_idle(shard);
}

static void on_command_down(void *user, const struct fr_redis_reason *reason)
{
    struct fr_redis_shard *shard = user;
    fr_redis_answers_clear(&shard->command_answers);
    for (struct fr_list *at = shard->lanes.next; at != &shard->lanes; at = at->next)
        fr_redis_outbox_lost(&FR_CONTAINER(at, struct fr_redis_lane, link)->outbox);
    fr_redis_shard_witness_dismiss(shard);
    fr_redis_shard_lose_proof(shard);
    fr_redis_shard_update_state(shard, reason->text);
}

static void on_command_ping(void *user)
{
    struct fr_redis_shard *shard = user;
    struct freshet_span ping = freshet_span_text("PING");
    if (fr_redis_answers_is_empty(&shard->command_answers))
        fr_redis_shard_ask(shard, FR_REDIS_ASKED_PING, 0, &ping, 1);
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
