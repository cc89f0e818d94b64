#include "example/board_store.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FIELD_BYTES = 32 };

bool board_is_title(const char *title)
{
    size_t chars = 0;
    bool visible = false;
    for (const unsigned char *at = (const unsigned char *)title; *at != '\0'; at++) {
        visible = visible || (*at > ' ' && *at != 0x7f);
        chars += (*at & 0xc0) != 0x80;
    }
    return visible && chars <= BOARD_MAX_TITLE_CHARS;
}

const char *board_column(const char *name)
{
    static const char *const columns[] = {"todo", "doing", "done"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(name, columns[i]) == 0)
            return columns[i];
    }
    return NULL;
}

/* ---- reading ---- */

static json_t *text_json(struct freshet_span text)
{
    return json_stringn(text.data, text.len);
}

json_t *board_task_json(const struct board_task *task)
{
    return json_pack("{s:I, s:o, s:o}", "id", (json_int_t)task->id, "title", text_json(task->title), "column",
                     text_json(task->column));
}

/* A read that waits for the store. */
struct read {
    board_read_cb read;
    void *user;
    struct freshet_span board_id; /* behind this struct */
};

/* Reads `<id>:<what>`; 0: no such field. */
static int64_t split_field(struct freshet_span field, struct freshet_span *what)
{
    int64_t id = 0;
    size_t i = 0;
    for (; i < field.len && field.data[i] >= '0' && field.data[i] <= '9' && id <= BOARD_MAX_TASKS; i++)
        id = id * 10 + (field.data[i] - '0');
    if (i == field.len || field.data[i] != ':' || id > BOARD_MAX_TASKS)
        return 0;
    *what = freshet_span(field.data + i + 1, field.len - i - 1);
    return id;
}

/* HGETALL's fields and values in turn, into a table by id. */
static void collect(const struct freshet_redis_reply *reply, struct board_task *tasks)
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

static json_t *board_json(struct freshet_span board_id, const struct freshet_redis_reply *reply)
{
    struct board_task *tasks = calloc(BOARD_MAX_TASKS + 1, sizeof(*tasks));
    json_t *list = json_array(), *json = NULL;
    bool whole = tasks != NULL && list != NULL;
    if (whole)
        collect(reply, tasks);
    for (int id = 1; whole && id <= BOARD_MAX_TASKS; id++) {
        if (tasks[id].title.len > 0 && tasks[id].column.len > 0)
            whole = json_array_append_new(list, board_task_json(&tasks[id])) == 0;
    }
    if (whole)
        json = json_pack("{s:o, s:O}", "boardId", text_json(board_id), "tasks", list);
    json_decref(list);
    free(tasks);
    return json;
}

static void finish_read(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    struct read *read = user;
    json_t *json = status == FRESHET_OK ? board_json(read->board_id, reply) : NULL;
    read->read(status, json == NULL ? NULL : json_dumps(json, JSON_COMPACT), read->user);
    json_decref(json);
    free(read);
}

void board_store_read(struct store *store, const struct freshet_topic *topic, struct freshet_span board_id,
                      board_read_cb read, void *user)
{
    struct read *begun = malloc(sizeof(*begun) + board_id.len);
    if (begun == NULL) {
        read(FRESHET_OK, NULL, user);
        return;
    }
    memcpy(begun + 1, board_id.data, board_id.len);
    *begun = (struct read){read, user, freshet_span((const char *)(begun + 1), board_id.len)};
    STORE_COMMAND(store, finish_read, begun, "HGETALL", topic->text);
}

/* ---- changes ---- */

/* A change on its way through the store. */
struct change {
    struct store *store;
    board_changed_cb changed;
    void *user;
    struct freshet_topic topic; /* of the board; its text is the key */
    int64_t id;
    char *title; /* owned; of a move unknown at first */
    const char *column;
    bool unsure; /* whether it was made */
};

static void free_change(struct change *change)
{
    if (change != NULL)
        free(change->title);
    free(change);
}

