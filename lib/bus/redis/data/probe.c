/* Whether the server is good for the program's commands: it answers, and it is the master. On the link's
 * thread. */
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "bus/redis/data/data.h"
#include "core/runtime/context.h"
#include <event2/event.h>
#include <stdio.h>

#define PROBES_UNTIL_DOWN 2

/* A node that is being connected for the first time changes nothing: it was not missed before. */
static bool are_all_up(const struct freshet_redis_data *data)
{
    bool is_any_up = false;
    for (const struct fr_list *at = data->servers.next; at != &data->servers; at = at->next) {
        const struct fr_redis_data_server *server = FR_CONTAINER(at, struct fr_redis_data_server, listed);
        bool is_new = !server->link.was_up && server->link.state != FR_REDIS_LINK_WAITING;
        if (!server->up && !is_new)
            return false;
        is_any_up = is_any_up || server->up;
    }
    return is_any_up;
}

/* Who comes back can be asked again at once: feeds need not wait for the end of their delays. And what they
 * loaded from a server that was not the master any more has to be loaded again, though nobody publishes. */
void fr_redis_data_update_up(struct freshet_redis_data *data)
{
    bool up = are_all_up(data);
    if (up)
        atomic_store_explicit(&data->good_us, fr_clock_monotonic_us(), memory_order_relaxed);
    if (atomic_exchange(&data->up, up) || !up)
        return;
    fr_data_link_back(data->options.freshet, data->read_old);
    data->read_old = false;
}

static void set_up(struct fr_redis_data_server *server, bool up)
{
    server->up = up;
    fr_redis_data_update_up(server->data);
}

static void leave(struct fr_redis_data_server *server, const char *why)
{
    struct fr_redis_reason reason = {.fault = FR_REDIS_FAULT_ROLE};
    snprintf(reason.text, sizeof(reason.text), "%s", why);
    fr_redis_link_break(&server->link, &reason);
}

static enum fr_redis_fault fault_of(const redisReply *error)
{
    return fr_redis_fault_of(freshet_span(error->str, error->len));
}

void fr_redis_data_judge(struct fr_redis_data_server *server, const redisReply *reply)
{
    if (!server->data->options.replica_too && reply->type == REDIS_REPLY_ERROR &&
        fault_of(reply) == FR_REDIS_FAULT_ROLE)
        leave(server, fr_redis_fault_text(FR_REDIS_FAULT_ROLE));
}

static void take_role(struct fr_redis_data_server *server, const redisReply *reply)
{
    switch (fr_redis_role_of(reply)) {
    case FR_REDIS_ROLE_MASTER:
    case FR_REDIS_ROLE_LATER:
        break;
    case FR_REDIS_ROLE_OTHER:
        leave(server, fr_redis_fault_text(FR_REDIS_FAULT_ROLE));
        break;
    case FR_REDIS_ROLE_UNKNOWN: /* then only READONLY tells */
        fr_redis_link_blind(&server->link, reply);
        break;
    }
}

/* On this connection. Redis keeps a log of what it refuses, so a ROLE that was refused is not asked again. */
static bool may_ask_role(const struct fr_redis_data_server *server)
{
    return !server->data->options.replica_too && !fr_redis_link_is_blind(&server->link);
}

void fr_redis_data_take_probe(struct fr_redis_data_server *server, const redisReply *reply)
{
    server->probe_out = false;
    server->probes_missed = 0;
    if (may_ask_role(server))
        take_role(server, reply);
    /* A busy one, with a script that does not end, answers everybody so. */
    bool busy = reply->type == REDIS_REPLY_ERROR && fault_of(reply) == FR_REDIS_FAULT_BUSY;
    if (fr_redis_link_is_up(&server->link))
        set_up(server, !busy);
}

/* The links of the freshet's bus were found on another server than their address leads to. So may this one
 * be: a master that was replaced, and was not told, says that it is one. If the store has an address of its
 * own, it is connected anew for nothing, once. */
static bool has_moved(struct freshet_redis_data *data)
{
    const struct freshet *freshet = data->options.freshet;
    struct freshet_bus_stats bus;
    if (freshet == NULL || data->options.replica_too)
        return false;
    freshet->bus->ops->stats(freshet->bus, &bus);
    bool moved = bus.elsewhere != data->elsewhere;
    data->elsewhere = bus.elsewhere;
    return moved;
}

static void probe(struct fr_redis_data_server *server, bool moved)
{
    if (moved && fr_redis_link_is_up(&server->link))
        leave(server, "the bus was on another server than its address leads to by now");
    if (!fr_redis_link_is_up(&server->link))
        return;
    struct freshet_span verb = freshet_span_text(may_ask_role(server) ? "ROLE" : "PING");
    if (!server->probe_out)
        server->probe_out = fr_redis_data_ask(server, FR_REDIS_COMMAND_PROBE, &verb, 1);
    else if (++server->probes_missed >= PROBES_UNTIL_DOWN)
        set_up(server, false);
}

static void arm(struct freshet_redis_data *data)
{
    uint32_t interval_ms = data->config.options.probe_interval_ms;
    if (interval_ms == FRESHET_NEVER)
        return;
    uint64_t ms = fr_random_between(interval_ms - interval_ms / 10, interval_ms);
    struct timeval after = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    event_add(data->probe_timer, &after);
}

void fr_redis_data_on_probe_timer(int fd, short what, void *user)
{
    struct freshet_redis_data *data = user;
    (void)fd;
    (void)what;
    arm(data);
    bool moved = has_moved(data);
    for (struct fr_list *at = data->servers.next; at != &data->servers; at = at->next)
        probe(FR_CONTAINER(at, struct fr_redis_data_server, listed), moved);
}

void fr_redis_data_begin(struct freshet_redis_data *data)
{
    arm(data);
    fr_redis_data_route_begin(data);
}

void fr_redis_data_note_up(struct fr_redis_data_server *server)
{
    server->probe_out = false;
    server->probes_missed = 0;
    set_up(server, true);
}

void fr_redis_data_note_down(struct fr_redis_data_server *server, const struct fr_redis_reason *reason)
{
    struct freshet_redis_data *data = server->data;
    server->probe_out = false;
    data->read_old = data->read_old || reason->fault == FR_REDIS_FAULT_ROLE;
    set_up(server, false);
}
