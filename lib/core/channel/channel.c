#include "core/channel/channel.h"

#include "base/log.h"
#include <stdlib.h>

struct freshet_channel {
    struct fr_pattern *pattern;
    uint64_t type;
};

enum freshet_status fr_channel_new_typed(struct freshet_channel **out, const char *name, uint64_t type,
                                         struct freshet_error *error)
{
    if (out == NULL)
        return fr_fail(error, FRESHET_INVALID, "channel: out is NULL");
    *out = NULL;
    struct freshet_channel *channel = calloc(1, sizeof(*channel));
    if (channel == NULL)
        return fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    channel->type = type;
    struct freshet_error why;
    enum freshet_status status = fr_pattern_new(&channel->pattern, name, &why);
    if (status != FRESHET_OK) {
        freshet_channel_destroy(channel);
        if (status == FRESHET_NO_MEMORY)
            return fr_fail(error, status, "out of memory");
        return fr_fail(error, status, "channel \"%.60s\": %s", fr_escape(freshet_span_text(name)).text,
                       why.text);
    }
    *out = channel;
    return FRESHET_OK;
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
    return channel == NULL ? NULL : fr_pattern_text(channel->pattern);
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
    if (channel == NULL || topic == NULL)
        return fr_fail(error, FRESHET_INVALID, "topic: %s is NULL", channel == NULL ? "channel" : "topic");
    if (params == NULL && param_count > 0)
        return fr_fail(error, FRESHET_INVALID, "topic: params is NULL, but param_count is %zu", param_count);
    return fr_pattern_fill(channel->pattern, params, param_count, topic, error);
}
