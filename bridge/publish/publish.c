/* Publishing over HTTP, with a token:
 *
 *   POST /publish   {"topic": "order/7"}, or {"topics": [...]}, and with "message" any JSON for loaders of
 *                   messages; 200 when the bus has accepted all of it:
 *                   {"published":[{"topic":"order/7","receivers":2}]}
 *
 * What is wrong is found before anything is published. */
#include "publish/publish.h"
#include "http/http.h"
#include "publish/msgpack.h"
#include "publish/topic.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_TOPICS = 100 };

/* One request: it waits for the bus, for as long as a second. */
struct publishing {
    struct app *app;
    struct http_later *later; /* NULL: answered */
    h2o_timeout_entry_t timer;
    struct freshet_topic *topics;
    int64_t *receivers;
    size_t count, answered;
    enum freshet_status failed; /* the first that is not FRESHET_OK */
    size_t failed_at;
};

/* One topic of it. */
struct part {
    struct publishing *publishing;
    size_t index;
};

static void release(struct publishing *publishing)
{
    if (publishing->later != NULL || publishing->answered < publishing->count)
        return;
    free(publishing->topics);
    free(publishing->receivers);
    free(publishing);
}

/* ---- the answer ---- */

static json_t *describe(const struct publishing *publishing)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < publishing->count; i++) {
        json_t *one = json_pack("{s:s, s:I}", "topic", publishing->topics[i].text, "receivers",
                                (json_int_t)publishing->receivers[i]);
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list == NULL ? NULL : json_pack("{s:o}", "published", list);
}

static void answer_failed(struct publishing *publishing, struct http_later *later)
{
    char field[32];
    enum freshet_status failed = publishing->failed;
    snprintf(field, sizeof(field), "topics[%zu]", publishing->failed_at);
    if (failed == FRESHET_TOO_LARGE)
        http_later_error(later, 413, "is too large for the bus", "message");
    else
        http_later_error(later, 503, freshet_status_text(failed), field);
}

static void answer(struct publishing *publishing)
{
    struct http_later *later = publishing->later;
    h2o_timeout_unlink(&publishing->timer);
    publishing->later = NULL;
    if (publishing->failed != FRESHET_OK)
        answer_failed(publishing, later);
    else
        http_later_json(later, 200, describe(publishing));
}

/* The bus is away: it has the publish, and sends it when it is back. */
static void give_up(h2o_timeout_entry_t *timer)
{
    struct publishing *publishing = H2O_STRUCT_FROM_MEMBER(struct publishing, timer, timer);
    struct http_later *later = publishing->later;
    publishing->later = NULL;
    http_later_error(later, 503,
                     "the bus has not accepted it within a second, and will get it when it is back", NULL);
    release(publishing);
}

/* On the loop of the request; for one that is answered, maybe elsewhere. */
static void on_published(enum freshet_status status, int64_t receivers, void *user)
{
    struct part part = *(struct part *)user;
    struct publishing *publishing = part.publishing;
    free(user);
    publishing->receivers[part.index] = receivers;
    publishing->answered++;
    app_check_publish(publishing->app, status, &publishing->topics[part.index]);
    if (status != FRESHET_OK && publishing->failed == FRESHET_OK) {
        publishing->failed = status;
        publishing->failed_at = part.index;
    }
    if (publishing->answered == publishing->count && publishing->later != NULL)
        answer(publishing);
    release(publishing);
}

/* ---- publishing ---- */

static void publish_one(struct publishing *publishing, size_t index, struct freshet_span payload)
{
    struct part *part = malloc(sizeof(*part));
    enum freshet_status status = FRESHET_NO_MEMORY;
    if (part != NULL) {
        *part = (struct part){publishing, index};
        status = freshet_publish(publishing->app->freshet, &publishing->topics[index], payload, on_published,
                                 part);
    }
    if (status != FRESHET_NO_MEMORY)
        return;
    free(part);
    publishing->answered++; /* nobody else will say so */
    publishing->failed = status;
    publishing->failed_at = index;
}

