/* State that a web server gives. What it says about an error is never shown: only a code. */
#include "load/internal.h"
#include "load/values.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A load that waits for a backend. */
struct call {
    struct freshet_load load;
    struct loads_route *route;
    const struct source *source; /* held */
    char *feed; /* names the feed among all of the route; NULL: of one stream, whose versions nobody keeps */
    size_t feed_len;
    bool asked_whether_changed;
};

static void end(struct call *call)
{
    loads_source_release(call->source);
    free(call->feed);
    free(call);
}

/* ---- answers ---- */

static const char *code_of(int status)
{
    switch (status) {
    case 401:
    case 403:
        return "forbidden";
    case 404:
    case 410:
        return "not-found";
    case 429:
        return "busy";
    default:
        return status < 400 ? "backend-unexpected" : status < 500 ? "backend-refused" : "backend-error";
    }
}

/* The version is kept before the answer counts: who comes behind the answer finds it. */
static void give(struct call *call, const struct fetch_answer *answer)
{
    struct freshet_span feed = freshet_span(call->feed, call->feed_len), tag;
    struct freshet_span body = answer->status == 204 ? freshet_span_text("null") : answer->body;
    if (call->feed != NULL) {
        bool has_tag = fetch_answer_header(answer, "etag", &tag);
        loads_keep_tag(call->route, call->source, feed, has_tag ? tag : freshet_span(NULL, 0));
    }
    if (freshet_load_answer(call->load, body) != FRESHET_OK && call->feed != NULL)
        etags_forget(&call->route->etags, feed);
}

/* The load may be over by then: the answer is not used, and that is fine. */
static void on_answer(const struct fetch_answer *answer, void *user)
{
    struct call *call = user;
    char status[32];
    snprintf(status, sizeof(status), "the backend answers %d", answer->status);
    if (answer->outcome == FETCH_UNWANTED || answer->outcome == FETCH_CLOSED)
        freshet_load_fail(call->load, fetch_outcome_code(answer->outcome),
                          NULL); /* nobody is there any more */
    else if (answer->outcome != FETCH_ANSWERED)
        loads_fail(call->route, call->load, fetch_outcome_code(answer->outcome), answer->detail);
    else if (answer->status >= 200 && answer->status <= 299)
        give(call, answer);
    else if (answer->status == 304 && call->asked_whether_changed)
        freshet_load_unchanged(call->load);
    else
        loads_fail(call->route, call->load, code_of(answer->status), status);
    end(call);
}

static bool is_wanted(void *user)
{
    const struct call *call = user;
    return !freshet_load_cancelled(call->load);
}

/* ---- versions ---- */

static void print_part(FILE *out, struct freshet_span part)
{
    fprintf(out, "%zu:", part.len);
    fwrite(part.data, 1, part.len, out);
}

/* Topic, identity and parameters: what makes a feed. */
static void name_feed(struct call *call, const char *route, const struct freshet_load_context *context)
{
    const char *at = route, *found;
    FILE *out = open_memstream(&call->feed, &call->feed_len);
    if (out == NULL)
        return;
    print_part(out, context->topic);
    print_part(out, context->identity);
    for (size_t len; (len = source_next_param(&at, &found)) > 0;) {
        char name[FRESHET_MAX_TOPIC_BYTES + 1];
        struct freshet_span value;
        snprintf(name, sizeof(name), "%.*s", (int)len, found);
        for (size_t i = 0; freshet_load_param(context, name, i, &value) == FRESHET_OK; i++)
            print_part(out, value);
        fputc('/', out);
    }
    if (fclose(out) != 0) {
        free(call->feed);
        call->feed = NULL;
    }
}

/* Whether the backend may answer that nothing has changed: `tag` is what the feed has. A feed that begins has
 * nothing, whatever one before it had. */
