#include "core/channel.h"

#include "base/log.h"
#include <stdlib.h>

struct freshet_channel {
    struct fr_pattern *pattern;
    uint64_t type;
};

enum freshet_status fr_channel_new_typed(struct freshet_channel **out, const char *name, uint64_t type,
                                         struct freshet_error *error)
{
    *out = NULL;
    struct freshet_channel *channel = calloc(1, sizeof(*channel));
    if (channel == NULL)
        return fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    channel->type = type;
    enum freshet_status status = fr_pattern_new(&channel->pattern, name, error);
    if (status == FRESHET_OK)
        *out = channel;
    else
        freshet_channel_destroy(channel);
    return status;
}

enum freshet_status freshet_channel_new(struct freshet_channel **out, const char *name,
                                        struct freshet_error *error)
{
    return fr_channel_new_typed(out, name, 0, error);
}

void freshet_channel_destroy(struct freshet_channel *channel)
{
    if (channel == NULL)
        return;
    fr_pattern_destroy(channel->pattern);
    free(channel);
}

const char *freshet_channel_name(const struct freshet_channel *channel)
{
    return fr_pattern_text(channel->pattern);
}

uint64_t fr_channel_type(const struct freshet_channel *channel)
{
    return channel->type;
}

const struct fr_pattern *fr_channel_pattern(const struct freshet_channel *channel)
{
    return channel->pattern;
}

enum freshet_status freshet_channel_topic(const struct freshet_channel *channel,
                                          const struct freshet_param *params, size_t param_count,
                                          struct freshet_topic *topic, struct freshet_error *error)
{
    return fr_pattern_fill(channel->pattern, params, param_count, topic, error);
}
