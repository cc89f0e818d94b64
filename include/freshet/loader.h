/* Live loaders: functions that produce the state behind a topic, run again on every publish to it.
 *
 * SPDX-License-Identifier: MIT */
#ifndef FRESHET_LOADER_H
#define FRESHET_LOADER_H

#include <freshet/cache.h>
#include <freshet/channel.h>
#include <freshet/guard.h>
#include <freshet/instance.h>
#include <freshet/message.h>
#include <freshet/request.h>
#include <freshet/span.h>
#include <freshet/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One run of a loader that waits for its answer. A value: copy it, send it to another thread, keep it as long
 * as you like. Once answered, cancelled or gone with its freshet it is stale, and every call with it says so.
 */
struct freshet_load {
    uint64_t generation; /* the library's */
    uint32_t slot;       /* the library's */
};

/* Why a loader is run. */
enum freshet_load_cause {
    FRESHET_CAUSE_CONNECT = 1,  /* the first streams of a feed */
    FRESHET_CAUSE_PUBLISH = 2,  /* one or several publishes to the topic */
    FRESHET_CAUSE_GAP = 3,      /* deliveries may have been lost, or the bus is down */
    FRESHET_CAUSE_RETRY = 4,    /* the run before failed */
    FRESHET_CAUSE_INTERVAL = 5, /* publishes that min_interval_ms held back */
    FRESHET_CAUSE_SETTLE = 6    /* settle_ms after a publish */
};

/* What a run knows. Valid until the load is answered or cancelled, and in any case until the load callback
 * has returned. Read-only; any thread. */
struct freshet_load_context {
    struct freshet_span loader;            /* its name */
    struct freshet_span topic;             /* whose state is asked for */
    struct freshet_span identity;          /* of the connections that share the feed; else empty */
    const struct freshet_request *request; /* of the one connection; NULL for several */
    enum freshet_load_cause cause;         /* of this run */
    uint64_t publishes;                    /* how many publishes this run stands for */
    struct freshet_message message;        /* the newest of them; publisher is empty when there is none */
    int64_t deadline_us;                   /* CLOCK_MONOTONIC; INT64_MAX: none */
    const void *internal;                  /* the library's */
};

/* A route parameter, decoded; empty when absent. For a rest parameter the `index`-th value, and
 * FRESHET_NOT_FOUND past the last. FRESHET_NOT_FOUND: the route has no such parameter. */
enum freshet_status freshet_load_param(const struct freshet_load_context *context, const char *name,
                                       size_t index, struct freshet_span *value);

/* Produces the snapshot: answers `load` with one of the calls below, exactly once, here or later, from any
 * thread. Runs on a thread of the pool and may block, or with on_loop on the loop, where it must return
 * within a millisecond. */
typedef void (*freshet_load_cb)(struct freshet_load load, const struct freshet_load_context *context,
                                void *user);

/* Frees what freshet_load_give() took over. Any thread. */
typedef void (*freshet_release_cb)(void *user);

/* The answers; any thread. FRESHET_OK: taken. FRESHET_STALE: the load is over; the bytes are not used.
 * FRESHET_INVALID: there is a length, but the data is NULL; counts as a failed load.
 * FRESHET_TOO_LARGE: over max_snapshot_bytes; clients keep what they have and get the load-error `too-large`.
 * FRESHET_NO_MEMORY: counts as a failed load. All but FRESHET_STALE end the load. */

/* Copies the bytes. */
enum freshet_status freshet_load_answer(struct freshet_load load, struct freshet_span bytes);
/* Takes the bytes over; `release` runs once, also when the answer is not taken, with `user`. NULL: nothing
 * has to be released. */
enum freshet_status freshet_load_give(struct freshet_load load, struct freshet_span bytes,
                                      freshet_release_cb release, void *user);
/* The state is what the feed's last snapshot says; as a first answer it counts as failed. */
enum freshet_status freshet_load_unchanged(struct freshet_load load);
/* The load failed. Clients get `code` ([a-z0-9-]+, else "load-failed") and `message`, both safe to show
 * (copied; NULL: a default text). It is run again after a growing delay. */
enum freshet_status freshet_load_fail(struct freshet_load load, const char *code, const char *message);

/* Whether the answer is still of use; any thread. */
bool freshet_load_cancelled(struct freshet_load load);

/* Chooses the topic of a stream, once for each stream, on its worker's loop; must not block. FRESHET_OK with
 * *topic set accepts; anything else refuses with *refusal. */
typedef enum freshet_status (*freshet_topic_cb)(const struct freshet_request *request,
                                                struct freshet_topic *topic, struct freshet_refusal *refusal,
                                                void *user);

/* What connections that may share one feed have in common: a tenant, a role, a user. */
struct freshet_identity {
    size_t len;     /* of `text`, which has no NUL; 0 is an identity like any other */
    char text[256]; /* any bytes but NUL */
};

/* Tells who may share a feed with this stream, on its worker's loop; must not block. Called when a stream
 * comes, and again whenever its guards have allowed it again: with another result the stream moves to the
 * other feed. FRESHET_OK with *identity set; anything else refuses, or ends the stream, with *refusal. */
typedef enum freshet_status (*freshet_identity_cb)(const struct freshet_request *request,
                                                   struct freshet_identity *identity,
                                                   struct freshet_refusal *refusal, void *user);

/* A loader once registered, until its freshet is destroyed. */
struct freshet_loader;

