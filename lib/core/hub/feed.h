/* What is loaded once for all its streams: runs its loader when its topic is published to, keeps the last
 * good snapshot, hands each new one to its fanouts. Lives on one worker. */
#ifndef FR_FEED_H
#define FR_FEED_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"
#include "base/timers.h"
#include "core/hub/snapshot.h"
#include "core/hub/subscription.h"
#include "core/load/cache.h"
#include "core/load/feed_key.h"
#include "core/runtime/worker_internal.h"
#include <freshet/loader.h>
#include <stdbool.h>
#include <stdint.h>

struct fr_fanout;
struct fr_load;

enum fr_feed_state {
    FR_FEED_IDLE = 0, /* nothing to load */
    FR_FEED_PAUSED,   /* marked; the timer says when it may load */
    FR_FEED_CHECKING, /* of one connection: its guards are asked whether it may load */
    FR_FEED_QUEUED,   /* at the gate */
    FR_FEED_LOADING,
    FR_FEED_LINGERING /* shared, and nobody to load for; the timer says when it goes */
};

struct fr_feed {
    struct fr_map_node node; /* shared: in worker->feeds */
    struct fr_worker *worker;
    struct fr_subscription *subscription;
    struct fr_listener listener;
    struct fr_feed_key *key;
    struct fr_list fanouts; /* fr_fanout.in_feed: those with streams */
    enum fr_feed_state state;
    struct fr_timer timer;
    struct fr_load *load;      /* queued or running */
    struct fr_load *abandoned; /* out after its time; at most one */
    bool timed_out;            /* the running load is over its time, but one is abandoned already */
    bool overdue;              /* the running load was counted as such */

    /* Why the next load should run; `marks` 0: it should not. */
    unsigned marks; /* bit 1 << enum freshet_load_cause */
    uint64_t publishes;
    struct fr_bytes *body;
    int64_t published_us;
    bool held_back; /* min_interval_ms kept a publish waiting */
    bool admitted;  /* the guards have allowed the next load */

    /* The load that runs. */
    uint64_t running_publishes;
    int64_t running_published_us;
    struct fr_cache_stamp running; /* of its answer */

    /* What clients are shown. */
    struct fr_snapshot *snapshot; /* NULL: none yet */
    uint32_t snapshot_number;
    struct fr_bytes *error; /* the load-error in force; NULL: none */
    uint32_t error_number;
    char error_code[48];
    bool bus_error;              /* it is one of the bus, not of a load */
    struct fr_cache_stamp shown; /* of the snapshot: tells whether it is known to be current */

    unsigned failures; /* in a row */
    int64_t failed_us, retry_us, began_us, poll_us;
    int64_t settle_us; /* when state behind lagging replicas is looked at once more; INT64_MAX: not */
    bool settles;      /* a publish has begun a load, and none has succeeded since */
};

/* A fanout asks to be served: attaches it if it is not, and answers it now or after the next load. */
void fr_feed_ask(struct fr_feed *feed, struct fr_fanout *fanout);
void fr_feed_detach(struct fr_feed *feed, struct fr_fanout *fanout);

/* The feed of a feed key, new or known (known only if shared). */
enum freshet_status fr_feed_get(struct fr_worker *worker, struct fr_feed_key *key, struct fr_topic *topic,
                                struct fr_feed **out);

/* Its connection's guards have allowed it. */
void fr_feed_admitted(struct fr_feed *feed);

#endif
