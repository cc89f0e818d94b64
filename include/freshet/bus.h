/* The seam between a freshet and what carries its publishes, and the bus that stays in the process.
 *
 * A bus belongs to one freshet: freshet_new() takes it over, freshet_destroy() destroys it.
 *
 * SPDX-License-Identifier: MIT */
#ifndef FRESHET_BUS_H
#define FRESHET_BUS_H

#include <freshet/log.h>
#include <freshet/span.h>
#include <freshet/status.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the links of a bus are good for. */
enum freshet_bus_state {
    FRESHET_BUS_DOWN = 0,  /* publishes wait in the bus; subscriptions are not in force */
    FRESHET_BUS_UP = 1,    /* links stand; what was subscribed is being subscribed again */
    FRESHET_BUS_PROVED = 2 /* and a delivery came back lately */
};

/* What a bus tells its freshet. Any thread; several threads at once for `message`. The functions never block,
 * never call the bus back, and copy what they keep. */
struct freshet_bus_sink {
    void *context;          /* for all functions */
    struct freshet_log log; /* the freshet's, for the bus's own lines */

    /* Somebody published to a topic that is, or lately was, subscribed. `body` as it came, at most the bus's
     * own message limit; a longer one is passed as an empty body with `oversized`. */
    void (*message)(void *context, struct freshet_span topic, struct freshet_span body, bool oversized);

    /* The subscription with this number is in force: every publish accepted from here on will be delivered.
     * Once for each subscribe(), and once more after each loss of the link. */
    void (*subscribed)(void *context, struct freshet_span topic, uint64_t subscription);

    /* The subscription with this number is not in force any more, though the bus is not down: what is
     * published now may not be delivered. subscribed() follows when it is again. */
    void (*lost)(void *context, struct freshet_span topic, uint64_t subscription);

    /* The subscription is refused for now, for example by an ACL. The bus goes on trying; subscribed()
     * follows if it comes through. `reason` is safe to log. */
    void (*refused)(void *context, struct freshet_span topic, uint64_t subscription,
                    struct freshet_span reason);

    /* Somebody lost the names of what it published, or published it where nobody heard it: whatever this
     * instance shows may be old. */
    void (*everything)(void *context);

    /* Down: no subscription is in force from here on, each gets its own subscribed() later. */
    void (*state)(void *context, enum freshet_bus_state state, struct freshet_span reason);

    /* The end of a publish(): exactly once for each that returned FRESHET_OK, from any thread, also from
     * within publish(). `receivers` is -1 where the bus cannot tell. */
    void (*published)(void *context, void *token, enum freshet_status status, int64_t receivers);
};

/* How a bus goes; counters run from its start, "now" marks gauges. */
struct freshet_bus_stats {
    enum freshet_bus_state state; /* now */
    uint64_t reconnects;          /* links that stood again after they were lost */
    uint64_t errors;              /* answers the bus did not expect */
    uint64_t probes_lost;         /* probes that did not come back in time */
    int64_t probe_age_ms;         /* since the last delivery that proved the links; -1: never */
    uint64_t witnesses;           /* times it was seen that publishes reach those who connect now */
    uint64_t elsewhere;           /* times it was seen that they don't: the links moved to another server */
    uint64_t doubts;              /* links that ended before it was seen: the mark "everything" follows */
    uint64_t queued;              /* publishes without an answer now */
    uint64_t collapsed;           /* times the queue was given up for one mark "everything" */
    uint64_t resent;              /* publishes sent again after a lost link */
    uint64_t subscriptions;       /* wanted now */
    uint64_t confirmed;           /* of these, in force */
};

struct freshet_bus;

/* A backend fills this table. All functions but start, stop and destroy: any thread, never block. */
struct freshet_bus_ops {
    /* Called once, before anything else. `sink` is copied. */
    enum freshet_status (*start)(struct freshet_bus *bus, const struct freshet_bus_sink *sink,
                                 struct freshet_error *error);

    /* The freshet calls these two for one topic in turn, and never twice the same in a row. `subscription` is
     * a number to be given back. sink->subscribed may be called from within. */
    enum freshet_status (*subscribe)(struct freshet_bus *bus, struct freshet_span topic,
                                     uint64_t subscription);
    /* As subscribe(); what is on its way may still be delivered. */
    void (*unsubscribe)(struct freshet_bus *bus, struct freshet_span topic);

    /* Hands on a body. Publishes of one thread to one topic stay in order. `signal`: it has no payload, so
     * one that still waits for the same topic may stand for it. FRESHET_OK: sink->published follows, with
     * `token`. FRESHET_FULL, FRESHET_TOO_LARGE, FRESHET_NO_MEMORY, FRESHET_CLOSED: refused now, nothing
     * follows. */
    enum freshet_status (*publish)(struct freshet_bus *bus, struct freshet_span topic,
                                   struct freshet_span body, bool signal, void *token);

    /* Fills in all of *stats. */
    void (*stats)(struct freshet_bus *bus, struct freshet_bus_stats *stats);

    /* Sends what is queued if that is possible within `deadline_ms`, answers every publish, calls no sink
     * function after it has returned. */
    void (*stop)(struct freshet_bus *bus, uint64_t deadline_ms);

    /* After stop, or without a start. */
    void (*destroy)(struct freshet_bus *bus);
};

/* First member of each backend's own struct. */
struct freshet_bus {
    const struct freshet_bus_ops *ops; /* the backend's, never NULL */
};

/* What several in-process buses share: a publish on one is delivered to all. Counted; buses hold it. */
struct freshet_memory_broker;
/* With one hold, the caller's. NULL: no memory. Any thread. */
struct freshet_memory_broker *freshet_memory_broker_new(void);
/* Gives the caller's hold up. NULL is fine. Any thread. */
void freshet_memory_broker_release(struct freshet_memory_broker *broker);

/* A bus inside this process, always up. `broker` NULL: one of its own. FRESHET_INVALID: `out` is NULL;
 * FRESHET_NO_MEMORY. */
enum freshet_status freshet_memory_bus_new(struct freshet_bus **out, struct freshet_memory_broker *broker);

/* Destroys a bus that no freshet has taken over. NULL is fine. */
void freshet_bus_destroy(struct freshet_bus *bus);

#ifdef __cplusplus
}
#endif
#endif
