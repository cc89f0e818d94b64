/* Publishes without an answer: those that wait, and those that were sent, oldest first. Bounded by age, and
 * by count and bytes together with the other outboxes of the bus: over that, waiting signals are given up for
 * one mark "everything". Pure: no socket, no clock. On the loop, but for admit. */
#ifndef FR_REDIS_OUTBOX_H
#define FR_REDIS_OUTBOX_H

#include "base/list.h"
#include "base/mailbox.h"
#include "base/map.h"
#include <freshet/span.h>
#include <freshet/status.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* One publish, with its command as bytes. */
struct fr_redis_publish {
    struct fr_mail mail; /* on its way to the loop */
    void *owner;
    struct fr_list link; /* waiting or sent */
    struct fr_map_node node;
    struct fr_redis_publish *follower; /* an earlier signal that this one stands for; it has no bytes */
    void *token;
    int64_t since_us;
    size_t bytes; /* counted */
    bool signal;
    bool mergeable;              /* in the outbox's map: waits, and is the newest of its channel */
    struct freshet_span channel; /* in `wire`, behind the command */
    size_t written;              /* before it was added: it is sent, but for the rest */
    size_t wire_len;
    char wire[];
};

/* What the outboxes of a bus have together. Any thread. */
struct fr_redis_outbox_room {
    uint32_t max_count, max_bytes;
    atomic_uint_fast64_t count, bytes; /* admitted and unanswered */
    atomic_uint_fast64_t collapsed, resent;
};

struct fr_redis_outbox_options {
    struct fr_redis_outbox_room *room;
    int64_t max_age_us; /* INT64_MAX: none */
    const char *verb;   /* PUBLISH or SPUBLISH */
    struct freshet_span everything_channel;
    void *user;
    /* Exactly once for each publish added. */
    void (*answer)(void *user, void *token, enum freshet_status status, int64_t receivers);
};

struct fr_redis_outbox {
    struct fr_redis_outbox_options options;
    struct fr_list waiting, sent;
    struct fr_map mergeable;       /* waiting signals, by channel */
    struct fr_redis_publish *mark; /* "everything"; linked: it waits or was sent; always there */
    bool mark_again;               /* given up anew while the mark was sent */
};

/* False: no memory. */
bool fr_redis_outbox_init(struct fr_redis_outbox *outbox, const struct fr_redis_outbox_options *options);
/* Must be closed. A zeroed one is fine. */
void fr_redis_outbox_deinit(struct fr_redis_outbox *outbox);

/* NULL: no memory. Any thread. */
struct fr_redis_publish *fr_redis_publish_new(const char *verb, struct freshet_span prefix,
                                              struct freshet_span topic, struct freshet_span body,
                                              bool signal, void *token);

/* Whether one more fits; then it is counted and must be added. Any thread. */
bool fr_redis_outbox_admit(struct fr_redis_outbox_room *room, const struct fr_redis_publish *publish);
/* Counts an admitted one out again, which will not be added. Any thread. */
void fr_redis_outbox_dismiss(struct fr_redis_outbox_room *room, const struct fr_redis_publish *publish);
/* Takes it over; one of which something is written counts as sent: nothing may wait then. */
void fr_redis_outbox_add(struct fr_redis_outbox *outbox, struct fr_redis_publish *publish, int64_t now_us);
/* The next to send, which then counts as sent; NULL: none. */
const struct fr_redis_publish *fr_redis_outbox_next(struct fr_redis_outbox *outbox);
/* The answer to the oldest one sent. False: none was. */
bool fr_redis_outbox_answer(struct fr_redis_outbox *outbox, enum freshet_status status, int64_t receivers);
/* The link broke: what was sent is to be sent again, first and in order. */
void fr_redis_outbox_lost(struct fr_redis_outbox *outbox);
/* Sends the mark, before all that waits. */
void fr_redis_outbox_owe_mark(struct fr_redis_outbox *outbox);
/* Gives all waiting signals up for the mark. */
void fr_redis_outbox_collapse(struct fr_redis_outbox *outbox);
/* The same if the oldest that waits is too old; payloads that are too old are answered FRESHET_FULL. */
void fr_redis_outbox_age(struct fr_redis_outbox *outbox, int64_t now_us);
bool fr_redis_outbox_is_empty(const struct fr_redis_outbox *outbox);
/* Whether the mark is not yet answered. */
bool fr_redis_outbox_owes_mark(const struct fr_redis_outbox *outbox);
/* Answers everything with FRESHET_CLOSED. */
void fr_redis_outbox_close(struct fr_redis_outbox *outbox);

#endif