static void publish_all(struct publishing *publishing, struct http_request *request,
                        struct freshet_span payload)
{
    h2o_context_t *context = request->h2o->conn->ctx;
    publishing->later = http_later_new(request);
    if (publishing->later == NULL) {
        publishing->count = 0;
        release(publishing);
        return;
    }
    publishing->timer.cb = give_up;
    h2o_timeout_link(context->loop, &context->one_sec_timeout, &publishing->timer);
    for (size_t i = 0; i < publishing->count; i++)
        publish_one(publishing, i, payload);
    if (publishing->answered == publishing->count) { /* there was no memory for any */
        answer(publishing);
        release(publishing);
    }
}

/* ---- the request ---- */

static bool read_topic(struct http_request *request, struct freshet_topic *topic, const json_t *json,
                       const char *field)
{
    if (json_is_string(json) && topic_read(topic, json_string_value(json)))
        return true;
    http_answer_error(request, 400, TOPIC_RIGHT, field);
    return false;
}

static bool read_list(struct http_request *request, struct publishing *publishing, const json_t *list)
{
    for (size_t i = 0; i < publishing->count; i++) {
        char field[32];
        snprintf(field, sizeof(field), "topics[%zu]", i);
        if (!read_topic(request, &publishing->topics[i], json_array_get(list, i), field))
            return false;
    }
    return true;
}

static const char *unknown_key(json_t *body)
{
    const char *key;
    json_t *value;
    json_object_foreach(body, key, value)
    {
        if (strcmp(key, "topic") != 0 && strcmp(key, "topics") != 0 && strcmp(key, "message") != 0)
            return key;
    }
    return NULL;
}

/* False: it is answered. */
static bool read_topics(struct http_request *request, struct publishing *publishing, json_t *body)
{
    const json_t *one = json_object_get(body, "topic"), *list = json_object_get(body, "topics");
    const char *unknown = unknown_key(body);
    size_t count = one != NULL ? 1 : json_array_size(list);
    if (unknown != NULL) {
        http_answer_error(request, 400, "is not known; topic, topics and message are", unknown);
        return false;
    }
    if ((one == NULL) == (list == NULL)) {
        http_answer_error(request, 400, "must be there, or topics", "topic");
        return false;
    }
    if (one == NULL && (!json_is_array(list) || count == 0 || count > MAX_TOPICS)) {
        http_answer_error(request, 400, "must be a list of 1 to 100 topics", "topics");
        return false;
    }
    publishing->topics = calloc(count, sizeof(*publishing->topics));
    publishing->receivers = calloc(count, sizeof(*publishing->receivers));
    publishing->count = count;
    if (publishing->topics == NULL || publishing->receivers == NULL) {
        http_answer_error(request, 500, "out of memory", NULL);
        return false;
    }
    return one != NULL ? read_topic(request, publishing->topics, one, "topic")
                       : read_list(request, publishing, list);
}

/* Without a message it is a signal. */
static bool read_message(struct http_request *request, struct msgpack *message, const json_t *body)
{
    const json_t *json = json_object_get(body, "message");
    if (json == NULL || msgpack_append(message, json, 1))
        return true;
    http_answer_error(request, 400, "must not be nested more than 30 deep", "message");
    return false;
}

static void take(struct app *app, struct http_request *request, json_t *body)
{
    struct msgpack message = {.bytes = NULL};
    struct publishing *publishing = calloc(1, sizeof(*publishing));
    if (publishing == NULL) {
        http_answer_error(request, 500, "out of memory", NULL);
    } else if (read_topics(request, publishing, body) && read_message(request, &message, body)) {
        publishing->app = app;
        publish_all(publishing, request, freshet_span(message.bytes, message.len));
    } else {
        publishing->count = 0;
        release(publishing);
    }
    free(message.bytes);
}

static void post_publish(struct http_request *request, void *user)
{
    const struct publish_door *door = user;
    if (!http_check_token(request, door->token))
        return;
    json_t *body = http_read_object(request);
    if (body != NULL)
        take(door->app, request, body);
    json_decref(body);
}

void publish_start(struct publish_door *door, struct app *app, const char *path, const char *token)
{
    *door = (struct publish_door){app, token};
    http_route(app->router, "POST", path, post_publish, door);
}
