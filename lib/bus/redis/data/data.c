/* The link for the program's own commands: one thread, one connection, commands answered in order. */
#include "bus/redis/data/data.h"

#include "base/clock.h"
#include "base/forks.h"
#include "base/log.h"
#include "bus/redis/cluster/key.h"
#include "bus/redis/proto/wire.h"
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_DEADLINE_MS 1000
#define DEFAULT_COMMANDS    65536
#define DEFAULT_QUEUE_BYTES (64u << 20)
#define DEFAULT_REPLY_BYTES (16u << 20)

/* Mail that is not a command. */
struct request {
    struct fr_mail mail;
    struct freshet_redis_data *data;
};

static void deliver_start(struct fr_mail *mail)
{
    struct request *request = FR_CONTAINER(mail, struct request, mail);
    fr_redis_data_begin(request->data);
    free(request);
}

static void deliver_login(struct fr_mail *mail)
{
    struct request *request = FR_CONTAINER(mail, struct request, mail);
    fr_redis_data_log_in(request->data);
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
    if (options != NULL && options->size < sizeof(options->size) + sizeof(options->link))
        return fr_fail(error, FRESHET_INVALID, "redis: `size` of the options is not set");
    if (options != NULL)
        memcpy(&data->options, options, options->size < sizeof(*options) ? options->size : sizeof(*options));
    else
        data->options.link.size = sizeof(data->options.link);
    fill(&data->options.max_queued_commands, DEFAULT_COMMANDS);
    fill(&data->options.max_queued_bytes, DEFAULT_QUEUE_BYTES);
    fill(&data->options.max_reply_bytes, DEFAULT_REPLY_BYTES);
    enum freshet_status status = fr_redis_config_init(&data->config, &data->options.link, error);
    if (status != FRESHET_OK || !fr_redis_data_has_cluster(data) || !data->options.replica_too)
        return status;
    fr_redis_config_deinit(&data->config);
    return fr_fail(error, FRESHET_INVALID,
                   "redis: replica_too is set, but in a cluster the masters alone are asked");
}

/* A link that is not to be asked is good for as long as it is up. */
static int64_t good_age_ms(const struct freshet_redis_data *data)
{
    int64_t good_us = atomic_load_explicit(&data->good_us, memory_order_relaxed);
    if (good_us < 0)
        return -1;
    if (atomic_load(&data->up) && data->config.options.probe_interval_ms == FRESHET_NEVER)
        return 0;
    return (fr_clock_monotonic_us() - good_us) / FR_US_PER_MS;
}

static void read_stats(const struct fr_data_link *listed, struct freshet_data_stats *stats)
{
    struct freshet_redis_data *data = FR_CONTAINER(listed, struct freshet_redis_data, listed);
    *stats = (struct freshet_data_stats){
        .links = 1,
        .links_up = atomic_load(&data->up) ? 1 : 0,
        .errors = atomic_load_explicit(&data->errors, memory_order_relaxed),
        .unanswered = atomic_load_explicit(&data->unanswered, memory_order_relaxed),
        .queued = fr_redis_results_count(data->results),
        .good_age_ms = good_age_ms(data),
    };
    fr_redis_data_route_stats(data, stats);
}

static enum freshet_status init_parts(struct freshet_redis_data *data)
{
    data->listed.read = read_stats;
    atomic_store(&data->good_us, -1);
    data->results = fr_redis_results_new(data->options.freshet, data->options.max_queued_commands,
                                         data->options.max_queued_bytes);
    if (data->results == NULL)
        return FRESHET_NO_MEMORY;
    enum freshet_status status = fr_redis_loop_init(&data->loop, fr_redis_data_settle, data);
    if (status != FRESHET_OK)
        return status;
    data->timer = evtimer_new(data->loop.base, fr_redis_data_on_timer, data);
    data->probe_timer = evtimer_new(data->loop.base, fr_redis_data_on_probe_timer, data);
    if (data->timer == NULL || data->probe_timer == NULL)
        return FRESHET_NO_MEMORY;
    return fr_redis_data_route_init(data);
}

