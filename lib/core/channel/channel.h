/* What the library knows of a channel beside the public part. */
#ifndef FR_CHANNEL_H
#define FR_CHANNEL_H

#include "core/channel/pattern.h"
#include <freshet/channel.h>
#include <stdbool.h>
#include <stdint.h>

/* As freshet_channel_new(); `type` stands for the type of its messages. */
enum freshet_status fr_channel_new_typed(struct freshet_channel **out, const char *name, uint64_t type,
                                         struct freshet_error *error);

/* 0: made without a declaration, so any message may be meant. Equal for messages of equal fields (names,
 * kinds, what is optional or an array; in any order), and for signals. */
uint64_t fr_channel_type(const struct freshet_channel *channel);

const struct fr_pattern *fr_channel_pattern(const struct freshet_channel *channel);

/* Whether what is published under the one type is misread under the other. Nothing is known of 0, so it
 * differs from none. */
static inline bool fr_types_differ(uint64_t a, uint64_t b)
{
    return a != 0 && b != 0 && a != b;
}

#endif
