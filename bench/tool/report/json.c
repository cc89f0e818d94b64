/* The result for programs. */
#include "report/result.h"
#include <string.h>

static const char *const suffixes[] = {[UNIT_COUNT] = "",
                                       [UNIT_TIME] = "_ns",
                                       [UNIT_RATE] = "_per_s",
                                       [UNIT_BYTES] = "_bytes",
                                       [UNIT_PERCENT] = "_percent"};

static void put_text(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte < ' ')
            fprintf(out, "\\u%04x", byte);
        else
            fprintf(out, byte == '"' || byte == '\\' ? "\\%c" : "%c", byte);
    }
    fputc('"', out);
}

static void put_metrics(const struct result *result, FILE *out)
{
    const char *comma = "";
    fprintf(out, "  \"metrics\": {");
    for (int i = 0; i < METRIC_COUNT; i++) {
        if (!result->metrics.is_known[i])
            continue;
        fprintf(out, "%s\n    \"%s%s\": %.10g", comma, metric_infos[i].name, suffixes[metric_infos[i].unit],
                result->metrics.value[i]);
        comma = ",";
    }
    fprintf(out, "\n  },\n");
}

static void put_limits(const struct result *result, const struct options *options, FILE *out)
{
    fprintf(out, "  \"limits\": [");
    for (unsigned i = 0; i < options->limits.count; i++) {
        const struct limit *limit = &options->limits.items[i];
        const struct metric_info *info = &metric_infos[limit->metric];
        fprintf(out, "%s\n    {\"name\": \"%s%s\", \"%s\": %.10g, \"held\": %s}", i > 0 ? "," : "",
                info->name, suffixes[info->unit], limit->is_min ? "min" : "max", limit->value,
                limit_holds(limit, &result->metrics) ? "true" : "false");
    }
    fprintf(out, "%s],\n", options->limits.count > 0 ? "\n  " : "");
}

static void put_servers(const struct result *result, const struct options *options, FILE *out)
{
    fprintf(out, "  \"servers\": [");
    for (unsigned i = 0; i < options->watched_count; i++) {
        const struct server *server = &result->servers[i];
        const struct usage *empty = &server->samples[SAMPLE_EMPTY], *open = &server->samples[SAMPLE_OPEN];
        const struct usage *begin = &server->samples[SAMPLE_BEGIN], *end = &server->samples[SAMPLE_END];
        fprintf(out, "%s\n    {\"name\": ", i > 0 ? "," : "");
        put_text(server->name, out);
        fprintf(out,
                ", \"pid\": %ld, \"cpu_ns\": %lld, \"system_ns\": %lld, \"rss_empty_bytes\": %llu, "
                "\"rss_open_bytes\": %llu, \"pss_open_bytes\": %llu, \"private_open_bytes\": %llu, "
                "\"rss_peak_bytes\": %llu}",
                server->pid, (long long)(end->cpu_ns - begin->cpu_ns),
                (long long)(end->system_ns - begin->system_ns), (unsigned long long)empty->rss,
                (unsigned long long)open->rss, (unsigned long long)open->pss,
                (unsigned long long)open->private, (unsigned long long)server->peak);
    }
    fprintf(out, "%s],\n", options->watched_count > 0 ? "\n  " : "");
}

static void put_history(const struct result *result, FILE *out)
{
    fprintf(out, "  \"history\": [");
    for (size_t i = 0; i < result->moment_count; i++) {
        const struct moment *moment = &result->history[i];
        fprintf(out,
                "%s\n    {\"at_s\": %.3f, \"streams\": %llu, \"deliveries\": %llu, \"answered\": %llu, "
                "\"p50_ns\": %llu, "
                "\"p99_ns\": %llu, \"max_ns\": %llu}",
                i > 0 ? "," : "", moment->at_s, (unsigned long long)moment->live,
                (unsigned long long)moment->deliveries, (unsigned long long)moment->answered,
                (unsigned long long)moment->p50, (unsigned long long)moment->p99,
                (unsigned long long)moment->max);
    }
    fprintf(out, "%s],\n", result->moment_count > 0 ? "\n  " : "");
}

/* Every bucket that holds something: the highest value in it, and how many. */
static void put_histogram(const struct histogram *histogram, FILE *out)
{
    const char *comma = "";
    fprintf(out, "  \"latency_histogram\": [");
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (histogram->buckets[i] == 0)
            continue;
        fprintf(out, "%s[%llu, %llu]", comma, (unsigned long long)histogram_bucket_top(i),
                (unsigned long long)histogram->buckets[i]);
        comma = ", ";
    }
    fprintf(out, "]\n");
}

static void put_all(const struct result *result, const struct options *options, FILE *out)
{
    char masked[1024];
    fprintf(out, "{\n  \"title\": ");
    put_text(options->title, out);
    fprintf(out, ",\n  \"arguments\": [");
    for (int i = 1; i < options->argc; i++) {
        fputs(i > 1 ? ", " : "", out);
        put_text(report_masked(options->argv[i], masked, sizeof(masked)), out);
    }
    fprintf(out, "],\n  \"holds\": %s,\n  \"problem\": ", result_holds(result, options) ? "true" : "false");
    put_text(result->problem, out);
    fprintf(out, ",\n  \"measured_s\": %.3f,\n", result->seconds);
    put_metrics(result, out);
    put_limits(result, options, out);
    put_servers(result, options, out);
    put_history(result, out);
    put_histogram(&result->streams->latency, out);
    fprintf(out, "}\n");
}

bool report_json(const struct result *result, const struct options *options, const char *path)
{
    bool is_stdout = strcmp(path, "-") == 0;
    FILE *out = is_stdout ? stdout : fopen(path, "we");
    if (out == NULL)
        return false;
    put_all(result, options, out);
    bool fine = fflush(out) == 0 && !ferror(out);
    return (is_stdout || fclose(out) == 0) && fine;
}
