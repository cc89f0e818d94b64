/* Links of the program to its store that belong to a freshet: what they count shows in its stats. Any
 * thread. */
#ifndef FR_DATA_LINKS_H
#define FR_DATA_LINKS_H

#include "base/list.h"
#include <freshet/stats.h>
#include <stdbool.h>

struct fr_data_link {
    struct fr_list link; /* in the freshet; under the lock of its homes */
    void (*read)(const struct fr_data_link *data_link, struct freshet_data_stats *stats);
};

/* `freshet` outlives it; NULL is fine. */
void fr_data_link_join(struct freshet *freshet, struct fr_data_link *data_link);
/* Its counters stay. */
void fr_data_link_leave(struct freshet *freshet, struct fr_data_link *data_link);
/* A data link that was away is up again: loads that have failed are to be tried again. `doubtful`: what was
 * loaded over it may have been old, so everything is to be loaded again. NULL is fine. */
void fr_data_link_back(struct freshet *freshet, bool doubtful);
/* The counters of all data links together, also of those that have left. Under the lock of the homes. */
void fr_data_links_read(const struct freshet *freshet, struct freshet_data_stats *stats);

#endif
