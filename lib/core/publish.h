/* The way of a publish out of the freshet, and of its result back to whoever asked. */
#ifndef FR_PUBLISH_H
#define FR_PUBLISH_H

#include <freshet/instance.h>
#include <freshet/status.h>
#include <stdint.h>

/* For the bus's sink: `token` as freshet_publish() gave it. Any thread. */
void fr_publish_ended(void *context, void *token, enum freshet_status status, int64_t receivers);

/* freshet_publish() of a payload that could not be made, for the reason `status`: counted, told to
 * `published`, and, unless it is FRESHET_INVALID, marked. */
enum freshet_status fr_publish_refuse(struct freshet *freshet, const struct freshet_topic *topic,
                                      enum freshet_status status, freshet_published_cb published, void *user);

#endif
