/* What the processes tell each other, in memory that they share. Each struct has one writer; others may read
 * at any moment. Times are of now_ns(). */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include "measure/histogram.h"
#include "measure/plan.h"

enum phase { PHASE_CONNECT, PHASE_PUBLISH, PHASE_SETTLE, PHASE_STOP };

/* Written by the first process. */
struct control {
    int phase;       /* enum phase */
    uint64_t wanted; /* how many streams are to be open */
    uint64_t marks;  /* raised behind mark_ns: from that moment on recovery is measured */
    int64_t mark_ns;
};

/* Written by the process that has the streams. */
struct stream_stats {
    struct histogram latency, slow_latency; /* planned publish to arrival, of ordinary and of slow streams */
    struct histogram connect, first;        /* connect() to established; to the first event */
    struct histogram reconnect;             /* loss of the connection to the first event of the next one */
    struct histogram recovery;              /* mark to fresh */
    uint64_t deliveries, slow_deliveries, bytes;
    uint64_t content, differences, compressed,
        corrupt; /* content: bytes of data; compressed: answers in gzip */
    uint64_t unnumbered, other_events;
    uint64_t gaps, skipped, duplicates, disordered, unplanned;
    uint64_t ended, refused, failed, bad, churned, stormed, slow_ended;
    /* How it stands now. */
    uint64_t open, live, slow_live;
    uint64_t behind, slow_behind, unrecovered, checks;
    int64_t cpu_ns;
};

/* Written by the process that publishes. */
struct publish_stats {
    struct histogram answer; /* planned to answered */
    struct histogram late;   /* planned to sent */
    uint64_t sent, accepted, failed, unsent, unanswered, connections;
    uint64_t done; /* nothing is sent or waited for any more */
    int64_t cpu_ns;
    char problem[160]; /* the first one */
};

/* Set and read across processes: what is written before is seen behind. */
#define PUBLISHED(place)      __atomic_load_n(&(place), __ATOMIC_ACQUIRE)
#define PUBLISH(place, value) __atomic_store_n(&(place), (value), __ATOMIC_RELEASE)

struct shared {
    struct control control;
    struct plan plan;
    uint64_t *first;    /* by topic: plan.first */
    uint64_t *shown;    /* by topic: the highest number seen before publishing began; raised by all */
    uint64_t *accepted; /* by topic: the highest number the server has said yes to */
    struct publish_stats *publish;
    struct stream_stats *streams; /* one for each process */
    unsigned processes;
};

/* Memory that forked processes share; NULL: there is not so much. */
struct shared *shared_new(uint64_t topics, unsigned processes);

/* Sums up what all processes have counted. */
void stats_gather(const struct shared *shared, struct stream_stats *out);

static inline void raise_to(uint64_t *place, uint64_t value)
{
    uint64_t seen = __atomic_load_n(place, __ATOMIC_RELAXED);
    while (seen < value &&
           !__atomic_compare_exchange_n(place, &seen, value, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        ;
}

#endif
