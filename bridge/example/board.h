/* The feature of board.c: boards of tasks, each of them live. */
#ifndef BRIDGE_BOARD_H
#define BRIDGE_BOARD_H

#include "common/app.h"

struct board;

/* Registers its loader and its routes. Before the workers start. FRESHET_OK; or a status with `error`, and
 * *out is NULL. */
enum freshet_status board_start(struct board **out, struct app *app, struct freshet_error *error);

/* After the workers have ended. */
void board_stop(struct board *board);

#endif
