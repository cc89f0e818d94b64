/* The Accept header: RFC 9110, 12.5.1. */
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

/* `q=0`, `q=0.000` */
static bool is_zero_weight(struct freshet_span parameter)
{
    struct freshet_span name = cut(&parameter, '=');
    struct freshet_span value = fr_text_trim(parameter);
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
        struct freshet_span rest = fr_text_trim(freshet_span(value->base, value->len));
        present |= rest.len > 0;
        while (rest.len > 0)
            weigh(cut(&rest, ','), &closest, &accepted);
    }
    return accepted || !present;
}
