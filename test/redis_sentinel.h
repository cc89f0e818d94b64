/* Real sentinels for tests: one master, its replicas and three sentinels, each a process on a free loopback
 * port. A server is named by its place in `servers`; the first master is 0. Whatever cannot be had within
 * half a minute aborts the test's process with a message. */
#ifndef TEST_REDIS_SENTINEL_H
#define TEST_REDIS_SENTINEL_H

#include "redis_server.h"

enum { REDIS_SENTINELS = 3, REDIS_SENTINEL_MAX_SERVERS = 4 };

struct redis_sentinel_options {
    int replicas;                  /* 0: one */
    const char *password;          /* of the data servers; NULL: none */
    const char *sentinel_password; /* of the sentinels; NULL: none */
};

struct redis_sentinel {
    struct redis_server servers[REDIS_SENTINEL_MAX_SERVERS];
    struct redis_server sentinels[REDIS_SENTINELS];
    struct redis_sentinel_options options;
    int count;     /* of servers */
    char url[160]; /* redis+sentinel://127.0.0.1:<port>,127.0.0.1:<port>,127.0.0.1:<port>/main, without
                      passwords */
};

/* `options` may be NULL. Sentinels call the master dead after 1500 ms of silence: with less, a busy machine
 * makes failovers that nobody asked for. Returns when each sentinel knows both others and each replica, so
 * that a failover can be asked for at once. */
void redis_sentinel_start(struct redis_sentinel *group, const struct redis_sentinel_options *options);
void redis_sentinel_stop(struct redis_sentinel *group);

/* The place of the server that this sentinel says is the master, -1: no answer or none of ours. */
int redis_sentinel_master_as_seen_by(const struct redis_sentinel *group, int sentinel);
/* Until every sentinel that runs names the same master, which says so itself, and it is not `old` (-1: any).
 * Returns its place. */
int redis_sentinel_await_master(const struct redis_sentinel *group, int old);
/* SENTINEL FAILOVER at the first sentinel that runs; the old master stays alive. Returns the new one. */
int redis_sentinel_failover(const struct redis_sentinel *group);
/* Runs a killed server again, as the master that it was started as or the replica that it was made: the
 * sentinels then turn it into a replica of the present master. */
void redis_sentinel_restart(struct redis_sentinel *group, int server);
/* Until the server says that it follows a master and is in step. */
void redis_sentinel_await_replica(const struct redis_sentinel *group, int server);

#endif
