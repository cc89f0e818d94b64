/* Whether this process is still the one that made something. A child of fork() has a copy of every struct,
 * but none of the threads, and shares every connection with its parent: what it wrote there, the parent would
 * have said. */
#ifndef FR_FORKS_H
#define FR_FORKS_H

#include <stdbool.h>

/* Begins to count; once is enough. False: no memory. Any thread. */
bool fr_forks_watch(void);

/* How many forks lie between the process that first called fr_forks_watch() and this one. Costs nothing: no
 * system call. */
unsigned fr_forks(void);

#endif
