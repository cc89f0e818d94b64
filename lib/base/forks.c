#include "forks.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_uint forks;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool watched;

static void count(void)
{
    atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
}

static void watch(void)
{
    watched = pthread_atfork(NULL, NULL, count) == 0;
}

bool fr_forks_watch(void)
{
    pthread_once(&once, watch);
    return watched;
}

unsigned fr_forks(void)
{
    return atomic_load_explicit(&forks, memory_order_relaxed);
}
