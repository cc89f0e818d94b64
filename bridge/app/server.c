#include "app/server.h"
#include "http/http.h"
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Larger than what the features read, so that they can say what is wrong themselves. */
enum { MAX_ENTITY_BYTES = 4 * HTTP_MAX_BODY_BYTES };

struct server {
    struct app *app;
    h2o_globalconf_t config;
    struct freshet_h2o_serve_options options;
    int ended_fd;
    pthread_t thread;
    /* Set when it has ended. */
    enum freshet_status status;
    struct freshet_error error;
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
    const struct library_options *library = &server->app->options->library;
    struct freshet_h2o_mount_options mount = {
        .size = sizeof(mount),
        .heartbeat_ms = library->heartbeat_ms,
        .max_age_ms = library->max_age_ms,
        .write_timeout_ms = library->write_timeout_ms,
        .headers = &instance,
        .header_count = 1,
        .origins = server->app->options->origins[0] == NULL ? NULL : server->app->options->origins,
        .gzip = server->app->options->no_gzip ? FRESHET_H2O_GZIP_NEVER : FRESHET_H2O_GZIP_DEFAULT,
        .proxies = server->app->options->proxies[0] == NULL ? NULL : server->app->options->proxies,
        .stream_end = on_stream_end,
        .user = server->app};
    h2o_hostconf_t *host = freshet_h2o_config_init(&server->config);
    server->config.max_request_entity_size = MAX_ENTITY_BYTES;
    /* The first path that fits is taken. */
    h2o_pathconf_t *live = h2o_config_register_path(host, "/live", 0);
    http_check_host(live, server->app->names, server->app->instance);
    enum freshet_status status = freshet_h2o_mount(server->app->freshet, live, &mount, error);
    if (status == FRESHET_INVALID) {
        struct freshet_error detail = *error;
        bool of_proxies = strncmp(detail.text, "proxies", strlen("proxies")) == 0;
        snprintf(error->text, sizeof(error->text), "--%s: %.200s",
                 of_proxies ? "trust-proxy" : "allow-origin", detail.text);
    }
    if (status != FRESHET_OK)
        return status;
    h2o_pathconf_t *rest = h2o_config_register_path(host, "/", 0);
    http_check_host(rest, server->app->names, server->app->instance);
    freshet_h2o_serve_script(rest);
    server->app->router = http_router_new(rest, server->app->instance);
    http_allow_origins(server->app->router, server->app->options->origins);
    return FRESHET_OK;
}

enum freshet_status server_new(struct server **out, struct app *app, int listen_fd, struct ssl_ctx_st *tls,
                               uint32_t drain_deadline_ms, struct freshet_error *error)
{
    struct server *server = *out = calloc(1, sizeof(*server));
    if (server == NULL) {
        strcpy(error->text, "no memory for the server");
        close(listen_fd);
        return FRESHET_NO_MEMORY;
    }
    server->app = app;
    server->options = (struct freshet_h2o_serve_options){.size = sizeof(server->options),
                                                         .stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                                                         .listen_fd = listen_fd,
                                                         .threads = app->options->threads,
                                                         .tls = tls,
                                                         .drain_deadline_ms = drain_deadline_ms,
                                                         .log = app->log};
    server->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->options.stop_fd >= 0 && server->ended_fd >= 0)
        return configure(server, error);
    strcpy(error->text, "no eventfd");
    return FRESHET_SYSTEM;
}

/* ---- running ---- */

static void *run(void *user)
{
    struct server *server = user;
    server->status = freshet_h2o_serve(server->app->freshet, &server->config, NULL, NULL, &server->options,
                                       &server->error);
    eventfd_write(server->ended_fd, 1);
    return NULL;
}

enum freshet_status server_run(struct server *server, struct freshet_error *error)
{
    if (pthread_create(&server->thread, NULL, run, server) == 0)
        return FRESHET_OK;
    strcpy(error->text, "no thread for the server");
    return FRESHET_SYSTEM;
}

void server_stop(struct server *server)
{
    eventfd_write(server->options.stop_fd, 1);
}

int server_ended_fd(const struct server *server)
{
    return server->ended_fd;
}

enum freshet_status server_join(struct server *server, struct freshet_error *error)
{
    pthread_join(server->thread, NULL);
    *error = server->error;
    return server->status;
}

void server_destroy(struct server *server)
{
    h2o_config_dispose(&server->config);
    close(server->ended_fd);
    close(server->options.stop_fd);
    free(server);
}
