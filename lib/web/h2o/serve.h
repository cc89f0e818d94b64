/* What freshet_h2o_serve() is made of. */
#ifndef FR_H2O_SERVE_H
#define FR_H2O_SERVE_H

#include "base/list.h"
#include "web/h2o/web.h"

/* An event loop for a context of `config`, before h2o_context_init() of any. One thread at a time. */
h2o_loop_t *fr_h2o_loop_take(h2o_globalconf_t *config);
/* Its context is disposed. What of the configuration still hangs on the loop has it kept for the next who
 * takes one, or until the configuration is disposed. */
void fr_h2o_loop_give(h2o_globalconf_t *config, h2o_loop_t *loop);

/* What all loops of one call share. */
struct fr_h2o_server {
    struct freshet *freshet;
    h2o_globalconf_t *config;
    struct freshet_h2o_serve_options options; /* defaults filled in */
    int stop_fd;                              /* an eventfd: each loop ends when it is readable */
};

enum fr_h2o_loop_state {
    FR_H2O_LOOP_SERVING = 0,
    FR_H2O_LOOP_DRAINING, /* no new connections; streams are being ended */
    FR_H2O_LOOP_CLOSING /* streams have ended; the other connections close when their requests are answered */
};

/* One of its loops; all of it belongs to the thread that runs it. */
struct fr_h2o_serving {
    struct fr_h2o_server *server;
    h2o_loop_t *loop;
    int listen_fd; /* its own duplicate */
    bool first;    /* watches options.stop_fd for all */
    pthread_t thread;
    enum freshet_status status; /* how it went */
    struct freshet_error error;

    enum fr_h2o_loop_state state;
    h2o_context_t context;
    struct freshet_h2o_listener *listener;
    struct freshet_h2o_worker *worker;
    h2o_socket_t *stop, *asked; /* server->stop_fd; options.stop_fd of the first. NULL: none */
    h2o_timeout_entry_t tick;
    struct fr_list connections;
    int64_t cut_us; /* connections that are still open are cut; monotonic */
};

/* Serves until the end has been asked for and nothing is left, or until it could not start. */
void fr_h2o_serving_run(struct fr_h2o_serving *serving);

#endif
