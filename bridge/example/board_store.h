/* The tasks of boards in the store.
 *
 * A board is a hash under the key of its topic, `board/<boardId>`. `next` counts the ids given out; a task is
 * `<id>:title`, which never changes, and `<id>:column`. So each change is one command, and no two clients can
 * tear a task apart. */
#ifndef BRIDGE_BOARD_STORE_H
#define BRIDGE_BOARD_STORE_H

#include "store/store.h"
#include <freshet/channel.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { BOARD_MAX_TASKS = 1000, BOARD_MAX_TITLE_CHARS = 200 };

struct board_task {
    int64_t id;                        /* from 1 */
    struct freshet_span title, column; /* UTF-8 */
};

/* {"id": …, "title": …, "column": …}; NULL: no memory, or not UTF-8. */
json_t *board_task_json(const struct board_task *task);

/* 1 to 200 characters, one of them visible. `title` is valid UTF-8. */
bool board_is_title(const char *title);
/* The column of that name, which lives on; NULL: there is none. */
const char *board_column(const char *name);

/* The whole board as JSON text, to be freed by the callee. NULL: `status` is that of store_command(), or
 * FRESHET_OK when there was no memory or the bytes in the store are not UTF-8. Any thread. */
typedef void (*board_read_cb)(enum freshet_status status, char *json, void *user);

/* Reads a board. `board_id` is what its JSON says. Any thread; `read` runs exactly once, maybe within this
 * call, on the thread that store_command() says. So do the callbacks below. */
void board_store_read(struct store *store, const struct freshet_topic *topic, struct freshet_span board_id,
                      board_read_cb read, void *user);

/* How a change ended. */
enum board_outcome {
    BOARD_CHANGED = 0,
    BOARD_UNSURE,    /* the store did not answer: it may have been made */
    BOARD_DOWN,      /* the store did not answer or refused: nothing was changed */
    BOARD_FULL,      /* BOARD_MAX_TASKS are on it */
    BOARD_NO_TASK,   /* there is none of that id */
    BOARD_NO_MEMORY, /* nothing was changed */
    BOARD_SETTLED    /* after BOARD_UNSURE: if it is ever made, then it is by now */
};

/* Runs once; after BOARD_UNSURE once more, with BOARD_SETTLED. `task` is what was changed, or may have been,
 * as it is now: publish it, each time. NULL: nothing was. It lives until the callback returns. */
typedef void (*board_changed_cb)(enum board_outcome outcome, const struct board_task *task, void *user);

/* Adds a task, in the column `todo`. Texts are copied. */
void board_store_add(struct store *store, const struct freshet_topic *topic, const char *title,
                     board_changed_cb changed, void *user);
/* Moves one; `column` is of board_column(). */
void board_store_move(struct store *store, const struct freshet_topic *topic, int64_t id, const char *column,
                      board_changed_cb changed, void *user);

#endif
