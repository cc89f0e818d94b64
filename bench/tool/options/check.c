/* What only several options together can show, and what follows from them. */
#include "measure/clock.h"
#include "options/options.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Descriptors a process needs beside those of its streams. */
enum { OTHER_DESCRIPTORS = 64 };
/* Streams from one address to one port. The kernel has 28,000 ports for clients and gives connect() the half
 * of them first; behind that half it searches for milliseconds. */
enum { STREAMS_PER_SOURCE = 10000 };

static bool wrong(FILE *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool wrong(FILE *err, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("freshet-bench: ", err);
    vfprintf(err, format, arguments);
    fputc('\n', err);
    va_end(arguments);
    return false;
}

/* A URL of a list; `{topic}` and the like may stand in its path only. */
static bool read_url(struct url *url, const char *option, const char *text, FILE *err)
{
    char problem[128];
    if (url_parse(url, text, problem, sizeof(problem)))
        return true;
    /* A URL of Redis may hold a password. */
    return wrong(err, "%s %s: %s", option, strncmp(text, "redis", 5) == 0 ? "redis://..." : text, problem);
}

static bool check_streams(struct options *options, FILE *err)
{
    if (options->urls.count == 0)
        return wrong(err, "which streams? Give a URL, such as http://127.0.0.1:8080/live/counter");
    options->stream_urls = calloc(options->urls.count, sizeof(struct url));
    if (options->stream_urls == NULL)
        return wrong(err, "no memory");
    for (unsigned i = 0; i < options->urls.count; i++) {
        const char *text = options->urls.items[i];
        struct range whole;
        if (!range_find(&whole, text))
            return wrong(err, "%s: a range is {A..B} with A <= B, and there is one in a URL", text);
        if (!read_url(&options->stream_urls[i], "URL", text, err))
            return false;
        if (options->stream_urls[i].kind != URL_HTTP)
            return wrong(err, "%s: streams come from http://HOST:PORT/PATH", text);
        range_find(&options->ranges[i], options->stream_urls[i].path);
        if (whole.count != options->ranges[i].count || whole.count != options->ranges[0].count)
            return wrong(err, "%s: ranges stand in the path, and all URLs have as many topics as the first",
                         text);
    }
    options->topics = options->ranges[0].count;
    if (options->topics > 10000000)
        return wrong(err, "no more than 10,000,000 topics");
    return true;
}

static bool check_publish(struct options *options, FILE *err)
{
    options->publish_urls = calloc(options->publish.count + 1, sizeof(struct url));
    if (options->publish_urls == NULL)
        return wrong(err, "no memory");
    for (unsigned i = 0; i < options->publish.count; i++) {
        struct url *url = &options->publish_urls[i];
        if (!read_url(url, "--publish", options->publish.items[i], err))
            return false;
        if (url->kind != URL_HTTP && options->publish.count > 1)
            return wrong(err, "--publish: one Redis, or any number of http URLs");
        if (url->kind != URL_HTTP && options->channel == NULL && options->redis_commands.count == 0)
            return wrong(err, "--publish to Redis takes --channel NAME, --redis-command TEXT, or both");
    }
    if (options->publish.count > 0 &&
        (options->rate <= 0 || options->rate * 1e-9 * (double)options->duration_ns < 1))
        return wrong(err, "--rate and --duration leave nothing to publish");
    if (options->publish_connections == 0 || options->publish_connections > 4096 || options->pipeline == 0 ||
        options->pipeline > 65536)
        return wrong(err, "--publish-connections takes 1 to 4096, --pipeline 1 to 65536");
    return true;
}

static bool check_groups(const struct options *options, FILE *err)
{
    if (options->streams == 0 || options->streams > 10000000)
        return wrong(err, "--streams takes 1 to 10000000");
    if (options->slow + options->stalled > options->streams || options->warm_up > options->streams)
        return wrong(err, "--slow, --stalled and --warm-up are parts of --streams");
    if (options->slow > 0 && options->slow_rate == 0)
        return wrong(err, "--slow-rate takes at least 1; streams that read nothing are --stalled");
    if (options->connecting == 0 || options->first_seq == 0)
        return wrong(err, "--connecting and --first-seq take at least 1");
    if (options->is_time && options->rule.where == RULE_NONE)
        return wrong(err, "--time takes --number RULE beside it: where the time stands");
    if (options->duration_ns < 100 * MS_NS || options->warm_ns >= options->duration_ns)
        return wrong(err, "--duration takes at least 100ms, and --warm is less than it");
    if (options->plot != NULL &&
        (strlen(options->plot) < 5 || strcmp(strrchr(options->plot, '\0') - 4, ".svg") != 0))
        return wrong(err, "--plot takes a file that ends with .svg, not %s", options->plot);
    return true;
}

/* As many processes as descriptors ask for; on more than two cores one for each two. */
static bool choose_processes(struct options *options, FILE *err)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max <= OTHER_DESCRIPTORS)
        return wrong(err, "the limit of descriptors can't be read, or is too low");
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    uint64_t room = limit.rlim_max - OTHER_DESCRIPTORS;
    uint64_t needed = (options->streams + room - 1) / room;
    if (options->processes == 0)
        options->processes = needed;
    if (options->processes < needed)
        return wrong(
            err,
            "--processes: %llu streams take at least %llu, with the limit of %llu descriptors (ulimit -Hn)",
            (unsigned long long)options->streams, (unsigned long long)needed,
            (unsigned long long)limit.rlim_max);
    return options->processes <= 256 || wrong(err, "--processes takes no more than 256");
}

static void choose_sources(struct options *options)
{
    const struct sockaddr_in *server = (const struct sockaddr_in *)&options->stream_urls[0].address;
    if (options->source_count > 0 || server->sin_family != AF_INET ||
        ntohl(server->sin_addr.s_addr) >> 24 != 127)
        return;
    uint64_t streams = options->streams / options->urls.count + 1;
    options->source_count = streams / STREAMS_PER_SOURCE + 1;
    if (options->source_count > MAX_SOURCES)
        options->source_count = MAX_SOURCES;
    for (uint32_t i = 0; i < options->source_count; i++)
        options->sources[i].s_addr = htonl(INADDR_LOOPBACK + i);
}

bool options_check(struct options *options, FILE *err)
{
    if (!check_streams(options, err) || !check_publish(options, err) || !check_groups(options, err) ||
        !choose_processes(options, err))
        return false;
    choose_sources(options);
    return true;
}

void options_release(struct options *options)
{
    free(options->stream_urls);
    free(options->publish_urls);
}
