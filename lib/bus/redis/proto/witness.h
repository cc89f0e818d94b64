/* Whether what a command link has had accepted reaches those who connect now. Pure: no socket, no clock.
 *
 * Redis accepts a PUBLISH whoever it is. A master that was replaced, and was not told yet, answers as before:
 * nobody listens there any more, and what it takes is lost to all who have moved on. Asking it for its ROLE
 * proves nothing: in a split brain it says "master" for as long as it is not told.
 *
 * What proves it is a stranger. The witness is a connection made through the configured address, like any new
 * link, and closed again within moments. It subscribes this freshet's probe channel; a probe that the command
 * link publishes after that is acknowledged, and that arrives, shows that both are on one server: where the
 * command link publishes is where a stranger listens now. Redis hands a master's publishes on to its
 * replicas, but a replica's to nobody, so that one which was demoted is found out, too. Whoever listens on
 * that server either did so before, and got all that the link had accepted until then, or has come since, and
 * loaded what it shows after it came. So all of that is vouched for.
 *
 * What a link accepted and nobody vouched for, is in doubt when the link ends: then everybody has to load
 * again. Without publishes there is no doubt, and no witness.
 *
 * The witness publishes, too, before it subscribes, for a second opinion on a command link that has gone
 * silent. If its PUBLISH is answered, the silent link is dead. If it hangs as well, the server holds
 * publishes back (CLIENT PAUSE), and a new link would be no better. */
#ifndef FR_REDIS_WITNESS_H
#define FR_REDIS_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

enum fr_redis_witness_state {
    FR_REDIS_WITNESS_ABSENT = 0,
    FR_REDIS_WITNESS_COMING,   /* connects and greets */
    FR_REDIS_WITNESS_SPEAKING, /* its PUBLISH is unanswered */
    FR_REDIS_WITNESS_ASKING,   /* that is answered; its SUBSCRIBE is not */
    FR_REDIS_WITNESS_LISTENING
};

struct fr_redis_witness {
    enum fr_redis_witness_state state;
    /* Publishes of the command link, counted from 1. */
    uint64_t accepted; /* the newest that was; 0: none */
    uint64_t vouched;  /* for all up to this one */
    /* While it listens. */
    uint64_t probe;  /* number of the first that it can hear; 0: none was sent */
    uint64_t covers; /* the publish that was sent last before that one */
    uint64_t pings, pongs;
    uint64_t asked;      /* the PING behind the probe; 0: none is out */
    unsigned missed;     /* probes, in a row */
    int64_t next_us;     /* before this time no other witness is made */
    int64_t answered_us; /* when its PUBLISH was answered */
    int64_t held_us;     /* when it was last given up before that, to be made again; INT64_MIN: never */
};

void fr_redis_witness_init(struct fr_redis_witness *witness);

/* ---- the command link ---- */

/* The command link is a new one: nothing is accepted on it yet. */
void fr_redis_witness_linked(struct fr_redis_witness *witness, int64_t now_us);
/* The command link's publish of this number was accepted. */
void fr_redis_witness_accepted(struct fr_redis_witness *witness, uint64_t publish);
/* The command link has sent the probe of this number, behind so many publishes. */
void fr_redis_witness_probed(struct fr_redis_witness *witness, uint64_t probe, uint64_t publishes);
/* This probe was accepted. True: send the witness a PING, whose answer the probe has to precede. */
bool fr_redis_witness_probe_accepted(struct fr_redis_witness *witness, uint64_t probe);
/* Whether something is accepted that nobody has vouched for. */
bool fr_redis_witness_is_doubtful(const struct fr_redis_witness *witness);

/* ---- the connection ---- */

/* Whether one is to be made, for the doubt. */
bool fr_redis_witness_is_due(const struct fr_redis_witness *witness, int64_t now_us);
void fr_redis_witness_begin(struct fr_redis_witness *witness, int64_t now_us);
/* The witness is connected, its PUBLISH and its SUBSCRIBE are sent. */
void fr_redis_witness_up(struct fr_redis_witness *witness);
/* The answers to these. */
void fr_redis_witness_answered(struct fr_redis_witness *witness, int64_t now_us);
void fr_redis_witness_subscribed(struct fr_redis_witness *witness);
/* A probe arrived. True: it has vouched, and may go. */
bool fr_redis_witness_heard(struct fr_redis_witness *witness, uint64_t probe);
/* A PING was sent. */
void fr_redis_witness_pinged(struct fr_redis_witness *witness);
/* A PING was answered. True: for the second time the probe that it followed has not come before, so the
 * command link is on another server. */
bool fr_redis_witness_ponged(struct fr_redis_witness *witness);
/* One probe has not come before, so another one is to be sent soon. */
bool fr_redis_witness_has_doubts(const struct fr_redis_witness *witness);
/* The connection was lost, and is made again. */
void fr_redis_witness_lost(struct fr_redis_witness *witness, int64_t now_us);
void fr_redis_witness_end(struct fr_redis_witness *witness);

/* Whether a silent command link is one that the server makes wait. `patience_us`: how long after an answer to
 * the witness that to the link may come. `memory_us`: how long one that was made again may take to say the
 * same. */
bool fr_redis_witness_excuses(const struct fr_redis_witness *witness, int64_t now_us, int64_t patience_us,
                              int64_t memory_us);

#endif
