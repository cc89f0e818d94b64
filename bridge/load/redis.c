/* State that a command of Redis gives. */
#include "load/internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A load that waits for Redis. */
struct call {
    struct freshet_load load;
    struct loads_route *route;
    enum reply_shape shape;
    size_t count;
    char *words[SOURCE_MAX_TEXTS]; /* of `count`, with their lengths */
    struct freshet_span arguments[SOURCE_MAX_TEXTS];
};

static void end(struct call *call)
{
    loads_free_texts(call->words, call->count);
    free(call);
}

static void answer(struct call *call, const struct freshet_redis_reply *reply)
{
    size_t len, fields = call->count > 2 ? call->count - 2 : 0;
    char *text = reply_text(reply, call->shape, call->arguments + 2, fields, &len);
    if (text == NULL)
        loads_fail(call->route, call->load, "no-text", NULL);
    else
        freshet_load_give(call->load, freshet_span(text, len), free, text);
}

static void on_reply(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    struct call *call = user;
    if (status != FRESHET_OK) {
        loads_fail(call->route, call->load, "store-down", freshet_status_text(status));
    } else if (reply->type == FRESHET_REDIS_ERROR) {
        char words[200];
        snprintf(words, sizeof(words), "%.*s", (int)(reply->text.len < 199 ? reply->text.len : 199),
                 reply->text.data);
        loads_fail(call->route, call->load, "store-refused", words);
    } else {
        answer(call, reply);
    }
    end(call);
}

void loads_ask_redis(struct loads_route *route, const struct source *source, struct freshet_load load,
                     const struct freshet_load_context *context)
{
    size_t lens[SOURCE_MAX_TEXTS];
    struct call *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        loads_fail(route, load, "no-memory", NULL);
        return;
    }
    *call = (struct call){.load = load, .route = route, .shape = source->shape};
    enum template_result result = loads_fill(source, context, call->words, lens);
    if (result != TEMPLATE_FILLED) {
        loads_refuse_values(route, load, result);
        free(call);
        return;
    }
    call->count = source->count;
    for (size_t i = 0; i < call->count; i++)
        call->arguments[i] = freshet_span(call->words[i], lens[i]);
    if (freshet_redis_command(store_link(route->loads->options.store), call->arguments, call->count,
                              source->timeout_ms, on_reply, call) == FRESHET_OK)
        return;
    loads_fail(route, load, "store-down", NULL);
    end(call);
}
