#include "core/channel/pattern_internal.h"

#include "base/log.h"
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
#define LITERAL_BYTES NAME_BYTES ".~!$()*,;=@-:"

/* How many bytes at the start of `text` are of `set`. */
static size_t run_of(struct freshet_span text, const char *set)
{
    size_t len = 0;
    while (len < text.len && text.data[len] != '\0' && strchr(set, text.data[len]) != NULL)
        len++;
    return len;
}

/* These return the rule that is broken, or NULL. */

static const char *read_parameter(struct freshet_span text, struct fr_segment *segment)
{
    static const char *const suffixes = "?*+";
    static const enum fr_segment_kind kinds[] = {FR_SEGMENT_OPTIONAL, FR_SEGMENT_REST_ANY,
                                                 FR_SEGMENT_REST_SOME};
    struct freshet_span name = freshet_span(text.data + 1, text.len - 1);
    const char *suffix = name.len == 0 ? NULL : strchr(suffixes, name.data[name.len - 1]);
    segment->kind = suffix == NULL ? FR_SEGMENT_REQUIRED : kinds[suffix - suffixes];
    name.len -= suffix != NULL;
    segment->text = name;
    if (name.len == 0)
        return "a parameter needs a name after ':'";
    if (run_of(name, NAME_BYTES) != name.len)
        return "a parameter's name has only A-Z, a-z, 0-9 and _, then at most one of ?, * and +";
    return NULL;
}

static const char *read_literal(struct freshet_span text, struct fr_segment *segment)
{
    segment->kind = FR_SEGMENT_LITERAL;
    segment->text = text;
    if (run_of(text, LITERAL_BYTES) != text.len)
        return "only A-Z, a-z, 0-9 and _.~!$()*,;=@-: may stand in a literal segment";
    const char *colon = memrchr(text.data, ':', text.len);
    if (colon == NULL)
        return NULL;
    struct freshet_span tail = freshet_span(colon + 1, (size_t)(text.data + text.len - colon - 1));
    if (tail.len != 0 && run_of(tail, NAME_BYTES) == tail.len)
        return "a parameter is a whole segment: put a '/' before its ':'";
    return NULL;
}

static const char *read_segment(struct freshet_span text, struct fr_segment *segment)
{
    if (text.len == 0)
        return "a segment must not be empty";
    return text.data[0] == ':' ? read_parameter(text, segment) : read_literal(text, segment);
}

/* Rules between `last`, the newest segment, and those before it. */
static const char *check_against_others(const struct fr_pattern *pattern, size_t last)
{
    const struct fr_segment *segment = &pattern->segments[last];
    if (segment->kind == FR_SEGMENT_LITERAL)
        return NULL;
    for (size_t i = 0; i < last; i++)
        if (pattern->segments[i].kind != FR_SEGMENT_LITERAL &&
            freshet_span_equal(pattern->segments[i].text, segment->text))
            return "two parameters have this name";
    if (segment->kind != FR_SEGMENT_REQUIRED && pattern->flexible < last)
        return "only one parameter of a name may have ?, * or +";
    return NULL;
}

static enum freshet_status read_segments(struct fr_pattern *pattern, struct freshet_error *error)
{
    const char *at = pattern->text;
    for (size_t i = 0; i < pattern->count; i++) {
        struct fr_segment *segment = &pattern->segments[i];
        struct freshet_span text = freshet_span(at, strcspn(at, "/"));
        const char *rule = read_segment(text, segment);
        if (rule == NULL)
            rule = check_against_others(pattern, i);
        if (rule != NULL)
            return fr_fail(error, FRESHET_INVALID, "segment %zu \"%s\": %s", i + 1, fr_escape(text).text,
                           rule);
        if (segment->kind > FR_SEGMENT_REQUIRED)
            pattern->flexible = i;
        at += text.len + 1;
    }
    return FRESHET_OK;
}

static size_t count_segments(const char *text)
{
    size_t count = 1;
    for (; (text = strchr(text, '/')) != NULL; text++)
        count++;
    return count;
}

enum freshet_status fr_pattern_new(struct fr_pattern **out, const char *text, struct freshet_error *error)
{
    *out = NULL;
    size_t len = text == NULL ? 0 : strlen(text);
    if (len == 0)
        return fr_fail(error, FRESHET_INVALID, "segment 1 \"\": a name must not be empty");
    if (len > FRESHET_MAX_TOPIC_BYTES)
        return fr_fail(error, FRESHET_TOO_LARGE, "a name of %zu bytes is over the limit of %d: \"%s\"", len,
                       FRESHET_MAX_TOPIC_BYTES, fr_escape(freshet_span(text, len)).text);
    size_t count = count_segments(text);
    size_t size = sizeof(struct fr_pattern) + count * sizeof(struct fr_segment);
    struct fr_pattern *pattern = malloc(size + len + 1);
    if (pattern == NULL)
        return fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    pattern->text = memcpy((char *)pattern + size, text, len + 1);
    pattern->count = pattern->flexible = count;
    enum freshet_status status = read_segments(pattern, error);
    if (status == FRESHET_OK)
        *out = pattern;
    else
        free(pattern);
    return status;
}

void fr_pattern_destroy(struct fr_pattern *pattern)
{
    free(pattern);
}

const char *fr_pattern_text(const struct fr_pattern *pattern)
{
    return pattern->text;
}

const struct fr_segment *fr_pattern_find(const struct fr_pattern *pattern, struct freshet_span name)
{
    for (size_t i = 0; i < pattern->count; i++)
        if (pattern->segments[i].kind != FR_SEGMENT_LITERAL &&
            freshet_span_equal(pattern->segments[i].text, name))
            return &pattern->segments[i];
    return NULL;
}

bool fr_pattern_has(const struct fr_pattern *pattern, struct freshet_span name)
{
    return fr_pattern_find(pattern, name) != NULL;
}
