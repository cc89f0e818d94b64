#include "options/quantity.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct suffix {
    const char *text;
    double factor;
};

static const struct suffix times[] = {{"ns", 1},  {"us", 1e3}, {"ms", 1e6},
                                      {"s", 1e9}, {"m", 6e10}, {NULL, 0}};
static const struct suffix sizes[] = {{"", 1},       {"B", 1},           {"k", 1e3}, {"M", 1e6},
                                      {"KiB", 1024}, {"MiB", 1048576.0}, {NULL, 0}};
static const struct suffix rates[] = {{"", 1}, {"/s", 1}, {"k/s", 1e3}, {"k", 1e3}, {NULL, 0}};
static const struct suffix counts[] = {{"", 1}, {"k", 1e3}, {"M", 1e6}, {NULL, 0}};
static const struct suffix percents[] = {{"", 1}, {"%", 1}, {NULL, 0}};

static const struct {
    const struct suffix *suffixes;
    const char *example;
} units[] = {
    [UNIT_COUNT] = {counts, "a number, such as 0 or 1000"},
    [UNIT_TIME] = {times, "a time with its unit, such as 5ms, 1.5s, 100us or 2m"},
    [UNIT_RATE] = {rates, "a rate a second, such as 40 or 40/s"},
    [UNIT_BYTES] = {sizes, "bytes, such as 600, 0.6KiB or 2M"},
    [UNIT_PERCENT] = {percents, "percent, such as 50 or 50%"},
};

bool quantity_parse(enum unit unit, const char *text, double *value)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || !isfinite(number) || number < 0 || strchr("0123456789.", *text) == NULL)
        return false;
    for (const struct suffix *suffix = units[unit].suffixes; suffix->text != NULL; suffix++) {
        if (strcmp(suffix->text, end) == 0) {
            *value = number * suffix->factor;
            return true;
        }
    }
    return false;
}

bool time_parse(const char *text, int64_t *ns)
{
    double value;
    if (!quantity_parse(UNIT_TIME, text, &value) || value > 1e18)
        return false;
    *ns = (int64_t)value;
    return true;
}

const char *quantity_example(enum unit unit)
{
    return units[unit].example;
}

static void print_time(double ns, char *out, size_t size)
{
    if (ns < 1e3)
        snprintf(out, size, "%.0f ns", ns);
    else if (ns < 1e6)
        snprintf(out, size, "%.*f us", ns < 1e5 ? 2 : 1, ns / 1e3);
    else if (ns < 1e9)
        snprintf(out, size, "%.*f ms", ns < 1e8 ? 2 : 1, ns / 1e6);
    else
        snprintf(out, size, "%.2f s", ns / 1e9);
}

static void print_bytes(double bytes, char *out, size_t size)
{
    if (bytes < 10240)
        snprintf(out, size, "%.0f B", bytes);
    else if (bytes < 10485760)
        snprintf(out, size, "%.1f KiB", bytes / 1024);
    else
        snprintf(out, size, "%.1f MiB", bytes / 1048576);
}

void quantity_print(enum unit unit, double value, char *out, size_t size)
{
    switch (unit) {
    case UNIT_TIME:
        print_time(value, out, size);
        break;
    case UNIT_BYTES:
        print_bytes(value, out, size);
        break;
    case UNIT_RATE:
        snprintf(out, size, "%.*f/s", value < 100 ? 1 : 0, value);
        break;
    case UNIT_PERCENT:
        snprintf(out, size, "%.1f %%", value);
        break;
    default:
        snprintf(out, size, "%.0f", value);
        break;
    }
}
