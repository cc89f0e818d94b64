/* All that this library has to know of h2o 2.2.5's private layout, so that another version needs one other
 * file. */
#ifndef FR_H2O_LAYOUT_H
#define FR_H2O_LAYOUT_H

#include <h2o.h>
#include <stdbool.h>

/* Whether the client has ended its side of TLS. h2o does not tell of close_notify, and what a client sends
 * behind it would pile up in h2o's buffer. */
bool fr_h2o_layout_has_close_notify(const h2o_socket_t *sock);

/* h2o_context_dispose() with what it forgets: a timer that it asserts not to run, and its queue. Then one
 * round of the loop, which frees the sockets that were closed. */
void fr_h2o_layout_dispose_context(h2o_context_t *context);

/* Whether somebody still has a timer on the loop: h2o_evloop_destroy() asserts that nobody does. */
bool fr_h2o_layout_has_timers(const h2o_loop_t *loop);
/* Takes those off that somebody will unlink later: they are alone then. */
void fr_h2o_layout_let_timers_go(h2o_loop_t *loop);
/* h2o_evloop_destroy(), and the loop's descriptor, which that forgets. */
void fr_h2o_layout_destroy_loop(h2o_loop_t *loop);

#endif
