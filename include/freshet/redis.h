/* The bus on Redis: PUBLISH and SUBSCRIBE, and a data link for the program's own commands.
 *
 * What a user of Redis needs for the bus, with the default prefix:
 *
 *     ACL SETUSER name on >password resetchannels &freshet:* +publish +subscribe +unsubscribe +ping +role
 *         +client|setname +hello
 *
 * and in a cluster
 *
 *     ACL SETUSER name on >password resetchannels &freshet:* +spublish +ssubscribe +sunsubscribe +ping +role
 *         +client|setname +cluster|info +cluster|slots
 *
 * Without publish, subscribe or the channels nothing works, and the log says which is refused. Without
 * unsubscribe, Redis goes on sending what nobody looks at any more, until the link ends. Without role, a
 * server that was replaced as the master is found by a program that publishes, as its publishes do not arrive
 * where new connections go; by one that only listens when its link ends. For these two there is one warning
 * for each link. Without ping, client|setname or hello nothing is missing but the names in CLIENT LIST, and
 * the word in the log that the URL leads to a node of a cluster, where another form is better.
 *
 * The program's own commands need their own rights, and keys, beside role, ping, client|setname, hello and,
 * for a URL with a database, select; in a cluster cluster|info, cluster|slots and asking.
 *
 * SPDX-License-Identifier: MIT */
#ifndef FRESHET_REDIS_H
#define FRESHET_REDIS_H

#include <freshet/bus.h>
#include <freshet/instance.h>
#include <freshet/log.h>
#include <freshet/span.h>
#include <freshet/stats.h>
#include <freshet/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a connection is to log in with: see freshet_redis_login_cb. */
struct freshet_redis_login;

/* Gives user and password (copied; any bytes), within freshet_redis_login_cb. A `login` of NULL is fine. An
 * empty user: the one of the URL, or Redis's default. */
void freshet_redis_login_set(struct freshet_redis_login *login, struct freshet_span user,
                             struct freshet_span password);

/* Asks the program who it is, for a server that changes passwords, or takes tokens that last for a while.
 * Called for each connection, before it logs in, and by freshet_redis_bus_login(); it calls
 * freshet_redis_login_set() before it returns, or not, if it has none: then the attempt counts as failed, and
 * the next one asks again. On the thread of the connections, which has other things to do: it must not wait
 * for anything, so keep the token ready, or read it from a local file. `login` is of no use afterwards.
 * `user` as in the options. */
typedef void (*freshet_redis_login_cb)(struct freshet_redis_login *login, void *user);

/* A zeroed struct with `size` set means all defaults. Texts are copied.
 *
 * The URL is one of these, with user and password percent-encoded, and IPv6 in brackets:
 *
 *     redis://[user:password@]host[:port][/db]
 *     redis+unix://[user:password@]/path
 *     redis+sentinel://[user:password@]host[:port],host[:port].../name[/db]
 *     redis+cluster://[user:password@]host[:port],host[:port]...
 *
 * rediss://, rediss+sentinel:// and rediss+cluster:// are the same with TLS.
 *
 * With sentinels `name` is what they call the master, and user and password are those of the servers that
 * they watch. For each connection they are asked who is the master: first the one that answered last, and the
 * next one if it does not answer at once. Each of those listed has a connection, on which it tells of a
 * master that was replaced; then links on any other server are given up, though that goes on answering. A
 * user of the sentinels needs the channel +switch-master and the commands sentinel|get-master-addr-by-name,
 * subscribe, unsubscribe, ping and client|setname.
 *
 * In a cluster the bus uses sharded pub/sub: a publish is the work of one master, and not of all. The hosts
 * are asked for the slot map, as are all nodes that it names, one after the other: any that answers will do.
 * Topics have other channels than on a server that stands alone: see freshet_redis_cluster_channel(). Each
 * master that has topics of ours has a link that subscribes and one that publishes. Slots that move, masters
 * that are replaced and nodes that come and go are followed; meanwhile the topics concerned are not in force,
 * as after a lost link, and no others. The bus is ready when every such master is proved. It takes Redis 7.0
 * or Valkey. */
