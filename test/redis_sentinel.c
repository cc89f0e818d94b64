#include "redis_sentinel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE 3000 /* naps of 10 ms */
#define NAME     "main"

static void give_up(const char *what, const char *answer)
{
    fprintf(stderr, "redis_sentinel: %s: %s\n", what, answer);
    abort();
}

/* Opens the file that the server is to read at its start. */
static FILE *create_config(struct redis_server *server, const char *name)
{
    size_t len = strlen(server->directory);
    memcpy(server->config, server->directory, len);
    snprintf(server->config + len, sizeof(server->config) - len, "/%s", name);
    FILE *file = fopen(server->config, "w");
    if (file == NULL)
        give_up("cannot write", server->config);
    return file;
}

/* A server rewrites its config when a sentinel tells it whom to follow, so a restart remembers that. */
static void write_server_config(struct redis_sentinel *group, int server)
{
    FILE *file = create_config(&group->servers[server], "server.conf");
    fprintf(file, "repl-diskless-sync-delay 0\n");
    if (group->options.password != NULL)
        fprintf(file, "requirepass %s\nmasterauth %s\n", group->options.password, group->options.password);
    if (server != 0)
        fprintf(file, "replicaof 127.0.0.1 %d\n", group->servers[0].port);
    fclose(file);
}

static void write_sentinel_config(struct redis_sentinel *group, struct redis_server *sentinel)
{
    const struct redis_sentinel_options *options = &group->options;
    FILE *file = create_config(sentinel, "sentinel.conf");
    fprintf(file,
            "sentinel monitor " NAME " 127.0.0.1 %d 2\n"
            "sentinel down-after-milliseconds " NAME " 1500\n"
            "sentinel failover-timeout " NAME " 3000\n",
            group->servers[0].port);
    if (options->password != NULL)
        fprintf(file, "sentinel auth-pass " NAME " %s\n", options->password);
    if (options->sentinel_password != NULL)
        fprintf(file, "requirepass %s\nsentinel sentinel-pass %s\n", options->sentinel_password,
                options->sentinel_password);
    fclose(file);
}

static void take_password(struct redis_server *server, const char *password)
{
    if (password != NULL)
        snprintf(server->password, sizeof(server->password), "%s", password);
}

static void start_server(struct redis_sentinel *group, int server)
{
    redis_server_prepare(&group->servers[server]);
    take_password(&group->servers[server], group->options.password);
    write_server_config(group, server);
    redis_server_run(&group->servers[server], NULL);
}

/* The periods of asking and telling are cut from 10 s and 2 s, so that sentinels find each other, their
 * replicas and a master that came back at once. */
static void start_sentinel(struct redis_sentinel *group, struct redis_server *sentinel)
{
    redis_server_prepare(sentinel);
    take_password(sentinel, group->options.sentinel_password);
    write_sentinel_config(group, sentinel);
    redis_server_run(sentinel, (const char *[]){"--sentinel", NULL});
    char answer[128] = "no answer";
    if (!redis_server_ask(sentinel, answer, sizeof(answer), "SENTINEL", "DEBUG", "INFO-PERIOD", "200",
                          "PUBLISH-PERIOD", "200", NULL) ||
        answer[0] == '-')
        give_up("SENTINEL DEBUG", answer);
}

static bool reports(const struct redis_server *server, const char *section, const char *what)
{
    char text[8192];
    return redis_server_ask(server, text, sizeof(text), "INFO", section, NULL) && strstr(text, what) != NULL;
}

static void await_report(const struct redis_server *server, const char *section, const char *what)
{
    for (int i = 0; i < PATIENCE; i++) {
        if (reports(server, section, what))
            return;
        redis_server_nap();
    }
    give_up("never said", what);
}

void redis_sentinel_await_replica(const struct redis_sentinel *group, int server)
{
    await_report(&group->servers[server], "replication", "master_link_status:up");
}

static void write_url(struct redis_sentinel *group)
{
    snprintf(group->url, sizeof(group->url), "redis+sentinel://127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d/" NAME,
             group->sentinels[0].port, group->sentinels[1].port, group->sentinels[2].port);
}

