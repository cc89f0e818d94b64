/* Boards of tasks. The whole feature: a channel, a loader, two routes.
 *
 *   GET  /live/board/:boardId                  {"boardId": …, "tasks": [{"id": …, "title": …, "column": …}]}
 *   POST /board/:boardId/tasks                 {"title": …}, answers 201 and the task
 *   POST /board/:boardId/tasks/:taskId/move    {"to": "todo" | "doing" | "done"}, answers the task
 *
 * State: a hash under the key `board/<boardId>` (encoded like the topic). `next` counts the ids given out; a
 * task is `<id>:title`, which never changes, and `<id>:column`. So each change is one command, and no two
 * clients can tear a task apart. */
#include "app.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TASKS = 1000, MAX_TITLE_CHARS = 200, MAX_FIELD_BYTES = 32 };

struct board {
    struct app *app;
    struct freshet_channel *channel;
};

/* What is kept of a task while it is being read or changed. */
struct task {
    int64_t id;
    struct freshet_span title, column;
};

static json_t *text_json(struct freshet_span text)
{
    return json_stringn(text.data, text.len);
}

static json_t *task_json(const struct task *task)
{
    return json_pack("{s:I, s:o, s:o}", "id", (json_int_t)task->id, "title", text_json(task->title), "column",
                     text_json(task->column));
}

/* ---- the stream ---- */

/* A load that waits for the store. */
struct load {
    struct freshet_load handle;
    char board_id[];
};

/* Reads `<id>:<what>`; 0: no such field. */
static int64_t split_field(struct freshet_span field, struct freshet_span *what)
{
    int64_t id = 0;
    size_t i = 0;
    for (; i < field.len && field.data[i] >= '0' && field.data[i] <= '9' && id <= MAX_TASKS; i++)
        id = id * 10 + (field.data[i] - '0');
    if (i == field.len || field.data[i] != ':' || id > MAX_TASKS)
        return 0;
    *what = freshet_span(field.data + i + 1, field.len - i - 1);
    return id;
}

/* HGETALL's fields and values in turn, into a table by id. */
static void collect(const struct freshet_redis_reply *reply, struct task *tasks)
{
    for (size_t i = 0; i + 1 < reply->element_count; i += 2) {
        struct freshet_span what, value = reply->elements[i + 1].text;
        int64_t id = split_field(reply->elements[i].text, &what);
        if (id == 0)
            continue;
        tasks[id].id = id;
        if (freshet_span_equal(what, freshet_span_text("title")))
            tasks[id].title = value;
        else if (freshet_span_equal(what, freshet_span_text("column")))
            tasks[id].column = value;
    }
}

/* NULL: no memory, or bytes in the store that are not UTF-8. */
static json_t *board_json(const char *board_id, const struct freshet_redis_reply *reply)
{
    struct task *tasks = calloc(MAX_TASKS + 1, sizeof(*tasks));
    json_t *list = json_array(), *json = NULL;
    bool whole = tasks != NULL && list != NULL;
    if (whole)
        collect(reply, tasks);
    for (int id = 1; whole && id <= MAX_TASKS; id++) {
        if (tasks[id].title.len > 0 && tasks[id].column.len > 0)
            whole = json_array_append_new(list, task_json(&tasks[id])) == 0;
    }
    if (whole)
        json = json_pack("{s:s, s:O}", "boardId", board_id, "tasks", list);
    json_decref(list);
    free(tasks);
    return json;
}

/* Any thread. */
static void answer_load(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    struct load *load = user;
    json_t *json = status == FRESHET_OK ? board_json(load->board_id, reply) : NULL;
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    if (text != NULL)
        freshet_load_give(load->handle, freshet_span_text(text), free, text);
    else if (status == FRESHET_OK)
        freshet_load_fail(load->handle, "unreadable", "The board can't be shown.");
    else
        freshet_load_fail(load->handle, "store-down", "The board can't be read at the moment.");
    json_decref(json);
    free(load);
}

