/* What fork() does to the library. A child has a copy of every struct, but none of the threads, and shares
 * every connection with its parent: what it wrote there, the parent would have said. So whatever has threads
 * or connections remembers in which process it was made, and is not usable in another. */
#ifndef FR_FORKS_H
#define FR_FORKS_H

#include <pthread.h>
#include <stdbool.h>

/* Begins to count; once is enough. False: no memory. Any thread. */
bool fr_forks_watch(void);

/* How many forks lie between the process that first called fr_forks_watch() and this one. Costs nothing: no
 * system call. */
unsigned fr_forks(void);

/* For a lock that belongs to the process, two at most: a fork waits until nobody holds it, so that a child,
 * which may make things of its own, can take it. Once for each; before the lock is used. */
void fr_forks_keep(pthread_mutex_t *lock);

#endif
