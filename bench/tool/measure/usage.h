/* What a process of this machine has used, from /proc. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <stdbool.h>
#include <stdint.h>

struct usage {
    int64_t at_ns;              /* of now_ns() */
    int64_t cpu_ns, system_ns;  /* its clock of CPU time; stime of stat, which is counted in steps of 10 ms */
    uint64_t rss, pss, private; /* bytes; pss and private are 0 where they may not be read */
};

/* False: there is no such process (any more). `with_maps` reads smaps_rollup too, which makes the process
 * wait a little. */
bool usage_read(long pid, bool with_maps, struct usage *out);

#endif