/* On the loop: only asks the store, which never blocks. */
static void load_board(struct freshet_load handle, const struct freshet_load_context *context, void *user)
{
    struct board *board = user;
    struct freshet_span id = {0};
    freshet_load_param(context, "boardId", 0, &id);
    struct load *load = malloc(sizeof(*load) + id.len + 1);
    if (load == NULL) {
        freshet_load_fail(handle, "no-memory", NULL);
        return;
    }
    load->handle = handle;
    memcpy(load->board_id, id.data, id.len);
    load->board_id[id.len] = '\0';
    struct freshet_topic key = {.len = (uint16_t)context->topic.len};
    memcpy(key.text, context->topic.data, context->topic.len);
    STORE_COMMAND(board->app->store, answer_load, load, "HGETALL", key.text);
}

/* ---- changes ---- */

/* A change on its way through the store. */
struct change {
    struct app *app;
    struct http_later *later;
    struct freshet_topic topic; /* of the board; its text is the key */
    int64_t id;
    char *title;
    const char *column;
};

static void free_change(struct change *change)
{
    if (change != NULL)
        free(change->title);
    free(change);
}

static void fail_change(struct change *change, int status, const char *error, const char *field)
{
    http_later_error(change->later, status, error, field);
    free_change(change);
}

/* On the loop of the request. The change is committed: publish, then tell the client. */
static void finish_change(enum freshet_status status, int http_status, struct change *change)
{
    app_publish_change(change->app, status, &change->topic);
    if (status != FRESHET_OK) {
        fail_change(change, 503, "the store did not answer", NULL);
        return;
    }
    struct task task = {change->id, freshet_span_text(change->title), freshet_span_text(change->column)};
    http_later_json(change->later, http_status, task_json(&task));
    free_change(change);
}

static const char *field_name(char *name, int64_t id, const char *what)
{
    snprintf(name, MAX_FIELD_BYTES, "%" PRId64 ":%s", id, what);
    return name;
}

/* The board's topic, or an answer that says what is wrong with its id. */
static bool read_board(struct board *board, struct http_request *request, struct freshet_topic *topic)
{
    struct freshet_param param = {"boardId", freshet_span_text(request->params[0])};
    struct freshet_error error;
    if (freshet_channel_topic(board->channel, &param, 1, topic, &error) == FRESHET_OK)
        return true;
    http_answer_error(request, 400, "must be UTF-8 and not too long", "boardId");
    return false;
}

/* Takes the title over. NULL: the request is answered. */
static struct change *begin_change(struct board *board, struct http_request *request,
                                   const struct freshet_topic *topic, char *title, const char *column)
{
    struct change *change = calloc(1, sizeof(*change));
    if (change == NULL) {
        free(title);
        http_answer_error(request, 500, "out of memory", NULL);
        return NULL;
    }
    *change = (struct change){.app = board->app, .topic = *topic, .title = title, .column = column};
    change->later = http_later_new(request);
    if (change->later != NULL)
        return change;
    free_change(change);
    return NULL;
}

/* ---- POST /board/:boardId/tasks ---- */

/* 1 to 200 characters, one of them visible. The bytes are valid UTF-8. */
static bool is_title(const char *title)
{
    size_t chars = 0;
    bool visible = false;
    for (const unsigned char *at = (const unsigned char *)title; *at != '\0'; at++) {
        visible = visible || (*at > ' ' && *at != 0x7f);
        chars += (*at & 0xc0) != 0x80;
    }
    return visible && chars <= MAX_TITLE_CHARS;
}

/* Allocated; NULL: the request is answered. */
static char *read_title(struct http_request *request)
{
    json_t *body = http_read_object(request);
    if (body == NULL)
        return NULL;
    const char *title = json_string_value(json_object_get(body, "title"));
    bool right = title != NULL && is_title(title);
    char *copy = right ? strdup(title) : NULL;
    if (!right)
        http_answer_error(request, 400, "must be a text of 1 to 200 characters", "title");
    else if (copy == NULL)
        http_answer_error(request, 500, "out of memory", NULL);
    json_decref(body);
    return copy;
}

static void on_added(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    (void)reply;
    finish_change(status, 201, user);
}

