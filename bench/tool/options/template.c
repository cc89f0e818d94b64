#include "options/template.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct output {
    char *at, *end;
    bool is_full;
};

static void put(struct output *output, const char *data, size_t len)
{
    if ((size_t)(output->end - output->at) < len) {
        output->is_full = true;
        return;
    }
    memcpy(output->at, data, len);
    output->at += len;
}

static void put_padding(struct output *output, uint64_t len)
{
    if ((uint64_t)(output->end - output->at) < len) {
        output->is_full = true;
        return;
    }
    memset(output->at, 'x', len);
    output->at += len;
}

/* Fills the place that begins at `brace` and answers its length; 0: it is no place. */
static size_t put_place(struct output *output, const char *brace, const struct template_values *values)
{
    char number[24];
    if (strncmp(brace, "{topic}", 7) == 0) {
        put(output, values->topic, strlen(values->topic));
        return 7;
    }
    if (strncmp(brace, "{seq}", 5) == 0) {
        put(output, number, (size_t)sprintf(number, "%" PRIu64, values->seq));
        return 5;
    }
    if (strncmp(brace, "{time_us}", 9) == 0) {
        put(output, number, (size_t)sprintf(number, "%" PRId64, values->time_us));
        return 9;
    }
    if (strncmp(brace, "{pad:", 5) == 0) {
        char *end;
        uint64_t len = strtoull(brace + 5, &end, 10);
        if (end == brace + 5 || *end != '}')
            return 0;
        put_padding(output, len);
        return (size_t)(end + 1 - brace);
    }
    return 0;
}

size_t template_fill(const char *text, const struct template_values *values, char *out, size_t size)
{
    struct output output = {.at = out, .end = out + size};
    while (*text != '\0') {
        size_t plain = strcspn(text, "{");
        put(&output, text, plain);
        text += plain;
        if (*text == '\0')
            break;
        size_t place = put_place(&output, text, values);
        if (place == 0)
            put(&output, text, 1);
        text += place == 0 ? 1 : place;
    }
    return output.is_full ? SIZE_MAX : (size_t)(output.at - out);
}

/* Reads `{A..B}` at `brace`; NULL: there is none. */
static const char *read_range(struct range *range, const char *brace)
{
    char *dots, *end;
    if (brace[1] < '0' || brace[1] > '9')
        return NULL;
    uint64_t first = strtoull(brace + 1, &dots, 10);
    if (dots[0] != '.' || dots[1] != '.' || dots[2] < '0' || dots[2] > '9')
        return NULL;
    uint64_t last = strtoull(dots + 2, &end, 10);
    if (*end != '}')
        return NULL;
    range->first = first;
    range->count = last >= first ? last - first + 1 : 0;
    range->width = brace[1] == '0' ? (unsigned)(dots - brace - 1) : 1;
    return end + 1;
}

bool range_find(struct range *range, const char *text)
{
    *range = (struct range){.count = 1};
    for (const char *at = text; (at = strchr(at, '{')) != NULL; at++) {
        const char *end = read_range(range, at);
        if (end == NULL)
            continue;
        if (range->end > 0)
            return false;
        range->begin = (size_t)(at - text);
        range->end = (size_t)(end - text);
    }
    return range->count > 0 && range->width < 20;
}

void range_topic(const struct range *range, uint64_t number, char *out, size_t size)
{
    if (range->end == 0)
        out[0] = '\0';
    else
        snprintf(out, size, "%0*" PRIu64, (int)range->width, range->first + number);
}

bool range_fill(const struct range *range, const char *text, uint64_t number, char *out, size_t size)
{
    char topic[24];
    range_topic(range, number, topic, sizeof(topic));
    int len = snprintf(out, size, "%.*s%s%s", (int)range->begin, text, topic, text + range->end);
    return len >= 0 && (size_t)len < size;
}
