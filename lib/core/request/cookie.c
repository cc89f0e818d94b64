#include "core/request/cookie.h"

#include "base/text.h"
#include <stdbool.h>

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

enum freshet_status fr_cookie_find(struct freshet_span header, struct freshet_span name,
                                   struct freshet_span *value)
{
    while (header.len > 0) {
        struct freshet_span pair = fr_text_cut(&header, ';');
        const char *equals = pair.len == 0 ? NULL : memchr(pair.data, '=', pair.len);
        if (equals == NULL || !freshet_span_equal(fr_text_trim(fr_text_cut(&pair, '=')), name))
            continue;
        *value = unquote(fr_text_trim(pair));
        return has_control(*value) ? FRESHET_INVALID : FRESHET_OK;
    }
    return FRESHET_NOT_FOUND;
}
