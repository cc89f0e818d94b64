/* One thread with one h2o loop. */
#ifndef BRIDGE_SERVER_WORKER_H
#define BRIDGE_SERVER_WORKER_H

#include "app.h"
#include <freshet/h2o.h>
#include <pthread.h>

enum worker_state {
    WORKER_STARTING = 0,
    WORKER_SERVING,
    WORKER_DRAINING, /* no new connections; streams are being ended */
    WORKER_CLOSING,  /* streams have ended; answers under way are awaited, then connections close */
    WORKER_ENDED
};

/* Told on the worker's thread, when it serves or could not, and when it has ended. */
struct worker_events {
    void (*started)(void *user, enum freshet_status status, const struct freshet_error *error);
    void (*ended)(void *user);
    void *user;
};

struct worker {
    /* Set before the thread starts. */
    struct app *app;
    h2o_globalconf_t *config;
    int listen_fd; /* its own duplicate */
    struct worker_events events;
    pthread_t thread;

    /* The loop's. */
    enum worker_state state;
    h2o_context_t context;
    struct freshet_h2o_listener *listener;
    h2o_multithread_receiver_t orders; /* from other threads */
    h2o_timeout_entry_t tick;
    h2o_linklist_t connections;
    struct freshet_h2o_worker *streams;
    int64_t cut_at_ms; /* CLOCK_MONOTONIC: connections that are still open are cut */
};

/* Starts the thread; FRESHET_SYSTEM if there is none. `started` follows otherwise, and `ended` if it served.
 */
enum freshet_status worker_start(struct worker *worker);

/* Any thread, between `started` and `ended`; once. */
void worker_drain(struct worker *worker, uint32_t deadline_ms, uint32_t spread_ms);

#endif
