/* The link for the program's own commands: one thread, one connection, commands answered in order. */
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/timers.h"
#include "bus/redis_data_result.h"
#include "bus/redis_link.h"
#include "bus/redis_loop.h"
#include "bus/redis_wire.h"
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_DEADLINE_MS 1000
#define DEFAULT_COMMANDS    65536
#define DEFAULT_QUEUE_BYTES (64u << 20)
#define DEFAULT_REPLY_BYTES (16u << 20)
#define MAX_OUTPUT_BYTES    (1024 * 1024)
#define TIMERS_A_TURN       1024

struct freshet_redis_data {
    struct fr_redis_config config;
    struct freshet_redis_data_options options;
    struct fr_redis_loop loop;
    struct fr_redis_link link;
    struct fr_list waiting, sent; /* commands, oldest first */
    struct fr_timers deadlines;
    struct event *timer;
    struct fr_redis_results *results; /* any thread */
};

struct command {
    struct fr_mail mail;
    struct freshet_redis_data *data;
    struct fr_list link;
    struct fr_timer deadline;
    bool is_sent;                   /* in that list */
    size_t written;                 /* of `wire`, before it came to the loop */
    struct fr_redis_result *result; /* NULL: told, but Redis's answer is still to come */
    size_t wire_len;
    char wire[];
};

/* Mail that is not a command. */
struct request {
    struct fr_mail mail;
    struct freshet_redis_data *data;
};

static void answer(struct command *command, enum freshet_status status, const redisReply *reply)
{
    struct fr_redis_result *result = command->result;
    command->result = NULL;
    fr_timers_cancel(&command->data->deadlines, &command->deadline);
    fr_redis_result_tell(result, status, reply);
}

static void finish(struct command *command, enum freshet_status status, const redisReply *reply)
{
    fr_list_remove(&command->link);
    if (command->result != NULL)
        answer(command, status, reply);
    free(command);
}

static void finish_all(struct fr_list *list, enum freshet_status status)
{
    while (!fr_list_is_empty(list))
        finish(FR_CONTAINER(list->next, struct command, link), status, NULL);
}

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

static void note_sent(struct command *command)
{
    fr_list_remove(&command->link);
    fr_list_append(&command->data->sent, &command->link);
    command->is_sent = true;
}

static void send_waiting(struct freshet_redis_data *data)
{
    if (fr_list_is_empty(&data->waiting))
        return;
    struct evbuffer *output = fr_redis_link_output(&data->link);
    while (output != NULL && evbuffer_get_length(output) < MAX_OUTPUT_BYTES &&
           !fr_list_is_empty(&data->waiting)) {
        struct command *command = FR_CONTAINER(data->waiting.next, struct command, link);
        /* Without memory it waits on, up to its deadline. */
        if (evbuffer_add(output, command->wire, command->wire_len) != 0)
            return;
        note_sent(command);
    }
}

/* A part of it has gone the direct way, so the rest has to. */
static void send_rest(struct command *command)
{
    struct freshet_redis_data *data = command->data;
    struct evbuffer *output = fr_redis_link_output(&data->link);
    if (output == NULL ||
        evbuffer_add(output, command->wire + command->written, command->wire_len - command->written) == 0)
        return;
    struct fr_redis_reason reason = {.fault = FR_REDIS_FAULT_UNKNOWN, .text = "out of memory"};
    fr_redis_link_break(&data->link, &reason);
}

static void note_idle(struct freshet_redis_data *data)
{
    if (fr_list_is_empty(&data->waiting) && fr_list_is_empty(&data->sent))
        fr_redis_link_idle(&data->link);
}

static void settle(void *user)
{
    struct freshet_redis_data *data = user;
    send_waiting(data);
    arm(data);
}

static void on_timer(evutil_socket_t fd, short what, void *user)
{
    struct freshet_redis_data *data = user;
    (void)fd;
    (void)what;
    fr_redis_loop_wakes_at(&data->loop, INT64_MAX);
    fr_redis_loop_shut_direct(&data->loop);
    fr_timers_run(&data->deadlines, fr_clock_monotonic_us(), TIMERS_A_TURN);
    settle(data);
    note_idle(data);
}

/* Its turn among the sent ones stays, so that the answers still match. */
static void expire(struct fr_timer *timer)
{
    struct command *command = FR_CONTAINER(timer, struct command, deadline);
    if (command->is_sent)
        answer(command, FRESHET_UNAVAILABLE, NULL);
    else
        finish(command, FRESHET_UNAVAILABLE, NULL);
}

