/* A counter that every instance shows: the whole feature, from the channel to the button.
 *
 *   GET  /live/counter        the stream: the count, again after each change
 *   POST /counter/increment   {"count": n}
 *
 * State: the number under the key `counter`. */
#include "example/counter.h"
#include "http/http.h"
#include "store/store.h"
#include <stdlib.h>

/* ---- the channel: a signal, "the count has changed" ---- */

FRESHET_SIGNAL(counter, "counter", ());

struct counter {
    struct app *app;
    struct counter_topic topic;
};

/* ---- the live loader: what every stream shows ---- */

/* A load that waits for the store. */
struct load {
    struct freshet_load handle;
};

/* Any thread. The load may be over by then: the answer is not used, and that is fine. */
static void answer_load(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    struct load *load = user;
    if (status != FRESHET_OK)
        freshet_load_fail(load->handle, "store-down", "The count can't be read at the moment.");
    else if (reply->type == FRESHET_REDIS_NIL)
        freshet_load_answer(load->handle, freshet_span_text("0"));
    else
        freshet_load_answer(load->handle, reply->text);
    free(load);
}

/* When the first stream comes, and again on every publish. On the loop: only asks the store, which never
 * blocks. */
static void load_count(struct freshet_load handle, const struct freshet_load_context *context, void *user)
{
    struct counter *counter = user;
    struct load *load = malloc(sizeof(*load));
    (void)context;
    if (load == NULL) {
        freshet_load_fail(handle, "no-memory", NULL);
        return;
    }
    load->handle = handle;
    STORE_COMMAND(counter->app->store, answer_load, load, "GET", counter->topic.topic.text);
}

static enum freshet_status register_loader(struct counter *counter, struct freshet_error *error)
{
    struct freshet_loader_options options = {
        .size = sizeof(options),
        .name = "counter",
        .route = "counter",
        .channel = counter_channel(error),
        .load = load_count,
        .user = counter,
        .shared = true,
        .on_loop = true,
    };
    return options.channel == NULL ? FRESHET_INVALID
                                   : freshet_loader_new(counter->app->freshet, &options, NULL, error);
}

/* ---- POST /counter/increment: changes the state, then publishes ---- */

/* An increment that is not settled by the store. */
struct increment {
    struct counter *counter;
    struct http_later *later;
};

static void publish_count(struct counter *counter)
{
    app_check_publish(counter->app, counter_publish(counter->app->freshet, &counter->topic, NULL, NULL),
                      &counter->topic.topic);
}

/* On the loop of the request. The change is committed: publish, then tell the client. If the store did not
 * answer, it may have been made all the same: publish then, too. */
static void finish_increment(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    struct increment *increment = user;
    if (store_may_have_changed(status))
        publish_count(increment->counter);
    if (status == FRESHET_OK)
        http_later_json(increment->later, 200, json_pack("{s:I}", "count", (json_int_t)reply->integer));
    else
        http_later_error(increment->later, 503, "the store did not answer", NULL);
}

/* Late: it may have been made after what was published then was loaded. */
static void settle_increment(bool late, void *user)
{
    struct increment *increment = user;
    if (late)
        publish_count(increment->counter);
    free(increment);
}

static void begin_increment(struct counter *counter, struct http_request *request)
{
    struct increment *increment = malloc(sizeof(*increment));
    if (increment == NULL) {
        http_answer_error(request, 500, "out of memory", NULL);
        return;
    }
    increment->counter = counter;
    increment->later = http_later_new(request);
    if (increment->later == NULL) {
        free(increment);
        return;
    }
    STORE_CHANGE(counter->app->store, finish_increment, settle_increment, increment, "INCR",
                 counter->topic.topic.text);
}

/* No body is needed, but one that is there has to be right. */
static void post_increment(struct http_request *request, void *user)
{
    if (http_has_body(request)) {
        json_t *body = http_read_object(request);
        if (body == NULL)
            return;
        json_decref(body);
    }
    begin_increment(user, request);
}

/* ---- life ---- */

enum freshet_status counter_start(struct counter **out, struct app *app, struct freshet_error *error)
{
    struct counter *counter = calloc(1, sizeof(*counter));
    enum freshet_status status = FRESHET_NO_MEMORY;
    if (counter == NULL)
        goto fail;
    counter->app = app;
    status = counter_key(&counter->topic, error);
    if (status == FRESHET_OK)
        status = register_loader(counter, error);
    if (status != FRESHET_OK)
        goto fail;
    http_route(app->router, "POST", "counter/increment", post_increment, counter);
    *out = counter;
    return FRESHET_OK;
fail:
    counter_stop(counter);
    *out = NULL;
    return status;
}

void counter_stop(struct counter *counter)
{
    free(counter);
}
