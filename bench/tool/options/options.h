/* The command line of freshet-bench. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "options/limits.h"
#include "options/rule.h"
#include "options/template.h"
#include "options/url.h"
#include <stdio.h>

enum { MAX_LIST = 64, MAX_SOURCES = 1024 };

struct list {
    const char *items[MAX_LIST];
    unsigned count;
};

struct storm {
    int64_t at_ns;
    double percent;
};

struct stall {
    int64_t at_ns, for_ns;
};

struct command {
    int64_t at_ns;
    const char *text;
};

struct watched {
    char name[32];
    long pid;
};

/* Times are nanoseconds; those of storms, stalls and commands count from the begin of publishing. */
struct options {
    /* streams */
    struct list urls, stream_headers;
    uint64_t streams, warm_up, processes, connecting, slow, slow_rate, stalled;
    double connect_rate, churn;
    int64_t connect_timeout_ns, ready_ns, reconnect_ns; /* reconnect_ns < 0: never */
    bool no_snapshot, compressed, differences;
    struct in_addr sources[MAX_SOURCES];
    size_t source_count;
    /* publishing */
    struct list publish, headers, redis_commands;
    const char *method, *body, *channel;
    bool is_raw; /* or else in our format */
    double rate;
    int64_t duration_ns, warm_ns, settle_ns, idle_ns;
    uint64_t publish_connections, pipeline, first_seq;
    bool any_order, server_numbers;
    /* what is in the data */
    struct rule rule;
    bool is_time, skips_are_lost;
    int64_t time_unit_ns;
    const char *event; /* empty: those without a name, and `message` */
    /* scenarios */
    struct storm storms[MAX_LIST];
    struct stall stalls[MAX_LIST];
    struct command commands[MAX_LIST];
    unsigned storm_count, stall_count, command_count;
    struct watched watched[MAX_LIST];
    unsigned watched_count;
    /* output */
    const char *json, *plot, *title;
    bool quiet;
    struct limits limits;
    /* from the above */
    struct range ranges[MAX_LIST]; /* of urls */
    struct url *stream_urls, *publish_urls;
    uint64_t topics;
    int argc;
    char **argv;
};

enum options_result { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_WRONG };

/* Reads the command line, resolves hosts. Says on `err` which option is wrong and what would be right. The
 * texts stay where they are in argv. */
enum options_result options_read(struct options *options, int argc, char **argv, FILE *out, FILE *err);
void options_release(struct options *options);

/* Part of options_read(): what several options together must fulfil, and what follows from them. */
bool options_check(struct options *options, FILE *err);

#endif