struct freshet_redis_options {
    size_t size;        /* sizeof(struct freshet_redis_options) */
    const char *url;    /* default redis://127.0.0.1:6379 */
    const char *prefix; /* of every channel; default "freshet:"; in a cluster without '{' */
    /* tls_* go with TLS only: FRESHET_INVALID otherwise. The files are read again for each connection, so
     * they may be replaced at any time. */
    const char *tls_ca_file;     /* PEM; default the system's */
    const char *tls_cert_file;   /* client certificate and key, PEM, no passphrase; both or none */
    const char *tls_key_file;    /* of tls_cert_file */
    const char *tls_name;        /* expected in every certificate; default the host that was connected to */
    uint32_t connect_timeout_ms; /* each attempt; default 1000 */
    uint32_t backoff_min_ms;     /* between two attempts, doubled after each; default 50 */
    uint32_t
        backoff_max_ms; /* the longest of these times; each is drawn up to a quarter shorter; default 500 */
    uint32_t link_timeout_ms;   /* a silent link is given up after this; default 5000 */
    uint32_t probe_interval_ms; /* of the proof that deliveries work; default 1000. FRESHET_NEVER: nothing is
                                   proved, and what was published is in doubt after every end of its link */
    uint32_t max_message_bytes; /* a longer body counts as oversized; default FRESHET_DEFAULT_MESSAGE_BYTES */
    uint32_t max_queued_publishes; /* without an answer; default 65536 */
    uint32_t max_queued_bytes;     /* default 16 MiB */
    uint32_t max_queued_ms;        /* age of the oldest; default 60000 */
    const char *sentinel_user;     /* at the sentinels, if they ask for one; NULL: their default */
    const char *sentinel_password; /* NULL: they ask for none. FRESHET_INVALID with any other URL */
    freshet_redis_login_cb login;  /* asked for each connection to a server with data, instead of the URL's
                                      password; NULL: that one */
    void *login_user;              /* given to `login` */
    freshet_redis_login_cb sentinel_login; /* the same at the sentinels, instead of sentinel_password */
    void *sentinel_login_user;             /* given to `sentinel_login` */
};

/* Makes a bus; it connects when its freshet starts, and starting does not wait for Redis. FRESHET_INVALID:
 * `out` is NULL, the URL or an option; FRESHET_SYSTEM: a TLS file; FRESHET_NO_MEMORY. `error` says which,
 * without credentials. */
enum freshet_status freshet_redis_bus_new(struct freshet_bus **out,
                                          const struct freshet_redis_options *options,
                                          struct freshet_error *error);

/* The channel of a topic in a Redis Cluster, where publishes are SPUBLISH: the prefix (NULL: "freshet:"), a
 * hash tag, the topic, such as "freshet:{17}counter". The tag keeps many topics in one slot, so that they are
 * subscribed with one command: it is the smallest number whose slot, divided by 64, is that of the topic,
 * divided by 64. README has it for other languages. Any thread.
 *
 * Writes at most `size` bytes with the NUL at the end, and returns how long the whole is, as snprintf() does.
 */
size_t freshet_redis_cluster_channel(char *channel, size_t size, const char *prefix,
                                     struct freshet_span topic);

/* Has a bus of freshet_redis_bus_new() ask its `login` and say it to Redis again (AUTH) on the connection
 * that publishes, which need not end for that; new ones ask anyway. For servers that end connections whose
 * token is too old. A refusal breaks the connection, as one at its begin does. The connection that is
 * subscribed may not say it, by Redis's rules: it keeps its login until it ends. Any thread, never blocks.
 * FRESHET_INVALID: no such bus, or it has no `login`; FRESHET_NO_MEMORY, FRESHET_CLOSED. */
enum freshet_status freshet_redis_bus_login(struct freshet_bus *bus);

/* A link for the program's own commands, with its own connection and thread-safe. It belongs to the process
 * that made it, as a freshet does: see freshet/instance.h.
 *
 * It stays with the master only: a replica refuses every write and shows what was before. So the link asks
 * ROLE when it connects and every probe_interval_ms, and leaves a server that says it is not the master, or
 * answers a command with READONLY: it resolves the name again and tries the next address, until there is a
 * master. It also connects anew when its freshet's bus has found that its own address leads to another server
 * by now, though the old one goes on calling itself the master. A user whose ACL does not permit ROLE loses
 * this and nothing else; that is logged once.
 *
 * In a cluster it has a connection to each master that has been asked for something, and is one link all the
 * same: each command goes to the node that has its first key, and follows that key (MOVED, ASK). All keys of
 * a command must be in one slot, as Redis says itself. Commands without a key go to any node. The link is up
 * when all of these masters are.
 *
 * With a freshet, feeds whose load has failed are run again as soon as the link is back
 * (freshet_loader_retry()); all of them, if it had been on a server that was the master no more. And the link
 * shows in the freshet's stats. */
struct freshet_redis_data;

/* A zeroed struct with `size` and `link.size` set means all defaults. Texts are copied. */
struct freshet_redis_data_options {
    size_t size;                       /* sizeof(struct freshet_redis_data_options) */
    struct freshet_redis_options link; /* url, tls_*, connect_timeout_ms, backoff_*, link_timeout_ms,
                                          probe_interval_ms are used */
    struct freshet_log log;            /* must outlive the link */
    uint32_t max_queued_commands;      /* commands that are not over; default 65536 */
    uint32_t max_queued_bytes;         /* of these commands and their replies; default 64 MiB */
    uint32_t max_reply_bytes;          /* of one reply, all its parts; default 16 MiB */
    struct freshet *freshet; /* whose workers get their results in their loops; must outlive the link; NULL:
                                all results come on the link's thread */
    bool replica_too; /* any server will do: for a link that only reads, and may be pointed at a replica on
                         purpose (with loaders that have settle_ms); with sentinels it goes to a replica that
                         is in step, if there is one (their user needs sentinel|replicas, too); default: the
                         master only */
};

