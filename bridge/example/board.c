/* Boards of tasks, each of them live: the whole feature, from the channel to the requests.
 *
 *   GET  /live/board/:boardId                  {"boardId": …, "tasks": [{"id": …, "title": …, "column": …}]}
 *   POST /board/:boardId/tasks                 {"title": …}, answers 201 and the task
 *   POST /board/:boardId/tasks/:taskId/move    {"to": "todo" | "doing" | "done"}, answers the task
 *
 * Where the tasks are kept is the business of board_store.c. */
#include "example/board.h"
#include "example/board_channel.h" /* `board/:boardId`: its own header, since freshet-agent publishes to it, too */
#include "example/board_store.h"
#include "http/http.h"
#include <stdlib.h>
#include <string.h>

struct board {
    struct app *app;
};

/* ---- the live loader: what every stream of a board shows ---- */

/* A load that waits for the store. */
struct load {
    struct freshet_load handle;
};

/* Any thread. The load may be over by then: the answer is not used, and that is fine. */
static void answer_load(enum freshet_status status, char *json, void *user)
{
    struct load *load = user;
    if (json != NULL)
        freshet_load_give(load->handle, freshet_span_text(json), free, json);
    else if (status == FRESHET_OK)
        freshet_load_fail(load->handle, "unreadable", "The board can't be shown.");
    else
        freshet_load_fail(load->handle, "store-down", "The board can't be read at the moment.");
    free(load);
}

/* What is shown comes from the store, always. The message only tells what it was that happened last. */
static void log_cause(const struct board *board, const struct freshet_load_context *context)
{
    struct board_message message;
    if (board_decode(context->message.payload, &message, NULL) == FRESHET_OK)
        log_line(&board->app->log, FRESHET_LOG_DEBUG, "%.*s: task %lld was %s; publishes: %llu",
                 (int)context->topic.len, context->topic.data, (long long)message.taskId,
                 message.has_title ? "added" : "moved", (unsigned long long)context->publishes);
}

/* When the first stream of a board comes, and again on every publish. On the loop: only asks the store, which
 * never blocks. */
static void load_board(struct freshet_load handle, const struct freshet_load_context *context, void *user)
{
    struct board *board = user;
    struct freshet_span board_id = {0};
    struct board_topic topic;
    struct load *load = malloc(sizeof(*load));
    freshet_load_param(context, "boardId", 0, &board_id);
    if (load == NULL || board_key_spans(&topic, board_id, NULL) != FRESHET_OK) {
        freshet_load_fail(handle, "no-memory", NULL);
        free(load);
        return;
    }
    log_cause(board, context);
    load->handle = handle;
    board_store_read(board->app->store, &topic.topic, board_id, answer_load, load);
}

static enum freshet_status register_loader(struct board *board, struct freshet_error *error)
{
    struct freshet_loader_options options = {
        .size = sizeof(options),
        .name = "board",
        .route = "board/:boardId",
        .channel = board_channel(error),
        .load = load_board,
        .user = board,
        .shared = true,
        .on_loop = true,
    };
    return options.channel == NULL ? FRESHET_INVALID
                                   : freshet_loader_new(board->app->freshet, &options, NULL, error);
}

/* ---- changes: first the state, then the publish, then the answer ---- */

/* A change that a client waits for, or that is not settled. */
struct change {
    struct board *board;
    struct http_later *later;
    struct board_topic topic;
    bool adds;
};

static void publish_change(const struct change *change, const struct board_task *task)
{
    struct app *app = change->board->app;
    struct board_message message = {
        .taskId = task->id, .to = task->column, .has_title = change->adds, .title = task->title};
    app_check_publish(app, board_publish(app->freshet, &change->topic, &message, NULL, NULL),
                      &change->topic.topic);
}

static void answer_failure(struct http_later *later, enum board_outcome outcome)
{
    if (outcome == BOARD_FULL)
        http_later_error(later, 409, "the board is full", "boardId");
    else if (outcome == BOARD_NO_TASK)
        http_later_error(later, 404, "there is no such task", "taskId");
    else if (outcome == BOARD_NO_MEMORY)
        http_later_error(later, 500, "out of memory", NULL);
    else
        http_later_error(later, 503, "the store did not answer", NULL);
}

