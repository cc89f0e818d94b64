#include "base/backoff.h"

#include "base/random.h"

uint64_t fr_backoff(uint64_t first, uint64_t most, unsigned failures)
{
    uint64_t delay = first;
    for (; failures > 0 && delay < most; failures--)
        delay *= 2;
    return fr_random_jitter(delay < most ? delay : most);
}
