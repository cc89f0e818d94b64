/* Commands of the program on their way: to the connection, and back with an answer or without one. On the
 * link's thread. */
#include "base/clock.h"
#include "bus/redis/data/data.h"
#include "bus/redis/proto/wire.h"
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdlib.h>

#define MAX_OUTPUT_BYTES (1024 * 1024)
#define TIMERS_A_TURN    1024
#define DEFAULT_DOUBT_MS 5000 /* where connections are never given up for their silence */

static struct fr_redis_data_server *server_of(struct fr_list *listed)
{
    return FR_CONTAINER(listed, struct fr_redis_data_server, listed);
}

/* ---- the end of a command ---- */

static void count_unanswered(struct fr_redis_command *command, enum freshet_status status)
{
    if (status == FRESHET_UNAVAILABLE)
        atomic_fetch_add_explicit(&command->data->unanswered, 1, memory_order_relaxed);
}

/* The command may still run on the server: it stays in the queue, and counts there, until its answer or the
 * end of the link. */
static void tell_unanswered(struct fr_redis_command *command)
{
    count_unanswered(command, FRESHET_UNAVAILABLE);
    command->is_told = true;
    fr_redis_result_tell(command->result, FRESHET_UNAVAILABLE, NULL, false);
}

/* The command will not run any more: tells its result, or, if that was told before, that it is settled. */
static void finish(struct fr_redis_command *command, enum freshet_status status, const redisReply *reply)
{
    fr_list_remove(&command->link);
    fr_timers_cancel(&command->data->deadlines, &command->timer);
    if (command->is_told) {
        fr_redis_result_settle(command->result);
    } else if (command->result != NULL) {
        count_unanswered(command, status);
        fr_redis_result_tell(command->result, status, reply, true);
    }
    free(command);
}

static void finish_all(struct fr_list *list, enum freshet_status status)
{
    while (!fr_list_is_empty(list))
        finish(FR_CONTAINER(list->next, struct fr_redis_command, link), status, NULL);
}

static void expire_doubt(struct fr_timer *timer)
{
    finish(FR_CONTAINER(timer, struct fr_redis_command, timer), FRESHET_UNAVAILABLE, NULL);
}

/* Its bytes may still be on their way though nobody listens for the answer: the kernel gives them up when
 * they were not acknowledged for link_timeout_ms. */
static void doubt(struct fr_redis_command *command)
{
    struct freshet_redis_data *data = command->data;
    uint32_t ms = data->config.options.link_timeout_ms;
    int64_t until_us =
        fr_clock_monotonic_us() + (int64_t)(ms == FRESHET_NEVER ? DEFAULT_DOUBT_MS : ms) * FR_US_PER_MS;
    fr_timers_cancel(&data->deadlines, &command->timer);
    command->timer.expire = expire_doubt;
    if (!fr_timers_set(&data->deadlines, &command->timer, until_us)) {
        finish(command, FRESHET_UNAVAILABLE, NULL);
        return;
    }
    if (!command->is_told)
        tell_unanswered(command);
    fr_list_remove(&command->link);
    fr_list_append(&data->doubtful, &command->link);
}

void fr_redis_command_expire(struct fr_timer *timer)
{
    struct fr_redis_command *command = FR_CONTAINER(timer, struct fr_redis_command, timer);
    if (command->is_sent)
        tell_unanswered(command);
    else
        finish(command, FRESHET_UNAVAILABLE, NULL);
}

void fr_redis_data_end(struct freshet_redis_data *data)
{
    finish_all(&data->doubtful, FRESHET_CLOSED);
    for (struct fr_list *at = data->servers.next; at != &data->servers; at = at->next) {
        struct fr_redis_data_server *server = server_of(at);
        finish_all(&server->sent, FRESHET_CLOSED);
        finish_all(&server->waiting, FRESHET_CLOSED);
    }
    finish_all(&data->homeless, FRESHET_CLOSED);
}

