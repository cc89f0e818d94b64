/* Random numbers for jitter, identities and hash seeds. Any thread. Not for keys. */
#ifndef FR_RANDOM_H
#define FR_RANDOM_H

#include <stdint.h>

uint64_t fr_random(void);
/* Even in [low, high]. */
uint64_t fr_random_between(uint64_t low, uint64_t high);
/* `time` give or take a quarter: so that many do not act at once. */
uint64_t fr_random_jitter(uint64_t time);

#endif