static void deliver_command(struct fr_mail *mail)
{
    struct command *command = FR_CONTAINER(mail, struct command, mail);
    struct freshet_redis_data *data = command->data;
    int64_t at_us = command->deadline.at_us;
    fr_list_append(&data->waiting, &command->link);
    bool went_direct = command->written > 0;
    if (went_direct)
        note_sent(command);
    if (!fr_timers_set(&data->deadlines, &command->deadline, at_us))
        expire(&command->deadline);
    if (went_direct)
        send_rest(command);
}

static void on_up(void *user)
{
    settle(user);
    note_idle(user);
}

static void on_down(void *user, const char *reason)
{
    struct freshet_redis_data *data = user;
    struct fr_list lost;
    (void)reason;
    fr_list_init(&lost);
    fr_list_splice(&lost, &data->sent);
    finish_all(&lost, FRESHET_UNAVAILABLE);
}

static void on_reply(void *user, redisReply *reply)
{
    struct freshet_redis_data *data = user;
    if (fr_list_is_empty(&data->sent)) {
        fr_redis_link_reject(&data->link, reply);
        return;
    }
    finish(FR_CONTAINER(data->sent.next, struct command, link), FRESHET_OK, reply);
    note_idle(data);
}

/* A PING is a command whose answer nobody wants. */
static void on_ping(void *user)
{
    struct freshet_redis_data *data = user;
    struct freshet_span ping = freshet_span_text("PING");
    struct command *command = calloc(1, sizeof(*command));
    if (command == NULL || !fr_redis_wire_add(fr_redis_link_output(&data->link), &ping, 1)) {
        free(command);
        return;
    }
    command->data = data;
    fr_list_init(&command->link);
    fr_list_append(&data->sent, &command->link);
}

static void on_drained(void *user)
{
    send_waiting(user);
}

static void deliver_start(struct fr_mail *mail)
{
    struct request *request = FR_CONTAINER(mail, struct request, mail);
    fr_redis_link_start(&request->data->link);
    free(request);
}

static void deliver_stop(struct fr_mail *mail)
{
    fr_redis_loop_break(&FR_CONTAINER(mail, struct request, mail)->data->loop);
}

static void fill(uint32_t *field, uint32_t value)
{
    if (*field == 0)
        *field = value;
}

static enum freshet_status read_options(struct freshet_redis_data *data,
                                        const struct freshet_redis_data_options *options,
                                        struct freshet_error *error)
{
    if (options == NULL || options->size < sizeof(options->size) + sizeof(options->link))
        return fr_fail(error, FRESHET_INVALID, "redis: `size` of the options is not set");
    memcpy(&data->options, options, options->size < sizeof(*options) ? options->size : sizeof(*options));
    fill(&data->options.max_queued_commands, DEFAULT_COMMANDS);
    fill(&data->options.max_queued_bytes, DEFAULT_QUEUE_BYTES);
    fill(&data->options.max_reply_bytes, DEFAULT_REPLY_BYTES);
    return fr_redis_config_init(&data->config, &data->options.link, error);
}

static enum freshet_status init_link(struct freshet_redis_data *data)
{
    struct fr_redis_link_options options = {
        .config = &data->config,
        .log = &data->options.log,
        .name = "data link",
        .greeting = {.name = "freshet-data", .select = true},
        .limits = {.max_reply = data->options.max_reply_bytes},
        .direct = true,
        .owner = {.user = data,
                  .up = on_up,
                  .down = on_down,
                  .reply = on_reply,
                  .ping = on_ping,
                  .drained = on_drained},
    };
    fr_list_init(&data->waiting);
    fr_list_init(&data->sent);
    data->results = fr_redis_results_new(data->options.freshet, data->options.max_queued_commands,
                                         data->options.max_queued_bytes);
    if (data->results == NULL)
        return FRESHET_NO_MEMORY;
    enum freshet_status status = fr_redis_loop_init(&data->loop, settle, data);
    if (status != FRESHET_OK)
        return status;
    data->timer = evtimer_new(data->loop.base, on_timer, data);
    return data->timer == NULL ? FRESHET_NO_MEMORY : fr_redis_link_init(&data->link, &data->loop, &options);
}

static void discard(struct freshet_redis_data *data)
{
    fr_redis_link_deinit(&data->link);
    if (data->timer != NULL)
        event_free(data->timer);
    fr_redis_loop_deinit(&data->loop);
    fr_timers_deinit(&data->deadlines);
    fr_redis_config_deinit(&data->config);
    fr_redis_results_close(data->results);
    free(data);
}

