/* The result for people: a table. */
#include "report/result.h"
#include <string.h>
#include <sys/wait.h>

struct section {
    const char *title;
    enum metric first, last;
};

static const struct section sections[] = {
    {"Delivery", METRIC_p50, METRIC_behind},
    {"Streams", METRIC_streams, METRIC_stormed},
    {"Coming back", METRIC_reconnects, METRIC_unrecovered},
    {"Slow streams", METRIC_slow_streams, METRIC_slow_behind},
    {"Publishing", METRIC_published, METRIC_late_p99},
    {"Server", METRIC_cpu, METRIC_rss_growth},
    {"This tool", METRIC_client_cpu, METRIC_client_cpu},
};
enum { SECTIONS = sizeof(sections) / sizeof(sections[0]) };

/* Above this the busiest process of the tool is part of what is measured. */
static const double busy_percent = 85;

static bool is_shown(const struct result *result, const struct section *section)
{
    if (section->first == METRIC_reconnects && result->metrics.value[METRIC_reconnects] == 0 &&
        !result->metrics.is_known[METRIC_recovered])
        return false;
    for (int i = (int)section->first; i <= (int)section->last; i++) {
        if (result->metrics.is_known[i])
            return true;
    }
    return false;
}

static void print_section(const struct result *result, const struct section *section, FILE *out)
{
    char value[32];
    fprintf(out, "\n%s\n", section->title);
    for (int i = (int)section->first; i <= (int)section->last; i++) {
        if (!result->metrics.is_known[i])
            continue;
        quantity_print(metric_infos[i].unit, result->metrics.value[i], value, sizeof(value));
        fprintf(out, "  %-19s %12s   %s\n", metric_infos[i].name, value, metric_infos[i].label);
    }
}

static void print_servers(const struct result *result, const struct options *options, FILE *out)
{
    char rss[32], peak[32];
    for (unsigned i = 0; options->watched_count > 1 && i < options->watched_count; i++) {
        const struct server *server = &result->servers[i];
        double cpu = (double)(server->samples[SAMPLE_END].cpu_ns - server->samples[SAMPLE_BEGIN].cpu_ns);
        quantity_print(UNIT_BYTES, (double)server->samples[SAMPLE_OPEN].rss, rss, sizeof(rss));
        quantity_print(UNIT_BYTES, (double)server->peak, peak, sizeof(peak));
        fprintf(out, "  %s (%ld): cpu %.1f %%, rss %s, peak %s%s\n", server->name, server->pid,
                result->seconds > 0 ? cpu / result->seconds / 1e7 : 0, rss, peak,
                server->is_known[SAMPLE_END] ? "" : "; gone at the end");
    }
}

static void print_commands(const struct result *result, const struct options *options, FILE *out)
{
    for (unsigned i = 0; i < options->command_count; i++) {
        const struct played *played = &result->played[i];
        if (played->begin_s == 0)
            fprintf(out, "  command not run, the time was too short: %s\n", options->commands[i].text);
        else if (played->end_s < 0)
            fprintf(out, "  command cut at the end: %s\n", options->commands[i].text);
        else
            fprintf(out, "  command from %.2f s to %.2f s, exit %d: %s\n", played->begin_s, played->end_s,
                    WIFEXITED(played->status) ? WEXITSTATUS(played->status) : 128 + WTERMSIG(played->status),
                    options->commands[i].text);
    }
}

static void print_limits(const struct result *result, const struct options *options, FILE *out)
{
    char value[32], bound[32];
    if (options->limits.count > 0)
        fprintf(out, "\nLimits\n");
    for (unsigned i = 0; i < options->limits.count; i++) {
        const struct limit *limit = &options->limits.items[i];
        const struct metric_info *info = &metric_infos[limit->metric];
        strcpy(value, "not measured");
        if (result->metrics.is_known[limit->metric])
            quantity_print(info->unit, result->metrics.value[limit->metric], value, sizeof(value));
        quantity_print(info->unit, limit->value, bound, sizeof(bound));
        fprintf(out, "  %-6s %s %s, %s %s\n", limit_holds(limit, &result->metrics) ? "held" : "BROKEN",
                info->name, value, limit->is_min ? "at least" : "at most", bound);
    }
}

/* What makes the numbers say something else than they seem to. */
static void print_warnings(const struct result *result, const struct options *options, FILE *out)
{
    if (result->client_percent > busy_percent)
        fprintf(out,
                "\nThis tool used %.0f %% of a core: latencies hold its own delay, and more was perhaps not "
                "to be "
                "had. More --processes, or fewer streams.\n",
                result->client_percent);
    if (result->publish != NULL && result->publish->problem[0] != '\0')
        fprintf(out, "\nFirst failed publish: %s\n", result->publish->problem);
    if (result->streams->unplanned > 0)
        fprintf(
            out,
            "\nNumbers came that were not published here: somebody else publishes, or --number finds another "
            "number.\n");
    if (result->publish != NULL && result->publish->unsent + result->publish->unanswered > 0)
        fprintf(out,
                "\n%llu publishes could not be sent in time and %llu were not answered: the server is slower "
                "than "
                "--rate. Their latency may be in no number here, and nobody is behind for want of them.\n",
                (unsigned long long)result->publish->unsent, (unsigned long long)result->publish->unanswered);
    if (options->server_numbers && result->publish->failed > 0)
        fprintf(
            out,
            "\nPublishes failed while the server counts them: its numbers may stand for other publishes than "
            "assumed.\n");
    if (options->compressed && result->streams->compressed == 0)
        fprintf(out, "\nNo answer came in gzip: the server sends none, or not to this client.\n");
    if (options->differences && result->streams->differences == 0)
        fprintf(out, "\nNo event came as a difference: the server knows none, or none was smaller.\n");
    if (result->opened < options->streams)
        fprintf(out, "\nOnly %llu of %llu streams were open when publishing began.\n",
                (unsigned long long)result->opened, (unsigned long long)options->streams);
    if (result->problem[0] != '\0')
        fprintf(out, "\nThis run is none: %s.\n", result->problem);
}

void report_table(const struct result *result, const struct options *options, FILE *out)
{
    char line[512];
    if (options->title[0] != '\0')
        fprintf(out, "%s\n", options->title);
    report_streams(options, line, sizeof(line));
    fprintf(out, "%s\n", line);
    report_load(options, line, sizeof(line));
    fprintf(out, "%s\n", line);
    for (int i = 0; i < SECTIONS; i++) {
        if (!is_shown(result, &sections[i]))
            continue;
        print_section(result, &sections[i], out);
        if (sections[i].first == METRIC_cpu)
            print_servers(result, options, out);
    }
    print_commands(result, options, out);
    print_limits(result, options, out);
    print_warnings(result, options, out);
    fflush(out);
}
