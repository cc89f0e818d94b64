#include "core/cookie.h"

#include <stdbool.h>

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t';
}

static struct freshet_span trim(struct freshet_span text)
{
    while (text.len > 0 && is_space(text.data[0]))
        text = freshet_span(text.data + 1, text.len - 1);
    while (text.len > 0 && is_space(text.data[text.len - 1]))
        text.len--;
    return text;
}

static struct freshet_span unquote(struct freshet_span text)
{
    bool quoted = text.len >= 2 && text.data[0] == '"' && text.data[text.len - 1] == '"';
    return quoted ? freshet_span(text.data + 1, text.len - 2) : text;
}

static bool has_control(struct freshet_span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
            return true;
    return false;
}

/* Takes what is before the first `separator` off `rest`; without one, all of it. */
static struct freshet_span cut(struct freshet_span *rest, char separator)
{
    const char *end = memchr(rest->data, separator, rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->data);
    size_t skip = end == NULL ? len : len + 1;
    struct freshet_span part = freshet_span(rest->data, len);
    *rest = freshet_span(rest->data + skip, rest->len - skip);
    return part;
}

enum freshet_status fr_cookie_find(struct freshet_span header, struct freshet_span name,
                                   struct freshet_span *value)
{
    while (header.len > 0) {
        struct freshet_span pair = cut(&header, ';');
        const char *equals = pair.len == 0 ? NULL : memchr(pair.data, '=', pair.len);
        if (equals == NULL || !freshet_span_equal(trim(cut(&pair, '=')), name))
            continue;
        *value = unquote(trim(pair));
        return has_control(*value) ? FRESHET_INVALID : FRESHET_OK;
    }
    return FRESHET_NOT_FOUND;
}