static enum freshet_status start(struct freshet_redis_data *data)
{
    struct request *request = malloc(sizeof(*request));
    if (request == NULL)
        return FRESHET_NO_MEMORY;
    *request = (struct request){.mail.deliver = deliver_start, .data = data};
    fr_redis_loop_post(&data->loop, &request->mail);
    enum freshet_status status = fr_redis_loop_start(&data->loop, "freshet-data");
    if (status != FRESHET_OK)
        free(request);
    return status;
}

enum freshet_status freshet_redis_data_new(struct freshet_redis_data **out,
                                           const struct freshet_redis_data_options *options,
                                           struct freshet_error *error)
{
    *out = NULL;
    struct freshet_redis_data *data = calloc(1, sizeof(*data));
    if (data == NULL)
        return fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    enum freshet_status status = read_options(data, options, error);
    if (status != FRESHET_OK) {
        free(data);
        return status;
    }
    status = init_link(data);
    if (status == FRESHET_OK)
        status = start(data);
    if (status != FRESHET_OK) {
        discard(data);
        return fr_fail(error, status, "redis: %s", freshet_status_text(status));
    }
    *out = data;
    return FRESHET_OK;
}

void freshet_redis_data_destroy(struct freshet_redis_data *data)
{
    if (data == NULL)
        return;
    struct request last = {.mail.deliver = deliver_stop, .data = data};
    fr_redis_loop_close(&data->loop, &last.mail);
    fr_redis_loop_join(&data->loop);
    finish_all(&data->sent, FRESHET_CLOSED);
    finish_all(&data->waiting, FRESHET_CLOSED);
    discard(data);
}

static bool is_word(struct freshet_span text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.data, word, text.len) == 0;
}

/* These would change what the connection is, and with it whose answer is whose. */
static bool is_barred(const struct freshet_span *arguments, size_t count)
{
    static const char *const barred[] = {
        "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE",
        "HELLO",     "RESET",      "QUIT",       "SYNC",    "PSYNC",       "AUTH",         "SELECT",
        "MULTI",     "EXEC",       "DISCARD",    "WATCH",   "UNWATCH"};
    for (size_t i = 0; i < sizeof(barred) / sizeof(barred[0]); i++)
        if (is_word(arguments[0], barred[i]))
            return true;
    return count > 1 && is_word(arguments[0], "CLIENT") && is_word(arguments[1], "REPLY");
}

static struct command *new_command(struct freshet_redis_data *data, const struct freshet_span *arguments,
                                   size_t argument_count, uint32_t deadline_ms)
{
    size_t room = fr_redis_wire_room(arguments, argument_count);
    struct command *command = malloc(sizeof(*command) + room);
    if (command == NULL)
        return NULL;
    *command = (struct command){.mail.deliver = deliver_command, .data = data};
    fr_list_init(&command->link);
    command->wire_len =
        (size_t)(fr_redis_wire_write(command->wire, arguments, argument_count) - command->wire);
    int64_t wait_us = (int64_t)(deadline_ms == 0 ? DEFAULT_DEADLINE_MS : deadline_ms) * FR_US_PER_MS;
    command->deadline.at_us = fr_clock_monotonic_us() + wait_us;
    command->deadline.expire = expire;
    return command;
}

enum freshet_status freshet_redis_command(struct freshet_redis_data *data,
                                          const struct freshet_span *arguments, size_t argument_count,
                                          uint32_t deadline_ms, freshet_redis_reply_cb reply, void *user)
{
    if (argument_count == 0 || is_barred(arguments, argument_count))
        return FRESHET_INVALID;
    struct command *command = new_command(data, arguments, argument_count, deadline_ms);
    if (command == NULL)
        return FRESHET_NO_MEMORY;
    size_t bytes = sizeof(*command) + command->wire_len;
    enum freshet_status status = fr_redis_result_new(&command->result, data->results, bytes, reply, user);
    if (status == FRESHET_OK &&
        fr_redis_loop_send(&data->loop, &command->mail, freshet_span(command->wire, command->wire_len),
                           command->deadline.at_us, &command->written))
        return FRESHET_OK;
    if (status == FRESHET_OK) {
        fr_redis_result_drop(command->result);
        status = FRESHET_CLOSED;
    }
    free(command);
    return status;
}
