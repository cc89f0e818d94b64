#include "options/limits.h"
#include <string.h>

const struct metric_info metric_infos[METRIC_COUNT] = {
#define X(name, text, unit, label) {text, label, unit},
    METRICS(X)
#undef X
};

static void list_names(const char *option, FILE *err)
{
    fprintf(err, "freshet-bench: %s: there is no such number; %.6sNAME takes", option, option);
    for (int i = 0; i < METRIC_COUNT; i++)
        fprintf(err, "%s %s", i > 0 ? "," : "", metric_infos[i].name);
    fprintf(err, "\n");
}

bool limits_read(struct limits *limits, const char *option, const char *value, FILE *err)
{
    struct limit limit = {.is_min = strncmp(option, "--min-", 6) == 0};
    while (limit.metric < METRIC_COUNT && strcmp(metric_infos[limit.metric].name, option + 6) != 0)
        limit.metric++;
    if (limit.metric == METRIC_COUNT) {
        list_names(option, err);
        return false;
    }
    enum unit unit = metric_infos[limit.metric].unit;
    if (value == NULL || !quantity_parse(unit, value, &limit.value)) {
        fprintf(err, "freshet-bench: %s takes %s, not %s\n", option, quantity_example(unit),
                value == NULL ? "nothing" : value);
        return false;
    }
    if (limits->count == MAX_LIMITS) {
        fprintf(err, "freshet-bench: %s: no more than %d limits\n", option, MAX_LIMITS);
        return false;
    }
    limits->items[limits->count++] = limit;
    return true;
}

bool limit_holds(const struct limit *limit, const struct metrics *metrics)
{
    double value = metrics->value[limit->metric];
    if (!metrics->is_known[limit->metric])
        return false;
    return limit->is_min ? value >= limit->value : value <= limit->value;
}
