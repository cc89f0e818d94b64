/* Which worker is home to what. The feeds that several workers share live on one of them, their home: it is
 * chosen when it is first asked for, and again after that worker has left. Any thread; the lock is
 * taken under no other and none is taken under it. */
#ifndef FR_HOMES_H
#define FR_HOMES_H

#include "base/list.h"
#include <pthread.h>
#include <stdbool.h>

struct fr_worker;

struct fr_homes {
    pthread_mutex_t lock;
    struct fr_list workers; /* fr_worker.link: all there are, those that leave too until they have left */
};

/* What has a home: embedded in a topic. Zeroed: it has none yet. */
struct fr_home {
    struct fr_worker *worker; /* NULL: to be chosen */
    struct fr_list link;      /* in worker->homes while there is a worker */
};

void fr_homes_init(struct fr_homes *homes);
void fr_homes_deinit(struct fr_homes *homes);

/* A new worker may be chosen from now on. */
void fr_homes_enter(struct fr_homes *homes, struct fr_worker *worker);
/* The worker is not chosen any more, and what it was home to has no home. It stays in the list of workers. */
void fr_homes_leave(struct fr_homes *homes, struct fr_worker *worker);

/* The home's worker, with a reference: the one that is home to the fewest where none is chosen yet. NULL: no
 * worker is left. */
struct fr_worker *fr_homes_find(struct fr_homes *homes, struct fr_home *home);
/* One of the workers, if there is any, has a turn soon and looks again when the next is due. */
void fr_homes_nudge(struct fr_homes *homes);
/* Nothing will live there any more. */
void fr_homes_release(struct fr_homes *homes, struct fr_home *home);

#endif
