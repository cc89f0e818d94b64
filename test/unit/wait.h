/* Waiting for another thread, for a bounded time. */
#ifndef TEST_UNIT_WAIT_H
#define TEST_UNIT_WAIT_H

#include <errno.h>
#include <semaphore.h>
#include <stdbool.h>
#include <time.h>

enum { DEADLINE_S = 10 };

static bool wait_for(sem_t *semaphore)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_S;
    int result;
    while ((result = sem_timedwait(semaphore, &until)) != 0 && errno == EINTR)
        ;
    return result == 0;
}

#endif
