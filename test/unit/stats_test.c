/* What Prometheus is told: of every field, by names as its tools want them. */
#include "../../lib/core/stats.c"
#include <criterion/criterion.h>
#include <ctype.h>
#include <freshet/instance.h>
#include <freshet/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METRICS (sizeof(metrics) / sizeof(metrics[0]))

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Whether `word` is one of those that underscores part. */
static bool has_word(const char *name, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = name; (at = strstr(at, word)) != NULL; at++)
        if ((at == name || at[-1] == '_') && (at[len] == '_' || at[len] == '\0'))
            return true;
    return false;
}

/* ---- each field of the struct has a row ---- */

static size_t size_of(const struct metric *metric)
{
    switch (metric->kind) {
    case STATE:
        return sizeof(enum freshet_bus_state);
    case BY_REASON:
        return FRESHET_CLOSE_REASONS * sizeof(uint64_t);
    case HISTOGRAM:
        return sizeof(struct freshet_histogram);
    default:
        return sizeof(uint64_t);
    }
}

static int by_offset(const void *a, const void *b)
{
    const struct metric *const *left = a, *const *right = b;
    return ((*left)->offset > (*right)->offset) - ((*left)->offset < (*right)->offset);
}

/* contract 8.1: a field that nobody is told of would be a hole */
Test(stats, are_told_field_by_field_without_a_hole)
{
    const struct metric *sorted[METRICS];
    size_t end = 0;
    for (size_t i = 0; i < METRICS; i++)
        sorted[i] = &metrics[i];
    qsort(sorted, METRICS, sizeof(sorted[0]), by_offset);
    for (size_t i = 0; i < METRICS; i++) {
        cr_assert_eq(sorted[i]->offset, end, "%s begins at %zu, what is before it ends at %zu",
                     sorted[i]->name, sorted[i]->offset, end);
        end += size_of(sorted[i]);
        end = (end + _Alignof(uint64_t) - 1) / _Alignof(uint64_t) * _Alignof(uint64_t);
    }
    cr_assert_eq(end, sizeof(struct freshet_stats));
}

/* ---- names ---- */

/* contract 8.1: the rules of `promtool check metrics` */
Test(stats, have_names_that_prometheus_would_give)
{
    static const char *const units[] = {"ms",           "us",           "ns",      "s",      "msec",
                                        "milliseconds", "microseconds", "minutes", "kb",     "kib",
                                        "mb",           "kilobytes",    "bits",    "percent"};
    for (size_t i = 0; i < METRICS; i++) {
        const struct metric *metric = &metrics[i];
        const char *name = metric->name;
        cr_assert_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name), "%s", name);
        cr_assert_eq(ends_with(name, "_total"), strcmp(metric->type, "counter") == 0, "%s", name);
        cr_assert(strcmp(metric->type, "histogram") != 0 || ends_with(name, "_seconds"), "%s", name);
        cr_assert(!has_word(name, "counter") && !has_word(name, "gauge") && !has_word(name, "histogram"),
                  "%s", name);
        cr_assert(!ends_with(name, "_count") && !ends_with(name, "_sum") && !ends_with(name, "_bucket"), "%s",
                  name);
        if (has_word(name, "bytes"))
            cr_assert(ends_with(name, "_bytes") || ends_with(name, "_bytes_total"), "%s", name);
        for (size_t unit = 0; unit < sizeof(units) / sizeof(units[0]); unit++)
            cr_assert(!has_word(name, units[unit]), "%s is not in a base unit", name);
        for (size_t other = 0; other < i; other++)
            cr_assert_str_neq(name, metrics[other].name);
    }
}

/* ---- the text ---- */

/* A line of the text, without its end. */
static char *next_line(char **at)
{
    char *line = *at, *end = strchr(line, '\n');
    cr_assert_not_null(end, "the last line ends, too: %s", line);
    *end = '\0';
    *at = end + 1;
    return line;
}

/* `name`, one of the endings of a histogram, and labels of the form {name="value"}; then a number. */
static void expect_sample(const char *line, const struct metric *metric)
{
    const char *at = line + strlen("freshet_") + strlen(metric->name);
    char *end;
    if (metric->kind == HISTOGRAM) {
        cr_assert_eq(*at, '_', "%s", line);
        at += 1 + strcspn(at + 1, "{ ");
    }
    if (*at == '{') {
        cr_assert(metric->kind == HISTOGRAM || metric->kind == BY_REASON, "%s", line);
        at = strstr(at, "\"} ");
        cr_assert_not_null(at, "%s", line);
        at += 2;
    }
    cr_assert_eq(*at, ' ', "%s", line);
    strtod(at + 1, &end);
    cr_assert(end > at + 1 && *end == '\0', "%s", line);
}

/* Its help, its type, and one sample or more. Answers how many. */
static size_t expect_metric(char **at, const struct metric *metric)
{
    char help[80], type[80], sample[80];
    size_t samples = 0;
    snprintf(help, sizeof(help), "# HELP freshet_%s ", metric->name);
    snprintf(type, sizeof(type), "# TYPE freshet_%s %s", metric->name, metric->type);
    snprintf(sample, sizeof(sample), "freshet_%s", metric->name);
    const char *line = next_line(at);
    cr_assert_eq(strncmp(line, help, strlen(help)), 0, "%s", line);
    cr_assert(isupper((unsigned char)line[strlen(help)]) || isdigit((unsigned char)line[strlen(help)]), "%s",
              line);
    cr_assert(ends_with(line, "."), "a sentence: %s", line);
    cr_assert_str_eq(next_line(at), type);
    if (metric->offset == offsetof(struct freshet_stats, data.good_age_ms))
        cr_assert(strstr(*at, " -1.000\n") == strchr(*at, ' '), "an age that there is not: %s", *at);
    for (; strncmp(*at, sample, strlen(sample)) == 0; samples++)
        expect_sample(next_line(at), metric);
    return samples;
}

/* contract 8.1 */
Test(stats, are_told_with_help_and_type_each)
{
    struct freshet *freshet;
    cr_assert_eq(freshet_new(&freshet, NULL, NULL), FRESHET_OK);
    char *text = freshet_stats_prometheus(freshet), *at = text;
    cr_assert_not_null(text);
    char version[80];
    snprintf(version, sizeof(version), "freshet_build_info{version=\"%s\"} 1", freshet_version());
    cr_assert_str_eq(next_line(&at), "# HELP freshet_build_info Which freshet this is.");
    cr_assert_str_eq(next_line(&at), "# TYPE freshet_build_info gauge");
    cr_assert_str_eq(next_line(&at), version);
    for (size_t i = 0; i < METRICS; i++) {
        size_t samples = expect_metric(&at, &metrics[i]), expected = 1;
        if (metrics[i].kind == BY_REASON)
            expected = FRESHET_CLOSE_REASONS;
        else if (metrics[i].kind == HISTOGRAM)
            expected = FRESHET_HISTOGRAM_BUCKETS + 2; /* the sum and the count */
        cr_assert_eq(samples, expected, "%s: %zu samples", metrics[i].name, samples);
    }
    cr_assert_str_eq(at, "", "nothing else");
    free(text);
    freshet_destroy(freshet, 0);
}
