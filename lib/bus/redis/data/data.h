/* The program's own link, from inside: data.c is what other threads call; the rest happens on the link's
 * thread: link.c commands and their answers, probe.c whether a server is good for them, route.c which server
 * has what, if there are several: to the program, the nodes of a cluster are one link. */
#ifndef FR_REDIS_DATA_H
#define FR_REDIS_DATA_H

#include "base/list.h"
#include "base/timers.h"
#include "bus/redis/data/result.h"
#include "bus/redis/link/guide.h"
#include "bus/redis/link/link.h"
#include "bus/redis/link/loop.h"
#include "bus/redis/link/mapper.h"
#include "core/runtime/data_links.h"
#include <pthread.h>
#include <stdatomic.h>

struct event;

/* One server with its connection: the only one, or a node of a cluster. On the link's thread. */
struct fr_redis_data_server {
    struct freshet_redis_data *data;
    struct fr_list listed; /* in its list */
    struct fr_redis_address address;
    char name[320]; /* for logs; with the address, where there are several */
    struct fr_redis_link link;
    struct fr_list waiting, sent; /* commands, oldest first */
    bool probe_out;               /* sent and not answered */
    unsigned probes_missed;       /* in a row */
    bool up;                      /* connected, and it answers */
};

struct freshet_redis_data {
    unsigned forks; /* fr_forks() of the process that made it: whose thread and connection it has */
    struct fr_redis_config config;
    struct freshet_redis_data_options options;
    struct fr_redis_loop loop;
    struct fr_redis_results *results; /* any thread */
    struct fr_data_link listed;       /* in the freshet, if there is one */

    /* The link's thread. */
    struct fr_redis_guide guide;   /* of a URL of sentinels */
    struct fr_redis_mapper mapper; /* of a URL of a cluster */
    struct fr_list servers;
    struct fr_list homeless;    /* commands whose slot is nobody's for now */
    struct fr_list doubtful;    /* sent on a connection that was given up, and not settled */
    struct fr_timers deadlines; /* of all commands */
    struct event *timer;        /* when the next of `deadlines` passes */
    struct event *probe_timer;
    bool read_old;      /* it was on a server that was not the master, until it was lost */
    uint64_t elsewhere; /* that counter of the freshet's bus, when it was last looked at */

    pthread_mutex_t lock; /* for `servers` and `retired`: the link's thread changes them, any thread reads */
    struct freshet_data_stats retired; /* counters of servers that have gone */

    /* Any thread. */
    atomic_bool up;              /* all servers are */
    atomic_int_fast64_t good_us; /* when that was last found to be so; -1: never */
    atomic_uint_fast64_t errors, unanswered;
};

/* What an answer is for. */
enum fr_redis_command_kind {
    FR_REDIS_COMMAND_CALLER = 0,
    FR_REDIS_COMMAND_PING,  /* the link's: it only wants to hear something */
    FR_REDIS_COMMAND_PROBE, /* probe.c's */
    FR_REDIS_COMMAND_LOGIN,
    FR_REDIS_COMMAND_ASKING /* goes before a command that a node of a cluster sent to another one */
};

struct fr_redis_command {
    struct fr_mail mail;
    struct freshet_redis_data *data;
    struct fr_redis_data_server *server; /* where it waits, or was sent to; NULL: it is homeless */
    enum fr_redis_command_kind kind;
    uint16_t slot;      /* in a cluster */
    uint8_t redirected; /* so many times */
    bool asks;          /* ASKING goes before it */
    struct fr_list link;
    struct fr_timer timer;          /* its deadline; later, when it is settled at the latest */
    bool is_sent;                   /* on its server's connection, unanswered */
    bool is_told;                   /* how it ended was told, but it may still run */
    size_t written;                 /* of `wire`, before it came to the loop */
    struct fr_redis_result *result; /* a caller's */
    size_t wire_len;
    char wire[];
};

bool fr_redis_data_has_cluster(const struct freshet_redis_data *data);

/* link.c */
struct fr_redis_link_owner fr_redis_data_owner(struct fr_redis_data_server *server);
void fr_redis_command_deliver(struct fr_mail *mail); /* a caller's */
void fr_redis_command_expire(struct fr_timer *timer);
void fr_redis_data_on_timer(int fd, short what, void *data);
void fr_redis_data_settle(void *data);
/* Sends the link's own. False: the server's link is down, or there is no memory. */
bool fr_redis_data_ask(struct fr_redis_data_server *server, enum fr_redis_command_kind kind,
                       const struct freshet_span *arguments, size_t count);
/* Asks for a login, and says it. */
void fr_redis_data_log_in(struct freshet_redis_data *data);
/* Ends what is left. After the thread has ended. */
void fr_redis_data_end(struct freshet_redis_data *data);

/* route.c */
/* Before the thread starts. FRESHET_NO_MEMORY; deinit cleans up in any case. */
enum freshet_status fr_redis_data_route_init(struct freshet_redis_data *data);
void fr_redis_data_route_deinit(struct freshet_redis_data *data);
void fr_redis_data_route_begin(struct freshet_redis_data *data);
/* Any thread: adds what the servers' links count. */
void fr_redis_data_route_stats(struct freshet_redis_data *data, struct freshet_data_stats *stats);
/* Puts an unlinked command behind those that wait for its server. */
void fr_redis_data_route(struct fr_redis_command *command);
/* A node of a cluster has answered with this error. True: it is not the command's answer; that waits for
 * another node, or for the next map. */
bool fr_redis_data_redirect(struct fr_redis_command *command, const redisReply *reply);
/* A server was lost: who has its slots may be another one. */
void fr_redis_data_look_around(struct freshet_redis_data *data);

/* probe.c */
void fr_redis_data_on_probe_timer(int fd, short what, void *data);
void fr_redis_data_begin(struct freshet_redis_data *data);
void fr_redis_data_note_up(struct fr_redis_data_server *server);
void fr_redis_data_note_down(struct fr_redis_data_server *server, const struct fr_redis_reason *reason);
void fr_redis_data_take_probe(struct fr_redis_data_server *server, const redisReply *reply);
/* A server has come or gone: whether all are up may be another thing. */
void fr_redis_data_update_up(struct freshet_redis_data *data);
/* A caller's command was answered so; may break the link. */
void fr_redis_data_judge(struct fr_redis_data_server *server, const redisReply *reply);

#endif
