/* The program's own link, from inside: data.c is what other threads call; the rest happens on the link's
 * thread: link.c commands and their answers, probe.c whether the server is good for them. */
#ifndef FR_REDIS_DATA_H
#define FR_REDIS_DATA_H

#include "base/list.h"
#include "base/timers.h"
#include "bus/redis/data/result.h"
#include "bus/redis/link/guide.h"
#include "bus/redis/link/link.h"
#include "bus/redis/link/loop.h"
#include "core/runtime/data_links.h"
#include <stdatomic.h>

struct event;

struct freshet_redis_data {
    unsigned forks; /* fr_forks() of the process that made it: whose thread and connection it has */
    struct fr_redis_config config;
    struct freshet_redis_data_options options;
    struct fr_redis_loop loop;
    struct fr_redis_results *results; /* any thread */
    struct fr_data_link listed;       /* in the freshet, if there is one */

    /* The link's thread. */
    struct fr_redis_guide guide; /* of a URL of sentinels */
    struct fr_redis_link link;
    struct fr_list waiting, sent; /* commands, oldest first */
    struct fr_list doubtful;      /* sent on a connection that was given up, and not settled */
    struct fr_timers deadlines;   /* of commands */
    struct event *timer;          /* of these */
    struct event *probe_timer;
    bool probe_out;         /* sent and not answered */
    unsigned probes_missed; /* in a row */
    bool read_old;          /* it was on a server that was not the master, until it was lost */
    uint64_t elsewhere;     /* of the freshet's bus, when it was last looked at */

    /* Any thread. */
    atomic_bool up;              /* connected, and the server answers */
    atomic_int_fast64_t good_us; /* when that was last found to be so; -1: never */
    atomic_uint_fast64_t errors, unanswered;
};

/* What an answer is for. */
enum fr_redis_command_kind {
    FR_REDIS_COMMAND_CALLER = 0,
    FR_REDIS_COMMAND_PING,  /* the link's: it only wants to hear something */
    FR_REDIS_COMMAND_PROBE, /* probe.c's */
    FR_REDIS_COMMAND_LOGIN
};

struct fr_redis_command {
    struct fr_mail mail;
    struct freshet_redis_data *data;
    enum fr_redis_command_kind kind;
    struct fr_list link;
    struct fr_timer timer;          /* its deadline; later, when it is settled at the latest */
    bool is_sent;                   /* in that list */
    bool is_told;                   /* its reply was, and it is not over */
    size_t written;                 /* of `wire`, before it came to the loop */
    struct fr_redis_result *result; /* a caller's */
    size_t wire_len;
    char wire[];
};

/* link.c */
struct fr_redis_link_owner fr_redis_data_owner(struct freshet_redis_data *data);
void fr_redis_command_deliver(struct fr_mail *mail); /* a caller's */
void fr_redis_command_expire(struct fr_timer *timer);
void fr_redis_data_on_timer(int fd, short what, void *data);
void fr_redis_data_settle(void *data);
/* Sends the link's own. False: the link is down, or there is no memory. */
bool fr_redis_data_ask(struct freshet_redis_data *data, enum fr_redis_command_kind kind,
                       const struct freshet_span *arguments, size_t count);
/* Asks for a login, and says it. */
void fr_redis_data_log_in(struct freshet_redis_data *data);
/* Ends what is left. After the thread has ended. */
void fr_redis_data_end(struct freshet_redis_data *data);

/* probe.c */
void fr_redis_data_on_probe_timer(int fd, short what, void *data);
void fr_redis_data_begin(struct freshet_redis_data *data);
void fr_redis_data_note_up(struct freshet_redis_data *data);
void fr_redis_data_note_down(struct freshet_redis_data *data, const struct fr_redis_reason *reason);
void fr_redis_data_take_probe(struct freshet_redis_data *data, const redisReply *reply);
/* A caller's command was answered so; may break the link. */
void fr_redis_data_judge(struct freshet_redis_data *data, const redisReply *reply);

#endif
