/* A loop becomes a worker of a freshet and stops being one. */
#include "base/log.h"
#include "web/h2o/socket.h"
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

static bool is_mount_of(const struct fr_h2o_mount *mount, const struct freshet *freshet)
{
    return mount != NULL && mount->freshet == freshet;
}

static bool add_mount_worker(struct freshet_h2o_worker *worker, struct fr_h2o_mount *mount)
{
    struct fr_h2o_mount_worker *mount_worker = calloc(1, sizeof(*mount_worker));
    if (mount_worker == NULL)
        return false;
    const struct freshet_h2o_mount_options *options = &mount->options;
    mount_worker->worker = worker;
    mount_worker->mount = mount;
    mount_worker->plain = (struct fr_stream_config){.group = &worker->group,
                                                    .ops = &fr_h2o_stream_ops,
                                                    .heartbeat = mount->heartbeat,
                                                    .heartbeat_ms = options->heartbeat_ms,
                                                    .max_age_ms = options->max_age_ms,
                                                    .write_timeout_ms = options->write_timeout_ms,
                                                    .retry_min_ms = options->retry_min_ms,
                                                    .retry_max_ms = options->retry_max_ms,
                                                    .user = mount_worker};
    mount_worker->gzip = mount_worker->plain;
    mount_worker->gzip.gzip_at = FR_H2O_GZIP_AT;
    mount_worker->next = worker->mount_workers;
    worker->mount_workers = mount_worker;
    return true;
}

/* The freshet's mounts on one path. */
static enum freshet_status add_path(struct freshet_h2o_worker *worker, const struct freshet *freshet,
                                    const h2o_pathconf_t *path)
{
    for (size_t i = 0; i < path->handlers.size; i++) {
        struct fr_h2o_mount *mount = fr_h2o_mount_of(path->handlers.entries[i]);
        if (!is_mount_of(mount, freshet))
            continue;
        if (h2o_context_get_handler_context(worker->context, &mount->super) != NULL)
            return FRESHET_CONFLICT;
        if (!add_mount_worker(worker, mount))
            return FRESHET_NO_MEMORY;
    }
    return FRESHET_OK;
}

static enum freshet_status add_mount_workers(struct freshet_h2o_worker *worker, const struct freshet *freshet)
{
    enum freshet_status status = FRESHET_OK;
    h2o_hostconf_t **host = worker->context->globalconf->hosts;
    for (; *host != NULL && status == FRESHET_OK; host++) {
        for (size_t i = 0; i < (*host)->paths.size && status == FRESHET_OK; i++)
            status = add_path(worker, freshet, &(*host)->paths.entries[i]);
        if (status == FRESHET_OK)
            status = add_path(worker, freshet, &(*host)->fallback_path);
    }
    return status;
}

/* From here on requests find the worker; `joined` false: no more. */
static void bind_mount_workers(struct freshet_h2o_worker *worker, bool joined)
{
    for (struct fr_h2o_mount_worker *mount_worker = worker->mount_workers; mount_worker != NULL;
         mount_worker = mount_worker->next)
        h2o_context_set_handler_context(worker->context, &mount_worker->mount->super,
                                        joined ? mount_worker : NULL);
}

static h2o_socket_t *watch(struct freshet_h2o_worker *worker, int fd, h2o_socket_cb callback)
{
    h2o_socket_t *sock = h2o_evloop_socket_create(worker->context->loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    sock->data = worker;
    h2o_socket_read_start(sock, callback);
    return sock;
}

static void destroy(struct freshet_h2o_worker *worker)
{
    struct fr_h2o_mount_worker *mount_worker = worker->mount_workers;
    while (mount_worker != NULL) {
        struct fr_h2o_mount_worker *next = mount_worker->next;
        free(mount_worker);
        mount_worker = next;
    }
    fr_encoder_destroy(worker->group.encoder);
    h2o_timeout_unlink(&worker->soon);
    if (worker->timer != NULL)
        h2o_socket_close(worker->timer);
    if (worker->event != NULL)
        h2o_socket_close(worker->event);
    free(worker);
}

/* The two descriptors. */
static enum freshet_status open_watches(struct freshet_h2o_worker *worker)
{
    worker->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->event_fd < 0)
        return FRESHET_SYSTEM;
    worker->event = watch(worker, worker->event_fd, fr_h2o_worker_on_event);
    int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (timer_fd < 0)
        return FRESHET_SYSTEM;
    worker->timer = watch(worker, timer_fd, fr_h2o_worker_on_timer);
    return FRESHET_OK;
}

static void init_worker(struct freshet_h2o_worker *worker, h2o_context_t *context)
{
    worker->thread = pthread_self();
    worker->context = context;
    worker->soon.cb = fr_h2o_worker_on_soon;
    worker->armed_us = INT64_MAX;
    worker->deadline_us = INT64_MAX;
    worker->state = FR_H2O_SERVING;
}

static enum freshet_status start(struct freshet_h2o_worker *worker, struct freshet *freshet)
{
    enum freshet_status status = add_mount_workers(worker, freshet);
    if (status == FRESHET_OK)
        status = open_watches(worker);
    if (status != FRESHET_OK)
        return status;
    /* The core may call `wake` from now on. */
    struct fr_worker_host host = fr_h2o_worker_host;
    host.user = worker;
    status = fr_worker_new(&worker->core, freshet, &host);
    if (status != FRESHET_OK)
        return status;
    worker->group.worker = worker->core;
    worker->group.encoder = fr_encoder_new(worker->core);
    if (worker->group.encoder == NULL) {
        fr_worker_leave(worker->core);
        return FRESHET_NO_MEMORY;
    }
    fr_h2o_worker_tick(worker);
    fr_wheel_init(&worker->group.wheel, worker->group.now_ms);
    fr_list_init(&worker->visits);
    fr_h2o_worker_rearm(worker);
    bind_mount_workers(worker, true);
    return FRESHET_OK;
}

/* h2o and OpenSSL write without MSG_NOSIGNAL. The process's handling of the signal is not ours to change. */
static void block_sigpipe(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static const char *failure_text(enum freshet_status status)
{
    switch (status) {
    case FRESHET_CONFLICT:
        return "this context has joined before";
    case FRESHET_SYSTEM:
        return strerror(errno);
    default:
        return freshet_status_text(status);
    }
}

enum freshet_status freshet_h2o_worker_join(struct freshet *freshet, struct st_h2o_context_t *context,
                                            struct freshet_h2o_worker **out, struct freshet_error *error)
{
    if (out != NULL)
        *out = NULL;
    if (freshet == NULL || context == NULL || out == NULL)
        return fr_fail(error, FRESHET_INVALID, "`%s` is NULL",
                       freshet == NULL   ? "freshet"
                       : context == NULL ? "context"
                                         : "out");
    struct freshet_h2o_worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL)
        return fr_fail(error, FRESHET_NO_MEMORY, "%s", failure_text(FRESHET_NO_MEMORY));
    init_worker(worker, context);
    enum freshet_status status = start(worker, freshet);
    if (status != FRESHET_OK) {
        fr_fail(error, status, "%s", failure_text(status));
        destroy(worker);
        return status;
    }
    block_sigpipe();
    *out = worker;
    return FRESHET_OK;
}

void freshet_h2o_worker_leave(struct freshet_h2o_worker *worker)
{
    if (worker == NULL)
        return;
    assert(worker->state == FR_H2O_DRAINED && "drain comes first");
    bind_mount_workers(worker, false);
    fr_worker_leave(worker->core);
    destroy(worker);
}
