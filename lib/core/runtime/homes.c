#include "core/runtime/homes.h"

#include "core/runtime/worker_internal.h"

void fr_homes_init(struct fr_homes *homes)
{
    pthread_mutex_init(&homes->lock, NULL);
    fr_list_init(&homes->workers);
}

void fr_homes_deinit(struct fr_homes *homes)
{
    pthread_mutex_destroy(&homes->lock);
}

void fr_homes_enter(struct fr_homes *homes, struct fr_worker *worker)
{
    pthread_mutex_lock(&homes->lock);
    fr_list_append(&homes->workers, &worker->link);
    pthread_mutex_unlock(&homes->lock);
}

/* Under the lock. */
static void move_in(struct fr_home *home, struct fr_worker *worker)
{
    home->worker = worker;
    fr_list_append(&worker->homes, &home->link);
    worker->home_count++;
}

/* Under the lock. */
static void move_out(struct fr_home *home)
{
    fr_list_remove(&home->link);
    home->worker->home_count--;
    home->worker = NULL;
}

void fr_homes_leave(struct fr_homes *homes, struct fr_worker *worker)
{
    pthread_mutex_lock(&homes->lock);
    worker->leaving = true;
    while (!fr_list_is_empty(&worker->homes))
        move_out(FR_CONTAINER(worker->homes.next, struct fr_home, link));
    pthread_mutex_unlock(&homes->lock);
}

/* Under the lock. */
static struct fr_worker *choose(const struct fr_homes *homes)
{
    struct fr_worker *best = NULL;
    for (struct fr_list *link = homes->workers.next; link != &homes->workers; link = link->next) {
        struct fr_worker *worker = FR_CONTAINER(link, struct fr_worker, link);
        if (!worker->leaving && (best == NULL || worker->home_count < best->home_count))
            best = worker;
    }
    return best;
}

struct fr_worker *fr_homes_find(struct fr_homes *homes, struct fr_home *home)
{
    pthread_mutex_lock(&homes->lock);
    struct fr_worker *chosen = home->worker == NULL ? choose(homes) : NULL;
    if (chosen != NULL)
        move_in(home, chosen);
    struct fr_worker *worker = home->worker == NULL ? NULL : fr_worker_acquire(home->worker);
    pthread_mutex_unlock(&homes->lock);
    return worker;
}

void fr_homes_release(struct fr_homes *homes, struct fr_home *home)
{
    pthread_mutex_lock(&homes->lock);
    if (home->worker != NULL)
        move_out(home);
    pthread_mutex_unlock(&homes->lock);
}

void fr_homes_nudge(struct fr_homes *homes)
{
    pthread_mutex_lock(&homes->lock);
    struct fr_worker *chosen = choose(homes);
    if (chosen != NULL)
        fr_worker_acquire(chosen);
    pthread_mutex_unlock(&homes->lock);
    if (chosen == NULL)
        return;
    fr_worker_nudge(chosen);
    fr_worker_release(chosen);
}
