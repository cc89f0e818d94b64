/* What a client takes: RFC 9110, 12.4.2, 12.5.1 and 12.5.3. */
#include "base/text.h"
#include "web/h2o/web.h"
#include <string.h>
#include <strings.h>

/* The part before the next `separator`, without the spaces around it. */
static struct freshet_span cut(struct freshet_span *rest, char separator)
{
    return fr_text_trim(fr_text_cut(rest, separator));
}

static bool is_text(struct freshet_span span, const char *text)
{
    return span.len == strlen(text) && strncasecmp(span.data, text, span.len) == 0;
}

/* How closely a media range fits; 0: not at all. */
static int closeness(struct freshet_span range)
{
    if (is_text(range, "text/event-stream"))
        return 3;
    if (is_text(range, "text/*"))
        return 2;
    return is_text(range, "*/*") ? 1 : 0;
}

/* In thousandths; what is no weight counts as none, which is 1. */
#define WHOLE 1000

/* `q=0.25`. Some write more than the three digits that there should be: whatever is more than nothing is at
 * least a thousandth. */
static void read_weight(struct freshet_span parameter, int *weight)
{
    struct freshet_span name = cut(&parameter, '=');
    struct freshet_span value = fr_text_trim(parameter);
    if (!is_text(name, "q") || value.len == 0)
        return;
    int sum = 0, least = 0, unit = WHOLE;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        if (i == 1 ? c != '.' : c < '0' || c > '9')
            return;
        if (i == 1)
            continue;
        sum += (c - '0') * unit;
        least |= c != '0';
        unit /= 10;
    }
    *weight = sum > WHOLE ? WHOLE : sum > least ? sum : least;
}

/* Of the parameters behind a name. */
static int weigh(struct freshet_span parameters)
{
    int weight = WHOLE;
    while (parameters.len > 0)
        read_weight(cut(&parameters, ';'), &weight);
    return weight;
}

/* Calls `visit` for each element of all headers of that name. False: there is none. */
static bool walk(const h2o_req_t *req, const h2o_token_t *token,
                 void (*visit)(void *context, struct freshet_span name, struct freshet_span parameters),
                 void *context)
{
    bool present = false;
    ssize_t at = -1;
    while ((at = h2o_find_header(&req->headers, token, at)) != -1) {
        const h2o_iovec_t *value = &req->headers.entries[at].value;
        struct freshet_span rest = fr_text_trim(freshet_span(value->base, value->len));
        present |= rest.len > 0;
        while (rest.len > 0) {
            struct freshet_span element = cut(&rest, ',');
            struct freshet_span name = cut(&element, ';');
            visit(context, name, element);
        }
    }
    return present;
}

struct events {
    int closest;
    bool accepted;
};

/* The closest range decides. */
static void look_for_events(void *context, struct freshet_span range, struct freshet_span parameters)
{
    struct events *events = context;
    int close = closeness(range);
    if (close == 0 || close < events->closest)
        return;
    events->accepted = weigh(parameters) > 0 || (close == events->closest && events->accepted);
    events->closest = close;
}

bool fr_h2o_accepts_events(const h2o_req_t *req)
{
    struct events events = {0};
    bool present = walk(req, H2O_TOKEN_ACCEPT, look_for_events, &events);
    return events.accepted || !present;
}

/* Weights; below zero: not named. */
struct codings {
    int gzip, identity, any;
};

static void look_for_gzip(void *context, struct freshet_span name, struct freshet_span parameters)
{
    struct codings *codings = context;
    int weight = weigh(parameters);
    if (is_text(name, "gzip") || is_text(name, "x-gzip"))
        codings->gzip = weight;
    else if (is_text(name, "identity"))
        codings->identity = weight;
    else if (is_text(name, "*"))
        codings->any = weight;
}

static bool accepts_gzip(const h2o_req_t *req)
{
    struct codings codings = {-1, -1, -1};
    walk(req, H2O_TOKEN_ACCEPT_ENCODING, look_for_gzip, &codings);
    int gzip = codings.gzip >= 0 ? codings.gzip : codings.any;
    return gzip > 0 && gzip >= codings.identity;
}

static bool has(h2o_iovec_t text, const char *word)
{
    return memmem(text.base, text.len, word, strlen(word)) != NULL;
}

/* WebKitGTK keeps what comes in gzip until something else happens on its loop. Safari is not on these
 * systems, and everything that is made of Chromium says so. */
static bool is_webkit_gtk(const h2o_req_t *req)
{
    ssize_t at = h2o_find_header(&req->headers, H2O_TOKEN_USER_AGENT, -1);
    if (at == -1)
        return false;
    h2o_iovec_t agent = req->headers.entries[at].value;
    return has(agent, "AppleWebKit") && (has(agent, "Linux") || has(agent, "X11")) && !has(agent, "Chrome") &&
           !has(agent, "Chromium");
}

/* A parameter of `text/event-stream` in Accept, which is what a page can say to any origin unasked. */
struct parameter {
    const char *name, *value;
    bool found;
};

static void look_for_parameter(void *context, struct freshet_span range, struct freshet_span parameters)
{
    struct parameter *wanted = context;
    while (is_text(range, "text/event-stream") && parameters.len > 0) {
        struct freshet_span value = cut(&parameters, ';'), name = cut(&value, '=');
        wanted->found |= is_text(name, wanted->name) && is_text(fr_text_trim(value), wanted->value);
    }
}

static bool has_parameter(const h2o_req_t *req, const char *name, const char *value)
{
    struct parameter wanted = {.name = name, .value = value};
    walk(req, H2O_TOKEN_ACCEPT, look_for_parameter, &wanted);
    return wanted.found;
}

bool fr_h2o_wants_gzip(const struct fr_h2o_mount *mount, const h2o_req_t *req)
{
    enum freshet_h2o_gzip gzip = mount->options.gzip;
    return gzip != FRESHET_H2O_GZIP_NEVER && accepts_gzip(req) && !has_parameter(req, "gzip", "0") &&
           (gzip == FRESHET_H2O_GZIP_ALWAYS || !is_webkit_gtk(req));
}

bool fr_h2o_takes_differences(const h2o_req_t *req)
{
    return has_parameter(req, "differences", "1");
}
