#include "core/query.h"

#include "base/percent.h"

/* Takes the next pair that is not empty off `rest`, still encoded; false: none. */
static bool cut_pair(struct freshet_span *rest, struct freshet_span *name, struct freshet_span *value)
{
    struct freshet_span pair = {NULL, 0};
    while (pair.len == 0 && rest->len > 0) {
        const char *end = memchr(rest->data, '&', rest->len);
        size_t len = end == NULL ? rest->len : (size_t)(end - rest->data);
        size_t skip = end == NULL ? len : len + 1;
        pair = freshet_span(rest->data, len);
        *rest = freshet_span(rest->data + skip, rest->len - skip);
    }
    if (pair.len == 0)
        return false;
    const char *equals = memchr(pair.data, '=', pair.len);
    size_t len = equals == NULL ? pair.len : (size_t)(equals - pair.data);
    size_t skip = equals == NULL ? len : len + 1;
    *name = freshet_span(pair.data, len);
    *value = freshet_span(pair.data + skip, pair.len - skip);
    return true;
}

/* What does not fit is read to its end all the same: it may be invalid. */
static enum freshet_status decode(struct freshet_span raw, char *room, size_t room_bytes,
                                  struct freshet_span *decoded)
{
    struct fr_percent reader;
    struct freshet_span character;
    enum freshet_status status;
    size_t len = 0;
    fr_percent_init(&reader, raw, true);
    while ((status = fr_percent_next(&reader, &character)) == FRESHET_OK) {
        if (len <= room_bytes && character.len <= room_bytes - len)
            memcpy(room + len, character.data, character.len);
        len += character.len;
    }
    if (status == FRESHET_INVALID)
        return status;
    if (len > room_bytes)
        return FRESHET_TOO_LARGE;
    *decoded = freshet_span(room, len);
    return FRESHET_OK;
}

enum freshet_status fr_query_next(struct freshet_span *rest, char **room, struct freshet_span *name,
                                  struct freshet_span *value)
{
    struct freshet_span raw_name, raw_value;
    if (!cut_pair(rest, &raw_name, &raw_value))
        return FRESHET_NOT_FOUND;
    enum freshet_status status = decode(raw_name, *room, raw_name.len, name);
    if (status != FRESHET_OK)
        return status;
    *room += name->len;
    status = decode(raw_value, *room, raw_value.len, value);
    if (status == FRESHET_OK)
        *room += value->len;
    return status;
}

/* FRESHET_OK: `raw` is the encoded `name`. */
static enum freshet_status compare(struct freshet_span raw, struct freshet_span name)
{
    struct fr_percent reader;
    struct freshet_span character;
    enum freshet_status status;
    bool same = true;
    fr_percent_init(&reader, raw, true);
    while ((status = fr_percent_next(&reader, &character)) == FRESHET_OK) {
        same = same && character.len <= name.len && memcmp(name.data, character.data, character.len) == 0;
        if (same)
            name = freshet_span(name.data + character.len, name.len - character.len);
    }
    if (status == FRESHET_INVALID)
        return status;
    return same && name.len == 0 ? FRESHET_OK : FRESHET_NOT_FOUND;
}

static enum freshet_status check(struct freshet_span raw)
{
    struct freshet_span ignored;
    char none;
    enum freshet_status status = decode(raw, &none, 0, &ignored);
    return status == FRESHET_INVALID ? status : FRESHET_OK;
}

enum freshet_status fr_query_find(struct freshet_span query, struct freshet_span name, size_t index,
                                  char *room, size_t room_bytes, struct freshet_span *value)
{
    struct freshet_span raw_name, raw_value;
    enum freshet_status found = FRESHET_NOT_FOUND;
    size_t seen = 0;
    while (cut_pair(&query, &raw_name, &raw_value)) {
        enum freshet_status status = compare(raw_name, name);
        if (status == FRESHET_INVALID)
            return status;
        if (status == FRESHET_OK && seen++ == index) {
            found = decode(raw_value, room, room_bytes, value);
            if (found == FRESHET_INVALID)
                return found;
        } else if (check(raw_value) != FRESHET_OK) {
            return FRESHET_INVALID;
        }
    }
    return found;
}
