/* A whole server, for applications that need nothing of their own around it. */
#include "web/h2o/serve.h"
#include "base/log.h"
#include "base/options.h"
#include "base/thread.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DEFAULT_DRAIN_DEADLINE_MS 5000
#define DEFAULT_DRAIN_SPREAD_MS   2000
#define MOST_THREADS              1024

struct st_h2o_hostconf_t *freshet_h2o_config_init(struct st_h2o_globalconf_t *config)
{
    if (config == NULL)
        return NULL;
    h2o_config_init(config);
    h2o_hostconf_t *host = h2o_config_register_host(config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    freshet_h2o_harden(config);
    return host;
}

/* ---- threads ---- */

static void *run(void *serving)
{
    fr_h2o_serving_run(serving);
    return NULL;
}

/* The first loop runs in this thread; the others' have ended when it returns. */
static void run_all(struct fr_h2o_server *server, struct fr_h2o_serving *servings)
{
    unsigned started = 1, threads = server->options.threads;
    while (started < threads && fr_thread_start(&servings[started].thread, run, &servings[started]))
        started++;
    if (started < threads) {
        servings[started].status = fr_fail(&servings[started].error, FRESHET_SYSTEM,
                                           "thread %u of %u could not be started", started + 1, threads);
        eventfd_write(server->stop_fd, 1);
    }
    fr_h2o_serving_run(&servings[0]);
    for (unsigned i = 1; i < started; i++)
        pthread_join(servings[i].thread, NULL);
}

/* Takes `fd` over: the first has it, the others duplicates, so that it goes when they close theirs. */
static enum freshet_status prepare(struct fr_h2o_server *server, struct fr_h2o_serving *servings, int fd,
                                   struct freshet_error *error)
{
    for (unsigned i = 0; i < server->options.threads; i++) {
        servings[i].server = server;
        servings[i].first = i == 0;
        servings[i].listen_fd = i == 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (servings[i].listen_fd < 0)
            return fr_fail(error, FRESHET_SYSTEM, "the listening socket: %s", strerror(errno));
    }
    server->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->stop_fd < 0)
        return fr_fail(error, FRESHET_SYSTEM, "eventfd: %s", strerror(errno));
    return FRESHET_OK;
}

/* Loops are given back when all have ended: what a handler keeps on one is used from the others. */
static enum freshet_status serve(struct fr_h2o_server *server, struct fr_h2o_serving *servings,
                                 struct freshet_error *error)
{
    enum freshet_status status = FRESHET_OK;
    unsigned threads = server->options.threads;
    freshet_h2o_harden_paths(server->config);
    for (unsigned i = 0; i < threads; i++)
        servings[i].loop = fr_h2o_loop_take(server->config);
    run_all(server, servings);
    for (unsigned i = 0; i < threads; i++) {
        fr_h2o_loop_give(server->config, servings[i].loop);
        if (status == FRESHET_OK && servings[i].status != FRESHET_OK)
            status = fr_fail(error, servings[i].status, "%s", servings[i].error.text);
    }
    return status;
}

/* ---- the call ---- */

static enum freshet_status fill_options(struct freshet_h2o_serve_options *into,
                                        const struct freshet_h2o_serve_options *from,
                                        struct freshet_error *error)
{
    if (from != NULL && from->size != sizeof(*from))
        return fr_fail(error, FRESHET_INVALID, "size: must be sizeof(struct freshet_h2o_serve_options)");
    if (from != NULL)
        *into = *from;
    if (into->threads > MOST_THREADS)
        return fr_fail(error, FRESHET_INVALID, "threads: must be at most %d", MOST_THREADS);
    fr_option_default(&into->threads, 1);
    fr_option_default(&into->drain_deadline_ms, DEFAULT_DRAIN_DEADLINE_MS);
    fr_option_default(&into->drain_spread_ms, DEFAULT_DRAIN_SPREAD_MS);
    return FRESHET_OK;
}

static enum freshet_status check(const struct freshet *freshet, const h2o_globalconf_t *config,
                                 struct freshet_error *error)
{
    if (freshet == NULL)
        return fr_fail(error, FRESHET_INVALID, "`freshet` is NULL");
    if (config == NULL)
        return fr_fail(error, FRESHET_INVALID, "`config` is NULL");
    if (config->hosts == NULL || config->hosts[0] == NULL)
        return fr_fail(error, FRESHET_INVALID, "`config` has no host");
    return FRESHET_OK;
}

/* Takes `fd` over. */
static enum freshet_status serve_on(struct fr_h2o_server *server, int fd, struct freshet_error *error)
{
    unsigned threads = server->options.threads;
    struct fr_h2o_serving *servings = calloc(threads, sizeof(*servings));
    if (servings == NULL) {
        close(fd);
        return fr_fail(error, FRESHET_NO_MEMORY, "no memory");
    }
    enum freshet_status status = prepare(server, servings, fd, error);
    if (status == FRESHET_OK)
        status = serve(server, servings, error);
    for (unsigned i = 0; i < threads; i++)
        if (servings[i].server != NULL && servings[i].listen_fd >= 0)
            close(servings[i].listen_fd); /* that no loop came to listen on */
    if (server->stop_fd >= 0)
        close(server->stop_fd);
    free(servings);
    return status;
}

enum freshet_status freshet_h2o_serve(struct freshet *freshet, struct st_h2o_globalconf_t *config,
                                      const char *host, const char *port,
                                      const struct freshet_h2o_serve_options *options,
                                      struct freshet_error *error)
{
    struct fr_h2o_server server = {.freshet = freshet, .config = config, .stop_fd = -1};
    enum freshet_status status = fill_options(&server.options, options, error);
    int fd = server.options.listen_fd;
    if (status == FRESHET_OK)
        status = check(freshet, config, error);
    if (status == FRESHET_OK && fd == 0)
        status = freshet_h2o_bind(&fd, host, port, error);
    if (status == FRESHET_OK)
        return serve_on(&server, fd, error);
    if (fd > 0)
        close(fd);
    return status;
}
