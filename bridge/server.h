/* Threads that each run an h2o loop over one listening socket. */
#ifndef BRIDGE_SERVER_H
#define BRIDGE_SERVER_H

#include "app.h"
#include "options.h"
#include <freshet/h2o.h>
#include <stddef.h>

/* A listening socket at the options' address; *port is the one it got. -1: `error` says why. */
int server_listen(const struct options *options, uint16_t *port, struct freshet_error *error);

struct server;

/* Configures h2o: the freshet's streams under /live, everything else through app->router, which this makes.
 * Takes the listening socket over, also on failure. Routes may be added until server_run(). */
enum freshet_status server_new(struct server **out, struct app *app, int listen_fd, unsigned threads,
                               struct freshet_error *error);

/* Starts the threads and returns when all of them serve. On failure those that run have to be drained, too.
 */
enum freshet_status server_run(struct server *server, struct freshet_error *error);

/* Begins to end: no new connections, streams get `going-away`, what is left after `deadline_ms` is cut. Any
 * thread; a second call does nothing. */
void server_drain(struct server *server, uint32_t deadline_ms, uint32_t spread_ms);

/* A descriptor that becomes readable when all threads have ended. */
int server_ended_fd(const struct server *server);

/* Waits for the threads; they must have been drained. NULL is fine. */
void server_destroy(struct server *server);

#endif
