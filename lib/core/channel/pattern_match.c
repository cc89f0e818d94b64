#include "core/channel/pattern_internal.h"

#include "base/percent.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>

static size_t count_parts(struct freshet_span path)
{
    size_t count = path.len != 0;
    for (size_t i = 0; i < path.len; i++)
        count += path.data[i] == '/';
    return count;
}

/* Writes the decoded segment and a NUL to `to`; false: a bad '%', or no UTF-8. */
static bool decode(struct freshet_span raw, char *to, struct freshet_span *decoded)
{
    struct fr_percent reader;
    struct freshet_span character;
    enum freshet_status status;
    char *end = to;
    fr_percent_init(&reader, raw, false);
    while ((status = fr_percent_next(&reader, &character)) == FRESHET_OK) {
        memcpy(end, character.data, character.len);
        end += character.len;
    }
    *end = '\0';
    *decoded = freshet_span(to, (size_t)(end - to));
    return status == FRESHET_NOT_FOUND;
}

/* Valid UTF-8 without U+0000 to U+001F and U+007F to U+009F. */
static bool is_clean_text(struct freshet_span text)
{
    bool valid = true;
    for (size_t at = 0; valid && at < text.len;) {
        const unsigned char *here = (const unsigned char *)text.data + at;
        size_t len = fr_utf8_next(freshet_span(text.data + at, text.len - at), &valid);
        if (here[0] < 0x20 || here[0] == 0x7f || (valid && here[0] == 0xc2 && here[1] < 0xa0))
            return false;
        at += len;
    }
    return valid;
}

static bool is_dots(struct freshet_span text)
{
    return text.len <= 2 && memcmp(text.data, "..", text.len) == 0;
}

/* Decodes each segment of `path` into one item of `params`, yet without a name. */
static enum freshet_status split(struct freshet_span path, struct fr_params *params, char *room)
{
    enum freshet_status status = FRESHET_OK;
    size_t at = 0;
    for (size_t i = 0; i < params->count; i++) {
        struct freshet_span rest = freshet_span(path.data + at, path.len - at);
        const char *slash = memchr(rest.data, '/', rest.len);
        size_t len = slash == NULL ? rest.len : (size_t)(slash - rest.data);
        struct freshet_span *value = &params->items[i].value;
        if (!decode(freshet_span(rest.data, len), room, value) || !is_clean_text(*value))
            return FRESHET_INVALID;
        /* Bad bytes further on have the last word. */
        if (is_dots(*value))
            status = FRESHET_NOT_FOUND;
        room += value->len + 1;
        at += len + 1;
    }
    return status;
}

/* Names the items and drops those of literals. */
static enum freshet_status assign(const struct fr_pattern *pattern, struct fr_params *params, char *names)
{
    size_t length = params->count;
    if (length < fr_pattern_fewest(pattern) || length > fr_pattern_most(pattern))
        return FRESHET_NOT_FOUND;
    const struct fr_segment *before = NULL;
    params->count = 0;
    for (size_t i = 0; i < length; i++) {
        const struct fr_segment *segment = fr_pattern_at(pattern, length, i);
        struct freshet_param item = params->items[i];
        if (segment->kind == FR_SEGMENT_LITERAL) {
            if (!freshet_span_equal(segment->text, item.value))
                return FRESHET_NOT_FOUND;
            continue;
        }
        if (segment != before) {
            item.name = memcpy(names, segment->text.data, segment->text.len);
            names[segment->text.len] = '\0';
            names += segment->text.len + 1;
        } else {
            item.name = params->items[params->count - 1].name;
        }
        before = segment;
        params->items[params->count++] = item;
    }
    return FRESHET_OK;
}

enum freshet_status fr_pattern_match(const struct fr_pattern *pattern, struct freshet_span raw_path,
                                     struct fr_params **params)
{
    *params = NULL;
    struct freshet_span path = raw_path;
    if (path.len != 0 && path.data[0] == '/')
        path = freshet_span(path.data + 1, path.len - 1);
    size_t count = count_parts(path);
    size_t names_len = strlen(pattern->text) + 1; /* each name lacks its ':' and gets a NUL */
    struct fr_params *found =
        malloc(sizeof(*found) + count * sizeof(found->items[0]) + names_len + path.len + count);
    if (found == NULL)
        return FRESHET_NO_MEMORY;
    char *names = (char *)&found->items[count];
    fr_refcount_init(&found->references);
    found->count = count;
    enum freshet_status status = split(path, found, names + names_len);
    if (status == FRESHET_OK)
        status = assign(pattern, found, names);
    if (status == FRESHET_OK)
        *params = found;
    else
        free(found);
    return status;
}

struct fr_params *fr_params_acquire(struct fr_params *params)
{
    fr_refcount_acquire(&params->references);
    return params;
}

void fr_params_release(struct fr_params *params)
{
    if (params != NULL && fr_refcount_release(&params->references))
        free(params);
}

bool fr_params_get(const struct fr_params *params, struct freshet_span name, size_t index,
                   struct freshet_span *value)
{
    for (size_t i = 0; i < params->count; i++) {
        if (!freshet_span_equal(freshet_span_text(params->items[i].name), name))
            continue;
        if (index-- == 0) {
            *value = params->items[i].value;
            return true;
        }
    }
    return false;
}

enum freshet_status fr_param_find(const struct fr_params *params, const struct fr_pattern *route,
                                  const char *name, size_t index, struct freshet_span *value)
{
    *value = freshet_span(NULL, 0);
    if (!fr_pattern_has(route, freshet_span_text(name)))
        return FRESHET_NOT_FOUND;
    if (fr_params_get(params, freshet_span_text(name), index, value))
        return FRESHET_OK;
    return index == 0 ? FRESHET_OK : FRESHET_NOT_FOUND;
}
