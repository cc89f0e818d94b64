/* The way of a publish out of the freshet, and of its result back to whoever asked. */
#ifndef FR_PUBLISH_H
#define FR_PUBLISH_H

#include <freshet/status.h>
#include <stdint.h>

/* For the bus's sink: `token` as freshet_publish() gave it. Any thread. */
void fr_publish_ended(void *context, void *token, enum freshet_status status, int64_t receivers);

#endif