/* As freshet_redis_bus_new(). `options` NULL: all defaults. */
enum freshet_status freshet_redis_data_new(struct freshet_redis_data **out,
                                           const struct freshet_redis_data_options *options,
                                           struct freshet_error *error);

/* What is still unanswered ends with FRESHET_CLOSED, on the thread that its callback belongs to (see below;
 * without a freshet, on this one), and what is not settled is settled. Waits for the link's thread, and for
 * the callbacks that run on the freshet's callback thread. NULL is fine. Not from a callback.
 *
 * Order of an end: the workers leave, then this, then freshet_destroy(): so callbacks may still publish. When
 * this returns no callback of the link will run any more. If workers are still there, theirs may still come,
 * until they leave; those must not use the link. */
void freshet_redis_data_destroy(struct freshet_redis_data *data);

/* As freshet_redis_bus_login(), for this link. */
enum freshet_status freshet_redis_data_login(struct freshet_redis_data *data);

/* How the link goes; any thread. All links of a freshet together: struct freshet_stats. */
void freshet_redis_data_stats(struct freshet_redis_data *data, struct freshet_data_stats *stats);

/* Which field of a reply has its value. */
enum freshet_redis_reply_type {
    FRESHET_REDIS_NIL = 1,     /* none: there is no such key, say */
    FRESHET_REDIS_INTEGER = 2, /* `integer` */
    FRESHET_REDIS_TEXT = 3,    /* `text`: simple and bulk strings */
    FRESHET_REDIS_ARRAY = 4,   /* `elements` */
    FRESHET_REDIS_ERROR = 5    /* `text` has Redis's words */
};

/* What Redis answered. Read-only. */
struct freshet_redis_reply {
    enum freshet_redis_reply_type type;         /* says which of the others counts */
    int64_t integer;                            /* of FRESHET_REDIS_INTEGER */
    struct freshet_span text;                   /* of FRESHET_REDIS_TEXT and FRESHET_REDIS_ERROR */
    const struct freshet_redis_reply *elements; /* of FRESHET_REDIS_ARRAY */
    size_t element_count;                       /* of `elements` */
};

/* The answer to one command, exactly once, never on the caller's stack. If the link has a freshet: on the
 * worker that asked, in its loop, or in its leaving; for every other thread, and for a worker that has left
 * meanwhile, on the freshet's callback thread. Without a freshet: on the link's thread. All of these have
 * other things to do: hand the work on if it is long. Sending further commands from here is fine.
 *
 * FRESHET_OK: `reply` lives until the callback returns (it may be an error reply). FRESHET_NO_MEMORY: Redis
 * answered, but there was no memory for the reply. FRESHET_UNAVAILABLE: the deadline passed or the link
 * broke, the command may have run or not, or may run later. FRESHET_CLOSED: the link is being destroyed; the
 * same. `reply` is then NULL. */
typedef void (*freshet_redis_reply_cb)(enum freshet_status status, const struct freshet_redis_reply *reply,
                                       void *user);

/* Sends a command (copied). Any thread, never blocks. FRESHET_OK: `reply` follows; it may be NULL if nobody
 * wants the answer. FRESHET_FULL, FRESHET_INVALID (`data` is NULL, no arguments, or a command that changes
 * what the connection is, which all threads share and which may be another one after a break: SUBSCRIBE and
 * its kin, MONITOR, HELLO, AUTH, SELECT, CLIENT REPLY, RESET, QUIT, SYNC, MULTI and its kin (use EVAL)),
 * FRESHET_NO_MEMORY, FRESHET_CLOSED: nothing follows. Commands wait for a link up to `deadline_ms` (0: 1000);
 * those of one thread run in order (in a cluster: those of one slot, unless it moves meanwhile). One that
 * blocks (BLPOP, WAIT) holds up all behind it and, past link_timeout_ms, breaks the link: give such their
 * own. */
enum freshet_status freshet_redis_command(struct freshet_redis_data *data,
                                          const struct freshet_span *arguments, size_t argument_count,
                                          uint32_t deadline_ms, freshet_redis_reply_cb reply, void *user);

/* A command is over: from here on it will not run any more. Exactly once, behind its `reply` and on the same
 * thread; the link does not use `user` afterwards.
 *
 * `late`: its result was FRESHET_UNAVAILABLE, and it may have run since then, so what was published (and
 * loaded) at that time may be too old: publish again. That is when its answer came after all, when Redis
 * closed the connection, or link_timeout_ms after the link gave the connection up: until then bytes that had
 * left can still arrive. And when the link is destroyed, where there is nothing left to wait for it. */
typedef void (*freshet_redis_settled_cb)(bool late, void *user);

/* As freshet_redis_command(), for a command that changes what loaders show. `settled` follows `reply`. */
enum freshet_status freshet_redis_change(struct freshet_redis_data *data,
                                         const struct freshet_span *arguments, size_t argument_count,
                                         uint32_t deadline_ms, freshet_redis_reply_cb reply,
                                         freshet_redis_settled_cb settled, void *user);

#ifdef __cplusplus
}
#endif
#endif
