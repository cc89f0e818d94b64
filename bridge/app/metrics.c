/* How it goes, for machines.
 *
 *   GET /metrics        Prometheus text
 *   GET /health/live    200 while the process serves: for front proxies and restarts
 *   GET /health/ready   200 or 503, whether deliveries are proved and the store answers: for alerts and
 * rolling deploys */
#include "app/metrics.h"
#include "http/http.h"
#include <stdlib.h>

static void get_metrics(struct http_request *request, void *user)
{
    struct app *app = user;
    char *text = freshet_stats_prometheus(app->freshet);
    if (text == NULL)
        http_answer_error(request, 500, "out of memory", NULL);
    else
        http_answer(request, 200, "text/plain; version=0.0.4; charset=utf-8", freshet_span_text(text));
    free(text);
}

static void get_live(struct http_request *request, void *user)
{
    (void)user;
    http_answer_json(request, 200, json_pack("{s:b}", "live", 1));
}

/* The link to the store; NULL: there is none, the state is in this process. */
static const char *data_text(const struct freshet_data_stats *data)
{
    if (data->links == 0)
        return NULL;
    return data->links_up == data->links ? "up" : "down";
}

/* As with proofs of delivery, two questions may go unanswered. */
static bool is_store_good(const struct freshet_data_stats *data)
{
    enum { GOOD_MS = 3000 };
    return data->links == 0 || (data->good_age_ms >= 0 && data->good_age_ms <= GOOD_MS);
}

static void get_ready(struct http_request *request, void *user)
{
    struct app *app = user;
    struct freshet_stats stats;
    freshet_stats_get(app->freshet, &stats);
    bool draining = atomic_load(&app->draining);
    bool ready = !draining && freshet_ready(app->freshet) && is_store_good(&stats.data);
    json_t *json = json_pack("{s:b, s:b, s:s, s:s?, s:I, s:I}", "ready", ready, "draining", draining, "bus",
                             app_bus_text(stats.bus.state), "data", data_text(&stats.data), "probe_age_ms",
                             (json_int_t)stats.bus.probe_age_ms, "streams", (json_int_t)stats.streams);
    http_answer_json(request, ready ? 200 : 503, json);
}

void metrics_start(struct app *app)
{
    http_route(app->router, "GET", "metrics", get_metrics, app);
    http_route(app->router, "GET", "health/live", get_live, app);
    http_route(app->router, "GET", "health/ready", get_ready, app);
}
