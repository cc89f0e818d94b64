/* When a feed loads next and why, worked out of what it knows: no worker, no clock, nothing is changed. */
#ifndef FR_FEED_PLAN_H
#define FR_FEED_PLAN_H

#include "base/clock.h"
#include "core/runtime/topics.h"
#include <freshet/loader.h>
#include <stdbool.h>
#include <stdint.h>

/* The first delay of a retry, and the least time from a failure to a load for a publish. */
#define FR_FEED_RETRY_FIRST_US (250 * FR_US_PER_MS)

/* What the plan is made of: a feed that has an audience, and no load on its way. */
struct fr_feed_facts {
    int64_t now_us;
    unsigned marks;     /* why it should load, bit 1 << enum freshet_load_cause; 0: nothing has happened */
    uint64_t publishes; /* since the last load began */
    bool held_back;     /* min_interval_ms kept one of them waiting already */
    bool has_snapshot;
    enum fr_topic_state topic;
    int64_t grace_end_us; /* until when the acknowledgement of a waiting topic is waited for */
    bool bus_error;       /* clients are told that changes may arrive late */
    int64_t poll_us;      /* with `bus_error`: when to look, as nothing tells of a change; INT64_MAX: never */
    int64_t settle_us;    /* when to look once more after a publish; INT64_MAX: not */
    unsigned failures;    /* in a row */
    int64_t failed_us;    /* the last of them */
    int64_t retry_us;     /* when the back-off of them ends */
    int64_t began_us;     /* the last load; 0: there was none */
    int64_t min_interval_us; /* from the begin of a load to the next one; 0: none */
};

struct fr_feed_plan {
    int64_t due_us;                /* the earliest time for the next load; INT64_MAX: none is wanted */
    enum freshet_load_cause cause; /* of that load, if nothing else happens until then */
    bool held_back;                /* the facts', or a publish has to wait for min_interval_ms now */
};

struct fr_feed_plan fr_feed_plan_of(const struct fr_feed_facts *facts);

#endif
