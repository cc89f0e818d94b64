/* What lives on a worker, as rows of a dump. On the worker's thread. */
#ifndef FR_DUMP_HUB_H
#define FR_DUMP_HUB_H

#include "core/hub/view.h"
#include "core/runtime/dump.h"

/* Its feeds, by topic, and its counts. */
void fr_dump_hub(struct fr_dump *dump, struct fr_worker *worker);
/* What a view shows and has taken: the rest of a row of its stream. */
void fr_dump_view(FILE *file, const struct fr_view *view);

#endif
