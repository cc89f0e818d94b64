#include <freshet/channel.h>

#include "base/log.h"
#include "core/pattern.h"
#include <stdlib.h>

struct freshet_channel {
    struct fr_pattern *pattern;
};

enum freshet_status freshet_channel_new(struct freshet_channel **out, const char *name,
                                        struct freshet_error *error)
{
    *out = NULL;
    struct freshet_channel *channel = calloc(1, sizeof(*channel));
    if (channel == NULL)
        return fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    enum freshet_status status = fr_pattern_new(&channel->pattern, name, error);
    if (status == FRESHET_OK)
        *out = channel;
    else
        freshet_channel_destroy(channel);
    return status;
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

enum freshet_status freshet_channel_topic(const struct freshet_channel *channel,
                                          const struct freshet_param *params, size_t param_count,
                                          struct freshet_topic *topic, struct freshet_error *error)
{
    return fr_pattern_fill(channel->pattern, params, param_count, topic, error);
}
