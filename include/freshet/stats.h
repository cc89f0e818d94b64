/* Counters and gauges of a freshet.
 *
 * SPDX-License-Identifier: MIT */
#ifndef FRESHET_STATS_H
#define FRESHET_STATS_H

#include <freshet/bus.h>
#include <freshet/instance.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why a stream ended. */
enum freshet_close_reason {
    FRESHET_CLOSE_CLIENT = 0,    /* the client closed, half-closed or reset */
    FRESHET_CLOSE_WRITE_ERROR,   /* a write failed */
    FRESHET_CLOSE_WRITE_TIMEOUT, /* the client's side did not acknowledge a frame in time */
    FRESHET_CLOSE_FLOOD,         /* the client sent more than a stream's client may */
    FRESHET_CLOSE_DRAIN,         /* `end` `going-away` was delivered */
    FRESHET_CLOSE_DRAIN_CUT,     /* the drain's deadline passed first */
    FRESHET_CLOSE_TOPIC,         /* not used: a topic whose worker leaves goes on with another one */
    FRESHET_CLOSE_NO_MEMORY,     /* none for a frame that had to be sent */
    FRESHET_CLOSE_DENIED,        /* a guard or an identity function denied it while it was open; of several
                                  * views, all have ended */
    FRESHET_CLOSE_MAX_AGE,       /* it was open for max_age_ms */
    FRESHET_CLOSE_REASONS        /* how many there are */
};

/* A short name for logs and labels, never NULL. */
const char *freshet_close_reason_text(enum freshet_close_reason reason);

/* Histogram buckets: bucket i counts times up to 2^i * 64 microseconds, the last one all longer ones. */
#define FRESHET_HISTOGRAM_BUCKETS 20
/* How long something took, each time. */
struct freshet_histogram {
    uint64_t buckets[FRESHET_HISTOGRAM_BUCKETS]; /* times in each; not cumulative */
    uint64_t count;                              /* of all times */
    uint64_t sum_us;                             /* of all times, in microseconds */
};

/* Of links for the program's own commands to its store (freshet_redis_data_new()). Counters run from the
 * link's start; "now" marks gauges. */
struct freshet_data_stats {
    uint64_t links;      /* now */
    uint64_t links_up;   /* of these: connected, on the master as far as they may ask, and answering; now */
    uint64_t reconnects; /* links that stood again after they were lost */
    uint64_t errors;     /* error replies to commands, and connections given up for what was answered */
    uint64_t unanswered; /* commands whose deadline passed, or whose link was lost, before their answer */
    uint64_t queued;     /* commands that are not over, now */
    int64_t good_age_ms; /* since a link was last found to be up, of the one that was so longest ago; -1: one
                            never was, or there is none */
};