void redis_sentinel_start(struct redis_sentinel *group, const struct redis_sentinel_options *options)
{
    char known[64];
    *group = (struct redis_sentinel){0};
    if (options != NULL)
        group->options = *options;
    group->count = 1 + (group->options.replicas == 0 ? 1 : group->options.replicas);
    if (group->count > REDIS_SENTINEL_MAX_SERVERS)
        give_up("too many replicas", "");
    for (int i = 0; i < group->count; i++)
        start_server(group, i);
    for (int i = 1; i < group->count; i++)
        redis_sentinel_await_replica(group, i);
    for (int i = 0; i < REDIS_SENTINELS; i++)
        start_sentinel(group, &group->sentinels[i]);
    snprintf(known, sizeof(known), "slaves=%d,sentinels=%d", group->count - 1, REDIS_SENTINELS);
    for (int i = 0; i < REDIS_SENTINELS; i++)
        await_report(&group->sentinels[i], "sentinel", known);
    write_url(group);
}

void redis_sentinel_stop(struct redis_sentinel *group)
{
    for (int i = 0; i < REDIS_SENTINELS; i++)
        redis_server_stop(&group->sentinels[i]);
    for (int i = 0; i < group->count; i++)
        redis_server_stop(&group->servers[i]);
    group->count = 0;
}

int redis_sentinel_master_as_seen_by(const struct redis_sentinel *group, int sentinel)
{
    char answer[128];
    int port;
    if (!redis_server_ask(&group->sentinels[sentinel], answer, sizeof(answer), "SENTINEL",
                          "GET-MASTER-ADDR-BY-NAME", NAME, NULL) ||
        sscanf(answer, "127.0.0.1 %d", &port) != 1)
        return -1;
    for (int i = 0; i < group->count; i++)
        if (group->servers[i].port == port)
            return i;
    return -1;
}

/* It has begun a failover and not seen its end. If the new master is lost before that, this sentinel waits
 * for it for good, and for nobody else. */
static bool is_failing_over(const struct redis_server *sentinel)
{
    char answer[4096];
    return !redis_server_ask(sentinel, answer, sizeof(answer), "SENTINEL", "MASTER", NAME, NULL) ||
           strstr(answer, "failover_in_progress") != NULL;
}

/* The server that all sentinels which run name, -1: they differ, or one is not done. */
static int agreed_master(const struct redis_sentinel *group)
{
    int agreed = -1;
    for (int i = 0; i < REDIS_SENTINELS; i++) {
        if (group->sentinels[i].pid == 0)
            continue;
        int master = redis_sentinel_master_as_seen_by(group, i);
        if (master < 0 || (agreed >= 0 && agreed != master) || is_failing_over(&group->sentinels[i]))
            return -1;
        agreed = master;
    }
    return agreed;
}

int redis_sentinel_await_master(const struct redis_sentinel *group, int old)
{
    for (int i = 0; i < PATIENCE; i++) {
        int master = agreed_master(group);
        if (master >= 0 && master != old && reports(&group->servers[master], "replication", "role:master"))
            return master;
        redis_server_nap();
    }
    give_up("the sentinels do not agree on a master", group->url);
    return -1;
}

int redis_sentinel_failover(const struct redis_sentinel *group)
{
    char answer[128] = "no answer";
    int old = redis_sentinel_await_master(group, -1);
    for (int i = 0; i < PATIENCE; i++) {
        int asked = 0;
        while (group->sentinels[asked].pid == 0 && asked < REDIS_SENTINELS - 1)
            asked++;
        if (!redis_server_ask(&group->sentinels[asked], answer, sizeof(answer), "SENTINEL", "FAILOVER", NAME,
                              NULL))
            give_up("SENTINEL FAILOVER", "no answer");
        /* NOGOODSLAVE and INPROG pass. */
        if (answer[0] != '-')
            return redis_sentinel_await_master(group, old);
        redis_server_nap();
    }
    give_up("SENTINEL FAILOVER", answer);
    return -1;
}

void redis_sentinel_restart(struct redis_sentinel *group, int server)
{
    redis_server_run(&group->servers[server], NULL);
}
