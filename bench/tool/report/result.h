/* What comes out of a run, and how it is told. */
#ifndef BENCH_RESULT_H
#define BENCH_RESULT_H

#include "measure/stats.h"
#include "measure/usage.h"
#include "options/options.h"
#include <sys/types.h>

/* One look at how it goes. */
struct moment {
    double at_s;                   /* since publishing began */
    uint64_t answered, deliveries; /* since the look before */
    uint64_t p50, p99, max;        /* of them, nanoseconds */
    double delivery_rate;
    uint64_t live;
};

enum sample { SAMPLE_EMPTY, SAMPLE_OPEN, SAMPLE_IDLE, SAMPLE_BEGIN, SAMPLE_END, SAMPLES };

struct server {
    const char *name;
    long pid;
    struct usage samples[SAMPLES]; /* before the streams, with them, after --idle, of the measured part */
    bool is_known[SAMPLES];
    uint64_t peak; /* of rss while publishing */
};

/* A command of --at. */
struct played {
    double begin_s, end_s; /* since publishing began; end_s < 0: not done */
    int status;            /* of waitpid() */
    pid_t pid;             /* while it runs */
};

struct result {
    struct metrics metrics;
    struct stream_stats *streams; /* all together, at the end */
    struct moment *history;
    size_t moment_count, moment_room;
    struct server servers[MAX_LIST];
    struct played played[MAX_LIST];
    uint64_t opened;  /* streams, when publishing began */
    int64_t ready_ns; /* what that took */
    double seconds;   /* measured */
    uint64_t deliveries, bytes, content, delivered_at_begin, bytes_at_begin, content_at_begin;
    uint64_t accepted;     /* publishes, when the time to publish was over */
    double client_percent; /* of the busiest process here, while publishing */
    char problem[200];     /* why the run is no run; empty: it is one */
    struct publish_stats *publish;
};

/* result.c: everything that has a name, from what was counted. */
void result_finish(struct result *result, const struct options *options);
bool result_holds(const struct result *result, const struct options *options);
void result_release(struct result *result);

/* about.c: what was run, on which streams and with which publishes; one line each. */
void report_streams(const struct options *options, char *out, size_t size);
void report_load(const struct options *options, char *out, size_t size);
/* The text, or in `out` the text without the password in a URL of Redis. */
const char *report_masked(const char *text, char *out, size_t size);

/* table.c, json.c, plot.c; false: the file can't be written, errno says why. */
void report_table(const struct result *result, const struct options *options, FILE *out);
bool report_json(const struct result *result, const struct options *options, const char *path);
bool report_plot(const struct result *result, const struct options *options, const char *path);

#endif
