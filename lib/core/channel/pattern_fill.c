#include "core/channel/pattern_internal.h"

#include "base/log.h"
#include "base/utf8.h"
#include <string.h>

struct given {
    const struct freshet_param *params;
    size_t count;
};

static struct freshet_span name_of(const struct freshet_param *param)
{
    return freshet_span_text(param->name);
}

/* The next value for `segment` at or after `from`, that is not the empty one of an absent optional; `count`:
 * none. */
static size_t find_value(const struct given *given, const struct fr_segment *segment, size_t from)
{
    for (; from < given->count; from++)
        if (given->params[from].value.len != 0 &&
            freshet_span_equal(name_of(&given->params[from]), segment->text))
            break;
    return from;
}

static bool is_repeated(const struct given *given, size_t place)
{
    for (size_t i = 0; i < place; i++)
        if (freshet_span_equal(name_of(&given->params[i]), name_of(&given->params[place])))
            return true;
    return false;
}

static enum freshet_status refuse(struct freshet_error *error, struct freshet_span name, const char *rule)
{
    return fr_fail(error, FRESHET_INVALID, "parameter \"%s\": %s", fr_escape(name).text, rule);
}

static enum freshet_status check_given(const struct fr_pattern *pattern, const struct given *given,
                                       struct freshet_error *error)
{
    for (size_t i = 0; i < given->count; i++) {
        struct freshet_span name = name_of(&given->params[i]), value = given->params[i].value;
        const struct fr_segment *segment = fr_pattern_find(pattern, name);
        if (segment == NULL)
            return fr_fail(error, FRESHET_INVALID, "parameter \"%s\": \"%s\" has none of this name",
                           fr_escape(name).text, fr_escape(freshet_span_text(pattern->text)).text);
        if (value.data == NULL && value.len > 0)
            return refuse(error, name, "its value has a length, but its data is NULL");
        if (value.len == 0 && segment->kind != FR_SEGMENT_OPTIONAL)
            return refuse(error, name, "its value must not be empty");
        if (!fr_utf8_valid(value))
            return refuse(error, name, "its value is not valid UTF-8");
        if (!fr_segment_is_rest(segment) && is_repeated(given, i))
            return refuse(error, name, "it takes one value only");
    }
    return FRESHET_OK;
}

static bool stays(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           (byte != '\0' && strchr("-_.!~*'()", byte) != NULL);
}

static size_t encoded_len(struct freshet_span value)
{
    size_t len = value.len;
    for (size_t i = 0; i < value.len; i++)
        len += stays((unsigned char)value.data[i]) ? 0 : 2;
    return len;
}

static char *encode(char *to, struct freshet_span value)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.data[i];
        if (stays(byte)) {
            *to++ = (char)byte;
        } else {
            *to++ = '%';
            *to++ = digits[byte >> 4];
            *to++ = digits[byte & 15];
        }
    }
    return to;
}

/* Bytes of one segment filled in, a '/' before each part included. */
static size_t measure_segment(const struct fr_segment *segment, const struct given *given)
{
    if (segment->kind == FR_SEGMENT_LITERAL)
        return segment->text.len + 1;
    size_t len = 0;
    for (size_t i = find_value(given, segment, 0); i < given->count; i = find_value(given, segment, i + 1))
        len += encoded_len(given->params[i].value) + 1;
    return len;
}

static enum freshet_status measure(const struct fr_pattern *pattern, const struct given *given,
                                   struct freshet_error *error)
{
    size_t len = 0, longest = 0;
    struct freshet_span culprit = freshet_span_text("");
    for (size_t i = 0; i < pattern->count; i++) {
        const struct fr_segment *segment = &pattern->segments[i];
        size_t part = measure_segment(segment, given);
        if (part == 0 && !fr_segment_may_drop(segment))
            return refuse(error, segment->text, "it is required and missing");
        if (segment->kind != FR_SEGMENT_LITERAL && part >= longest) {
            longest = part;
            culprit = segment->text;
        }
        len += part;
    }
    if (len == 0)
        return refuse(error, culprit, "without a value the topic would be empty");
    if (len - 1 > FRESHET_MAX_TOPIC_BYTES)
        return fr_fail(error, FRESHET_TOO_LARGE,
                       "parameter \"%s\": the topic has %zu bytes, over the limit of %d",
                       fr_escape(culprit).text, len - 1, FRESHET_MAX_TOPIC_BYTES);
    return FRESHET_OK;
}

/* Each part has a '/' before it; the first one's is left out by its caller. */
static char *write_segment(char *to, const struct fr_segment *segment, const struct given *given)
{
    if (segment->kind == FR_SEGMENT_LITERAL) {
        *to++ = '/';
        return (char *)memcpy(to, segment->text.data, segment->text.len) + segment->text.len;
    }
    for (size_t i = find_value(given, segment, 0); i < given->count; i = find_value(given, segment, i + 1)) {
        *to++ = '/';
        to = encode(to, given->params[i].value);
    }
    return to;
}

enum freshet_status fr_pattern_fill(const struct fr_pattern *pattern, const struct freshet_param *params,
                                    size_t param_count, struct freshet_topic *topic,
                                    struct freshet_error *error)
{
    struct given given = {params, param_count};
    enum freshet_status status = check_given(pattern, &given, error);
    if (status == FRESHET_OK)
        status = measure(pattern, &given, error);
    if (status != FRESHET_OK)
        return status;
    char text[FRESHET_MAX_TOPIC_BYTES + 1], *end = text;
    for (size_t i = 0; i < pattern->count; i++)
        end = write_segment(end, &pattern->segments[i], &given);
    topic->len = (uint16_t)(end - text - 1);
    memcpy(topic->text, text + 1, topic->len);
    topic->text[topic->len] = '\0';
    return FRESHET_OK;
}
