#include "bus/redis/cluster/map.h"

#include "base/log.h"
#include <stdlib.h>
#include <string.h>

void fr_redis_map_init(struct fr_redis_map *map)
{
    *map = (struct fr_redis_map){0};
    for (size_t slot = 0; slot < FR_REDIS_SLOTS; slot++)
        map->owners[slot] = FR_REDIS_NOBODY;
}

void fr_redis_map_deinit(struct fr_redis_map *map)
{
    free(map->nodes);
    map->nodes = NULL;
    map->node_count = map->node_room = 0;
}

static bool grow(struct fr_redis_map *map)
{
    size_t room = map->node_room == 0 ? 16 : map->node_room * 2;
    struct fr_redis_address *nodes = realloc(map->nodes, room * sizeof(*nodes));
    if (nodes == NULL)
        return false;
    map->nodes = nodes;
    map->node_room = room;
    return true;
}

static uint16_t find(const struct fr_redis_map *map, const struct fr_redis_address *address)
{
    for (size_t i = 0; i < map->node_count; i++)
        if (fr_redis_address_equal(&map->nodes[i], address))
            return (uint16_t)i;
    return FR_REDIS_NOBODY;
}

bool fr_redis_map_has(const struct fr_redis_map *map, const struct fr_redis_address *address)
{
    return find(map, address) != FR_REDIS_NOBODY;
}

/* The place of the node, which may be new. FR_REDIS_NOBODY: no memory, or too many. */
static uint16_t place_of(struct fr_redis_map *map, const struct fr_redis_address *address)
{
    uint16_t place = find(map, address);
    if (place != FR_REDIS_NOBODY)
        return place;
    if (map->node_count == FR_REDIS_MAX_NODES || (map->node_count == map->node_room && !grow(map)))
        return FR_REDIS_NOBODY;
    map->nodes[map->node_count] = *address;
    return (uint16_t)map->node_count++;
}

bool fr_redis_map_move(struct fr_redis_map *map, uint16_t slot, const struct fr_redis_address *address)
{
    uint16_t place = place_of(map, address);
    if (place != FR_REDIS_NOBODY)
        map->owners[slot] = place;
    return place != FR_REDIS_NOBODY;
}

const struct fr_redis_address *fr_redis_map_owner(const struct fr_redis_map *map, uint16_t slot)
{
    uint16_t place = map->owners[slot];
    return place == FR_REDIS_NOBODY ? NULL : &map->nodes[place];
}

static struct freshet_span text_of(const redisReply *reply)
{
    bool is_text = reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;
    return is_text ? freshet_span(reply->str, reply->len) : freshet_span(NULL, 0);
}

/* What a node's metadata, pairs of name and value, say of `name`; empty: nothing. */
static struct freshet_span find_metadata(const redisReply *node, const char *name)
{
    if (node->elements < 4 || node->element[3]->type != REDIS_REPLY_ARRAY)
        return freshet_span(NULL, 0);
    const redisReply *metadata = node->element[3];
    for (size_t i = 0; i + 1 < metadata->elements; i += 2)
        if (freshet_span_equal(text_of(metadata->element[i]), freshet_span_text(name)))
            return text_of(metadata->element[i + 1]);
    return freshet_span(NULL, 0);
}

/* A node that is to be called by a name it was not given is "?"; one that does not know its own address, or
 * is not to tell it, says nothing: it is reached where this one was. */
static bool read_address(struct fr_redis_address *address, const redisReply *node,
                         const struct fr_redis_address *asked)
{
    struct freshet_span host = text_of(node->element[0]);
    long long port = node->element[1]->integer;
    if (freshet_span_equal(host, freshet_span_text("?")))
        host = find_metadata(node, "ip");
    else if (host.len == 0)
        host = freshet_span_text(asked->name);
    return port > 0 && port <= UINT16_MAX && fr_redis_address_set(address, host, (uint16_t)port);
}

static bool is_node(const redisReply *node)
{
    if (node->type != REDIS_REPLY_ARRAY || node->elements < 2 ||
        node->element[1]->type != REDIS_REPLY_INTEGER)
        return false;
    int type = node->element[0]->type;
    return type == REDIS_REPLY_STRING || type == REDIS_REPLY_STATUS || type == REDIS_REPLY_NIL;
}

static bool is_range(const redisReply *range)
{
    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3 ||
        range->element[0]->type != REDIS_REPLY_INTEGER || range->element[1]->type != REDIS_REPLY_INTEGER)
        return false;
    long long first = range->element[0]->integer, last = range->element[1]->integer;
    return first >= 0 && first <= last && last < FR_REDIS_SLOTS;
}

/* A range: first slot, last slot, the master, its replicas. */
static enum freshet_status read_range(struct fr_redis_map *map, const redisReply *range,
                                      const struct fr_redis_address *asked, struct freshet_error *error)
{
    struct fr_redis_address address;
    if (!is_range(range))
        return fr_fail(error, FRESHET_INVALID, "CLUSTER SLOTS: a range of slots is none");
    for (size_t i = 2; i < range->elements; i++) {
        if (!is_node(range->element[i]))
            return fr_fail(error, FRESHET_INVALID, "CLUSTER SLOTS: a node is no address and port");
        if (!read_address(&address, range->element[i], asked))
            continue;
        uint16_t place = place_of(map, &address);
        if (place == FR_REDIS_NOBODY)
            return fr_fail(error, FRESHET_NO_MEMORY, "CLUSTER SLOTS: no memory for its nodes, or over %d",
                           FR_REDIS_MAX_NODES);
        for (long long slot = range->element[0]->integer; i == 2 && slot <= range->element[1]->integer;
             slot++)
            map->owners[slot] = place;
    }
    return FRESHET_OK;
}

enum freshet_status fr_redis_map_read(struct fr_redis_map *map, const redisReply *reply,
                                      const struct fr_redis_address *asked, struct freshet_error *error)
{
    enum freshet_status status = FRESHET_OK;
    fr_redis_map_init(map);
    if (reply->type == REDIS_REPLY_ERROR)
        status = fr_fail(error, FRESHET_INVALID, "CLUSTER SLOTS: \"%s\"",
                         fr_escape(freshet_span(reply->str, reply->len)).text);
    else if (reply->type != REDIS_REPLY_ARRAY)
        status = fr_fail(error, FRESHET_INVALID, "CLUSTER SLOTS: the answer is no list");
    for (size_t i = 0; status == FRESHET_OK && i < reply->elements; i++)
        status = read_range(map, reply->element[i], asked, error);
    if (status == FRESHET_OK && map->node_count == 0)
        status = fr_fail(error, FRESHET_INVALID, "CLUSTER SLOTS: no node owns a slot");
    if (status != FRESHET_OK)
        fr_redis_map_deinit(map);
    return status;
}
