/* The Accept header: RFC 9110, 12.5.1. */
#include "web/h2o_web.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

static struct freshet_span trim(struct freshet_span span)
{
    while (span.len > 0 && isspace((unsigned char)span.data[0]))
        span = freshet_span(span.data + 1, span.len - 1);
    while (span.len > 0 && isspace((unsigned char)span.data[span.len - 1]))
        span.len--;
    return span;
}

/* Takes the part before the next `separator` off `rest`. */
static struct freshet_span cut(struct freshet_span *rest, char separator)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->data, separator, rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->data);
    struct freshet_span part = freshet_span(rest->data, len);
    size_t skip = end == NULL ? len : len + 1;
    *rest = freshet_span(rest->data + skip, rest->len - skip);
    return trim(part);
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

/* `q=0`, `q=0.000` */
static bool is_zero_weight(struct freshet_span parameter)
{
    struct freshet_span name = cut(&parameter, '=');
    struct freshet_span value = trim(parameter);
    if (!is_text(name, "q") || value.len == 0)
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] != '0' && value.data[i] != '.')
            return false;
    return true;
}

/* The closest range decides. */
static void weigh(struct freshet_span element, int *closest, bool *accepted)
{
    int close = closeness(cut(&element, ';'));
    if (close == 0 || close < *closest)
        return;
    bool zero = false;
    while (element.len > 0)
        zero |= is_zero_weight(cut(&element, ';'));
    *accepted = !zero || (close == *closest && *accepted);
    *closest = close;
}

bool fr_h2o_accepts_events(const h2o_req_t *req)
{
    int closest = 0;
    bool accepted = false, present = false;
    ssize_t at = -1;
    while ((at = h2o_find_header(&req->headers, H2O_TOKEN_ACCEPT, at)) != -1) {
        const h2o_iovec_t *value = &req->headers.entries[at].value;
        struct freshet_span rest = trim(freshet_span(value->base, value->len));
        present |= rest.len > 0;
        while (rest.len > 0)
            weigh(cut(&rest, ','), &closest, &accepted);
    }
    return accepted || !present;
}
