/* Which server a command goes to. There is one, or the nodes of a cluster, each of which is connected when
 * the first command for a slot of it comes. On the link's thread. */
#include "base/log.h"
#include "base/text.h"
#include "bus/redis/cluster/redirect.h"
#include "bus/redis/data/data.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_REDIRECTED  8     /* then the program gets to see what the node says */
#define MAP_INTERVAL_MS 30000 /* nodes say themselves what is not theirs, so it is asked for at each sign */
#define CANARY_SLOT     0     /* its node is always connected: it shows that the cluster works */

static struct fr_redis_data_server *server_of(struct fr_list *listed)
{
    return FR_CONTAINER(listed, struct fr_redis_data_server, listed);
}

bool fr_redis_data_has_cluster(const struct freshet_redis_data *data)
{
    return data->config.url.kind == FR_REDIS_URL_CLUSTER;
}

/* ---- servers ---- */

static enum freshet_status init_server(struct fr_redis_data_server *server, struct freshet_redis_data *data,
                                       const struct fr_redis_address *address)
{
    const struct fr_redis_url *url = &data->config.url;
    bool is_guided = url->kind == FR_REDIS_URL_SENTINEL;
    *server = (struct fr_redis_data_server){.data = data, .address = *address};
    struct fr_redis_link_options options = {
        .config = &data->config,
        .log = &data->options.log,
        .name = server->name,
        .greeting = {.name = "freshet-data",
                     .login = &data->config.login,
                     .database = url->database,
                     .needs_master = !data->options.replica_too,
                     .asks_mode = url->kind == FR_REDIS_URL_SERVER},
        .address = is_guided ? NULL : &server->address,
        .guide = is_guided ? &data->guide : NULL,
        .limits = {.max_reply = data->options.max_reply_bytes},
        .direct = !fr_redis_data_has_cluster(data),
        .owner = fr_redis_data_owner(server),
    };
    bool is_one_of_many = fr_redis_data_has_cluster(data);
    snprintf(server->name, sizeof(server->name), "data link%s%s", is_one_of_many ? " to " : "",
             is_one_of_many ? fr_redis_address_text(address).text : "");
    fr_list_init(&server->listed);
    fr_list_init(&server->waiting);
    fr_list_init(&server->sent);
    return fr_redis_link_init(&server->link, &data->loop, &options);
}

/* NULL: no memory. */
static struct fr_redis_data_server *add_server(struct freshet_redis_data *data,
                                               const struct fr_redis_address *address)
{
    struct fr_redis_data_server *server = malloc(sizeof(*server));
    if (server == NULL || init_server(server, data, address) != FRESHET_OK) {
        free(server);
        return NULL;
    }
    pthread_mutex_lock(&data->lock);
    fr_list_append(&data->servers, &server->listed);
    pthread_mutex_unlock(&data->lock);
    return server;
}

static void add_counters(const struct fr_redis_data_server *server, struct freshet_data_stats *stats)
{
    stats->reconnects += atomic_load_explicit(&server->link.reconnects, memory_order_relaxed);
    stats->errors += atomic_load_explicit(&server->link.errors, memory_order_relaxed);
}

static void end_server(struct fr_redis_data_server *server)
{
    struct freshet_redis_data *data = server->data;
    pthread_mutex_lock(&data->lock);
    fr_list_remove(&server->listed);
    add_counters(server, &data->retired);
    pthread_mutex_unlock(&data->lock);
    fr_redis_link_deinit(&server->link);
    free(server);
}

void fr_redis_data_route_stats(struct freshet_redis_data *data, struct freshet_data_stats *stats)
{
    pthread_mutex_lock(&data->lock);
    stats->reconnects += data->retired.reconnects;
    stats->errors += data->retired.errors + atomic_load_explicit(&data->mapper.errors, memory_order_relaxed);
    for (struct fr_list *at = data->servers.next; at != &data->servers; at = at->next)
        add_counters(server_of(at), stats);
    pthread_mutex_unlock(&data->lock);
}

static struct fr_redis_data_server *find_server(struct freshet_redis_data *data,
                                                const struct fr_redis_address *address)
{
    for (struct fr_list *at = data->servers.next; at != &data->servers; at = at->next)
        if (fr_redis_address_equal(&server_of(at)->address, address))
            return server_of(at);
    struct fr_redis_data_server *server = add_server(data, address);
    if (server != NULL)
        fr_redis_link_start(&server->link);
    fr_redis_data_update_up(data);
    return server;
}

/* NULL: nobody's for now. */
static struct fr_redis_data_server *server_for(struct freshet_redis_data *data, uint16_t slot)
{
    if (!fr_redis_data_has_cluster(data))
        return server_of(data->servers.next);
    const struct fr_redis_address *owner = fr_redis_mapper_owner(&data->mapper, slot);
    return owner == NULL ? NULL : find_server(data, owner);
}

/* ---- commands ---- */

static void put(struct fr_redis_command *command, struct fr_redis_data_server *server)
{
    struct freshet_redis_data *data = command->data;
    command->server = server;
    fr_list_append(server == NULL ? &data->homeless : &server->waiting, &command->link);
    if (server == NULL)
        fr_redis_mapper_ask(&data->mapper);
}

void fr_redis_data_route(struct fr_redis_command *command)
{
    put(command, server_for(command->data, command->slot));
}

/* Whether the error is one that passes, or says where to go. A slot that moves with half of the keys of a
 * command says TRYAGAIN. */
