#include "forks.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>

#define MOST_KEPT 2

static atomic_uint forks;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool watched;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the two below; held during a fork too */
static pthread_mutex_t *kept[MOST_KEPT];
static size_t kept_count;

static void hold(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < kept_count; i++)
        pthread_mutex_lock(kept[i]);
}

static void let_go(void)
{
    for (size_t i = kept_count; i > 0; i--)
        pthread_mutex_unlock(kept[i - 1]);
    pthread_mutex_unlock(&lock);
}

static void let_go_in_child(void)
{
    let_go();
    atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
}

static void watch(void)
{
    watched = pthread_atfork(hold, let_go, let_go_in_child) == 0;
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

void fr_forks_keep(pthread_mutex_t *one)
{
    pthread_mutex_lock(&lock);
    bool known = false;
    for (size_t i = 0; i < kept_count; i++)
        known |= kept[i] == one;
    assert((known || kept_count < MOST_KEPT) && "each of them is known by name");
    if (!known)
        kept[kept_count++] = one;
    pthread_mutex_unlock(&lock);
}
