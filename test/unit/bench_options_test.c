/* bench/: the command line of freshet-bench, its templates and limits. */
#include "../../bench/tool/options/check.c"
#include "../../bench/tool/options/limits.c"
#include "../../bench/tool/options/options.c"
#include "../../bench/tool/options/quantity.c"
#include "../../bench/tool/options/rule.c"
#include "../../bench/tool/options/template.c"
#define STREAM_URL "http://127.0.0.1:8080/live"
#include "../../bench/tool/options/url.c"
#include <criterion/criterion.h>

static struct options options;
static char *complained, *said, *words_read[32];

static void forget(void)
{
    options_release(&options);
    memset(&options, 0, sizeof(options));
    for (int i = 0; i < 32; i++) {
        free(words_read[i]);
        words_read[i] = NULL;
    }
    free(complained);
    free(said);
    complained = said = NULL;
}

/* Words behind the program's name, ended by NULL. */
static enum options_result read_words(const char *const *words)
{
    int argc = 1;
    size_t len;
    forget();
    words_read[0] = strdup("freshet-bench");
    for (; words[argc - 1] != NULL; argc++)
        words_read[argc] = strdup(words[argc - 1]);
    FILE *err = open_memstream(&complained, &len), *out = open_memstream(&said, &len);
    enum options_result result = options_read(&options, argc, words_read, out, err);
    fclose(err);
    fclose(out);
    return result;
}

TestSuite(bench_options, .fini = forget);
TestSuite(bench_limits, .fini = forget);

#define READ(...) read_words((const char *const[]){__VA_ARGS__, NULL})

/* The message names what is wrong and what would be right. */
static void refuses(const char *const *words, const char *wrong_part, const char *right_part)
{
    cr_assert_eq(read_words(words), OPTIONS_WRONG, "%s %s", words[0], words[1]);
    cr_assert(strstr(complained, wrong_part) != NULL && strstr(complained, right_part) != NULL, "%s",
              complained);
    cr_assert_eq(strchr(complained, '\n') - complained, (long)strlen(complained) - 1, "one line: %s",
                 complained);
}

#define REFUSES(wrong, right, ...) refuses((const char *const[]){__VA_ARGS__, NULL}, wrong, right)

Test(bench_options, has_the_stated_defaults)
{
    cr_assert_eq(READ(STREAM_URL), OPTIONS_RUN);
    cr_assert_eq(options.streams, 100);
    cr_assert_eq(options.topics, 1);
    cr_assert_eq(options.processes, 1);
    cr_assert_eq(options.duration_ns, 10 * SECOND_NS);
    cr_assert_eq(options.reconnect_ns, SECOND_NS);
    cr_assert_eq(options.rule.where, RULE_NONE);
    cr_assert_not(options.is_raw);
    cr_assert_not(options.skips_are_lost);
    cr_assert_eq(options.source_count, 1);
    cr_assert_str_empty(complained);
}

Test(bench_options, takes_values_behind_a_blank_or_an_equals_sign)
{
    cr_assert_eq(READ("--streams=5k", "--rate", "2.5/s", "--duration=1m", "--slow-rate", "2KiB",
                      "--reconnect=never", "--skips", "lost", "--format=raw", "--time", "us", "--number",
                      "after:t=", STREAM_URL),
                 OPTIONS_RUN, "%s", complained);
    cr_assert_eq(options.streams, 5000);
    cr_assert_float_eq(options.rate, 2.5, 1e-9);
    cr_assert_eq(options.duration_ns, 60 * SECOND_NS);
    cr_assert_eq(options.slow_rate, 2048);
    cr_assert_lt(options.reconnect_ns, 0);
    cr_assert(options.skips_are_lost && options.is_raw && options.is_time);
    cr_assert_eq(options.time_unit_ns, 1000);
}

