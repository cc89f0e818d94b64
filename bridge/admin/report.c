#include "admin/report.h"
#include <stdio.h>
#include <stdlib.h>

enum { MAX_ROWS = 50 };

json_t *report_summary(struct app *app)
{
    struct freshet_stats stats;
    freshet_stats_get(app->freshet, &stats);
    return json_pack("{s:s, s:b, s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
                     "instance", app->instance, "ready", freshet_ready(app->freshet), "draining",
                     atomic_load(&app->draining), "bus", app_bus_text(stats.bus.state), "streams",
                     (json_int_t)stats.streams, "topics", (json_int_t)stats.topics, "loads",
                     (json_int_t)stats.loads, "loads_running", (json_int_t)stats.loads_running,
                     "loads_failed", (json_int_t)stats.loads_failed, "publishes", (json_int_t)stats.publishes,
                     "messages", (json_int_t)stats.messages, "pushed", (json_int_t)stats.snapshots_pushed,
                     "refused", (json_int_t)stats.streams_refused, "denied", (json_int_t)stats.streams_denied,
                     "errors", (json_int_t)(stats.bus.errors + stats.data.errors));
}

/* Of malloc(). */
static char *dump(struct app *app)
{
    char *text = NULL;
    size_t len;
    FILE *file = open_memstream(&text, &len);
    if (file == NULL)
        return NULL;
    freshet_dump(app->freshet, file, MAX_ROWS);
    fclose(file);
    return text;
}

json_t *report_all(struct app *app)
{
    json_t *json = report_summary(app);
    char *text = dump(app);
    if (json != NULL && text != NULL)
        json_object_set_new(json, "dump", json_string(text));
    free(text);
    return json;
}
