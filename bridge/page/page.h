/* The page at GET /, and the files it asks for. */
#ifndef BRIDGE_PAGE_H
#define BRIDGE_PAGE_H

#include "common/app.h"

struct page;

/* Registers their routes. Before the workers start. FRESHET_OK; or a status with `error`, and *out is
 * NULL. */
enum freshet_status page_start(struct page **out, struct app *app, struct freshet_error *error);

/* After the workers have ended. */
void page_stop(struct page *page);

#endif