Test(bench_options, takes_scenarios)
{
    cr_assert_eq(READ("--storm", "1s", "--storm", "2s:50%", "--stall", "1s:500ms", "--at", "3s:echo a:b",
                      "--pid", "a=b=12", "--pid", "7", STREAM_URL),
                 OPTIONS_RUN, "%s", complained);
    cr_assert_eq(options.storm_count, 2);
    cr_assert_float_eq(options.storms[0].percent, 100, 1e-9);
    cr_assert_float_eq(options.storms[1].percent, 50, 1e-9);
    cr_assert_eq(options.stalls[0].for_ns, 500 * MS_NS);
    cr_assert_str_eq(options.commands[0].text, "echo a:b");
    cr_assert_str_eq(options.watched[0].name, "a=b");
    cr_assert_eq(options.watched[0].pid, 12);
    cr_assert_str_eq(options.watched[1].name, "server");
}

Test(bench_options, says_what_is_wrong_and_what_would_be_right)
{
    REFUSES("--frob", "--help", "--frob", STREAM_URL);
    REFUSES("5x", "40/s", "--rate", "5x", STREAM_URL);
    REFUSES("-5", "40/s", "--rate", "-5", STREAM_URL);
    REFUSES("10", "unit", "--duration", "10", STREAM_URL);
    REFUSES("abc", "number", "--streams", "abc", STREAM_URL);
    REFUSES("--streams", "takes N", STREAM_URL, "--streams");
    REFUSES("--quiet", "nothing", "--quiet=yes", STREAM_URL);
    REFUSES("middle", "after:TEXT", "--number", "middle", STREAM_URL);
    REFUSES("maybe", "fresh or lost", "--skips", "maybe", STREAM_URL);
    REFUSES("5s", "two times", "--stall", "5s", STREAM_URL);
    REFUSES("--at", "a command", "--at", "5s", STREAM_URL);
    REFUSES("x", "id of a process", "--pid", "x", STREAM_URL);
    REFUSES("127.0.0.9-127.0.0.2", "127.0.0.2-127.0.0.9", "--sources", "127.0.0.9-127.0.0.2", STREAM_URL);
    REFUSES("plot.png", ".svg", "--plot", "plot.png", STREAM_URL);
    REFUSES("--time", "--number", "--time", "us", STREAM_URL);
    REFUSES("--publish", "--channel", "--publish", "redis://127.0.0.1", STREAM_URL);
    REFUSES("https://x/", "no TLS", "https://x/", "--quiet");
    REFUSES("which streams", "http://", "--quiet", "--quiet");
    REFUSES("parts of --streams", "--slow", "--slow", "101", STREAM_URL);
    REFUSES("{5..1}", "{A..B}", "http://127.0.0.1/{5..1}", "--quiet");
    REFUSES("{1..4}", "as many topics", "http://127.0.0.1/{1..5}", "http://127.0.0.1/{1..4}");
    REFUSES("--max-p98", "p99", "--max-p98", "5ms", STREAM_URL);
    REFUSES("--max-p99", "5ms", "--max-p99", "5", STREAM_URL);
}

Test(bench_options, keeps_a_password_out_of_messages)
{
    cr_assert_eq(READ("--publish", "redis://u:secret@no.such.host.invalid", "--channel", "c", STREAM_URL),
                 OPTIONS_WRONG);
    cr_assert_null(strstr(complained, "secret"));
}

Test(bench_options, shows_all_of_them)
{
    cr_assert_eq(READ("--help"), OPTIONS_HELP);
    for (int i = 0; i < OPTION_COUNT; i++)
        cr_assert(table[i].name == NULL || strstr(said, table[i].name) != NULL, "%s", table[i].name);
}

Test(bench_options, takes_as_many_addresses_as_streams_need)
{
    cr_assert_eq(
        READ("--streams", "100000", "--processes", "200", "http://127.0.0.1:1/", "http://127.0.0.1:2/"),
        OPTIONS_RUN, "%s", complained);
    cr_assert_eq(options.source_count, 6);
    cr_assert_eq(options.sources[5].s_addr, htonl(0x7f000006));
    cr_assert_eq(READ("--sources", "127.0.0.2,127.0.0.5-127.0.0.9", STREAM_URL), OPTIONS_RUN);
    cr_assert_eq(options.source_count, 6);
    cr_assert_eq(options.sources[5].s_addr, htonl(0x7f000009));
}

