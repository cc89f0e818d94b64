#include "server_worker.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    STACK_BYTES = 8 * 1024 * 1024, /* h2o puts whole request heads on the stack */
    CLOSE_GRACE_MS = 300           /* for clients to close by themselves */
};

/* An accepted connection, also after a stream has taken its socket. */
struct connection {
    h2o_linklist_t link;
    h2o_socket_t *socket;
};

/* From server_drain(). */
struct order {
    h2o_multithread_message_t message;
    uint32_t deadline_ms, spread_ms;
};

/* ---- connections ---- */

static void forget_connection(void *data)
{
    struct connection *connection = data;
    h2o_linklist_unlink(&connection->link);
    free(connection);
}

static bool remember_connection(h2o_socket_t *socket, void *user)
{
    struct worker *worker = user;
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return false;
    connection->socket = socket;
    h2o_linklist_insert(&worker->connections, &connection->link);
    socket->on_close.cb = forget_connection;
    socket->on_close.data = connection;
    return true;
}

static void start_tick(struct worker *worker)
{
    if (!h2o_timeout_is_linked(&worker->tick))
        h2o_timeout_link(worker->context.loop, &worker->context.hundred_ms_timeout, &worker->tick);
}

/* ---- the end ---- */

/* h2o's own clock is the wall's, which somebody may set. */
static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int shut_idle(h2o_req_t *request, void *data)
{
    (void)data;
    if (request->version == 0) /* none has been read */
        shutdown(h2o_socket_get_fd(request->conn->callbacks->get_socket(request->conn)), SHUT_RDWR);
    return 0;
}

static void cut_connections(struct worker *worker)
{
    for (h2o_linklist_t *at = worker->connections.next; at != &worker->connections; at = at->next) {
        struct connection *connection = H2O_STRUCT_FROM_MEMBER(struct connection, link, at);
        shutdown(h2o_socket_get_fd(connection->socket), SHUT_RDWR);
    }
}

static void on_drained(struct freshet_h2o_worker *streams, void *user)
{
    struct worker *worker = user;
    (void)streams;
    worker->state = WORKER_CLOSING;
}

static void begin_drain(struct worker *worker, uint32_t deadline_ms, uint32_t spread_ms)
{
    worker->state = WORKER_DRAINING;
    freshet_h2o_listener_close(worker->listener);
    worker->cut_at_ms = now_ms() + deadline_ms + CLOSE_GRACE_MS;
    h2o_context_request_shutdown(&worker->context);
    start_tick(worker);
    freshet_h2o_worker_drain(worker->streams, deadline_ms, spread_ms, on_drained, worker);
}

static void on_order(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    struct worker *worker = H2O_STRUCT_FROM_MEMBER(struct worker, orders, receiver);
    while (!h2o_linklist_is_empty(messages)) {
        struct order *order = H2O_STRUCT_FROM_MEMBER(struct order, message.link, messages->next);
        h2o_linklist_unlink(&order->message.link);
        if (worker->state == WORKER_SERVING)
            begin_drain(worker, order->deadline_ms, order->spread_ms);
        free(order);
    }
}

static void on_tick(h2o_timeout_entry_t *entry)
{
    struct worker *worker = H2O_STRUCT_FROM_MEMBER(struct worker, tick, entry);
    if (worker->state < WORKER_DRAINING)
        return;
    worker->config->http1.callbacks.foreach_request(&worker->context, shut_idle, NULL);
    if (now_ms() >= worker->cut_at_ms)
        cut_connections(worker);
    start_tick(worker);
}

static bool has_ended(const struct worker *worker)
{
    return worker->state == WORKER_CLOSING && worker->connections.next == &worker->connections &&
           http_pending(worker->app->router, (h2o_context_t *)&worker->context) == 0;
}

/* ---- the thread ---- */

/* Everything of h2o is made in the thread that uses it: sockets take buffers from its pools. */
static enum freshet_status set_up(struct worker *worker, struct freshet_error *error)
{
    h2o_linklist_init_anchor(&worker->connections);
    h2o_context_init(&worker->context, h2o_evloop_create(), worker->config);
    enum freshet_status status =
        freshet_h2o_worker_join(worker->app->freshet, &worker->context, &worker->streams, error);
    if (status != FRESHET_OK)
        return status;
    worker->tick.cb = on_tick;
    h2o_multithread_register_receiver(worker->context.queue, &worker->orders, on_order);
    struct freshet_h2o_listen_options options = {
        .size = sizeof(options), .accepted = remember_connection, .user = worker, .log = worker->app->log};
    status = freshet_h2o_listen(&worker->listener, &worker->context, worker->listen_fd, &options, error);
    if (status != FRESHET_OK)
        return status;
    worker->state = WORKER_SERVING;
    return FRESHET_OK;
}

static void tear_down(struct worker *worker)
{
    h2o_loop_t *loop = worker->context.loop;
    h2o_multithread_queue_t *queue = worker->context.queue;
    freshet_h2o_worker_leave(worker->streams);
    h2o_timeout_unlink(&worker->tick);
    /* h2o_context_dispose() asserts that it does not run. */
    h2o_timeout_unlink(&worker->context.http2._graceful_shutdown_timeout);
    h2o_multithread_unregister_receiver(worker->context.queue, &worker->orders);
    h2o_context_dispose(&worker->context);
    free(queue); /* h2o 2.2.5 forgets it */
    h2o_evloop_run(loop, 0);
    h2o_evloop_destroy(loop);
    worker->state = WORKER_ENDED;
}

static void *run(void *argument)
{
    struct worker *worker = argument;
    struct freshet_error error = {""};
    enum freshet_status status = set_up(worker, &error);
    worker->events.started(worker->events.user, status, &error);
    if (status != FRESHET_OK)
        return NULL; /* the program ends */
    while (!has_ended(worker)) {
        if (h2o_evloop_run(worker->context.loop, INT32_MAX) != 0 && errno != EINTR)
            abort();
    }
    tear_down(worker);
    worker->events.ended(worker->events.user);
    return NULL;
}

enum freshet_status worker_start(struct worker *worker)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return FRESHET_SYSTEM;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    int failed = pthread_create(&worker->thread, &attributes, run, worker);
    pthread_attr_destroy(&attributes);
    return failed == 0 ? FRESHET_OK : FRESHET_SYSTEM;
}

void worker_drain(struct worker *worker, uint32_t deadline_ms, uint32_t spread_ms)
{
    struct order *order = calloc(1, sizeof(*order));
    if (order == NULL)
        abort(); /* asked to end, and not even that is possible */
    order->deadline_ms = deadline_ms;
    order->spread_ms = spread_ms;
    h2o_multithread_send_message(&worker->orders, &order->message);
}
