/* Two drawings in one SVG: latency over the time of the run, and by percentile. Both have a logarithmic scale
 * of latency, the second one of the percentiles too, as 1 / (1 - p). */
#include "report/result.h"
#include <math.h>
#include <string.h>

enum {
    WIDTH = 960,
    HEIGHT = 860,
    LEFT = 100,
    RIGHT = 40,
    PANEL = 290,
    TOP_TIME = 115,
    TOP_PERCENTILES = 500
};

/* The greatest lies on the 99 % where few were answered, and both on the 50 % where one was: so those below
 * are broader, and seen on both sides of those above. */
static const char style[] =
    "text{font:13px sans-serif;fill:#333}.title{font-weight:bold}.left{text-anchor:end}"
    ".below{text-anchor:middle}.grid{stroke:#ddd}.paper{fill:#fff}polyline{fill:none;stroke-linejoin:round}"
    ".line0{stroke:#e59a9a;stroke-width:8}.line1{stroke:#36c;stroke-width:3}.line2{stroke:#fb0;stroke-width:"
    "1.2}"
    ".name0{fill:#c33}.name1{fill:#36c}.name2{fill:#a70}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.grid{stroke:#444}.paper{fill:#1b1b1b}"
    ".line0{stroke:#a44}.line1{stroke:#6af}.name0{fill:#f88}.name1{fill:#6af}.name2{fill:#fc3}}";

/* A drawing's place, and what its edges mean. */
struct panel {
    double top, x_min, x_max, y_min, y_max; /* y: decimal logarithms of nanoseconds */
};

static double place_x(const struct panel *panel, double x)
{
    return LEFT + (x - panel->x_min) / (panel->x_max - panel->x_min) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const struct panel *panel, double ns)
{
    double y = log10(ns < 1 ? 1 : ns);
    y = y < panel->y_min ? panel->y_min : y > panel->y_max ? panel->y_max : y;
    return panel->top + PANEL - (y - panel->y_min) / (panel->y_max - panel->y_min) * PANEL;
}

static void put_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '<' || *text == '&' || *text == '>')
            fprintf(out, "&#%d;", *text);
        else
            fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
    }
}

static void draw_frame(FILE *out, const struct panel *panel, const char *title, const char *below)
{
    char text[32];
    double middle = panel->top + PANEL / 2.0;
    fprintf(out, "<text x='%d' y='%.0f' class='title'>%s</text>\n", LEFT, panel->top - 10, title);
    fprintf(out,
            "<text transform='rotate(-90 20 %.0f)' x='20' y='%.0f' class='below'>planned publish to arrival"
            "</text>\n",
            middle, middle);
    fprintf(out, "<text x='%d' y='%.0f' class='below'>%s</text>\n", (WIDTH + LEFT - RIGHT) / 2,
            panel->top + PANEL + 38, below);
    for (double y = panel->y_min; y <= panel->y_max + 0.01; y++) {
        double at = place_y(panel, pow(10, y));
        quantity_print(UNIT_TIME, pow(10, y), text, sizeof(text));
        fprintf(out, "<line x1='%d' x2='%d' y1='%.1f' y2='%.1f' class='grid'/>\n", LEFT, WIDTH - RIGHT, at,
                at);
        fprintf(out, "<text x='%d' y='%.1f' class='left'>%s</text>\n", LEFT - 8, at + 4, text);
    }
}

static void draw_tick(FILE *out, const struct panel *panel, double x, const char *text)
{
    double at = place_x(panel, x);
    fprintf(out, "<line x1='%.1f' x2='%.1f' y1='%.0f' y2='%.0f' class='grid'/>\n", at, at, panel->top,
            panel->top + PANEL);
    fprintf(out, "<text x='%.1f' y='%.0f' class='below'>%s</text>\n", at, panel->top + PANEL + 18, text);
}

/* The decades that hold all values. */
static void set_scale(struct panel *panel, double least, double greatest)
{
    panel->y_min = floor(log10(least < 1e3 ? 1e3 : least));
    panel->y_max = ceil(log10(greatest < 1e4 ? 1e4 : greatest));
    if (panel->y_max <= panel->y_min)
        panel->y_max = panel->y_min + 1;
}

static uint64_t value_of(const struct moment *moment, int line)
{
    return line == 0 ? moment->max : line == 1 ? moment->p99 : moment->p50;
}

