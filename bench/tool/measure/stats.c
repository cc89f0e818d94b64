#include "measure/stats.h"
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

static void *share(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

struct shared *shared_new(uint64_t topics, unsigned processes)
{
    struct shared *shared = share(sizeof(*shared));
    if (shared == NULL)
        return NULL;
    shared->first = share(topics * sizeof(uint64_t));
    shared->shown = share(topics * sizeof(uint64_t));
    shared->accepted = share(topics * sizeof(uint64_t));
    shared->publish = share(sizeof(*shared->publish));
    shared->streams = share(processes * sizeof(*shared->streams));
    shared->processes = processes;
    shared->plan = (struct plan){.topics = topics, .first = shared->first};
    bool whole = shared->first != NULL && shared->shown != NULL && shared->accepted != NULL &&
                 shared->publish != NULL && shared->streams != NULL;
    return whole ? shared : NULL;
}

/* The plain counters stand together behind the histograms. */
#define COUNTERS_BEGIN offsetof(struct stream_stats, deliveries)
#define COUNTERS       ((sizeof(struct stream_stats) - COUNTERS_BEGIN) / sizeof(uint64_t))

static void add_counters(struct stream_stats *into, const struct stream_stats *from)
{
    uint64_t *to = (uint64_t *)((char *)into + COUNTERS_BEGIN);
    const uint64_t *counter = (const uint64_t *)((const char *)from + COUNTERS_BEGIN);
    for (size_t i = 0; i < COUNTERS; i++)
        to[i] += __atomic_load_n(&counter[i], __ATOMIC_RELAXED);
}

void stats_gather(const struct shared *shared, struct stream_stats *out)
{
    memset(out, 0, sizeof(*out));
    for (unsigned i = 0; i < shared->processes; i++) {
        const struct stream_stats *from = &shared->streams[i];
        histogram_add(&out->latency, &from->latency);
        histogram_add(&out->slow_latency, &from->slow_latency);
        histogram_add(&out->connect, &from->connect);
        histogram_add(&out->first, &from->first);
        histogram_add(&out->reconnect, &from->reconnect);
        histogram_add(&out->recovery, &from->recovery);
        add_counters(out, from);
    }
}
