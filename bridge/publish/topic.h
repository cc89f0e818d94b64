/* Topics as people and programs write them. */
#ifndef BRIDGE_PUBLISH_TOPIC_H
#define BRIDGE_PUBLISH_TOPIC_H

#include <freshet/channel.h>
#include <stdbool.h>

#define TOPIC_RIGHT                                                                                          \
    "must be a topic such as order/7: at most 512 characters, values percent-encoded as encodeURIComponent " \
    "does it, no slash at its ends"

/* Whether a topic can be written so: a slip, such as a space, would be published and heard by nobody. */
bool topic_read(struct freshet_topic *topic, const char *text);

#endif
