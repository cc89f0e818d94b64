#include "random.h"

#include "forks.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

/* A child of fork() begins anew: else it would draw what its parent and its brothers draw, and call itself as
 * they do.
 *
 * xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016. */
uint64_t fr_random(void)
{
    static _Thread_local uint64_t state;
    static _Thread_local unsigned forks;
    if (forks != fr_forks())
        state = 0;
    while (state == 0) {
        fr_forks_watch();
        forks = fr_forks();
        if (getrandom(&state, sizeof(state), GRND_NONBLOCK) != (ssize_t)sizeof(state)) {
            struct timespec now;
            clock_gettime(CLOCK_MONOTONIC, &now);
            state = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 32 ^ (uint64_t)(uintptr_t)&state;
        }
    }
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * UINT64_C(0x2545F4914F6CDD1D);
}

uint64_t fr_random_between(uint64_t low, uint64_t high)
{
    return low >= high ? low : low + fr_random() % (high - low + 1);
}

uint64_t fr_random_jitter(uint64_t time)
{
    return fr_random_between(time - time / 4, time + time / 4);
}
