/* One run of the tool. */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include "report/result.h"
#include <sys/types.h>

struct run {
    const struct options *options;
    struct shared *shared;
    struct result *result;
    pid_t *children;
    unsigned child_count;
    struct stream_stats *now, *before; /* for the look at the moment */
    struct histogram *between;
    int64_t period_ns, looked_ns, told_ns, cpu_begin_ns[257], begun_ns, started_ns;
    bool is_tty;
};

/* Answers false if there is nothing to report; the result owns what it points at until result_release(). */
bool run_all(const struct options *options, struct result *result);

/* watch.c: looks, progress, servers, commands. */
void run_sample(struct run *run, enum sample sample);
void run_look(struct run *run, const char *what);
void run_commands(struct run *run);
void run_stop_commands(struct run *run);

#endif