/* ---- to the connection ---- */

static void arm(struct freshet_redis_data *data)
{
    int64_t next_us = fr_timers_next(&data->deadlines);
    if (next_us == INT64_MAX)
        return;
    int64_t left_us = next_us - fr_clock_monotonic_us();
    if (left_us < 0)
        left_us = 0;
    struct timeval after = {.tv_sec = left_us / FR_US_PER_S, .tv_usec = left_us % FR_US_PER_S};
    event_add(data->timer, &after);
    fr_redis_loop_wakes_at(&data->loop, next_us);
}

static void note_sent(struct fr_redis_command *command)
{
    fr_list_remove(&command->link);
    fr_list_append(&command->server->sent, &command->link);
    command->is_sent = true;
}

/* False: it waits on, up to its deadline, for memory or room. */
static bool send_one(struct fr_redis_command *command, struct evbuffer *output)
{
    struct freshet_span asking = freshet_span_text("ASKING");
    if (command->asks && !fr_redis_data_ask(command->server, FR_REDIS_COMMAND_ASKING, &asking, 1))
        return false;
    if (evbuffer_add(output, command->wire, command->wire_len) != 0)
        return false;
    note_sent(command);
    return true;
}

static void send_waiting(struct fr_redis_data_server *server)
{
    if (fr_list_is_empty(&server->waiting))
        return;
    struct evbuffer *output = fr_redis_link_output(&server->link);
    while (output != NULL && evbuffer_get_length(output) < MAX_OUTPUT_BYTES &&
           !fr_list_is_empty(&server->waiting))
        if (!send_one(FR_CONTAINER(server->waiting.next, struct fr_redis_command, link), output))
            return;
}

/* A part of it has gone the direct way, so the rest has to. */
static void send_rest(struct fr_redis_command *command)
{
    struct fr_redis_link *link = &command->server->link;
    struct evbuffer *output = fr_redis_link_output(link);
    if (output == NULL ||
        evbuffer_add(output, command->wire + command->written, command->wire_len - command->written) == 0)
        return;
    struct fr_redis_reason reason = {.fault = FR_REDIS_FAULT_UNKNOWN, .text = "out of memory"};
    fr_redis_link_break(link, &reason);
}

static void note_idle(struct fr_redis_data_server *server)
{
    if (fr_list_is_empty(&server->waiting) && fr_list_is_empty(&server->sent))
        fr_redis_link_idle(&server->link);
}

void fr_redis_data_settle(void *user)
{
    struct freshet_redis_data *data = user;
    for (struct fr_list *at = data->servers.next; at != &data->servers; at = at->next)
        send_waiting(server_of(at));
    arm(data);
}

void fr_redis_data_on_timer(int fd, short what, void *user)
{
    struct freshet_redis_data *data = user;
    (void)fd;
    (void)what;
    fr_redis_loop_wakes_at(&data->loop, INT64_MAX);
    fr_redis_loop_shut_direct(&data->loop);
    fr_timers_run(&data->deadlines, fr_clock_monotonic_us(), TIMERS_A_TURN);
    fr_redis_data_settle(data);
    for (struct fr_list *at = data->servers.next; at != &data->servers; at = at->next)
        note_idle(server_of(at));
}

void fr_redis_command_deliver(struct fr_mail *mail)
{
    struct fr_redis_command *command = FR_CONTAINER(mail, struct fr_redis_command, mail);
    struct freshet_redis_data *data = command->data;
    int64_t at_us = command->timer.at_us;
    fr_redis_data_route(command);
    bool went_direct = command->written > 0;
    if (went_direct)
        note_sent(command);
    if (!fr_timers_set(&data->deadlines, &command->timer, at_us))
        fr_redis_command_expire(&command->timer);
    if (went_direct)
        send_rest(command);
}

