/* A real Redis Cluster for tests: redis-servers on free loopback ports, made by CLUSTER commands. A node is
 * named by its place in `nodes`; masters come first, then replicas, then those that were added. Whatever
 * cannot be had within half a minute aborts the test's process with a message. */
#ifndef TEST_REDIS_CLUSTER_H
#define TEST_REDIS_CLUSTER_H

#include "redis_server.h"

enum { REDIS_CLUSTER_SLOTS = 16384, REDIS_CLUSTER_MAX_NODES = 12 };

struct redis_cluster {
    struct redis_server nodes[REDIS_CLUSTER_MAX_NODES];
    int bus_ports[REDIS_CLUSTER_MAX_NODES];
    char ids[REDIS_CLUSTER_MAX_NODES][41];
    int count;
    bool is_tls;
    char url[320]; /* redis+cluster://127.0.0.1:<port of node 0>,127.0.0.1:<port of node 1>,... */
};

/* The slots are split evenly over `masters`; each has `replicas` of them. A node that does not answer is
 * taken for dead by the others after 500 ms. Returns when every node says that the cluster is ok. */
void redis_cluster_start(struct redis_cluster *cluster, int masters, int replicas);
/* The same with TLS on all ports: certificates are those of node 0. */
void redis_cluster_start_tls(struct redis_cluster *cluster, int masters, int replicas);
void redis_cluster_stop(struct redis_cluster *cluster);

/* The node that owns the slot as node `asked` knows it, -1: none. */
int redis_cluster_owner_as_seen_by(const struct redis_cluster *cluster, int asked, int slot);
/* The same as the first node that runs knows it. */
int redis_cluster_owner(const struct redis_cluster *cluster, int slot);
/* A replica of this master as the master itself knows it, -1: none. */
int redis_cluster_replica(const struct redis_cluster *cluster, int master);
/* Until each node that runs says cluster_state:ok and all agree on who owns each slot. */
void redis_cluster_settle(const struct redis_cluster *cluster);
/* Until each node that runs takes `owner` for the owner of the slot. */
void redis_cluster_await_owner(const struct redis_cluster *cluster, int slot, int owner);

/* Moves the slots first .. last to the node, one after the other, with their keys, as redis-cli does. */
void redis_cluster_migrate(const struct redis_cluster *cluster, int first, int last, int to);
/* Opens the move of a slot and leaves it open: the owner is MIGRATING, `to` is IMPORTING, no key has moved.
 */
void redis_cluster_open_migration(const struct redis_cluster *cluster, int slot, int to);
/* The replica becomes the master in agreement with its old one. Returns when it is. */
void redis_cluster_failover(const struct redis_cluster *cluster, int replica);
/* SIGKILL; the others notice. */
void redis_cluster_kill(struct redis_cluster *cluster, int node);
/* Runs it again on its ports and with what it remembers. */
void redis_cluster_restart(struct redis_cluster *cluster, int node);
/* Until the node follows a master and is in step with it. */
void redis_cluster_await_replica(const struct redis_cluster *cluster, int replica);
/* A new master without slots that all know, or a replica of `master` if that is not -1. Returns its place. */
int redis_cluster_add(struct redis_cluster *cluster, int master);
/* The others forget it and it ends. It must own no slot any more. */
void redis_cluster_remove(struct redis_cluster *cluster, int node);

#endif
