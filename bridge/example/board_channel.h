/* The channel of boards, for all who show them or change them: board.c here, and freshet-agent. */
#ifndef BRIDGE_BOARD_CHANNEL_H
#define BRIDGE_BOARD_CHANNEL_H

#include <freshet/typed.h>

/* What happened on a board: this task is now in the column `to`. With a title: it is new. */
FRESHET_CHANNEL(board, "board/:boardId", (param(boardId)), int64(taskId), text(to), optional(text(title)));

#endif