/* A zeroed struct with `size`, `name`, `route`, `load` and one of `channel` and `topic` set means all
 * defaults. Read during freshet_loader_new(), texts are copied. */
struct freshet_loader_options {
    size_t size;       /* sizeof(struct freshet_loader_options) */
    const char *name;  /* [A-Za-z0-9_.-]+, unique in its freshet; part of every snapshot's version */
    const char *route; /* pattern under the mount, `board/:boardId`; grammar of channels */
    const struct freshet_channel *channel; /* topic: this channel filled with the route's parameters of its
                                              names; every path of the route has to give all that it needs */
    freshet_topic_cb topic;                /* instead of channel */
    freshet_load_cb load;                  /* produces the snapshots; required */
    void *user;                            /* for all callbacks; must outlive the freshet */
    bool shared; /* one feed for all streams with the same topic and parameters; default: one for each */
    freshet_identity_cb identity; /* one feed for those of them with the same identity; not with `shared` */
    const struct freshet_guard *use; /* who may have a stream; copied */
    size_t use_count;                /* of `use` */
    const char *const *headers; /* names in lower case, the last NULL: kept of each request for guards, topic,
                                   identity and loads of one connection; at most 16. Asking for another is an
                                   error, FRESHET_UNSUPPORTED */
    /* Answers that are still current instead of loads, only with `shared` or `identity`; of the same freshet,
     * held by the loader. What is stored goes by topic, identity and route parameters (names and values), not
     * by the loader: loaders that share a cache have to answer the same for the same of these. Default none.
     */
    struct freshet_cache *cache;
    bool on_loop;        /* run load on the loop instead of the pool */
    bool skip_unchanged; /* do not push a result equal to the one before */
    bool no_gzip;        /* its streams are never compressed, nor are streams of several views with one of
                            it: for results that hold a secret next to text that somebody else can choose, whose
                            length would tell about the secret (BREACH) */
    bool no_differences; /* push whole snapshots, also to pages that would take what is different: where one
                            user's secret and another one's text are in one snapshot, as the size of what is
                            sent tells how much of them is equal */
    uint32_t timeout_ms; /* for each run; default none */
    uint32_t min_interval_ms; /* at most one run of a feed in this time; default none */
    uint32_t settle_ms;       /* one more load this long after the last one for a publish, pushed only if it
                                 differs: for state behind lagging replicas; default none */
    uint32_t
        max_concurrent_loads; /* runs of this loader out at once; default: one less than the pool has threads,
                                 64 on the loop; on the pool never more than the default if that is over 0 */
    /* A message loader, for feeds where the message is the news: chat lines, the tail of a log. Without
     * `load`: each message of the topic is pushed by itself as JSON of its fields, in the one order in which
     * the bus gives them to every freshet, own publishes as they come back from it; what the bus repeats is
     * dropped. A signal, or a body in another format, is pushed as `null`.
     *
     * There is no history: a stream gets what is published from its opening on, and `gap` {"lost":null} when
     * something may be missing: the bus had been away, or the stream was opened before its subscription was
     * in force. So a client that shows history fetches it when the stream opens and at each `gap`.
     *
     * In the JSON bytes are base64, extensions and what is no number are null, text that is not UTF-8 gets
     * U+FFFD, a key that is not text is its own JSON in quotes. Integers keep all their digits; JavaScript
     * rounds those beyond 2^53. A message whose JSON is over max_snapshot_bytes counts as lost.
     *
     * `shared` is implied; options about runs have no meaning. */
    bool messages;
    /* How far a stream of it may fall behind. Past one of these it loses the oldest messages, is told how
     * many by `gap` {"lost":n}, and goes on with those that are kept; the newest is kept whatever its size.
     * They are kept once for all streams of a worker; beside them a worker that is at something else lets as
     * many wait, or 1024 and 1 MiB if that is more. Default 64. */
    uint32_t max_queued_messages;
    uint32_t max_queued_bytes; /* how far in bytes: of bodies as they are on the bus (as JSON they may have a
                                  few times as many); default 1 MiB */
};

/* Registers a loader; the freshet keeps and destroys it. Before the first worker joins: freshet_h2o_serve(),
 * or freshet_h2o_worker_join(); routes can't change while streams are served. `out` may be NULL. Any thread.
 * FRESHET_INVALID: an option, or a path of the route may lack a parameter that the channel needs; `error`
 * names it. When `channel` is NULL because it could not be made, `error` keeps the text that says why.
 * FRESHET_CONFLICT: the name is taken, another route matches the same paths, or another loader's channel can
 * yield the same topic with messages of another type, and `error` names both; or a worker has joined.
 * FRESHET_NO_MEMORY. */
enum freshet_status freshet_loader_new(struct freshet *freshet, const struct freshet_loader_options *options,
                                       struct freshet_loader **out, struct freshet_error *error);

/* Says that what the loads read from, a database or a service, is back. Feeds whose last load failed wait for
 * up to 30 s before they are loaded again; these are now loaded at once, but not within 250 ms of their
 * failure, and max_concurrent_loads of them at a time. Feeds that are fine do nothing. `loader` NULL: feeds
 * of every loader; `topic` NULL: of every topic. Any thread, never blocks. A data link of this freshet
 * (<freshet/redis.h>) says so by itself. FRESHET_INVALID: `freshet` is NULL, or `topic` is none. */
enum freshet_status freshet_loader_retry(struct freshet *freshet, const struct freshet_loader *loader,
                                         const struct freshet_topic *topic);

#ifdef __cplusplus
}
#endif
#endif
