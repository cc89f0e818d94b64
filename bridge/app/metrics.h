/* How it goes, for machines: /metrics and /health. */
#ifndef BRIDGE_METRICS_H
#define BRIDGE_METRICS_H

#include "common/app.h"

/* Registers the routes. Before the workers start. */
void metrics_start(struct app *app);

#endif
