#include "core/request/query.h"

#include "base/percent.h"
#include "base/text.h"

/* Takes the next pair that is not empty off `rest`, still encoded; false: none. */
static bool cut_pair(struct freshet_span *rest, struct freshet_span *name, struct freshet_span *value)
{
    struct freshet_span pair = {NULL, 0};
    while (pair.len == 0 && rest->len > 0)
        pair = fr_text_cut(rest, '&');
    if (pair.len == 0)
        return false;
    *name = fr_text_cut(&pair, '=');
    *value = pair;
    return true;
}

/* `room` has as many bytes as `raw`, which are enough: decoding never grows. */
static enum freshet_status decode(struct freshet_span raw, char *room, struct freshet_span *decoded)
{
    struct fr_percent reader;
    struct freshet_span character;
    enum freshet_status status;
    size_t len = 0;
    fr_percent_init(&reader, raw, true);
    while ((status = fr_percent_next(&reader, &character)) == FRESHET_OK) {
        memcpy(room + len, character.data, character.len);
        len += character.len;
    }
    if (status == FRESHET_INVALID)
        return status;
    *decoded = freshet_span(room, len);
    return FRESHET_OK;
}

enum freshet_status fr_query_next(struct freshet_span *rest, char **room, struct freshet_span *name,
                                  struct freshet_span *value)
{
    struct freshet_span raw_name, raw_value;
    if (!cut_pair(rest, &raw_name, &raw_value))
        return FRESHET_NOT_FOUND;
    enum freshet_status status = decode(raw_name, *room, name);
    if (status != FRESHET_OK)
        return status;
    *room += name->len;
    status = decode(raw_value, *room, value);
    if (status == FRESHET_OK)
        *room += value->len;
    return status;
}
