/* /admin: a page that shows how the instances go, live, by streams of its own, and that publishes. */
#ifndef BRIDGE_ADMIN_H
#define BRIDGE_ADMIN_H

#include "common/app.h"

struct admin;

/* For who has the token, which outlives it; NULL: nothing is served, and *out is NULL. Before the workers
 * start. *out is to be given to the two below in any case. */
enum freshet_status admin_start(struct admin **out, struct app *app, const char *token,
                                struct freshet_error *error);
/* Publishes nothing more; before the freshet is destroyed. NULL is fine, here and below. */
void admin_end(struct admin *admin);
/* After the freshet. */
void admin_destroy(struct admin *admin);

#endif
