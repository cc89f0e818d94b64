/* A freshet: one instance of the library, normally one for a process; several work side by side.
 *
 * SPDX-License-Identifier: MIT */
#ifndef FRESHET_INSTANCE_H
#define FRESHET_INSTANCE_H

#include <freshet/bus.h>
#include <freshet/channel.h>
#include <freshet/log.h>
#include <freshet/span.h>
#include <freshet/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* For fields that end in _ms: the time is switched off. */
#define FRESHET_NEVER UINT32_MAX

/* Workers, loaders and a bus. Any thread may use it, unless a call says otherwise.
 *
 * It belongs to the process that made it. A child of fork() has none of its threads, and shares its
 * connections: there freshet_publish(), freshet_redis_command() and whatever makes something answer
 * FRESHET_CLOSED (a `published` is not called), answers to loads and guards are FRESHET_STALE, other calls
 * find nothing, and freshet_destroy() does nothing, so that the parent goes on undisturbed. A child may make
 * a freshet of its own; descriptors of its parent stay open in it until it calls exec() or ends. */
struct freshet;

/* A zeroed struct with `size` set means all defaults. Read only during freshet_new(). */
struct freshet_options {
    size_t size;                /* sizeof(struct freshet_options) */
    struct freshet_bus *bus;    /* taken over, also on failure; NULL: a memory bus of its own */
    struct freshet_log log;     /* must outlive the freshet */
    uint32_t pool_threads;      /* for loads that block; default 4 */
    uint32_t max_message_bytes; /* body of a publish; default FRESHET_DEFAULT_MESSAGE_BYTES */
    /* What clients may cost. The library does not know how many descriptors the process has, whether a proxy
     * stands before it, or how many topics are many: by default there are no limits, and a program that
     * strangers reach should set these (bridge/app/main.c does). A stream of several views counts as many as
     * it has. Who comes when a limit is reached is told to come back later; one that comes before may pass it
     * with its last views.
     */
    uint32_t max_streams;          /* open at once in this freshet; default no limit */
    uint32_t max_streams_per_peer; /* of one address, of one /64 network for IPv6; behind a proxy that is the
                                      proxy's; default no limit */
    uint32_t max_topics;           /* known at once; default no limit */
    uint32_t max_new_topics_per_s; /* and in one burst; default no limit */
    uint32_t max_new_topics_per_s_per_peer; /* the same for one address: with less than the one above, no
                                               client can use up all of that; default no limit */
    uint32_t max_snapshot_bytes;            /* what a load may answer; default 1 MiB */
    uint32_t subscribe_grace_ms; /* a feed loads without its subscription after this; default 250 */
    uint32_t poll_while_down_ms; /* how often feeds are loaded again while the bus is down, or while somebody
                                    says without end that everything has changed; default 5000 */
    uint32_t guard_interval_ms;  /* guards of an open stream run again after this; default 30000 */
    uint32_t linger_ms;          /* a topic stays subscribed this long after its last stream; default 5000 */
};

/* Starts the pool and the bus. FRESHET_INVALID: `out` is NULL, or an option; FRESHET_SYSTEM,
 * FRESHET_NO_MEMORY. `error` says which. On failure *out is NULL and the bus is destroyed. */
enum freshet_status freshet_new(struct freshet **out, const struct freshet_options *options,
                                struct freshet_error *error);

/* Every worker must have left before (asserted). Sends what the bus has queued, waits for loads on the pool,
 * both within `deadline_ms` together; loads that are still out then stay safe, their answers return
 * FRESHET_STALE. NULL is fine, and in a child of fork() nothing happens. Not from a callback.
 *
 * On a Redis bus it also waits, mostly for milliseconds, until it is seen that the last publishes reach those
 * who connect to Redis now. Accepted publishes of which that can't be seen, since the deadline is too short
 * or Redis takes no further connection, are lost to the others if that server had been replaced as the
 * master. */
void freshet_destroy(struct freshet *freshet, uint32_t deadline_ms);

/* How a publish ended. FRESHET_OK: the bus accepted it; `receivers` is the number of instances that the bus
 * says got it, -1 where it cannot tell. Otherwise it was refused: FRESHET_TOO_LARGE, FRESHET_FULL,
 * FRESHET_INVALID, FRESHET_NO_MEMORY, FRESHET_CLOSED. Runs once, on the worker that published, in its loop,
 * or, for every other thread, on the freshet's callback thread. May publish again, must not block. */
typedef void (*freshet_published_cb)(enum freshet_status status, int64_t receivers, void *user);

/* Says that the state behind `topic` changed: call it after the commit. Any thread; never blocks. The feeds
 * of this freshet are marked at once, bus up or down. `payload` is one msgpack value, or empty for a signal;
 * copied. `published` may be NULL; if given it runs exactly once, but never when this returns
 * FRESHET_NO_MEMORY. FRESHET_OK: the bus has it and will send it, after a broken link again if need be.
 * Otherwise as above; the feeds of this freshet are marked all the same, unless the topic or the payload is
 * not valid. Without a freshet nobody can be told: FRESHET_INVALID is all then.
 *
 * Results that are still queued on the callback thread when the deadline of freshet_destroy() passes run all
 * the same, maybe after it has returned: they must not use the freshet then. Of a publish that a load which
 * is still out makes after the deadline, nobody is told; after the return there must be none. */
enum freshet_status freshet_publish(struct freshet *freshet, const struct freshet_topic *topic,
                                    struct freshet_span payload, freshet_published_cb published, void *user);

/* Whether deliveries are proved now: for alerts and rolling deploys, not for routing. It does not speak of
 * the program's store: stats.data of <freshet/stats.h> does. Any thread. */
bool freshet_ready(struct freshet *freshet);

/* Streams of this freshet that show `topic` now; 0 if one of the two is NULL. Any thread. */
size_t freshet_topic_streams(struct freshet *freshet, const struct freshet_topic *topic);

#ifdef __cplusplus
}
#endif
#endif
