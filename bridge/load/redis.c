/* State that a command of Redis gives. */
#include "load/internal.h"
#include <stdlib.h>
#include <string.h>

/* A load that waits for Redis. */
struct call {
    struct freshet_load load;
    struct loads *loads;
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

static void log_refusal(struct loads *loads, struct freshet_span words)
{
    const char *space = memchr(words.data, ' ', words.len);
    size_t code_len = space == NULL ? words.len : (size_t)(space - words.data);
    if (log_is_news(&loads->refusals, freshet_span(words.data, code_len)))
        log_line(loads->options.log, FRESHET_LOG_WARN, "loads: redis refuses a command: %.*s",
                 words.len > 200 ? 200 : (int)words.len, words.data);
}

static void answer(struct call *call, const struct freshet_redis_reply *reply)
{
    size_t len, fields = call->count > 2 ? call->count - 2 : 0;
    char *text = reply_text(reply, call->shape, call->arguments + 2, fields, &len);
    if (text == NULL)
        freshet_load_fail(call->load, "no-text", NULL);
    else
        freshet_load_give(call->load, freshet_span(text, len), free, text);
}

static void on_reply(enum freshet_status status, const struct freshet_redis_reply *reply, void *user)
{
    struct call *call = user;
    if (status != FRESHET_OK) {
        freshet_load_fail(call->load, "store-down", NULL);
    } else if (reply->type == FRESHET_REDIS_ERROR) {
        log_refusal(call->loads, reply->text);
        freshet_load_fail(call->load, "store-refused", NULL);
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
        freshet_load_fail(load, "no-memory", NULL);
        return;
    }
    *call = (struct call){.load = load, .loads = route->loads, .shape = source->shape};
    enum template_result result = loads_fill(source, context, call->words, lens);
    if (result != TEMPLATE_FILLED) {
        loads_refuse_values(load, result);
        free(call);
        return;
    }
    call->count = source->count;
    for (size_t i = 0; i < call->count; i++)
        call->arguments[i] = freshet_span(call->words[i], lens[i]);
    if (freshet_redis_command(store_link(route->loads->options.store), call->arguments, call->count,
                              source->timeout_ms, on_reply, call) == FRESHET_OK)
        return;
    freshet_load_fail(load, "store-down", NULL);
    end(call);
}
