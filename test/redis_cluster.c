#include "redis_cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE 3000 /* naps of 10 ms */

static void give_up(const char *what, const char *answer)
{
    fprintf(stderr, "redis_cluster: %s: %s\n", what, answer);
    abort();
}

/* A command that must be answered, and not with an error. */
#define TELL(node, ...)                                                                                      \
    do {                                                                                                     \
        char answer_[256] = "no answer";                                                                     \
        if (!redis_server_ask((node), answer_, sizeof(answer_), __VA_ARGS__, NULL) || answer_[0] == '-')     \
            give_up(#__VA_ARGS__, answer_);                                                                  \
    } while (0)

/* No replica is moved to a master that has none: a test knows which one follows which. */
static bool try_run(struct redis_cluster *cluster, int node)
{
    char bus_port[16];
    snprintf(bus_port, sizeof(bus_port), "%d", cluster->bus_ports[node]);
    const char *tls = cluster->is_tls ? "yes" : "no";
    return redis_server_try_run(
        &cluster->nodes[node],
        (const char *[]){"--cluster-enabled", "yes", "--cluster-port", bus_port, "--cluster-node-timeout",
                         "500", "--cluster-replica-validity-factor", "0", "--cluster-allow-replica-migration",
                         "no", "--repl-diskless-sync-delay", "0", "--tls-cluster", tls, "--tls-replication",
                         tls, NULL});
}

static void prepare(struct redis_cluster *cluster, int node)
{
    struct redis_server *server = &cluster->nodes[node];
    redis_server_prepare(server);
    cluster->bus_ports[node] = redis_server_free_port();
    if (!cluster->is_tls)
        return;
    if (node == 0) {
        redis_server_prepare_tls(server);
        return;
    }
    server->tls_port = redis_server_free_port();
    memcpy(server->certificates, cluster->nodes[0].certificates, sizeof(server->certificates));
}

/* Where other nodes and clients go. */
static int port_of(const struct redis_cluster *cluster, int node)
{
    return cluster->is_tls ? cluster->nodes[node].tls_port : cluster->nodes[node].port;
}

static int add_process(struct redis_cluster *cluster)
{
    int node = cluster->count++;
    if (cluster->count > REDIS_CLUSTER_MAX_NODES)
        give_up("too many nodes", "");
    for (int i = 0;; i++) {
        prepare(cluster, node);
        if (try_run(cluster, node))
            break;
        /* Many ports are taken by now, and others look for some, too. */
        redis_server_stop(&cluster->nodes[node]);
        if (i == 10)
            give_up("a node does not run", cluster->nodes[node].url);
    }
    if (!redis_server_ask(&cluster->nodes[node], cluster->ids[node], sizeof(cluster->ids[node]), "CLUSTER",
                          "MYID", NULL))
        give_up("CLUSTER MYID", "no answer");
    char epoch[16];
    snprintf(epoch, sizeof(epoch), "%d", cluster->count);
    TELL(&cluster->nodes[node], "CLUSTER", "SET-CONFIG-EPOCH", epoch);
    return node;
}

static bool runs(const struct redis_cluster *cluster, int node)
{
    return cluster->nodes[node].pid != 0;
}

/* The answer to CLUSTER NODES; the caller frees it. NULL: no answer. */
static char *read_nodes(const struct redis_cluster *cluster, int node)
{
    size_t size = 256 * 1024;
    char *text = malloc(size);
    if (text != NULL && redis_server_ask(&cluster->nodes[node], text, size, "CLUSTER", "NODES", NULL))
        return text;
    free(text);
    return NULL;
}

static int find_id(const struct redis_cluster *cluster, const char *id)
{
    for (int i = 0; i < cluster->count; i++)
        if (strncmp(cluster->ids[i], id, 40) == 0)
            return i;
    return -1;
}

/* One line of CLUSTER NODES: <id> <address> <flags> <master> <ping> <pong> <epoch> <link> <slot or range>...
 */
struct line {
    int node, master;
    char flags[64];
    const char *slots;
};

static bool read_line(const struct redis_cluster *cluster, char **text, struct line *line)
{
    char *start = strsep(text, "\n");
    char id[48], master[48];
    int at = 0;
    if (start == NULL ||
        sscanf(start, "%47s %*s %63s %47s %*s %*s %*s %*s%n", id, line->flags, master, &at) < 3)
        return false;
    line->node = find_id(cluster, id);
    line->master = find_id(cluster, master);
    line->slots = start + at;
    return true;
}

/* Writes who owns each slot as this node knows it; false: it does not answer. */
static bool read_owners(const struct redis_cluster *cluster, int asked,
                        signed char owners[REDIS_CLUSTER_SLOTS])
{
    char *text = read_nodes(cluster, asked), *rest = text;
    struct line line;
    memset(owners, -1, REDIS_CLUSTER_SLOTS);
    while (rest != NULL && read_line(cluster, &rest, &line)) {
        int first, last, used;
        for (const char *at = line.slots; sscanf(at, " %d%n", &first, &used) == 1; at += used) {
            last = first;
            at += used;
            used = 0;
            if (sscanf(at, "-%d%n", &last, &used) != 1)
                used = 0;
            for (int slot = first; slot <= last; slot++)
                owners[slot] = (signed char)line.node;
        }
    }
    free(text);
    return text != NULL;
}

int redis_cluster_owner_as_seen_by(const struct redis_cluster *cluster, int asked, int slot)
{
    signed char owners[REDIS_CLUSTER_SLOTS];
    return read_owners(cluster, asked, owners) ? owners[slot] : -1;
}

static int first_running(const struct redis_cluster *cluster)
{
    for (int i = 0; i < cluster->count; i++)
        if (runs(cluster, i))
            return i;
    give_up("no node runs", "");
    return 0;
}

int redis_cluster_owner(const struct redis_cluster *cluster, int slot)
{
    return redis_cluster_owner_as_seen_by(cluster, first_running(cluster), slot);
}

static bool says(const struct redis_cluster *cluster, int node, const char *what)
{
    char text[2048];
    return redis_server_ask(&cluster->nodes[node], text, sizeof(text), "CLUSTER", "INFO", NULL) &&
           strstr(text, what) != NULL;
}

static bool is_settled(const struct redis_cluster *cluster)
{
    signed char first[REDIS_CLUSTER_SLOTS], other[REDIS_CLUSTER_SLOTS];
    if (!read_owners(cluster, first_running(cluster), first))
        return false;
    for (int i = 0; i < cluster->count; i++) {
        if (!runs(cluster, i))
            continue;
        if (!says(cluster, i, "cluster_state:ok") || !read_owners(cluster, i, other))
            return false;
        if (memcmp(first, other, sizeof(first)) != 0)
            return false;
    }
    return true;
}

void redis_cluster_settle(const struct redis_cluster *cluster)
{
    for (int i = 0; i < PATIENCE; i++) {
        if (is_settled(cluster))
            return;
        redis_server_nap();
    }
    give_up("the nodes do not agree", cluster->url);
}

void redis_cluster_await_owner(const struct redis_cluster *cluster, int slot, int owner)
{
    for (int i = 0; i < PATIENCE; i++) {
        int agree = 0, running = 0;
        for (int node = 0; node < cluster->count; node++) {
            running += runs(cluster, node);
            agree += runs(cluster, node) && redis_cluster_owner_as_seen_by(cluster, node, slot) == owner;
        }
        if (agree == running)
            return;
        redis_server_nap();
    }
    give_up("the slot's owner does not change", cluster->url);
}

/* Until `node` knows `other`, so that commands may name it. */
static void await_acquaintance(const struct redis_cluster *cluster, int node, int other)
{
    for (int i = 0; i < PATIENCE; i++) {
        char *text = read_nodes(cluster, node);
        char *found = text == NULL ? NULL : strstr(text, cluster->ids[other]);
        bool knows = found != NULL && strstr(found, "connected") != NULL;
        free(text);
        if (knows)
            return;
        redis_server_nap();
    }
    give_up("a node does not get to know another", cluster->ids[other]);
}

/* Every pair is told directly: gossip alone takes seconds. */
static void introduce(const struct redis_cluster *cluster, int node)
{
    char port[16], bus_port[16];
    snprintf(port, sizeof(port), "%d", port_of(cluster, node));
    snprintf(bus_port, sizeof(bus_port), "%d", cluster->bus_ports[node]);
    for (int other = 0; other < node; other++)
        if (runs(cluster, other))
            TELL(&cluster->nodes[other], "CLUSTER", "MEET", "127.0.0.1", port, bus_port);
    for (int other = 0; other < node; other++) {
        if (!runs(cluster, other))
            continue;
        await_acquaintance(cluster, other, node);
        await_acquaintance(cluster, node, other);
    }
}

static void give_slots(const struct redis_cluster *cluster, int masters)
{
    for (int i = 0; i < masters; i++) {
        char first[16], last[16];
        snprintf(first, sizeof(first), "%d", i * REDIS_CLUSTER_SLOTS / masters);
        snprintf(last, sizeof(last), "%d", (i + 1) * REDIS_CLUSTER_SLOTS / masters - 1);
        TELL(&cluster->nodes[i], "CLUSTER", "ADDSLOTSRANGE", first, last);
    }
}

static void write_url(struct redis_cluster *cluster)
{
    int at =
        snprintf(cluster->url, sizeof(cluster->url), "%s+cluster://", cluster->is_tls ? "rediss" : "redis");
    for (int i = 0; i < cluster->count; i++)
        at += snprintf(cluster->url + at, sizeof(cluster->url) - (size_t)at, "%s127.0.0.1:%d",
                       i == 0 ? "" : ",", port_of(cluster, i));
}

/* Whom the replica follows as node `asked` knows it, -1: nobody. */
static int master_of(const struct redis_cluster *cluster, int asked, int replica)
{
    char *text = read_nodes(cluster, asked), *rest = text;
    struct line line;
    int master = -1;
    while (rest != NULL && read_line(cluster, &rest, &line))
        if (line.node == replica)
            master = line.master;
    free(text);
    return master;
}

int redis_cluster_replica(const struct redis_cluster *cluster, int master)
{
    for (int i = 0; i < cluster->count; i++)
        if (runs(cluster, i) && master_of(cluster, master, i) == master)
            return i;
    return -1;
}

/* The number behind `name`, -1: it is not there. */
static long long number_in(const char *info, const char *name)
{
    const char *at = strstr(info, name);
    return at == NULL ? -1 : atoll(at + strlen(name));
}

static bool is_in_step(const struct redis_server *replica, const struct redis_server *master)
{
    char before[4096], after[4096];
    if (!redis_server_ask(master, before, sizeof(before), "INFO", "replication", NULL) ||
        !redis_server_ask(replica, after, sizeof(after), "INFO", "replication", NULL))
        return false;
    long long sent = number_in(before, "master_repl_offset:");
    return strstr(after, "master_link_status:up") != NULL && sent >= 0 &&
           number_in(after, "slave_repl_offset:") >= sent;
}

void redis_cluster_await_replica(const struct redis_cluster *cluster, int replica)
{
    for (int i = 0; i < PATIENCE; i++) {
        int master = master_of(cluster, replica, replica);
        if (master >= 0 && master_of(cluster, master, replica) == master &&
            is_in_step(&cluster->nodes[replica], &cluster->nodes[master]))
            return;
        redis_server_nap();
    }
    give_up("a replica does not follow", cluster->ids[replica]);
}

static void replicate(const struct redis_cluster *cluster, int replica, int master)
{
    TELL(&cluster->nodes[replica], "CLUSTER", "REPLICATE", cluster->ids[master]);
    redis_cluster_await_replica(cluster, replica);
}

static void start(struct redis_cluster *cluster, int masters, int replicas, bool is_tls)
{
    int count = masters * (1 + replicas);
    *cluster = (struct redis_cluster){.is_tls = is_tls};
    for (int i = 0; i < count; i++)
        add_process(cluster);
    write_url(cluster);
    give_slots(cluster, masters);
    for (int i = 1; i < count; i++)
        introduce(cluster, i);
    for (int i = masters; i < count; i++)
        replicate(cluster, i, (i - masters) % masters);
    redis_cluster_settle(cluster);
}

void redis_cluster_start(struct redis_cluster *cluster, int masters, int replicas)
{
    start(cluster, masters, replicas, false);
}

void redis_cluster_start_tls(struct redis_cluster *cluster, int masters, int replicas)
{
    start(cluster, masters, replicas, true);
}

void redis_cluster_stop(struct redis_cluster *cluster)
{
    for (int i = 0; i < cluster->count; i++)
        redis_server_stop(&cluster->nodes[i]);
    cluster->count = 0;
}

void redis_cluster_open_migration(const struct redis_cluster *cluster, int slot, int to)
{
    char number[16];
    int from = redis_cluster_owner_as_seen_by(cluster, to, slot);
    snprintf(number, sizeof(number), "%d", slot);
    TELL(&cluster->nodes[to], "CLUSTER", "SETSLOT", number, "IMPORTING", cluster->ids[from]);
    TELL(&cluster->nodes[from], "CLUSTER", "SETSLOT", number, "MIGRATING", cluster->ids[to]);
}

static void move_keys(const struct redis_cluster *cluster, const char *slot, int from, int to)
{
    char key[256], port[16];
    snprintf(port, sizeof(port), "%d", cluster->nodes[to].port);
    while (redis_server_ask(&cluster->nodes[from], key, sizeof(key), "CLUSTER", "GETKEYSINSLOT", slot, "1",
                            NULL) &&
           key[0] != '\0')
        TELL(&cluster->nodes[from], "MIGRATE", "127.0.0.1", port, key, "0", "5000");
}

static void migrate_one(const struct redis_cluster *cluster, int slot, int to)
{
    char number[16];
    int from = redis_cluster_owner_as_seen_by(cluster, to, slot);
    if (from == to)
        return;
    snprintf(number, sizeof(number), "%d", slot);
    redis_cluster_open_migration(cluster, slot, to);
    move_keys(cluster, number, from, to);
    TELL(&cluster->nodes[to], "CLUSTER", "SETSLOT", number, "NODE", cluster->ids[to]);
    /* May be refused: one that has given its last slot away and has heard so already is a replica by now. */
    redis_server_ask(&cluster->nodes[from], NULL, 0, "CLUSTER", "SETSLOT", number, "NODE", cluster->ids[to],
                     NULL);
}

void redis_cluster_migrate(const struct redis_cluster *cluster, int first, int last, int to)
{
    for (int slot = first; slot <= last; slot++)
        migrate_one(cluster, slot, to);
}

void redis_cluster_failover(const struct redis_cluster *cluster, int replica)
{
    char text[256];
    for (int i = 0; i < PATIENCE; i++) {
        /* Redis gives it up after 5 s, if the other masters have not voted for it in time. */
        if (i % 600 == 0)
            TELL(&cluster->nodes[replica], "CLUSTER", "FAILOVER");
        if (redis_server_ask(&cluster->nodes[replica], text, sizeof(text), "ROLE", NULL) &&
            strncmp(text, "master", 6) == 0)
            return;
        redis_server_nap();
    }
    give_up("a replica does not become the master", cluster->ids[replica]);
}

void redis_cluster_kill(struct redis_cluster *cluster, int node)
{
    redis_server_kill(&cluster->nodes[node]);
}

void redis_cluster_restart(struct redis_cluster *cluster, int node)
{
    if (!try_run(cluster, node))
        give_up("a node does not run again", cluster->ids[node]);
}

int redis_cluster_add(struct redis_cluster *cluster, int master)
{
    int node = add_process(cluster);
    introduce(cluster, node);
    if (master >= 0)
        replicate(cluster, node, master);
    redis_cluster_settle(cluster);
    return node;
}

void redis_cluster_remove(struct redis_cluster *cluster, int node)
{
    for (int i = 0; i < cluster->count; i++)
        if (i != node && runs(cluster, i))
            TELL(&cluster->nodes[i], "CLUSTER", "FORGET", cluster->ids[node]);
    redis_cluster_kill(cluster, node);
}
