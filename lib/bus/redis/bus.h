/* The Redis bus: redis_bus.c is what other threads call; the rest happens on the bus thread:
 * redis_bus_links.c its life and its state, redis_bus_command.c and redis_bus_subscribe.c one link each,
 * redis_bus_witness.c the short-lived third one, redis_bus_proof.c the probes that go over all of them. */
#ifndef FR_REDIS_BUS_H
#define FR_REDIS_BUS_H

#include "bus/redis/link/config.h"
#include "bus/redis/link/link.h"
#include "bus/redis/link/loop.h"
#include "bus/redis/proto/outbox.h"
#include "bus/redis/proto/probe.h"
#include "bus/redis/proto/subscriptions.h"
#include "bus/redis/proto/witness.h"
#include <freshet/redis.h>
#include <stdatomic.h>

/* Answers on the command link that belong to no publish; more than this are never out. */
#define FR_REDIS_MAX_ASIDES 64

enum fr_redis_aside_kind { FR_REDIS_ASIDE_PROBE, FR_REDIS_ASIDE_ROLE, FR_REDIS_ASIDE_PING };

struct fr_redis_aside {
    enum fr_redis_aside_kind kind;
    uint64_t after; /* its answer comes when so many publishes of this link are answered */
    uint64_t probe; /* of a probe: its number */
};

struct fr_redis_bus {
    struct freshet_bus bus;
    struct fr_redis_config config;
    struct freshet_span prefix;
    char everything[sizeof("/everything")];
    char probe_name[sizeof("/probe/") + 32];
    char probe_channel[512];      /* the same behind the prefix */
    struct freshet_bus_sink sink; /* from start on */
    struct fr_redis_loop loop;

    /* The bus thread's. */
    struct fr_redis_link subscribing, commanding, witnessing;
    struct fr_redis_subscriptions subscriptions;
    struct fr_redis_outbox outbox; /* admit and the counters: any thread */
    struct fr_redis_probe probe;
    struct fr_redis_witness witness;
    uint64_t question, questioned; /* a PING of the subscribe link, 0: none; the probe it has to follow */
    int64_t opinion_us;            /* when a second one on the silent command link was asked for */
    int64_t excused_us;            /* when it was logged that the silent command link is kept */
    struct event *probe_timer, *housekeeping, *stop_timer;
    struct fr_redis_aside asides[FR_REDIS_MAX_ASIDES]; /* a ring */
    unsigned aside_first, aside_count;
    uint64_t published, answered; /* on this command link */
    char refusal[200];            /* of a publish, logged last */
    char put_off[200];            /* of the subscribe link, logged last */
    bool stopping;

    /* Any thread. */
    atomic_bool started; /* and not yet stopped */
    atomic_int state;
    atomic_bool overflowed; /* signals were answered for which a mark must go out */
    atomic_uint_fast64_t errors, probes_lost, witnesses, doubts, elsewhere;
    atomic_int_fast64_t probe_seen_us; /* -1: never */
};

/* Before the thread starts. FRESHET_NO_MEMORY; redis_bus_links_deinit() cleans up in any case. */
enum freshet_status fr_redis_bus_links_init(struct fr_redis_bus *bus);
void fr_redis_bus_links_deinit(struct fr_redis_bus *bus);
/* On the bus thread. */
void fr_redis_bus_begin(struct fr_redis_bus *bus);
void fr_redis_bus_settle(void *bus);
void fr_redis_bus_end(struct fr_redis_bus *bus, uint64_t deadline_ms);

/* Tells the sink if the state has changed. */
void fr_redis_bus_update_state(struct fr_redis_bus *bus, const char *reason);
/* A link went: what it had proved counts no more. */
void fr_redis_bus_lose_proof(struct fr_redis_bus *bus);
/* Stopping, and everything is answered: ends the thread. */
void fr_redis_bus_end_if_done(struct fr_redis_bus *bus);

/* redis_bus_command.c */
struct fr_redis_link_owner fr_redis_bus_command_owner(struct fr_redis_bus *bus);
/* Adds it to the outbox, and sends the rest of one that is partly written. */
void fr_redis_bus_add(struct fr_redis_bus *bus, struct fr_redis_publish *publish);
/* Sends what the outbox has, as far as there is room. */
void fr_redis_bus_send(struct fr_redis_bus *bus);
/* Sends a command that is no publish; `probe` as in the aside. False: nothing was sent. */
bool fr_redis_bus_send_aside(struct fr_redis_bus *bus, enum fr_redis_aside_kind kind, uint64_t probe,
                             const struct freshet_span *arguments, size_t count);

/* redis_bus_proof.c */
/* The channel of this freshet's probes. */
struct freshet_span fr_redis_bus_probe_channel(const struct fr_redis_bus *bus);
/* Both links are ready for a probe. */
bool fr_redis_bus_can_probe(const struct fr_redis_bus *bus);
/* Sends a probe, and asks for the ROLE; if a probe is out, then as soon as it is back. */
void fr_redis_bus_probe(struct fr_redis_bus *bus);
/* Time for the next one: looks for the last. */
void fr_redis_bus_look_for_probe(struct fr_redis_bus *bus);
/* The answer to its PUBLISH. */
void fr_redis_bus_take_probe_answer(struct fr_redis_bus *bus, uint64_t number, bool accepted);
/* It arrived on the subscribe link. */
void fr_redis_bus_take_probe(struct fr_redis_bus *bus, struct freshet_span body);
/* A PING of the subscribe link was answered. */
void fr_redis_bus_take_ping(struct fr_redis_bus *bus, uint64_t number);
void fr_redis_bus_break_both(struct fr_redis_bus *bus, enum fr_redis_fault fault, const char *text);

/* redis_bus_witness.c */
struct fr_redis_link_owner fr_redis_bus_witness_owner(struct fr_redis_bus *bus);
/* Makes one if it is time for it, and ends one that is of no use any more. */
void fr_redis_bus_witness_settle(struct fr_redis_bus *bus);
/* Asks the witness about a probe that was accepted. */
void fr_redis_bus_witness_question(struct fr_redis_bus *bus, uint64_t probe);
/* The command link is silent, `over`: for too long. Whether it is to be kept. */
bool fr_redis_bus_witness_excuses(struct fr_redis_bus *bus, bool over);
/* The command link went. */
void fr_redis_bus_witness_dismiss(struct fr_redis_bus *bus);

/* redis_bus_subscribe.c */
struct fr_redis_link_owner fr_redis_bus_subscribe_owner(struct fr_redis_bus *bus);
struct fr_redis_subscriptions_owner fr_redis_bus_subscriptions_owner(struct fr_redis_bus *bus);
/* Sends what the subscriptions want to send. */
void fr_redis_bus_pump(struct fr_redis_bus *bus);

#endif
