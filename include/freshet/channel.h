/* Channels: typed addresses such as `board/:boardId`, and the topics made of them.
 *
 * Grammar. A name is split at '/'. A segment `:name`, name of [A-Za-z0-9_]+, is a parameter, with an optional
 * suffix:
 * `?` (may be absent), `*` (rest, may be empty), `+` (rest, one or more); at most one segment of a name has a
 * suffix. Every other segment is literal: [A-Za-z0-9_.~!$()*,;=@-]+, with a colon only where no identifier
 * runs from it to the end of the segment (`chat:lobby-1` is literal, `board:boardId` is refused as a likely
 * slip). Route patterns have the same grammar.
 *
 * SPDX-License-Identifier: MIT */
#ifndef FRESHET_CHANNEL_H
#define FRESHET_CHANNEL_H

#include <freshet/span.h>
#include <freshet/status.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FRESHET_MAX_TOPIC_BYTES 512 /* of a name and of a topic */

/* A channel with its parameters filled in. A plain value: copy it freely, nothing to free. */
struct freshet_topic {
    uint16_t len;                           /* of `text`, without the NUL */
    char text[FRESHET_MAX_TOPIC_BYTES + 1]; /* NUL-terminated */
};

/* One value for one parameter. A rest parameter takes several entries of its name, in order. */
struct freshet_param {
    const char *name;          /* of the channel's name or the route, without colon and suffix */
    struct freshet_span value; /* UTF-8, any characters; encoded as encodeURIComponent does */
};

/* Immutable once made; any thread may use it. */
struct freshet_channel;

/* Compiles `name` (copied). FRESHET_INVALID: the grammar is broken, `error` names the segment and the rule.
 * FRESHET_TOO_LARGE: longer than FRESHET_MAX_TOPIC_BYTES. FRESHET_NO_MEMORY. On failure *out is NULL. */
enum freshet_status freshet_channel_new(struct freshet_channel **out, const char *name,
                                        struct freshet_error *error);

/* NULL is fine. Loaders made with the channel keep what they need of it. */
void freshet_channel_destroy(struct freshet_channel *channel);

/* The name it was made of; lives as long as the channel. NULL for NULL. */
const char *freshet_channel_name(const struct freshet_channel *channel);

/* Fills in the parameters. An empty value of one with `?` leaves it absent; a value of a rest one must not be
 * empty. FRESHET_INVALID: a required parameter is missing or empty, one is unknown or given twice, or is not
 * valid UTF-8, or all are absent and nothing would be left. FRESHET_TOO_LARGE: the topic would be over the
 * limit. `error` names the parameter. *topic is written only on FRESHET_OK. Any thread. */
enum freshet_status freshet_channel_topic(const struct freshet_channel *channel,
                                          const struct freshet_param *params, size_t param_count,
                                          struct freshet_topic *topic, struct freshet_error *error);

#ifdef __cplusplus
}
#endif
#endif
