/* A counter that every instance shows. The whole feature: a channel, a loader, a route.
 *
 *   GET  /live/counter        the stream: the count, again after each change
 *   POST /counter/increment   {"count": n}
 *
 * State: the number under the key `counter`. */
#include "app.h"
#include <stdlib.h>

struct counter {
    struct app *app;
    struct freshet_channel *channel;
    struct freshet_topic topic;
};

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

/* On the loop: only asks the store, which never blocks. */
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
    STORE_COMMAND(counter->app->store, answer_load, load, "GET", counter->topic.text);
}

/* An increment that waits for the store. */
struct increment {
    struct counter *counter;
    struct http_later *later;
};

/* On the loop of the request. The change is committed: publish, then tell the client. */
static void finish_increment(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    struct increment *increment = user;
    app_publish_change(increment->counter->app, status, &increment->counter->topic);
    if (status == FRESHET_OK)
        http_later_json(increment->later, 200, json_pack("{s:I}", "count", (json_int_t)reply->integer));
    else
        http_later_error(increment->later, 503, "the store did not answer", NULL);
    free(increment);
}

static void post_increment(struct http_request *request, void *user)
{
    struct counter *counter = user;
    if (http_has_body(request)) {
        json_t *body = http_read_object(request);
        if (body == NULL)
            return;
        json_decref(body);
    }
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
    STORE_COMMAND(counter->app->store, finish_increment, increment, "INCR", counter->topic.text);
}

static enum freshet_status register_loader(struct counter *counter, struct freshet_error *error)
{
    struct freshet_loader *loader;
    struct freshet_loader_options options = {
        .size = sizeof(options),
        .name = "counter",
        .route = "counter",
        .channel = counter->channel,
        .load = load_count,
        .user = counter,
        .shared = true,
        .on_loop = true,
    };
    return freshet_loader_new(counter->app->freshet, &options, &loader, error);
}

enum freshet_status counter_start(struct counter **out, struct app *app, struct freshet_error *error)
{
    struct counter *counter = calloc(1, sizeof(*counter));
    enum freshet_status status = FRESHET_NO_MEMORY;
    if (counter == NULL)
        goto fail;
    counter->app = app;
    status = freshet_channel_new(&counter->channel, "counter", error);
    if (status == FRESHET_OK)
        status = freshet_channel_topic(counter->channel, NULL, 0, &counter->topic, error);
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
    if (counter == NULL)
        return;
    freshet_channel_destroy(counter->channel);
    free(counter);
}
