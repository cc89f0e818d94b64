/* The streams of a worker, as rows of a dump. On the worker's thread. */
#ifndef FR_STREAM_DUMP_H
#define FR_STREAM_DUMP_H

#include "core/runtime/dump.h"
#include "web/stream/stream.h"

void fr_stream_group_dump(const struct fr_stream_group *group, struct fr_dump *dump);

#endif
