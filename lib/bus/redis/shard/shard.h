/* A shard: one Redis server that the bus talks to, with all that is said to it and known of it. It has a link
 * that subscribes, one that publishes, and for moments a third one, the witness; the publishes that it has
 * not answered; and the proof that deliveries work. The bus says which topics are whose.
 *
 * shard.c is its life and its state; command.c and subscribe.c are one link each, witness.c the short-lived
 * third one, proof.c the probes that go over all of them. Everything is the loop's, unless it says otherwise.
 */
#ifndef FR_REDIS_SHARD_H
#define FR_REDIS_SHARD_H

#include "bus/redis/link/config.h"
#include "bus/redis/link/link.h"
#include "bus/redis/link/loop.h"
#include "bus/redis/proto/outbox.h"
#include "bus/redis/proto/probe.h"
#include "bus/redis/proto/subscriptions.h"
#include "bus/redis/proto/witness.h"
#include <freshet/bus.h>
#include <freshet/redis.h>
#include <stdatomic.h>

/* Answers on the command link that belong to no publish; more than this are never out. */
#define FR_REDIS_MAX_ASIDES 64

enum fr_redis_aside_kind {
    FR_REDIS_ASIDE_PROBE,
    FR_REDIS_ASIDE_ROLE,
    FR_REDIS_ASIDE_PING,
    FR_REDIS_ASIDE_LOGIN
};

struct fr_redis_aside {
    enum fr_redis_aside_kind kind;
    uint64_t after; /* its answer comes when so many publishes of this link are answered */
    uint64_t probe; /* of a probe: its number */
};

/* What a shard has from its bus, and what it tells it. All of it outlives the shard. */
struct fr_redis_shard_options {
    const struct fr_redis_config *config;
    const struct fr_redis_address *address; /* NULL: where the guide says */
    struct fr_redis_guide *guide;           /* NULL: `address` is enough */
    struct fr_redis_loop *loop;
    const struct freshet_bus_sink *sink; /* hears of topics: the shard tells it itself */
    const char *everything;              /* names of control channels, behind the prefix */
    const char *probes;                  /* only this freshet listens to it */
    bool direct;                         /* the loop's direct way leads to its command link */
    void *user;
    /* Its state is another one, or may be. */
    void (*state)(void *user, const char *reason);
    /* While it ends: something that it waited for is over. */
    void (*ended)(void *user);
};

struct fr_redis_shard {
    struct fr_redis_shard_options options;
    struct freshet_span prefix;
    char probe_channel[512]; /* the name of the probes behind the prefix */
    struct fr_redis_link subscribing, commanding, witnessing;
    struct fr_redis_subscriptions subscriptions;
    struct fr_redis_outbox outbox; /* admit and the counters: any thread */
    struct fr_redis_probe probe;
    struct fr_redis_witness witness;
    uint64_t question, questioned; /* a PING of the subscribe link, 0: none; the probe it has to follow */
    int64_t opinion_us;            /* when a second one on the silent command link was asked for */
    int64_t excused_us;            /* when it was logged that the silent command link is kept */
    struct event *probe_timer;
    struct fr_redis_aside asides[FR_REDIS_MAX_ASIDES]; /* a ring */
    unsigned aside_first, aside_count;
    uint64_t published, answered; /* on this command link */
    char refusal[200];            /* of a publish, logged last */
    char put_off[200];            /* of the subscribe link, logged last */
    bool ending;

    /* Any thread. */
    atomic_uint_fast64_t errors, probes_lost, witnesses, doubts, elsewhere;
    atomic_int_fast64_t probe_seen_us; /* -1: never */
};

/* Before the loop's thread starts, or on it. FRESHET_NO_MEMORY; fr_redis_shard_deinit() cleans up in any
 * case. */
enum freshet_status fr_redis_shard_init(struct fr_redis_shard *shard,
                                        const struct fr_redis_shard_options *options);
