/* Threads that each run an h2o loop over one listening socket: freshet_h2o_serve() in a thread of its own, so
 * that main() is left to signals. */
#ifndef BRIDGE_SERVER_H
#define BRIDGE_SERVER_H

#include "common/app.h"
#include "common/options.h"
#include <freshet/h2o.h>
#include <stddef.h>

/* A listening socket at the options' address; *port is the one it got. -1: `error` says why. */
int server_listen(const struct options *options, uint16_t *port, struct freshet_error *error);

struct server;

/* `tls` NULL: plain http; it has to outlive the server. Configures h2o: the freshet's streams under /live,
 * everything else through app->router, which this makes. Takes the listening socket over, also on failure,
 * after which the program ends. Routes may be added until server_run(). */
enum freshet_status server_new(struct server **out, struct app *app, int listen_fd, struct ssl_ctx_st *tls,
                               uint32_t drain_deadline_ms, struct freshet_error *error);

/* Begins to serve; once. */
enum freshet_status server_run(struct server *server, struct freshet_error *error);

/* Begins to end: no new connections, streams get `going-away`, what is left at the deadline is cut. Any
 * thread; a second call does nothing. */
void server_stop(struct server *server);

/* A descriptor that becomes readable when all threads have ended: told to, or because one could not start. */
int server_ended_fd(const struct server *server);

/* Waits for that end: FRESHET_OK if it was asked for. */
enum freshet_status server_join(struct server *server, struct freshet_error *error);

/* After server_join(). */
void server_destroy(struct server *server);

#endif
