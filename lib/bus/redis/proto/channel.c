#include "bus/redis/proto/channel.h"

#include <stdlib.h>
#include <string.h>

struct fr_redis_channel *fr_redis_channel_new(struct freshet_span prefix, struct freshet_span name,
                                              uint64_t subscription)
{
    struct fr_redis_channel *channel = malloc(sizeof(*channel) + prefix.len + name.len);
    if (channel == NULL)
        return NULL;
    *channel = (struct fr_redis_channel){.subscription = subscription, .state = FR_REDIS_CHANNEL_LEFT};
    fr_list_init(&channel->link);
    if (prefix.len > 0)
        memcpy(channel->name, prefix.data, prefix.len);
    if (name.len > 0)
        memcpy(channel->name + prefix.len, name.data, name.len);
    channel->node.key = freshet_span(channel->name, prefix.len + name.len);
    return channel;
}

struct freshet_span fr_redis_channel_name(const struct fr_redis_channel *channel)
{
    return channel->node.key;
}
