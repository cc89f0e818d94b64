/* Threads of the library's own. */
#ifndef FR_THREAD_H
#define FR_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* Starts a thread that runs `run(user)` with all signals blocked: signals are the program's, and SIGPIPE must
 * not end it. The caller joins or detaches it. False: the system gives no more threads. */
bool fr_thread_start(pthread_t *thread, void *(*run)(void *user), void *user);

#endif