/* Counters run from the freshet's start; "now" marks gauges. */
struct freshet_stats {
    uint64_t streams;         /* open now */
    uint64_t streams_opened;  /* ever */
    uint64_t streams_refused; /* limits and draining; refusals of the application's callbacks are `denied` */
    uint64_t streams_denied;  /* by the application's callbacks. On a stream of several views both count its
                                 views that ended so, at once or later, and not the stream */
    uint64_t streams_closed[FRESHET_CLOSE_REASONS]; /* by reason */
    uint64_t streams_moved;                         /* to another feed, since their identity changed */
    uint64_t guards;                                /* calls of guards */
    uint64_t guards_failed;                         /* of these: failed or timed out */
    uint64_t topics;                                /* now */
    uint64_t feeds;                                 /* now */
    uint64_t loads;                                 /* begun */
    uint64_t loads_running;                         /* out now */
    uint64_t loads_failed;                          /* of these, timed out and too large ones too */
    uint64_t loads_timed_out;                       /* over their timeout_ms */
    uint64_t loads_overdue;                         /* out for over 30 s */
    uint64_t loads_collapsed;                       /* publishes that a later run stood for */
    uint64_t loads_abandoned; /* out after their time-out or after their feed has gone, now */
    uint64_t loads_late;      /* answers that came too late or twice */
    uint64_t loop_holds;      /* loads on the loop that held it over 50 ms */
    uint64_t cache_hits;      /* look-ups, of loaders too, that found something current */
    uint64_t cache_misses;    /* look-ups that did not */
    uint64_t cache_refused; /* puts, of loaders too: outdated by a publish meanwhile, too large, no memory */
    uint64_t cache_evicted; /* entries given up for a bound */
    uint64_t snapshots_pushed;   /* to streams */
    uint64_t snapshots_skipped;  /* a newer one replaced it before this stream could take it, or the stream
                                    ended first */
    uint64_t once_answered;      /* freshet_load_once(): with a state */
    uint64_t once_refused;       /* freshet_load_once(): without, also those that came too late */
    uint64_t differences_made;   /* between two snapshots, for all streams that need it; also those that were
                                    not clearly smaller than the snapshot, and not used */
    uint64_t differences_pushed; /* to streams, in place of snapshots; counted among these, too */
    uint64_t differences_saved_bytes; /* by them, against the snapshots */
    uint64_t messages_pushed;         /* to streams of message loaders */
    uint64_t messages_lost; /* messages that a stream of these did not get, mostly because it was too slow */
    uint64_t
        messages_repeated; /* messages that came a second time, counted for each worker that dropped one */
    uint64_t bytes_sent;   /* on streams */
    uint64_t publishes;    /* asked for */
    uint64_t publishes_accepted;  /* by the bus */
    uint64_t publishes_refused;   /* by the bus or before it */
    uint64_t messages;            /* from the bus */
    uint64_t messages_echo;       /* of these: own ones that no load was needed for */
    uint64_t messages_foreign;    /* of these: not in our format */
    uint64_t gaps;                /* times that deliveries or loads came in doubt, and all was loaded again */
    struct freshet_bus_stats bus; /* of the bus */
    struct freshet_histogram load_time; /* from the begin of a load to its answer */
    struct freshet_histogram
        publish_to_push; /* from the publisher's clock to the encoded frame: clocks must agree */
    struct freshet_histogram write_time; /* of frames that the kernel did not take at once */
    uint64_t streams_gzip;               /* opened with their events in gzip */
    uint64_t gzip_bytes_in;              /* of events and comments sent on these, before they were deflated */
    uint64_t gzip_bytes_out;             /* the same afterwards, without the framing of HTTP */
    /* What was made for these streams, each once for all that share it. */
    uint64_t gzip_stored;    /* left as it was, since deflating would not pay, or the pool did not come to
                                it in time */
    uint64_t gzip_deflated;  /* deflated by itself */
    uint64_t gzip_continued; /* deflated against what its readers were sent before */
    struct freshet_data_stats data; /* of all data links with this freshet, also of those that are gone */
};

/* Any thread. Numbers are each right; they are not of one instant. All are 0 if `freshet` is NULL. */
void freshet_stats_get(struct freshet *freshet, struct freshet_stats *stats);

/* The same as Prometheus text, NUL-terminated, to be freed with free(). NULL: no memory, or no freshet. Any
 * thread. */
char *freshet_stats_prometheus(struct freshet *freshet);

/* Writes what the freshet knows as text: its topics, and of each worker its feeds and streams, with their
 * states, marks, versions and counts. For people who look for a fault, and for reports of one: the lines may
 * change with each version. Topics stand in it, as they are in the log; snapshots, identities, headers and
 * messages don't. At most `max_rows` of each kind, of each worker's own (0: 100), and then how many more
 * there are. Each worker writes its part between other work: waits for them for 1 s at most, and says which
 * did not answer. Any thread, but not from a callback: a loop that calls it stands still meanwhile.
 * FRESHET_INVALID: an argument is NULL; FRESHET_NO_MEMORY; FRESHET_SYSTEM: `file` did not take it;
 * FRESHET_CLOSED: in a child of fork(). */
enum freshet_status freshet_dump(struct freshet *freshet, FILE *file, uint32_t max_rows);

#ifdef __cplusplus
}
#endif
#endif
