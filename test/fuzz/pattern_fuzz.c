/* The grammar and the topics. Input: two names and then names and values of parameters, a NUL after each. */
#include "check.h"
#include "core/channel/pattern_internal.h"
#include "params.h"

#define MAX_FIELDS 64

struct fields {
    struct freshet_span items[MAX_FIELDS]; /* NUL-terminated */
    size_t count;
};

/* `text` has a NUL behind it. */
static void split(struct fields *fields, const char *text, size_t len)
{
    for (size_t at = 0; at <= len && fields->count < MAX_FIELDS;) {
        struct freshet_span item = freshet_span_text(text + at);
        fields->items[fields->count++] = item;
        at += item.len + 1;
    }
}

static struct fr_pattern *compile(struct freshet_span text)
{
    struct fr_pattern *pattern;
    struct freshet_error error = {""};
    enum freshet_status status = fr_pattern_new(&pattern, text.data, &error);
    CHECK((pattern != NULL) == (status == FRESHET_OK));
    CHECK((error.text[0] != '\0') == (status != FRESHET_OK));
    CHECK(status == FRESHET_OK || status == FRESHET_INVALID || text.len > FRESHET_MAX_TOPIC_BYTES);
    if (pattern != NULL) {
        CHECK(freshet_span_equal(freshet_span_text(fr_pattern_text(pattern)), text));
        CHECK(fr_pattern_compare(pattern, pattern) == 0 && fr_pattern_overlap(pattern, pattern));
    }
    return pattern;
}

/* Segments of a topic; it has no empty one. */
static size_t check_topic(const struct freshet_topic *topic, bool *dots)
{
    size_t segments = 0;
    CHECK(topic->len > 0 && topic->len <= FRESHET_MAX_TOPIC_BYTES && topic->text[topic->len] == '\0');
    for (const char *at = topic->text; at <= topic->text + topic->len;) {
        size_t len = strcspn(at, "/");
        CHECK(len > 0);
        for (size_t i = 0; i < len; i++)
            CHECK(at[i] > ' ' && at[i] < 0x7f);
        *dots |= len <= 2 && strncmp(at, "..", len) == 0;
        segments++;
        at += len + 1;
    }
    return segments;
}

static size_t count_given(const struct fr_pattern *pattern, const struct freshet_param *params, size_t count)
{
    size_t given = 0;
    for (size_t i = 0; i < count; i++)
        given += params[i].value.len != 0;
    for (size_t i = 0; i < pattern->count; i++)
        given += pattern->segments[i].kind == FR_SEGMENT_LITERAL;
    return given;
}

static void check_fill(const struct fr_pattern *pattern, const struct fr_pattern *other,
                       const struct freshet_param *params, size_t count)
{
    struct freshet_topic topic;
    struct freshet_error error = {""};
    struct fr_params *found;
    bool dots = false;
    if (fr_pattern_fill(pattern, params, count, &topic, &error) != FRESHET_OK) {
        CHECK(strncmp(error.text, "parameter \"", strlen("parameter \"")) == 0);
        return;
    }
    /* No value leaves its segment. */
    CHECK(check_topic(&topic, &dots) == count_given(pattern, params, count));
    struct freshet_span path = freshet_span(topic.text, topic.len);
    enum freshet_status status = fr_pattern_match(pattern, path, &found);
    if (dots) {
        CHECK(status == FRESHET_NOT_FOUND || status == FRESHET_INVALID);
        return;
    }
    /* Control characters may be in a topic, but not in a path. */
    CHECK(status == FRESHET_OK || status == FRESHET_INVALID);
    if (status == FRESHET_OK)
        CHECK(same_params(params, count, found->items, found->count));
    fr_params_release(found);
    if (other != NULL && fr_pattern_match(other, path, &found) == FRESHET_OK) {
        CHECK(fr_pattern_overlap(pattern, other));
        fr_params_release(found);
    }
}

static void check_pair(const struct fr_pattern *a, const struct fr_pattern *b)
{
    int order = fr_pattern_compare(a, b), reverse = fr_pattern_compare(b, a);
    CHECK((order < 0) == (reverse > 0) && (order > 0) == (reverse < 0));
    CHECK(fr_pattern_overlap(a, b) == fr_pattern_overlap(b, a));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fields fields = {.count = 0};
    struct freshet_param params[MAX_FIELDS / 2];
    size_t count = 0;
    char *text = calloc(1, size + 1);
    if (text == NULL)
        return 0;
    if (size != 0)
        memcpy(text, data, size);
    split(&fields, text, size);
    struct fr_pattern *a = compile(fields.items[0]);
    struct fr_pattern *b = fields.count > 1 ? compile(fields.items[1]) : NULL;
    for (size_t i = 2; i + 1 < fields.count; i += 2)
        params[count++] = (struct freshet_param){fields.items[i].data, fields.items[i + 1]};
    if (a != NULL && b != NULL)
        check_pair(a, b);
    if (a != NULL)
        check_fill(a, b, params, count);
    fr_pattern_destroy(a);
    fr_pattern_destroy(b);
    free(text);
    return 0;
}
