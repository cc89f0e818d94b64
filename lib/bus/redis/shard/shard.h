/* A shard: one Redis server that the bus talks to, with all that is said to it and known of it. It has a link
 * that subscribes, one that publishes, and for moments a third one, the witness; and the proof that
 * deliveries work. Topics come and go in lanes, as the bus says. One of them is the seat of the probes: they
 * take a channel of it.
 *
 * shard.c is its life and its state; lane.c the topics, which come and go; command.c and subscribe.c are one
 * link each, hearing.c what the latter hears beside messages; witness.c is the short-lived third link,
 * proof.c the probes that go over all of them. Everything is the loop's, unless it says otherwise. */
#ifndef FR_REDIS_SHARD_H
#define FR_REDIS_SHARD_H

#include "bus/redis/cluster/redirect.h"
#include "bus/redis/link/link.h"
#include "bus/redis/link/loop.h"
#include "bus/redis/proto/answers.h"
#include "bus/redis/proto/probe.h"
#include "bus/redis/proto/witness.h"
#include "bus/redis/shard/lane.h"
#include <freshet/redis.h>
#include <stdatomic.h>

/* What a command on the command link was: only the first kind is a lane's, the others are the shard's own. */
enum fr_redis_asked {
    FR_REDIS_ASKED_PUBLISH,
    FR_REDIS_ASKED_PROBE,
    FR_REDIS_ASKED_ROLE,
    FR_REDIS_ASKED_PING,
    FR_REDIS_ASKED_LOGIN
};

/* What a shard has from its bus, and what it tells it. All of it outlives the shard. */
struct fr_redis_shard_options {
    const struct fr_redis_config *config;
    const struct fr_redis_address *address; /* NULL: where the guide says */
    struct fr_redis_guide *guide;           /* NULL: `address` is enough */
    struct fr_redis_loop *loop;
    const struct freshet_bus_sink *sink; /* hears of messages */
    const char *everything;              /* the name of the mark's channel, behind a lane's prefix */
    const char *probes;                  /* that of this freshet's probes, to which nobody else listens */
    bool is_sharded;                     /* its lanes are, too */
    bool direct;                         /* the loop's direct way leads to its command link */
    void *user;
    /* The lane that has this channel; NULL: none. */
    struct fr_redis_lane *(*lane_of)(void *user, struct freshet_span channel);
    /* In a cluster: the lane's slot is not this server's, or not any more. May make the lane leave. */
    void (*astray)(void *user, struct fr_redis_lane *lane, const struct fr_redis_redirect *redirect);
    /* The shard's state has changed, or may have. */
    void (*state)(void *user, const char *reason);
    /* While it ends: something that it waited for is over. */
    void (*ended)(void *user);
};

struct fr_redis_shard {
    struct fr_redis_shard_options options;
    struct fr_redis_link subscribing, commanding, witnessing;
    char subscribing_name[320],
        commanding_name[320];                  /* for logs; with the address, where there are several */
    struct fr_redis_answers subscribe_answers; /* owners: lanes; kinds: enum fr_redis_verb */
    struct fr_redis_answers
        command_answers; /* owners: lanes; kinds: enum fr_redis_asked; number: of a probe */
    struct fr_list lanes;
    struct fr_redis_lane *seat; /* of the probes; NULL: there is no lane, or was no memory */
    char probe_channel[512];    /* the seat's prefix and the name of the probes */
    struct fr_redis_probe probe;
    struct fr_redis_witness witness;
    uint64_t question;   /* the number of a PING on the subscribe link that is unanswered; 0: none */
    uint64_t questioned; /* the number of the probe that has to arrive there before its answer */
    int64_t opinion_us;  /* when a second one on the silent command link was asked for */
    int64_t excused_us;  /* when it was logged that the silent command link is kept */
    struct event *probe_timer;
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
/* All lanes must have left. A zeroed one is fine. */
void fr_redis_shard_deinit(struct fr_redis_shard *shard);
void fr_redis_shard_begin(struct fr_redis_shard *shard);
/* Sends what is to be sent. */
void fr_redis_shard_settle(struct fr_redis_shard *shard);
/* Several times in a second: gives up what is too old, sees to the witness. */
void fr_redis_shard_keep_house(struct fr_redis_shard *shard);
/* From here on it only waits for what it owes. */
void fr_redis_shard_end(struct fr_redis_shard *shard);
/* Everything is vouched for, if a witness can be had. While it ends; may make a witness. */
bool fr_redis_shard_is_done(struct fr_redis_shard *shard);
enum freshet_bus_state fr_redis_shard_state(const struct fr_redis_shard *shard);
/* Any thread: adds its counters to the bus's; of the age of a probe, the greatest. */
void fr_redis_shard_add_stats(const struct fr_redis_shard *shard, struct freshet_bus_stats *stats);

void fr_redis_shard_count_error(struct fr_redis_shard *shard);
/* Says that the shard's state may have changed. */
void fr_redis_shard_update_state(struct fr_redis_shard *shard, const char *reason);
/* A link went: what it had proved counts no more. */
void fr_redis_shard_lose_proof(struct fr_redis_shard *shard);

/* command.c */
struct fr_redis_link_owner fr_redis_shard_command_owner(struct fr_redis_shard *shard);
/* The lane's newest publish is written up to there: sends the rest. */
void fr_redis_shard_send_rest(struct fr_redis_shard *shard, struct fr_redis_lane *lane,
                              const struct fr_redis_publish *publish);
/* Sends what the lanes' outboxes have, as far as there is room. */
void fr_redis_shard_send(struct fr_redis_shard *shard);
/* Sends a command that is no publish; `probe`: its number. False: nothing was sent. */
bool fr_redis_shard_ask(struct fr_redis_shard *shard, enum fr_redis_asked kind, uint64_t probe,
                        const struct freshet_span *arguments, size_t count);

/* Asks for a login, and says it on the command link. */
void fr_redis_shard_log_in(struct fr_redis_shard *shard);

/* proof.c */
/* A lane is new here, or there was no memory: the probes take their seat, if they have none. */
void fr_redis_shard_seat(struct fr_redis_shard *shard);
/* The lane has left: if it was the seat, another one is. */
void fr_redis_shard_unseat(struct fr_redis_shard *shard, struct fr_redis_lane *lane);
/* The channel of this freshet's probes. */
struct freshet_span fr_redis_shard_probe_channel(const struct fr_redis_shard *shard);
/* Both links are ready for a probe. */
bool fr_redis_shard_can_probe(const struct fr_redis_shard *shard);
/* Sends a probe, and asks for the ROLE; if a probe is out, then as soon as it is back. */
void fr_redis_shard_probe(struct fr_redis_shard *shard);
/* It is time for the next probe: whether the last one has come back. */
void fr_redis_shard_look_for_probe(struct fr_redis_shard *shard);
/* The answer to the PUBLISH of the probe of this number. */
void fr_redis_shard_take_probe_answer(struct fr_redis_shard *shard, uint64_t number, bool accepted);
/* A probe has arrived on the subscribe link. */
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
/* Sends what the lanes' subscriptions want to send. */
void fr_redis_shard_pump(struct fr_redis_shard *shard);
/* What a lane's subscriptions send. False: nothing was sent. */
bool fr_redis_shard_send_subscription(struct fr_redis_shard *shard, struct fr_redis_lane *lane,
                                      enum fr_redis_verb verb, const struct freshet_span *channels,
                                      size_t count);
/* Redis does not do this now, and says why. */
void fr_redis_shard_note_put_off(struct fr_redis_shard *shard, enum fr_redis_verb verb,
                                 struct freshet_span reason);

#endif