/* On the loop of the request. A client is answered at once, though the change may still be made: that is
 * published then. */
static void finish_change(enum board_outcome outcome, const struct board_task *task, void *user)
{
    struct change *change = user;
    if (task != NULL)
        publish_change(change, task);
    if (outcome == BOARD_CHANGED)
        http_later_json(change->later, change->adds ? 201 : 200, board_task_json(task));
    else if (outcome != BOARD_SETTLED)
        answer_failure(change->later, outcome);
    if (outcome != BOARD_UNSURE)
        free(change);
}

/* NULL: the request is answered. */
static struct change *begin_change(struct board *board, struct http_request *request, bool adds)
{
    struct board_topic topic;
    if (board_key(&topic, request->params[0], NULL) != FRESHET_OK) {
        http_answer_error(request, 400, "must be UTF-8 and not too long", "boardId");
        return NULL;
    }
    struct change *change = malloc(sizeof(*change));
    if (change == NULL) {
        http_answer_error(request, 500, "out of memory", NULL);
        return NULL;
    }
    *change = (struct change){.board = board, .topic = topic, .adds = adds};
    change->later = http_later_new(request);
    if (change->later != NULL)
        return change;
    free(change);
    return NULL;
}

/* ---- POST /board/:boardId/tasks ---- */

static void post_task(struct http_request *request, void *user)
{
    struct board *board = user;
    struct change *change = NULL;
    json_t *body = http_read_object(request);
    if (body == NULL)
        return;
    const char *title = json_string_value(json_object_get(body, "title"));
    if (title == NULL || !board_is_title(title))
        http_answer_error(request, 400, "must be a text of 1 to 200 characters", "title");
    else
        change = begin_change(board, request, true);
    if (change != NULL)
        board_store_add(board->app->store, &change->topic.topic, title, finish_change, change);
    json_decref(body);
}

/* ---- POST /board/:boardId/tasks/:taskId/move ---- */

/* Decimal without a leading zero; 0: it can't be a task's id. */
static int64_t read_id(const char *text)
{
    size_t len = strlen(text);
    return len > 4 || text[0] == '0' || strspn(text, "0123456789") != len ? 0 : strtoll(text, NULL, 10);
}

/* NULL: the request is answered. */
static const char *read_column(struct http_request *request)
{
    json_t *body = http_read_object(request);
    if (body == NULL)
        return NULL;
    const char *to = json_string_value(json_object_get(body, "to"));
    const char *column = to == NULL ? NULL : board_column(to);
    if (column == NULL)
        http_answer_error(request, 400, "must be todo, doing or done", "to");
    json_decref(body);
    return column;
}

static void post_move(struct http_request *request, void *user)
{
    struct board *board = user;
    int64_t id = read_id(request->params[1]);
    const char *column = read_column(request);
    if (column == NULL)
        return;
    if (id == 0) {
        http_answer_error(request, 404, "there is no such task", "taskId");
        return;
    }
    struct change *change = begin_change(board, request, false);
    if (change != NULL)
        board_store_move(board->app->store, &change->topic.topic, id, column, finish_change, change);
}

/* ---- life ---- */

enum freshet_status board_start(struct board **out, struct app *app, struct freshet_error *error)
{
    struct board *board = calloc(1, sizeof(*board));
    enum freshet_status status = FRESHET_NO_MEMORY;
    if (board == NULL)
        goto fail;
    board->app = app;
    status = register_loader(board, error);
    if (status != FRESHET_OK)
        goto fail;
    http_route(app->router, "POST", "board/:boardId/tasks", post_task, board);
    http_route(app->router, "POST", "board/:boardId/tasks/:taskId/move", post_move, board);
    *out = board;
    return FRESHET_OK;
fail:
    board_stop(board);
    *out = NULL;
    return status;
}

void board_stop(struct board *board)
{
    free(board);
}
