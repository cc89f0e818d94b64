/* Request paths. Input: a pattern, a line feed, and the path as a client sends it. */
#include "base/utf8.h"
#include "check.h"
#include "core/channel/pattern.h"
#include "params.h"

static void check_values(const struct fr_params *params)
{
    for (size_t i = 0; i < params->count; i++) {
        struct freshet_span value = params->items[i].value, found;
        CHECK(value.len > 0 && value.data[value.len] == '\0' && strlen(value.data) == value.len);
        CHECK(strcmp(value.data, ".") != 0 && strcmp(value.data, "..") != 0);
        CHECK(fr_utf8_valid(value));
        for (size_t j = 0; j < value.len; j++)
            CHECK((unsigned char)value.data[j] >= 0x20 && value.data[j] != 0x7f);
        CHECK(fr_params_get(params, freshet_span_text(params->items[i].name), 0, &found));
    }
}

static void check_way_back(const struct fr_pattern *pattern, const struct fr_params *params)
{
    struct freshet_topic topic;
    struct fr_params *again;
    enum freshet_status status = fr_pattern_fill(pattern, params->items, params->count, &topic, NULL);
    if (status == FRESHET_TOO_LARGE || (status == FRESHET_INVALID && params->count == 0))
        return;
    CHECK(status == FRESHET_OK);
    CHECK(fr_pattern_match(pattern, freshet_span(topic.text, topic.len), &again) == FRESHET_OK);
    CHECK(same_params(params->items, params->count, again->items, again->count));
    fr_params_release(again);
}

/* What is wrong with a path is wrong with it for every pattern. */
static void check_status(enum freshet_status status, struct freshet_span path)
{
    static struct fr_pattern *any;
    struct fr_params *params;
    if (any == NULL)
        CHECK(fr_pattern_new(&any, ":rest*", NULL) == FRESHET_OK);
    enum freshet_status of_any = fr_pattern_match(any, path, &params);
    CHECK((status == FRESHET_INVALID) == (of_any == FRESHET_INVALID));
    CHECK(status != FRESHET_OK || of_any == FRESHET_OK);
    fr_params_release(params);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
    if (end == NULL)
        return 0;
    size_t name_len = (size_t)(end - data);
    char *name = calloc(1, name_len + 1);
    struct fr_pattern *pattern = NULL;
    struct fr_params *params = NULL;
    if (name == NULL)
        return 0;
    memcpy(name, data, name_len);
    struct freshet_span path = freshet_span((const char *)end + 1, size - name_len - 1);
    if (fr_pattern_new(&pattern, name, NULL) == FRESHET_OK) {
        enum freshet_status status = fr_pattern_match(pattern, path, &params);
        CHECK((params != NULL) == (status == FRESHET_OK));
        check_status(status, path);
        if (params != NULL) {
            check_values(params);
            check_way_back(pattern, params);
        }
    }
    fr_params_release(params);
    fr_pattern_destroy(pattern);
    free(name);
    return 0;
}