/* Takes the title over. NULL: there is no memory, and `changed` knows it. */
static struct change *begin_change(struct store *store, const struct freshet_topic *topic, char *title,
                                   const char *column, board_changed_cb changed, void *user)
{
    struct change *change = malloc(sizeof(*change));
    if (change == NULL) {
        free(title);
        changed(BOARD_NO_MEMORY, NULL, user);
        return NULL;
    }
    *change = (struct change){
        .store = store, .changed = changed, .user = user, .topic = *topic, .title = title, .column = column};
    return change;
}

/* Nothing was changed. */
static void fail_change(struct change *change, enum board_outcome outcome)
{
    change->changed(outcome, NULL, change->user);
    free_change(change);
}

static struct board_task task_of(const struct change *change)
{
    return (struct board_task){change->id, freshet_span_text(change->title),
                               freshet_span_text(change->column)};
}

/* The command that makes the change has ended, or nobody waits for its end any more. */
static void finish_change(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    struct change *change = user;
    struct board_task task = task_of(change);
    (void)reply;
    change->unsure = status != FRESHET_OK && store_may_have_changed(status);
    if (status == FRESHET_OK)
        change->changed(BOARD_CHANGED, &task, change->user);
    else if (change->unsure)
        change->changed(BOARD_UNSURE, &task, change->user);
    else
        change->changed(BOARD_DOWN, NULL, change->user);
}

static void settle_change(bool late, void *user)
{
    struct change *change = user;
    struct board_task task = task_of(change);
    if (change->unsure)
        change->changed(BOARD_SETTLED, late ? &task : NULL, change->user);
    free_change(change);
}

static const char *field_name(char *name, int64_t id, const char *what)
{
    snprintf(name, MAX_FIELD_BYTES, "%" PRId64 ":%s", id, what);
    return name;
}

/* An id that was given out and not used shows on no board. */
static void add_under_id(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    struct change *change = user;
    char title[MAX_FIELD_BYTES], column[MAX_FIELD_BYTES];
    if (status != FRESHET_OK) {
        fail_change(change, BOARD_DOWN);
        return;
    }
    change->id = reply->integer;
    if (change->id < 1 || change->id > BOARD_MAX_TASKS) {
        fail_change(change, BOARD_FULL);
        return;
    }
    STORE_CHANGE(change->store, finish_change, settle_change, change, "HSET", change->topic.text,
                 field_name(title, change->id, "title"), change->title,
                 field_name(column, change->id, "column"), change->column);
}

void board_store_add(struct store *store, const struct freshet_topic *topic, const char *title,
                     board_changed_cb changed, void *user)
{
    char *copy = strdup(title);
    if (copy == NULL) {
        changed(BOARD_NO_MEMORY, NULL, user);
        return;
    }
    struct change *change = begin_change(store, topic, copy, "todo", changed, user);
    if (change != NULL)
        STORE_COMMAND(store, add_under_id, change, "HINCRBY", topic->text, "next", "1");
}

/* The title tells that the task is there; it never goes away again. */
static void move_titled(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    struct change *change = user;
    char column[MAX_FIELD_BYTES];
    if (status != FRESHET_OK) {
        fail_change(change, BOARD_DOWN);
        return;
    }
    if (reply->type != FRESHET_REDIS_TEXT) {
        fail_change(change, BOARD_NO_TASK);
        return;
    }
    change->title = strndup(reply->text.data, reply->text.len);
    if (change->title == NULL) {
        fail_change(change, BOARD_NO_MEMORY);
        return;
    }
    STORE_CHANGE(change->store, finish_change, settle_change, change, "HSET", change->topic.text,
                 field_name(column, change->id, "column"), change->column);
}

void board_store_move(struct store *store, const struct freshet_topic *topic, int64_t id, const char *column,
                      board_changed_cb changed, void *user)
{
    char title[MAX_FIELD_BYTES];
    struct change *change = begin_change(store, topic, NULL, column, changed, user);
    if (change == NULL)
        return;
    change->id = id;
    STORE_COMMAND(store, move_titled, change, "HGET", topic->text, field_name(title, id, "title"));
}