static void discard(struct freshet_redis_data *data)
{
    fr_redis_data_route_deinit(data);
    if (data->timer != NULL)
        event_free(data->timer);
    if (data->probe_timer != NULL)
        event_free(data->probe_timer);
    fr_redis_loop_deinit(&data->loop);
    fr_timers_deinit(&data->deadlines);
    fr_redis_config_deinit(&data->config);
    fr_redis_results_close(data->results);
    pthread_mutex_destroy(&data->lock);
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

enum freshet_status freshet_redis_data_login(struct freshet_redis_data *data)
{
    if (data == NULL || data->config.login.ask == NULL)
        return FRESHET_INVALID;
    if (data->forks != fr_forks())
        return FRESHET_CLOSED;
    struct request *request = malloc(sizeof(*request));
    if (request == NULL)
        return FRESHET_NO_MEMORY;
    *request = (struct request){.mail.deliver = deliver_login, .data = data};
    if (fr_redis_loop_post(&data->loop, &request->mail))
        return FRESHET_OK;
    free(request);
    return FRESHET_CLOSED;
}

void freshet_redis_data_stats(struct freshet_redis_data *data, struct freshet_data_stats *stats)
{
    if (stats == NULL)
        return;
    *stats = (struct freshet_data_stats){.good_age_ms = -1};
    if (data != NULL)
        read_stats(&data->listed, stats);
}

enum freshet_status freshet_redis_data_new(struct freshet_redis_data **out,
                                           const struct freshet_redis_data_options *options,
                                           struct freshet_error *error)
{
    if (out == NULL)
        return fr_fail(error, FRESHET_INVALID, "redis: `out` is NULL");
    *out = NULL;
    struct freshet_redis_data *data = calloc(1, sizeof(*data));
    if (data == NULL || !fr_forks_watch()) {
        free(data);
        return fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    }
    data->forks = fr_forks();
    fr_list_init(&data->servers);
    fr_list_init(&data->homeless);
    fr_list_init(&data->doubtful);
    pthread_mutex_init(&data->lock, NULL);
    enum freshet_status status = read_options(data, options, error);
    if (status != FRESHET_OK) {
        free(data);
        return status;
    }
    status = init_parts(data);
    if (status == FRESHET_OK)
        status = start(data);
    if (status != FRESHET_OK) {
        discard(data);
        return fr_fail(error, status, "redis: %s", freshet_status_text(status));
    }
    fr_data_link_join(data->options.freshet, &data->listed);
    *out = data;
    return FRESHET_OK;
}

void freshet_redis_data_destroy(struct freshet_redis_data *data)
{
    if (data == NULL || data->forks != fr_forks())
        return;
    struct request last = {.mail.deliver = deliver_stop, .data = data};
    fr_redis_loop_close(&data->loop, &last.mail);
    fr_redis_loop_join(&data->loop);
    fr_redis_data_end(data);
    fr_data_link_leave(data->options.freshet, &data->listed);
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

static struct fr_redis_command *new_command(struct freshet_redis_data *data,
                                            const struct freshet_span *arguments, size_t argument_count,
                                            uint32_t deadline_ms)
{
    size_t room = fr_redis_wire_room(arguments, argument_count);
    struct fr_redis_command *command = malloc(sizeof(*command) + room);
    if (command == NULL)
        return NULL;
    *command = (struct fr_redis_command){.mail.deliver = fr_redis_command_deliver, .data = data};
    struct freshet_span key;
    if (fr_redis_data_has_cluster(data) && fr_redis_key_of(arguments, argument_count, &key))
        command->slot = fr_redis_slot_of(key);
    fr_list_init(&command->link);
    command->wire_len =
        (size_t)(fr_redis_wire_write(command->wire, arguments, argument_count) - command->wire);
    int64_t wait_us = (int64_t)(deadline_ms == 0 ? DEFAULT_DEADLINE_MS : deadline_ms) * FR_US_PER_MS;
    command->timer.at_us = fr_clock_monotonic_us() + wait_us;
    command->timer.expire = fr_redis_command_expire;
    return command;
}

static bool is_valid(const struct freshet_redis_data *data, const struct freshet_span *arguments,
                     size_t count)
{
    if (data == NULL || arguments == NULL || count == 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (arguments[i].data == NULL && arguments[i].len > 0)
            return false;
    return !is_barred(arguments, count);
}

static enum freshet_status send_command(struct freshet_redis_data *data, const struct freshet_span *arguments,
                                        size_t argument_count, uint32_t deadline_ms,
                                        const struct fr_redis_asker *asker)
{
    if (data != NULL && data->forks != fr_forks())
        return FRESHET_CLOSED;
    if (!is_valid(data, arguments, argument_count))
        return FRESHET_INVALID;
    struct fr_redis_command *command = new_command(data, arguments, argument_count, deadline_ms);
    if (command == NULL)
        return FRESHET_NO_MEMORY;
    size_t bytes = sizeof(*command) + command->wire_len;
    enum freshet_status status = fr_redis_result_new(&command->result, data->results, bytes, asker);
    if (status == FRESHET_OK &&
        fr_redis_loop_send(&data->loop, &command->mail, freshet_span(command->wire, command->wire_len),
                           command->timer.at_us, &command->written))
        return FRESHET_OK;
    if (status == FRESHET_OK) {
        fr_redis_result_drop(command->result);
        status = FRESHET_CLOSED;
    }
    free(command);
    return status;
}

enum freshet_status freshet_redis_command(struct freshet_redis_data *data,
                                          const struct freshet_span *arguments, size_t argument_count,
                                          uint32_t deadline_ms, freshet_redis_reply_cb reply, void *user)
{
    return send_command(data, arguments, argument_count, deadline_ms,
                        &(struct fr_redis_asker){.reply = reply, .user = user});
}

enum freshet_status freshet_redis_change(struct freshet_redis_data *data,
                                         const struct freshet_span *arguments, size_t argument_count,
                                         uint32_t deadline_ms, freshet_redis_reply_cb reply,
                                         freshet_redis_settled_cb settled, void *user)
{
    return send_command(data, arguments, argument_count, deadline_ms,
                        &(struct fr_redis_asker){.reply = reply, .settled = settled, .user = user});
}