static bool is_passing(struct freshet_span error, const struct fr_redis_redirect *redirect)
{
    static const char *const words[] = {"CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (fr_text_begins(error, words[i]))
            return true;
    return redirect->kind != FR_REDIS_REDIRECT_NONE;
}

bool fr_redis_data_redirect(struct fr_redis_command *command, const redisReply *reply)
{
    struct freshet_redis_data *data = command->data;
    if (reply->type != REDIS_REPLY_ERROR || !fr_redis_data_has_cluster(data))
        return false;
    struct freshet_span error = freshet_span(reply->str, reply->len);
    struct fr_redis_redirect redirect = fr_redis_redirect_read(error, &command->server->address);
    if (!is_passing(error, &redirect) || command->redirected == MAX_REDIRECTED)
        return false;
    fr_list_remove(&command->link);
    command->redirected++;
    command->is_sent = false;
    command->asks = redirect.kind == FR_REDIS_REDIRECT_ASK;
    struct fr_redis_data_server *server = NULL;
    if (redirect.address.port != 0)
        server = find_server(data, &redirect.address);
    if (redirect.kind == FR_REDIS_REDIRECT_MOVED && server != NULL) {
        command->slot = redirect.slot;
        fr_redis_mapper_move(&data->mapper, redirect.slot, &redirect.address);
        fr_redis_mapper_ask(&data->mapper);
    }
    put(command, server);
    fr_redis_loop_wake(&data->loop);
    return true;
}

/* Those that wait go where the new map says; those of a slot that is being moved stay where they were sent.
 */
static void route_again(struct fr_list *from)
{
    struct fr_list waiting;
    fr_list_init(&waiting);
    fr_list_splice(&waiting, from);
    for (struct fr_list *link; (link = fr_list_shift(&waiting)) != NULL;) {
        struct fr_redis_command *command = FR_CONTAINER(link, struct fr_redis_command, link);
        if (command->asks && command->server != NULL) {
            fr_list_append(&command->server->waiting, &command->link);
            continue;
        }
        command->asks = false;
        fr_redis_data_route(command);
    }
}

static bool owns_slots(const struct fr_redis_map *map, const struct fr_redis_address *address)
{
    for (size_t slot = 0; slot < FR_REDIS_SLOTS; slot++) {
        const struct fr_redis_address *owner = fr_redis_map_owner(map, (uint16_t)slot);
        if (owner != NULL && fr_redis_address_equal(owner, address))
            return true;
    }
    return false;
}

/* A master that was replaced, or that gave its slots away. */
static void end_servers_that_left(struct freshet_redis_data *data)
{
    for (struct fr_list *at = data->servers.next, *next; at != &data->servers; at = next) {
        struct fr_redis_data_server *server = server_of(at);
        bool is_idle = fr_list_is_empty(&server->waiting) && fr_list_is_empty(&server->sent);
        next = at->next;
        if (is_idle && !owns_slots(&data->mapper.map, &server->address))
            end_server(server);
    }
}

static void on_mapped(void *user)
{
    struct freshet_redis_data *data = user;
    for (struct fr_list *at = data->servers.next; at != &data->servers; at = at->next)
        route_again(&server_of(at)->waiting);
    route_again(&data->homeless);
    server_for(data, CANARY_SLOT);
    end_servers_that_left(data);
    fr_redis_data_update_up(data);
    fr_redis_loop_wake(&data->loop);
}

static bool is_troubled(void *user)
{
    struct freshet_redis_data *data = user;
    if (!fr_list_is_empty(&data->homeless))
        return true;
    for (struct fr_list *at = data->servers.next; at != &data->servers; at = at->next)
        if (!fr_redis_link_is_up(&server_of(at)->link))
            return true;
    return fr_list_is_empty(&data->servers);
}

void fr_redis_data_look_around(struct freshet_redis_data *data)
{
    if (fr_redis_data_has_cluster(data))
        fr_redis_mapper_ask(&data->mapper);
}

/* ---- life ---- */

void fr_redis_data_route_begin(struct freshet_redis_data *data)
{
    if (fr_redis_data_has_cluster(data)) {
        fr_redis_mapper_ask(&data->mapper);
        return;
    }
    fr_redis_guide_begin(&data->guide);
    fr_redis_link_start(&server_of(data->servers.next)->link);
}

enum freshet_status fr_redis_data_route_init(struct freshet_redis_data *data)
{
    const struct freshet_log *log = &data->options.log;
    struct fr_redis_mapper_options mapper = {
        .config = &data->config,
        .log = log,
        .loop = &data->loop,
        .name = "freshet-data-map",
        .interval_ms = MAP_INTERVAL_MS,
        .user = data,
        .mapped = on_mapped,
        .is_troubled = is_troubled,
    };
    if (fr_redis_data_has_cluster(data))
        return fr_redis_mapper_init(&data->mapper, &mapper);
    enum freshet_status status = FRESHET_OK;
    if (data->config.url.kind == FR_REDIS_URL_SENTINEL)
        status =
            fr_redis_guide_init(&data->guide, &data->config, log, &data->loop, data->options.replica_too);
    if (status == FRESHET_OK && add_server(data, &data->config.url.addresses[0]) == NULL)
        status = FRESHET_NO_MEMORY;
    return status;
}

void fr_redis_data_route_deinit(struct freshet_redis_data *data)
{
    while (!fr_list_is_empty(&data->servers))
        end_server(server_of(data->servers.next));
    fr_redis_mapper_deinit(&data->mapper);
    fr_redis_guide_deinit(&data->guide);
}
