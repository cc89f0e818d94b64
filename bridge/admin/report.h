/* How this instance goes, for the page: numbers, and what it is at. */
#ifndef BRIDGE_ADMIN_REPORT_H
#define BRIDGE_ADMIN_REPORT_H

#include "common/app.h"
#include <jansson.h>

/* What every instance tells the others. NULL: no memory, here and below. */
json_t *report_summary(struct app *app);
/* The same, and topics, feeds and streams as freshet_dump() writes them. Waits for the loops: not on one. */
json_t *report_all(struct app *app);

#endif