static bool ask_whether_changed(struct call *call, const struct freshet_load_context *context,
                                char tag[ETAGS_MAX_BYTES + 1])
{
    struct freshet_span feed = freshet_span(call->feed, call->feed_len);
    if (call->feed == NULL)
        return false;
    if (context->cause != FRESHET_CAUSE_CONNECT)
        return etags_find(&call->route->etags, feed, tag);
    etags_forget(&call->route->etags, feed);
    return false;
}

/* ---- the request ---- */

/* Lines of a request, and the texts that were made for it. */
struct lines {
    const char **all; /* the last NULL */
    size_t count;
    char *made[SOURCE_MAX_TEXTS];
    size_t made_count;
};

static size_t count_texts(const char *const *texts)
{
    size_t count = 0;
    while (texts != NULL && texts[count] != NULL)
        count++;
    return count;
}

static void free_lines(struct lines *lines)
{
    for (size_t i = 0; i < lines->made_count; i++)
        free(lines->made[i]);
    free(lines->all);
}

static bool add_line(struct lines *lines, const char *name, struct freshet_span value)
{
    char *line;
    if (asprintf(&line, "%s: %.*s", name, (int)value.len, value.data) < 0)
        return false;
    lines->made[lines->made_count++] = line;
    lines->all[lines->count++] = line;
    return true;
}

/* What the client sent of the headers that are handed on. */
static bool add_forwarded(struct lines *lines, const char *const *names,
                          const struct freshet_request *request)
{
    for (; names != NULL && *names != NULL; names++) {
        struct freshet_span value;
        if (freshet_request_header(request, *names, &value) == FRESHET_OK && !add_line(lines, *names, value))
            return false;
    }
    return true;
}

static bool make_lines(struct lines *lines, struct call *call, const struct freshet_load_context *context)
{
    const struct config_load *load = &call->source->loader->load;
    size_t configured = count_texts(load->headers);
    char tag[ETAGS_MAX_BYTES + 1];
    *lines = (struct lines){.all = calloc(configured + count_texts(load->forward) + 2, sizeof(*lines->all))};
    if (lines->all == NULL)
        return false;
    for (; lines->count < configured; lines->count++)
        lines->all[lines->count] = load->headers[lines->count];
    call->asked_whether_changed = ask_whether_changed(call, context, tag);
    return (!call->asked_whether_changed || add_line(lines, "if-none-match", freshet_span_text(tag))) &&
           add_forwarded(lines, load->forward, context->request);
}

static enum freshet_status start(struct call *call, char *const *urls,
                                 const struct freshet_load_context *context)
{
    struct lines lines;
    enum freshet_status status = FRESHET_NO_MEMORY;
    if (make_lines(&lines, call, context)) {
        struct fetch_request request = {.urls = (const char *const *)urls,
                                        .headers = lines.all,
                                        .timeout_ms = call->source->timeout_ms,
                                        .max_body_bytes = call->route->loads->options.max_bytes,
                                        .wanted = is_wanted};
        status = fetch_start(call->route->loads->options.fetcher, &request, on_answer, call);
    }
    free_lines(&lines);
    return status;
}

void loads_get(struct loads_route *route, const struct source *source, struct freshet_load load,
               const struct freshet_load_context *context)
{
    char *urls[FETCH_MAX_URLS + 1] = {NULL};
    size_t lens[FETCH_MAX_URLS];
    enum template_result result = loads_fill(source, context, urls, lens);
    if (result != TEMPLATE_FILLED) {
        loads_refuse_values(route, load, result);
        return;
    }
    enum freshet_status status = FRESHET_NO_MEMORY;
    struct call *call = calloc(1, sizeof(*call));
    if (call != NULL) {
        call->load = load;
        call->route = route;
        call->source = source;
        config_acquire(source->config);
        if (context->request == NULL)
            name_feed(call, route->loader->route, context);
        status = start(call, urls, context);
    }
    loads_free_texts(urls, source->count);
    if (status == FRESHET_OK)
        return;
    loads_fail(route, load, status == FRESHET_FULL ? "busy" : "no-memory", freshet_status_text(status));
    if (call != NULL)
        end(call);
}