bool fr_redis_data_ask(struct fr_redis_data_server *server, enum fr_redis_command_kind kind,
                       const struct freshet_span *arguments, size_t count)
{
    struct evbuffer *output = fr_redis_link_output(&server->link);
    struct fr_redis_command *command = output == NULL ? NULL : calloc(1, sizeof(*command));
    if (command == NULL || !fr_redis_wire_add(output, arguments, count)) {
        free(command);
        return false;
    }
    command->data = server->data;
    command->server = server;
    command->kind = kind;
    fr_list_init(&command->link);
    note_sent(command);
    return true;
}

static void log_in(struct fr_redis_data_server *server)
{
    struct freshet_redis_login login;
    struct freshet_span arguments[3];
    if (!fr_redis_link_is_up(&server->link) || !fr_redis_login_ask(&login, &server->data->config.login))
        return;
    size_t count = fr_redis_login_command(&login, arguments);
    fr_redis_data_ask(server, FR_REDIS_COMMAND_LOGIN, arguments, count);
    fr_redis_login_forget(&login);
}

void fr_redis_data_log_in(struct freshet_redis_data *data)
{
    for (struct fr_list *at = data->servers.next; at != &data->servers; at = at->next)
        log_in(server_of(at));
}

/* ---- what the link tells ---- */

static void on_up(void *user)
{
    struct fr_redis_data_server *server = user;
    fr_redis_data_note_up(server);
    fr_redis_data_settle(server->data);
    note_idle(server);
}

static void on_down(void *user, const struct fr_redis_reason *reason)
{
    struct fr_redis_data_server *server = user;
    struct fr_list lost;
    fr_redis_data_note_down(server, reason);
    fr_list_init(&lost);
    fr_list_splice(&lost, &server->sent);
    while (!fr_list_is_empty(&lost)) {
        struct fr_redis_command *command = FR_CONTAINER(lost.next, struct fr_redis_command, link);
        if (server->link.closed_by_peer || command->result == NULL)
            finish(command, FRESHET_UNAVAILABLE, NULL);
        else
            doubt(command);
    }
    arm(server->data);
    fr_redis_data_look_around(server->data);
}

static void take_answer(struct fr_redis_data_server *server, struct fr_redis_command *command,
                        redisReply *reply)
{
    enum fr_redis_command_kind kind = command->kind;
    if (kind == FR_REDIS_COMMAND_CALLER && reply->type == REDIS_REPLY_ERROR)
        atomic_fetch_add_explicit(&server->data->errors, 1, memory_order_relaxed);
    finish(command, FRESHET_OK, reply);
    if (kind == FR_REDIS_COMMAND_PROBE)
        fr_redis_data_take_probe(server, reply);
    else if (kind == FR_REDIS_COMMAND_LOGIN)
        fr_redis_link_take_login(&server->link, reply);
    else if (kind == FR_REDIS_COMMAND_CALLER)
        fr_redis_data_judge(server, reply);
}

static void on_reply(void *user, redisReply *reply)
{
    struct fr_redis_data_server *server = user;
    if (fr_list_is_empty(&server->sent)) {
        fr_redis_link_reject(&server->link, reply);
        return;
    }
    struct fr_redis_command *command = FR_CONTAINER(server->sent.next, struct fr_redis_command, link);
    bool may_go_on = command->kind == FR_REDIS_COMMAND_CALLER && !command->is_told;
    if (!may_go_on || !fr_redis_data_redirect(command, reply))
        take_answer(server, command, reply);
    note_idle(server);
}

static void on_ping(void *user)
{
    struct freshet_span ping = freshet_span_text("PING");
    fr_redis_data_ask(user, FR_REDIS_COMMAND_PING, &ping, 1);
}

static void on_drained(void *user)
{
    send_waiting(user);
}

struct fr_redis_link_owner fr_redis_data_owner(struct fr_redis_data_server *server)
{
    return (struct fr_redis_link_owner){.user = server,
                                        .up = on_up,
                                        .down = on_down,
                                        .reply = on_reply,
                                        .ping = on_ping,
                                        .drained = on_drained};
}
