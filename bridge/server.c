#include "server.h"
#include "server_worker.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Larger than what the features read, so that they can say what is wrong themselves. */
enum { MAX_ENTITY_BYTES = 4 * HTTP_MAX_BODY_BYTES };

struct server {
    struct app *app;
    h2o_globalconf_t config;
    int listen_fd, ended_fd;
    unsigned threads;
    struct worker *workers;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under the lock. */
    unsigned answered, serving, ended;
    bool draining;
    struct freshet_error error; /* of a worker that could not start */
};

/* ---- listening ---- */

static uint16_t port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_storage room;
    } address;
    socklen_t len = sizeof(address);
    if (getsockname(fd, &address.any, &len) != 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

int server_listen(const struct options *options, uint16_t *port, struct freshet_error *error)
{
    char service[8];
    int fd;
    snprintf(service, sizeof(service), "%u", (unsigned)options->port);
    if (freshet_h2o_bind(&fd, options->host, service, error) == FRESHET_OK)
        *port = port_of(fd);
    return fd;
}

/* ---- configuration ---- */

/* Each end of a stream, for those who ask for it. */
static void on_stream_end(const struct freshet_stream_end *end, void *user)
{
    struct app *app = user;
    log_line(&app->log, FRESHET_LOG_DEBUG, "stream of %.*s to %.*s ended after %llu ms, %llu bytes: %s",
             (int)end->topic.len, end->topic.data, (int)end->peer.len, end->peer.data,
             (unsigned long long)end->duration_ms, (unsigned long long)end->bytes,
             freshet_close_reason_text(end->reason));
}

static enum freshet_status configure(struct server *server, struct freshet_error *error)
{
    const struct freshet_h2o_header instance = {"x-instance", server->app->instance};
    struct freshet_h2o_mount_options mount = {
        .size = sizeof(mount),
        .headers = &instance,
        .header_count = 1,
        .origins = server->app->options->origins[0] == NULL ? NULL : server->app->options->origins,
        .stream_end = on_stream_end,
        .user = server->app};
    h2o_config_init(&server->config);
    freshet_h2o_harden(&server->config);
    server->config.max_request_entity_size = MAX_ENTITY_BYTES;
    h2o_hostconf_t *host =
        h2o_config_register_host(&server->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    /* The first path that fits is taken. */
    h2o_pathconf_t *live = h2o_config_register_path(host, "/live", 0);
    http_check_host(live, server->app->names, server->app->instance);
    enum freshet_status status = freshet_h2o_mount(server->app->freshet, live, &mount, error);
    if (status == FRESHET_INVALID) {
        struct freshet_error detail = *error;
        snprintf(error->text, sizeof(error->text), "--allow-origin: %.200s", detail.text);
    }
    if (status != FRESHET_OK)
        return status;
    h2o_pathconf_t *rest = h2o_config_register_path(host, "/", 0);
    http_check_host(rest, server->app->names, server->app->instance);
    freshet_h2o_serve_script(rest);
    server->app->router = http_router_new(rest, server->app->instance);
    http_allow_origins(server->app->router, server->app->options->origins);
    freshet_h2o_harden_paths(&server->config);
    return FRESHET_OK;
}

enum freshet_status server_new(struct server **out, struct app *app, int listen_fd, unsigned threads,
                               struct freshet_error *error)
{
    struct server *server = calloc(1, sizeof(*server));
    *out = NULL;
    if (server != NULL)
        server->workers = calloc(threads, sizeof(*server->workers));
    if (server == NULL || server->workers == NULL) {
        strcpy(error->text, "no memory for the server");
        free(server);
        close(listen_fd);
        return FRESHET_NO_MEMORY;
    }
    server->app = app;
    server->listen_fd = listen_fd;
    server->threads = threads;
    server->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, NULL);
    enum freshet_status status = configure(server, error);
    if (status == FRESHET_OK && server->ended_fd < 0) {
        strcpy(error->text, "no eventfd");
        status = FRESHET_SYSTEM;
    }
    if (status == FRESHET_OK)
        *out = server;
    else
        server_destroy(server);
    return status;
}

/* ---- workers ---- */

static void on_started(void *user, enum freshet_status status, const struct freshet_error *error)
{
    struct server *server = user;
    pthread_mutex_lock(&server->lock);
    server->answered++;
    if (status == FRESHET_OK)
        server->serving++;
    else
        server->error = *error;
    pthread_cond_signal(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static void on_ended(void *user)
{
    struct server *server = user;
    pthread_mutex_lock(&server->lock);
    bool last = ++server->ended == server->serving;
    pthread_mutex_unlock(&server->lock);
    if (last)
        eventfd_write(server->ended_fd, 1);
}

static enum freshet_status start_worker(struct server *server, struct worker *worker)
{
    worker->app = server->app;
    worker->config = &server->config;
    worker->events = (struct worker_events){.started = on_started, .ended = on_ended, .user = server};
    worker->listen_fd = fcntl(server->listen_fd, F_DUPFD_CLOEXEC, 3);
    return worker->listen_fd < 0 ? FRESHET_SYSTEM : worker_start(worker);
}

enum freshet_status server_run(struct server *server, struct freshet_error *error)
{
    unsigned begun = 0;
    while (begun < server->threads && start_worker(server, &server->workers[begun]) == FRESHET_OK)
        begun++;
    /* The workers have duplicates: the socket must go when they close theirs. */
    close(server->listen_fd);
    server->listen_fd = -1;
    pthread_mutex_lock(&server->lock);
    while (server->answered < begun)
        pthread_cond_wait(&server->changed, &server->lock);
    bool all = server->serving == server->threads;
    pthread_mutex_unlock(&server->lock);
    if (all)
        return FRESHET_OK;
    snprintf(error->text, sizeof(error->text), "%u of %u threads could not start: %.100s",
             server->threads - server->serving, server->threads,
             server->error.text[0] == '\0' ? "no thread" : server->error.text);
    return FRESHET_SYSTEM;
}

void server_drain(struct server *server, uint32_t deadline_ms, uint32_t spread_ms)
{
    pthread_mutex_lock(&server->lock);
    unsigned serving = server->draining ? 0 : server->serving;
    server->draining = true;
    pthread_mutex_unlock(&server->lock);
    for (unsigned i = 0; i < serving; i++)
        worker_drain(&server->workers[i], deadline_ms, spread_ms);
}

int server_ended_fd(const struct server *server)
{
    return server->ended_fd;
}

void server_destroy(struct server *server)
{
    if (server == NULL)
        return;
    for (unsigned i = 0; i < server->serving; i++)
        pthread_join(server->workers[i].thread, NULL);
    h2o_config_dispose(&server->config);
    if (server->ended_fd >= 0)
        close(server->ended_fd);
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server->workers);
    free(server);
}