static void draw_nothing(FILE *out, const struct panel *panel)
{
    fprintf(out, "<text x='%d' y='%.0f' class='below'>no publish was answered</text>\n",
            (WIDTH + LEFT - RIGHT) / 2, panel->top + PANEL / 2.0);
}

static void draw_line(FILE *out, const struct panel *panel, const struct result *result, int line)
{
    static const char *const names[] = {"greatest", "99 %", "50 %"};
    fprintf(out, "<polyline class='line%d' points='", line);
    for (size_t i = 0; i < result->moment_count; i++) {
        const struct moment *moment = &result->history[i];
        if (moment->answered > 0)
            fprintf(out, "%.1f,%.1f ", place_x(panel, moment->at_s),
                    place_y(panel, (double)value_of(moment, line)));
    }
    fprintf(out, "'/>\n<text x='%d' y='%.0f' class='name%d'>%s</text>\n", WIDTH - RIGHT - 220 + line * 80,
            panel->top - 10, line, names[line]);
}

/* About eight ticks, at round seconds. */
static double tick_step(double seconds)
{
    double step = pow(10, floor(log10(seconds / 8)));
    return seconds / step > 40 ? step * 5 : seconds / step > 16 ? step * 2 : step;
}

static void draw_time(FILE *out, const struct result *result)
{
    struct panel panel = {.top = TOP_TIME, .x_max = 1};
    double least = 1e18, greatest = 0;
    char text[32];
    for (size_t i = 0; i < result->moment_count; i++) {
        const struct moment *moment = &result->history[i];
        panel.x_max = moment->at_s > panel.x_max ? moment->at_s : panel.x_max;
        if (moment->answered == 0)
            continue;
        least = fmin(least, (double)moment->p50);
        greatest = fmax(greatest, (double)moment->max);
    }
    set_scale(&panel, least > greatest ? 1 : least, greatest);
    draw_frame(out, &panel, "Latency over the run", "time since publishing began");
    for (double x = 0; x <= panel.x_max; x += tick_step(panel.x_max)) {
        snprintf(text, sizeof(text), "%g s", x);
        draw_tick(out, &panel, x, text);
    }
    for (int line = 0; line < 3; line++)
        draw_line(out, &panel, result, line);
    if (least > greatest)
        draw_nothing(out, &panel);
}

static void draw_percentiles(FILE *out, const struct histogram *latency)
{
    static const char *const names[] = {"0", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"};
    struct panel panel = {.top = TOP_PERCENTILES, .x_max = 5};
    double least = (double)histogram_percentile(latency, 0);
    set_scale(&panel, least, (double)latency->max);
    draw_frame(out, &panel, "Latency by percentile", "share of the answered publishes, all streams together");
    for (int x = 0; x <= 5; x++)
        draw_tick(out, &panel, x, names[x]);
    fprintf(out, "<polyline class='line1' points='");
    for (double x = 0; x <= 5 && latency->count > 0; x += 0.02) {
        double percent = 100 * (1 - pow(10, -x));
        fprintf(out, "%.1f,%.1f ", place_x(&panel, x),
                place_y(&panel, (double)histogram_percentile(latency, percent)));
        /* Beyond the greatest there is nothing to see. */
        if ((double)latency->count * pow(10, -x) < 1)
            break;
    }
    fprintf(out, "'/>\n");
    if (latency->count == 0)
        draw_nothing(out, &panel);
}

static void draw_text(FILE *out, int y, const char *class, const char *text)
{
    fprintf(out, "<text x='%d' y='%d' class='%s'>", LEFT, y, class);
    put_text(out, text);
    fprintf(out, "</text>\n");
}

/* The title, and what was run against what. */
static void draw_head(FILE *out, const struct options *options)
{
    char line[512];
    draw_text(out, 28, "title", options->title[0] == '\0' ? "freshet-bench" : options->title);
    report_streams(options, line, sizeof(line));
    draw_text(out, 48, "about", line);
    report_load(options, line, sizeof(line));
    draw_text(out, 66, "about", line);
}

bool report_plot(const struct result *result, const struct options *options, const char *path)
{
    FILE *out = fopen(path, "we");
    if (out == NULL)
        return false;
    fprintf(out,
            "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' viewBox='0 0 %d %d'>\n"
            "<style>%s</style>\n<rect width='100%%' height='100%%' class='paper'/>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT, style);
    draw_head(out, options);
    draw_time(out, result);
    draw_percentiles(out, &result->streams->latency);
    fprintf(out, "</svg>\n");
    bool fine = !ferror(out);
    return fclose(out) == 0 && fine;
}