/* Its outbox must be closed. A zeroed one is fine. */
void fr_redis_shard_deinit(struct fr_redis_shard *shard);
void fr_redis_shard_begin(struct fr_redis_shard *shard);
/* Sends what is to be sent. */
void fr_redis_shard_settle(struct fr_redis_shard *shard);
/* Several times in a second: gives up what is too old, sees to the witness. */
void fr_redis_shard_keep_house(struct fr_redis_shard *shard);
/* From here on it only waits for what it owes. */
void fr_redis_shard_end(struct fr_redis_shard *shard);
/* Everything is answered, and vouched for if a witness can be had. While it ends; may make a witness. */
bool fr_redis_shard_is_done(struct fr_redis_shard *shard);
enum freshet_bus_state fr_redis_shard_state(const struct fr_redis_shard *shard);
/* Any thread: adds its counters to the bus's; of the age of a probe, the greatest. */
void fr_redis_shard_add_stats(const struct fr_redis_shard *shard, struct freshet_bus_stats *stats);

/* Says that its state may be another one. */
void fr_redis_shard_update_state(struct fr_redis_shard *shard, const char *reason);
/* A link went: what it had proved counts no more. */
void fr_redis_shard_lose_proof(struct fr_redis_shard *shard);

/* command.c */
struct fr_redis_link_owner fr_redis_shard_command_owner(struct fr_redis_shard *shard);
/* Adds it to the outbox, and sends the rest of one that is partly written. */
void fr_redis_shard_add(struct fr_redis_shard *shard, struct fr_redis_publish *publish);
/* Sends what the outbox has, as far as there is room. */
void fr_redis_shard_send(struct fr_redis_shard *shard);
/* Sends a command that is no publish; `probe` as in the aside. False: nothing was sent. */
bool fr_redis_shard_send_aside(struct fr_redis_shard *shard, enum fr_redis_aside_kind kind, uint64_t probe,
                               const struct freshet_span *arguments, size_t count);

/* Asks for a login, and says it on the command link. */
void fr_redis_shard_log_in(struct fr_redis_shard *shard);

/* proof.c */
/* The channel of this freshet's probes. */
struct freshet_span fr_redis_shard_probe_channel(const struct fr_redis_shard *shard);
/* Both links are ready for a probe. */
bool fr_redis_shard_can_probe(const struct fr_redis_shard *shard);
/* Sends a probe, and asks for the ROLE; if a probe is out, then as soon as it is back. */
void fr_redis_shard_probe(struct fr_redis_shard *shard);
/* Time for the next one: looks for the last. */
void fr_redis_shard_look_for_probe(struct fr_redis_shard *shard);
/* The answer to its PUBLISH. */
void fr_redis_shard_take_probe_answer(struct fr_redis_shard *shard, uint64_t number, bool accepted);
/* It arrived on the subscribe link. */
void fr_redis_shard_take_probe(struct fr_redis_shard *shard, struct freshet_span body);
/* A PING of the subscribe link was answered. */
void fr_redis_shard_take_ping(struct fr_redis_shard *shard, uint64_t number);
void fr_redis_shard_break_both(struct fr_redis_shard *shard, enum fr_redis_fault fault, const char *text);

/* witness.c */
struct fr_redis_link_owner fr_redis_shard_witness_owner(struct fr_redis_shard *shard);
/* Makes one if it is time for it, and ends one that is of no use any more. */
void fr_redis_shard_witness_settle(struct fr_redis_shard *shard);
/* Asks the witness about a probe that was accepted. */
void fr_redis_shard_witness_question(struct fr_redis_shard *shard, uint64_t probe);
/* The command link is silent, `over`: for too long. Whether it is to be kept. */
bool fr_redis_shard_witness_excuses(struct fr_redis_shard *shard, bool over);
/* The command link went. */
void fr_redis_shard_witness_dismiss(struct fr_redis_shard *shard);

/* subscribe.c */
struct fr_redis_link_owner fr_redis_shard_subscribe_owner(struct fr_redis_shard *shard);
struct fr_redis_subscriptions_owner fr_redis_shard_subscriptions_owner(struct fr_redis_shard *shard);
/* Sends what the subscriptions want to send. */
void fr_redis_shard_pump(struct fr_redis_shard *shard);

#endif