Test(bench_limits, hold_or_not)
{
    struct metrics metrics = {0};
    cr_assert_eq(READ("--max-p99", "5ms", "--min-published=10", "--max-behind", "0", STREAM_URL),
                 OPTIONS_RUN);
    cr_assert_eq(options.limits.count, 3);
    metric_set(&metrics, METRIC_p99, 5e6);
    metric_set(&metrics, METRIC_published, 9);
    cr_assert(limit_holds(&options.limits.items[0], &metrics));
    cr_assert_not(limit_holds(&options.limits.items[1], &metrics));
    cr_assert_not(limit_holds(&options.limits.items[2], &metrics), "not measured");
    metric_set(&metrics, METRIC_p99, 5e6 + 1);
    metric_set(&metrics, METRIC_published, 10);
    cr_assert_not(limit_holds(&options.limits.items[0], &metrics));
    cr_assert(limit_holds(&options.limits.items[1], &metrics));
}

static const char *fill(const char *text)
{
    static char out[64];
    struct template_values values = {.topic = "t7", .seq = 42, .time_us = 99};
    size_t len = template_fill(text, &values, out, sizeof(out) - 1);
    if (len == SIZE_MAX)
        return "does not fit";
    out[len] = '\0';
    return out;
}

Test(bench_template, fills_what_it_knows_and_leaves_the_rest)
{
    cr_assert_str_eq(fill("/a/{topic}?n={seq}&t={time_us}"), "/a/t7?n=42&t=99");
    cr_assert_str_eq(fill("{\"to\":{\"n\":{seq}}}"), "{\"to\":{\"n\":42}}");
    cr_assert_str_eq(fill("{pad:3}{pad:}{pad:0}{seqs}{"), "xxx{pad:}{seqs}{");
    cr_assert_str_eq(fill("{pad:63}"), "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    cr_assert_str_eq(fill("{pad:64}"), "does not fit");
    cr_assert_str_eq(fill("{pad:18446744073709551615}"), "does not fit");
    cr_assert_str_eq(fill(""), "");
}

Test(bench_template, counts_and_fills_ranges)
{
    struct range range;
    char out[32];
    cr_assert(range_find(&range, "/b/{08..12}/x"));
    cr_assert_eq(range.count, 5);
    cr_assert(range_fill(&range, "/b/{08..12}/x", 4, out, sizeof(out)));
    cr_assert_str_eq(out, "/b/12/x");
    cr_assert(range_fill(&range, "/b/{08..12}/x", 0, out, sizeof(out)));
    cr_assert_str_eq(out, "/b/08/x");
    cr_assert(range_find(&range, "/b/{x}/{1..a}"));
    cr_assert_eq(range.count, 1);
    cr_assert(range_fill(&range, "/b/{x}", 0, out, sizeof(out)));
    cr_assert_str_eq(out, "/b/{x}");
    cr_assert_not(range_find(&range, "/{1..2}/{1..2}"));
    cr_assert_not(range_find(&range, "/{2..1}"));
}

Test(bench_quantity, prints_what_people_read)
{
    static const struct {
        enum unit unit;
        double value;
        const char *text;
    } cases[] = {
        {UNIT_TIME, 12, "12 ns"},        {UNIT_TIME, 1500, "1.50 us"}, {UNIT_TIME, 123456789, "123.5 ms"},
        {UNIT_TIME, 2.5e9, "2.50 s"},    {UNIT_BYTES, 614, "614 B"},   {UNIT_BYTES, 20480, "20.0 KiB"},
        {UNIT_BYTES, 3e7, "28.6 MiB"},   {UNIT_RATE, 40, "40.0/s"},    {UNIT_RATE, 80000, "80000/s"},
        {UNIT_PERCENT, 12.34, "12.3 %"}, {UNIT_COUNT, 1e7, "10000000"}};
    char out[32];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        quantity_print(cases[i].unit, cases[i].value, out, sizeof(out));
        cr_assert_str_eq(out, cases[i].text);
    }
}
