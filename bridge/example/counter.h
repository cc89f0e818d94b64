/* The feature of counter.c: a counter that every instance shows. */
#ifndef BRIDGE_COUNTER_H
#define BRIDGE_COUNTER_H

#include "common/app.h"

struct counter;

/* Registers its loader and its routes. Before the workers start. FRESHET_OK; or a status with `error`, and
 * *out is NULL. */
enum freshet_status counter_start(struct counter **out, struct app *app, struct freshet_error *error);

/* After the workers have ended. */
void counter_stop(struct counter *counter);

#endif
