/* What a delivery says: the definitions of bench/README.md, without sockets. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "measure/stats.h"

enum number_kind { NUMBER_NONE, NUMBER_SEQ, NUMBER_TIME };

struct measure {
    struct shared *shared;
    struct stream_stats *stats;
    enum number_kind kind;
    int64_t time_unit_ns; /* of NUMBER_TIME */
    bool skips_are_lost;  /* a number that was jumped over was not delivered */
};

/* What one client knows. Zeroed: a client that has seen nothing. */
struct tracker {
    uint64_t last; /* highest number seen */
    bool has_last;
    bool is_slow;
    bool is_first; /* the next event is the first of its connection */
    bool is_recovering;
    uint64_t needed; /* to be fresh again */
};

/* A client without a first snapshot, or without a number in it, has its connection: what is planned from now
 * on must come. */
void measure_joined(const struct measure *measure, struct tracker *tracker, uint64_t topic, int64_t at_ns);

/* An event has come. */
void measure_event(const struct measure *measure, struct tracker *tracker, uint64_t topic, bool has_number,
                   uint64_t number, int64_t at_ns);

/* Recovery is measured from now on. */
void measure_mark(const struct measure *measure, struct tracker *tracker, uint64_t topic, bool is_live);

/* Whether an accepted publish has not come. */
bool measure_is_behind(const struct measure *measure, const struct tracker *tracker, uint64_t topic);

#endif