static void on_id(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    struct change *change = user;
    char title[MAX_FIELD_BYTES], column[MAX_FIELD_BYTES];
    if (status != FRESHET_OK) {
        fail_change(change, 503, "the store did not answer", NULL);
        return;
    }
    change->id = reply->integer;
    if (change->id < 1 || change->id > MAX_TASKS) {
        fail_change(change, 409, "the board is full", "boardId");
        return;
    }
    STORE_COMMAND(change->app->store, on_added, change, "HSET", change->topic.text,
                  field_name(title, change->id, "title"), change->title,
                  field_name(column, change->id, "column"), change->column);
}

static void post_task(struct http_request *request, void *user)
{
    struct board *board = user;
    struct freshet_topic topic;
    if (!read_board(board, request, &topic))
        return;
    char *title = read_title(request);
    if (title == NULL)
        return;
    struct change *change = begin_change(board, request, &topic, title, "todo");
    if (change != NULL)
        STORE_COMMAND(board->app->store, on_id, change, "HINCRBY", topic.text, "next", "1");
}

/* ---- POST /board/:boardId/tasks/:taskId/move ---- */

/* NULL: the request is answered. */
static const char *read_column(struct http_request *request)
{
    static const char *const columns[] = {"todo", "doing", "done"};
    json_t *body = http_read_object(request);
    if (body == NULL)
        return NULL;
    const char *to = json_string_value(json_object_get(body, "to")), *column = NULL;
    for (int i = 0; to != NULL && i < 3; i++) {
        if (strcmp(to, columns[i]) == 0)
            column = columns[i];
    }
    if (column == NULL)
        http_answer_error(request, 400, "must be todo, doing or done", "to");
    json_decref(body);
    return column;
}

static void on_moved(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    (void)reply;
    finish_change(status, 200, user);
}

/* The title tells that the task is there; it never goes away again. */
static void on_title(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    struct change *change = user;
    char column[MAX_FIELD_BYTES];
    if (status != FRESHET_OK) {
        fail_change(change, 503, "the store did not answer", NULL);
        return;
    }
    if (reply->type != FRESHET_REDIS_TEXT) {
        fail_change(change, 404, "there is no such task", "taskId");
        return;
    }
    change->title = strndup(reply->text.data, reply->text.len);
    if (change->title == NULL) {
        fail_change(change, 500, "out of memory", NULL);
        return;
    }
    STORE_COMMAND(change->app->store, on_moved, change, "HSET", change->topic.text,
                  field_name(column, change->id, "column"), change->column);
}

/* Decimal without a leading zero; 0: it can't be a task's id. */
static int64_t read_id(const char *text)
{
    size_t len = strlen(text);
    return len > 4 || text[0] == '0' || strspn(text, "0123456789") != len ? 0 : strtoll(text, NULL, 10);
}

static void post_move(struct http_request *request, void *user)
{
    struct board *board = user;
    struct freshet_topic topic;
    char title[MAX_FIELD_BYTES];
    int64_t id = read_id(request->params[1]);
    if (!read_board(board, request, &topic))
        return;
    const char *column = read_column(request);
    if (column == NULL)
        return;
    if (id == 0) {
        http_answer_error(request, 404, "there is no such task", "taskId");
        return;
    }
    struct change *change = begin_change(board, request, &topic, NULL, column);
    if (change == NULL)
        return;
    change->id = id;
    STORE_COMMAND(board->app->store, on_title, change, "HGET", topic.text, field_name(title, id, "title"));
}

/* ---- life ---- */

static enum freshet_status register_loader(struct board *board, struct freshet_error *error)
{
    struct freshet_loader *loader;
    struct freshet_loader_options options = {
        .size = sizeof(options),
        .name = "board",
        .route = "board/:boardId",
        .channel = board->channel,
        .load = load_board,
        .user = board,
        .shared = true,
        .on_loop = true,
    };
    return freshet_loader_new(board->app->freshet, &options, &loader, error);
}

enum freshet_status board_start(struct board **out, struct app *app, struct freshet_error *error)
{
    struct board *board = calloc(1, sizeof(*board));
    enum freshet_status status = FRESHET_NO_MEMORY;
    if (board == NULL)
        goto fail;
    board->app = app;
    status = freshet_channel_new(&board->channel, "board/:boardId", error);
    if (status == FRESHET_OK)
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
    if (board == NULL)
        return;
    freshet_channel_destroy(board->channel);
    free(board);
}
