/* What was run against what, in words. */
#include "measure/clock.h"
#include "report/result.h"
#include <stdarg.h>
#include <string.h>

struct line {
    char *out;
    size_t size, len;
};

static void add(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(line->out + line->len, line->size - line->len, format, arguments);
    va_end(arguments);
    line->len += len < 0 ? 0 : (size_t)len;
    if (line->len >= line->size)
        line->len = line->size - 1;
}

const char *report_masked(const char *text, char *out, size_t size)
{
    const char *scheme = strstr(text, "redis://"), *at = strrchr(text, '@');
    if (scheme == NULL || at == NULL || at < scheme)
        return text;
    snprintf(out, size, "%.*sredis://***%s", (int)(scheme - text), text, at);
    return out;
}

static void add_list(struct line *line, const struct list *list)
{
    char masked[1024];
    add(line, "%.100s", report_masked(list->items[0], masked, sizeof(masked)));
    if (list->count > 1)
        add(line, " and %u more", list->count - 1);
}

void report_streams(const struct options *options, char *out, size_t size)
{
    struct line line = {.out = out, .size = size};
    add(&line, "%llu streams", (unsigned long long)options->streams);
    if (options->compressed)
        add(&line, " in gzip");
    if (options->differences)
        add(&line, "%s differences", options->compressed ? " and" : " that take");
    add(&line, ": ");
    add_list(&line, &options->urls);
}

void report_load(const struct options *options, char *out, size_t size)
{
    struct line line = {.out = out, .size = size};
    double seconds = (double)options->duration_ns / (double)SECOND_NS;
    if (options->publish.count == 0) {
        add(&line, "nothing published from here, only watched for %g s (there is no --publish)", seconds);
        return;
    }
    add(&line, "%g publishes/s for %g s: ", options->rate, seconds);
    add_list(&line, &options->publish);
}
